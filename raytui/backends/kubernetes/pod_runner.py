"""Runs commands and copies files in a container of a pod: the CommandRunner on Kubernetes."""

from __future__ import annotations

import codecs
import contextlib
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from raytui.backends.base import (
    CommandResult,
    ConfigError,
    Filters,
    LineSink,
    ProviderError,
    TransientError,
)
from raytui.backends.kept_output import KeptOutput
from raytui.backends.kubernetes.bound_script import bound_script
from raytui.backends.kubernetes.channels import Channels
from raytui.backends.kubernetes.pod_command import (
    NOT_FOUND_CODE,
    Channel,
    Container,
    cut_off,
    end_of,
    started,
)
from raytui.backends.kubernetes.session import KubeSession
from raytui.backends.local_runner import LocalRunner
from raytui.backends.login_shell import login_shell, noiseless, without_noise
from raytui.backends.shell_script import script_argv
from raytui.model.text import first_line

_TIMED_OUT = 124
"""Exit code of a command that was stopped because its time was up, as of timeout(1)."""
_KILLED = 137
_LONGEST_LINE = 16 << 10
_BRIDGE = "raytui.backends.kubernetes.exec_bridge"
_ANY_SHELL = "if command -v bash >/dev/null; then exec bash -il; else exec sh -i; fi"
_HERE = "pod"
"""What rsync takes for the name of the other machine."""


class PodRunner:
    """One container. Commands run side by side, each on a connection of its own.

    They end with their connection: one that is out of time, or whose runner is closed, is killed
    with all that it has started. `run` needs sh and head in the image, `put` and `get` rsync.
    """

    def __init__(self, session: KubeSession, namespace: str, pod: str, container: str = "") -> None:
        """No `container`: the one that the pod names as its default, else its first."""
        self._session = session
        self._where = Container(namespace, pod, container)
        self._lock = threading.Lock()
        self._under_way: set[Channels] = set()
        self._copying = LocalRunner()

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """Run to the end; stdout and stderr are combined. Exit code 124 means out of time.

        Of much output the begin and the end are kept; `on_line` gets all of it, lines of more than
        16 KiB in parts. Raises a typed ProviderError when it could not be run.
        """
        argv, head = bound_script(command, env or {})
        output = _Output(on_line)
        out_of_time = threading.Event()
        with started(self._session, self._where, argv) as channels:

            def give_up() -> None:
                out_of_time.set()
                channels.cut()

            with self._noted(channels), _within(timeout_s, give_up):
                status = _follow(channels, head, output)
                was_closed = not self._is_noted(channels)
        output.end()
        if status is not None:
            ended = end_of(status, self._where)
            return CommandResult(ended.code, output.text() or ended.words)
        if out_of_time.is_set():
            return CommandResult(_TIMED_OUT, output.text())
        if was_closed:
            return CommandResult(_KILLED, output.text())
        raise cut_off(self._where)

    def run_shell(
        self,
        text: str,
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """See CommandRunner; without a terminal, and without the shell's words about that."""
        result = self.run(
            login_shell(text), env=env, timeout_s=timeout_s, on_line=noiseless(on_line)
        )
        return CommandResult(result.exit_code, without_noise(result.output))

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
        """See CommandRunner."""
        there = self._path_there(to)
        folder = there.rstrip("/").rpartition("/")[0] or "/"
        made = self.run(["mkdir", "-p", "--", folder], timeout_s=timeout_s)
        if made.exit_code:
            raise TransientError(f"{source} was not copied: {first_line(made.output)}")
        self._copy(source, f"{_HERE}:{there}", filters, delete, timeout_s, on_line)

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
        """See CommandRunner."""
        there = self._path_there(source)
        self._copy(f"{_HERE}:{there}", to, filters, delete, timeout_s, on_line)

    def stream_command(self, command: Sequence[str]) -> list[str]:
        """See CommandRunner; its exit code is the command's, 255 when that could not be run.

        Where the server is older than Kubernetes 1.30, the end of stdin ends the connection:
        unless nothing was sent, what the command says afterwards is not heard.
        """
        return [*self._bridge(), *command]

    def terminal_argv(self, command: Sequence[str] = ()) -> list[str]:
        """A local argv that gives a person's terminal to a command, by default to a shell."""
        return [*self._bridge("--tty"), *(command or script_argv(_ANY_SHELL))]

    def close(self) -> None:
        """See CommandRunner."""
        with self._lock:
            under_way, self._under_way = self._under_way, set()
        for channels in under_way:
            channels.cut()
        self._copying.close()

    # Parts.

    def _bridge(self, *flags: str) -> list[str]:
        access, where = self._session.access, self._where
        ways = (("--kubeconfig", access.kubeconfig), ("--context", access.context))
        given = [word for flag, value in ways if value for word in (flag, value)]
        place = [where.namespace, where.pod, where.name]
        return [sys.executable, "-P", "-m", _BRIDGE, *given, *flags, "--", *place]

    def _path_there(self, path: str) -> str:
        if path != "~" and not path.startswith("~/"):
            return path
        asked = self.run(script_argv('printf %s "$HOME"'))
        if asked.exit_code or not asked.output:
            raise TransientError(f"{self._where} has no home folder for {path}")
        return asked.output.rstrip("/") + path[1:]

    def _copy(
        self,
        source: str,
        to: str,
        filters: Filters | None,
        delete: bool,
        timeout_s: float | None,
        on_line: LineSink | None,
    ) -> None:
        options = [*(filters or Filters()).rsync_options(), *(["--delete"] if delete else [])]
        # Protected arguments are sent by rsync's own protocol: there is no shell to unquote them.
        command = ["rsync", "-av", "--protect-args", *options]
        command += ["--rsh", shlex.join(self._bridge("--rsync")), "--", source, to]
        result = self._copying.run(command, timeout_s=timeout_s, on_line=on_line)
        if result.exit_code:
            raise _not_copied(source, result)

    @contextlib.contextmanager
    def _noted(self, channels: Channels) -> Iterator[None]:
        with self._lock:
            self._under_way.add(channels)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.discard(channels)

    def _is_noted(self, channels: Channels) -> bool:
        with self._lock:
            return channels in self._under_way


class _Output:
    """What a command says, as text and line by line."""

    def __init__(self, on_line: LineSink | None) -> None:
        self._kept = KeptOutput()
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def add(self, data: bytes) -> None:
        self._take(self._decoder.decode(data))

    def end(self) -> None:
        self._take(self._decoder.decode(b"", final=True))
        if self._rest and self._on_line:
            self._on_line(self._rest)
        self._rest = ""

    def text(self) -> str:
        return self._kept.text()

    def _take(self, text: str) -> None:
        self._kept.add(text)
        if self._on_line is None:
            return
        *lines, self._rest = (self._rest + text).split("\n")
        while len(self._rest) >= _LONGEST_LINE:
            lines.append(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]
        for line in lines:
            self._on_line(line)


def _follow(channels: Channels, head: bytes, output: _Output) -> bytes | None:
    """Hear a command until its status comes; None when the connection ended before."""
    with contextlib.suppress(ConnectionError):
        channels.send(Channel.STDIN, head)
    while (message := channels.receive()) is not None:
        channel, data = message
        if channel == Channel.STATUS:
            return data
        if channel in (Channel.STDOUT, Channel.STDERR):
            output.add(data)
    return None


@contextlib.contextmanager
def _within(seconds: float | None, give_up: Callable[[], None]) -> Iterator[None]:
    timer = None if seconds is None else threading.Timer(seconds, give_up)
    if timer:
        timer.start()
    try:
        yield
    finally:
        if timer:
            timer.cancel()


def _not_copied(source: str, result: CommandResult) -> ProviderError:
    words = first_line(result.output) or f"exit code {result.exit_code}"
    kind = ConfigError if result.exit_code == NOT_FOUND_CODE else TransientError
    return kind(f"{source} was not copied: {words}", detail=result.output)
