"""Copies files to and from a host with OpenSSH's rsync, under the connection's own rules."""

from __future__ import annotations

from raytui.backends.base import Filters, LineSink
from raytui.backends.local_runner import LocalRunner
from raytui.backends.ssh.errors import SyncCutOffError, SyncError
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.openssh import destination, ssh_argv
from raytui.backends.ssh.target import SshTarget

_SILENCE_S = 30
"""rsync gives up when no byte has moved for so long."""
_SAID = 500


def rsync(
    target: SshTarget,
    keys: HostKeys,
    source: str,
    to: str,
    *,
    filters: Filters,
    delete: bool,
    timeout_s: float | None,
    on_line: LineSink | None,
) -> None:
    """Copy `source` to `to`, one of which is `remote_path(...)`. Raises SyncError."""
    # words that come beside the conversation are rarely lost when that ends early, on a full disk
    argv = ["rsync", "-az", "--protect-args", "--msgs2stderr", f"--timeout={_SILENCE_S}"]
    argv += ["--delete"] if delete else []
    argv += ["--info=name1"] if on_line else []
    argv += filters.rsync_options()
    argv += ["-e", " ".join(map(_quoted, ssh_argv(target, keys))), "--", source, to]
    result = LocalRunner().run(argv, timeout_s=timeout_s, on_line=on_line)
    if result.exit_code:
        raise not_copied(target, result.exit_code, result.output)


def remote_path(target: SshTarget, path: str) -> str:
    """A path on the host as rsync wants it; `~/` is where it is taken from anyway."""
    name = destination(target)
    return f"[{name}]:{home_relative(path)}" if ":" in name else f"{name}:{home_relative(path)}"


def home_relative(path: str) -> str:
    """`~/x` as `x`: commands and rsync start in the home directory."""
    if path in ("~", "~/"):
        return "./"
    return path.removeprefix("~/")


def folder_of(path: str) -> str:
    """The folder that has to exist before `path` can be written."""
    return home_relative(path).rstrip("/").rpartition("/")[0] or "."


def _quoted(word: str) -> str:
    """Rsync's own quoting in `-e`: single quotes, doubled inside, and no backslashes."""
    return "'" + word.replace("'", "''") + "'"


def not_copied(target: SshTarget, code: int, output: str) -> SyncError:
    """The error for a copy that ended with `code`, with advice where the words are known."""
    words = " ".join(output.split())[-_SAID:] or _UNSAID.get(code, "no reason given")
    advice = next((advice for sign, advice in _ADVICE.items() if sign in words), "")
    is_cut = code == _TIMEOUT or (code in _CUT_OFF and not advice)
    kind = SyncCutOffError if is_cut else SyncError
    fix = advice or f"Try again when that is mended (exit code {code})."
    return kind(target.name, f"files were not copied: {words}", fix, detail=output)


_TIMEOUT = 30
_CUT_OFF = frozenset({10, 12, 255})
"""rsync's exit codes for a connection that ended, and ssh's own."""

_UNSAID = {
    11: "reading or writing failed, as when a disk is full",
    12: "the other side ended the conversation",
    30: f"timeout in data: no byte has moved for {_SILENCE_S} s",
    124: "out of time",
}
"""What rsync's exit codes mean (rsync(1)): its words get lost when the connection ends first."""

_ADVICE = {
    "No space left on device": "Free some disk space there (df -h) and try again.",
    "as when a disk is full": "Free some disk space there (df -h) and try again.",
    "rsync: command not found": "Install rsync on the host.",
    "rsync: not found": "Install rsync here and on the host.",
    "Permission denied": "Choose a path that the user may write to, or another ssh_user.",
    "timeout in data": "The host or the network stopped answering; try again.",
}
