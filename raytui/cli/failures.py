"""Errors that are expected: which exit code they mean and how they read. No tracebacks."""

from __future__ import annotations

from raytui.cli.exit_codes import ExitCode


class CommandFailed(Exception):  # noqa: N818 - it is the outcome of a command
    """A command ends here, with an exit code and a sentence for stderr."""

    def __init__(self, code: ExitCode, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail


def unreachable(message: str) -> CommandFailed:
    """The cluster cannot be reached."""
    return CommandFailed(ExitCode.UNREACHABLE, message)


def as_failure(error: Exception) -> CommandFailed | None:
    """What an error of a lower room means here; None when nobody expected it."""
    if isinstance(error, CommandFailed):
        return error
    # Only now: none of this is needed as long as nothing fails.
    from raytui.autoscaler.daemon.actor_lock import LockHeldError
    from raytui.autoscaler.daemon.control import ControlError
    from raytui.autoscaler.daemon.failed_rounds import BadSettingError, TooManyFailuresError
    from raytui.autoscaler.daemon.serve import NoHeadError
    from raytui.autoscaler.loop.ledger import LedgerError
    from raytui.backends.base import ProviderError
    from raytui.backends.ssh.errors import SshError, SyncError
    from raytui.client.base import ClientError, ReadOnlyError
    from raytui.config.problems import ConfigErrors
    from raytui.launcher.head_place import HeadNotFoundError
    from raytui.model.step import LaunchError
    from raytui.provisioning.target import UnknownClusterError
    from raytui.ray.base import RayError

    codes: tuple[tuple[type[Exception] | tuple[type[Exception], ...], ExitCode], ...] = (
        ((ConfigErrors, UnknownClusterError, BadSettingError), ExitCode.USAGE),
        ((ClientError, ControlError), ExitCode.UNREACHABLE),
        (TimeoutError, ExitCode.TIMEOUT),
        (SyncError, ExitCode.FAILED),
        ((SshError, HeadNotFoundError), ExitCode.UNREACHABLE),
        ((LaunchError, ProviderError, RayError, LockHeldError), ExitCode.FAILED),
        ((LedgerError, NoHeadError, ReadOnlyError), ExitCode.FAILED),
        ((TooManyFailuresError, OSError), ExitCode.FAILED),
    )
    for kinds, code in codes:
        if isinstance(error, kinds):
            return CommandFailed(code, str(error), getattr(error, "detail", ""))
    return None
