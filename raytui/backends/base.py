"""The door to machines: NodeProvider, CommandRunner, and the errors that they raise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from raytui.model.plan import FailureKind
from raytui.model.spec import ClusterSpec, Market, NodeType, Offering
from raytui.model.state import Instance


class LaunchRequest(Struct, frozen=True):
    """A wish for nodes. Repeating it with the same `request_id` never makes more of them."""

    request_id: str
    node_type: str
    count: int
    offering: Offering = Offering()
    is_head: bool = False
    head_address: str = ""
    """`ip:port` of GCS that workers join; empty for the head."""
    all_or_nothing: bool = False
    """Fewer than `count` are of no use: then none is taken, and that is a CapacityError."""


class ProviderError(Exception):
    """A provider call failed; `str()` is the provider's own message."""

    kind: FailureKind = FailureKind.TRANSIENT

    def __init__(
        self, message: str, *, zone: str = "", market: Market = Market.ON_DEMAND, detail: str = ""
    ) -> None:
        super().__init__(message)
        self.zone = zone
        self.market = market
        self.detail = detail
        """More of the story, e.g. the tail of a log."""


class CapacityError(ProviderError):
    """The provider has no machine of this kind now."""

    kind = FailureKind.CAPACITY


class QuotaError(ProviderError):
    """The account may not have more."""

    kind = FailureKind.QUOTA


class AuthError(ProviderError):
    """The credentials are missing, wrong or too weak."""

    kind = FailureKind.AUTH


class ConfigError(ProviderError):
    """The request can never succeed as configured."""

    kind = FailureKind.CONFIG


class ProtectedError(ConfigError):
    """Somebody protects machines from being ended: they stay, and all others were ended."""

    def __init__(self, message: str, instance_ids: Sequence[str]) -> None:
        super().__init__(message)
        self.instance_ids = frozenset(instance_ids)


class ThrottledError(ProviderError):
    """Too many calls; ask later."""

    kind = FailureKind.THROTTLED


class TransientError(ProviderError):
    """It may work when tried again."""

    kind = FailureKind.TRANSIENT


class PartialLaunchError(ProviderError):
    """Fewer instances than asked for: those that came, and the typed error for the rest."""

    def __init__(self, launched: Sequence[Instance], cause: ProviderError) -> None:
        super().__init__(str(cause), zone=cause.zone, market=cause.market, detail=cause.detail)
        self.launched = tuple(launched)
        self.cause = cause
        self.kind = cause.kind


class NodeProvider(Protocol):
    """Machines of one cluster. Synchronous; every call ends within its own timeout."""

    def list_instances(self) -> list[Instance]:
        """All instances with this cluster's tags that are not gone, the head included.

        An instance whose machine or process died without being told stays listed once with
        status LOST and `detail` set to what is known (an exit code, the tail of its log) until
        `terminate` clears it away.
        """
        ...

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """Start the nodes of a request; idempotent by `request_id`.

        Raises a ProviderError when none could be started, PartialLaunchError when only some were.
        """
        ...

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """Stop instances and clear away what is left of them; unknown ids are ignored."""
        ...

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """The ways to buy a node of this type, with prices where they are known.

        Asked in every round of the loop: nobody is asked for what is not known yet.
        """
        ...

    def reload(self, spec: ClusterSpec) -> None:
        """Go on with a changed cluster file; what runs stays as it is."""
        ...


LineSink = Callable[[str], None]


class CommandResult(Struct, frozen=True):
    """Exit code and the combined output of a finished command."""

    exit_code: int
    output: str


class Filters(Struct, frozen=True, omit_defaults=True):
    """What a copy leaves out, in Ray's words (`rsync_exclude`, `rsync_filter`)."""

    exclude: tuple[str, ...] = ()
    """rsync patterns."""
    ignore_files: tuple[str, ...] = ()
    """Names of files such as `.gitignore`, whose patterns count in their folder and below."""

    def rsync_options(self) -> list[str]:
        """The filters in rsync's words and in Ray's order."""
        excluded = [word for pattern in self.exclude for word in ("--exclude", pattern)]
        files = self.ignore_files
        return excluded + [word for name in files for word in ("--filter", f"dir-merge,- {name}")]


class CommandRunner(Protocol):
    """Runs commands on one machine: here, over SSH, in a container, in a pod.

    What ends with an exit code is a result, whatever the code; what could not be tried at all
    (no connection, no login) raises a ProviderError.
    """

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """Run to the end, handing each line of output to `on_line` as it comes."""
        ...

    def run_shell(
        self,
        text: str,
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """Run a command of the cluster file, in the shell that Ray gives it (login_shell.py)."""
        ...

    def put(
        self,
        source: str,
        to: str,
        *,
        filters: Filters | None = None,
        delete: bool = False,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> None:
        """Copy a path of this machine to one of that machine, and the folders that it lies in.

        A `/` at the end of `source` means what is in the folder, as rsync has it; `~/` at `to` is
        the home there. `delete` removes what `source` does not have. Raises ProviderError with
        rsync's words when it was not copied.
        """
        ...

    def get(
        self,
        source: str,
        to: str,
        *,
        filters: Filters | None = None,
        delete: bool = False,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> None:
        """Copy a path of that machine to one of this machine, as `put` does the other way round."""
        ...

    def stream_command(self, command: Sequence[str]) -> list[str]:
        """A local argv whose stdin and stdout are those of `command` on the machine."""
        ...

    def close(self) -> None:
        """Let go of the machine. Commands under way are ended and come back as failed."""
        ...


class Machines(NodeProvider, Protocol):
    """A provider of bare machines: `launch` only gets them; provisioning/ makes nodes of them.

    Instances that `launch` returned are ALLOCATED until somebody sets them up.
    """

    def runner(self, instance_id: str) -> CommandRunner:
        """The way to a machine, the same runner each time; raises ProviderError when unknown."""
        ...

    def tags(self, instance_id: str) -> dict[str, str]:
        """What was written down with a machine; empty for an unknown one."""
        ...

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Write down with a machine, beside what is there, safe against a crash.

        Raises ProviderError.
        """
        ...
