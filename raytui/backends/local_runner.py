"""Runs commands on this machine: the CommandRunner of the local provider."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from raytui.backends.base import CommandResult, Filters, LineSink, TransientError
from raytui.backends.kept_output import KeptOutput
from raytui.backends.login_shell import login_shell, noiseless, without_noise
from raytui.model.text import first_line

_TIMED_OUT = 124
"""Exit code of a command that was stopped because its time was up, as of timeout(1)."""
_NOT_FOUND = 127
_LONGEST_LINE = 16 << 10


class LocalRunner:
    """Runs argument lists, each in a session of its own, so that it ends with its children."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()

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
        16 KiB in parts.

        `env` is added to our own environment. A command that cannot be found gives exit code
        127; one that cannot be run for another reason raises TransientError.
        """
        try:
            process = subprocess.Popen(
                list(command),
                env={**os.environ, **env} if env else None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
                errors="replace",
            )
        except FileNotFoundError as error:
            return CommandResult(_NOT_FOUND, f"{error.filename}: not found")
        except OSError as error:
            raise TransientError(f"{command[0]} could not be run: {error.strerror}") from error
        with self._lock:
            self._running.add(process)
        out_of_time = threading.Event()

        def give_up() -> None:
            out_of_time.set()
            _kill_group(process.pid)

        timer = threading.Timer(timeout_s, give_up) if timeout_s is not None else None
        if timer:
            timer.start()
        try:
            output = KeptOutput()
            assert process.stdout is not None
            while line := process.stdout.readline(_LONGEST_LINE):
                output.add(line)
                if on_line:
                    on_line(line.rstrip("\n"))
            code = process.wait()
        finally:
            if timer:
                timer.cancel()
            if process.poll() is None:
                _kill_group(process.pid)
                process.wait()
            with self._lock:
                self._running.discard(process)
        return CommandResult(_TIMED_OUT if out_of_time.is_set() else code, output.text())

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
        """See CommandRunner; that machine is this one."""
        # pathlib drops a slash at the end, which tells rsync a folder from what is in it.
        source, to = (os.path.expanduser(path) for path in (source, to))  # noqa: PTH111
        try:
            Path(to).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            words = f"{Path(to).parent}: {error.strerror}"
            raise TransientError(f"{source} was not copied: {words}") from error
        options = [*(filters or Filters()).rsync_options(), *(["--delete"] if delete else [])]
        command = ["rsync", "-av", *options, "--", source, to]
        result = self.run(command, timeout_s=timeout_s, on_line=on_line)
        if result.exit_code:
            words = first_line(result.output) or f"exit code {result.exit_code}"
            raise TransientError(f"{source} was not copied: {words}", detail=result.output)

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
        """See CommandRunner; that machine is this one."""
        self.put(source, to, filters=filters, delete=delete, timeout_s=timeout_s, on_line=on_line)

    def stream_command(self, command: Sequence[str]) -> list[str]:
        """The command itself: its stdin and stdout are already here."""
        return list(command)

    def close(self) -> None:
        """See CommandRunner."""
        with self._lock:
            for process in self._running:
                if process.poll() is None:
                    _kill_group(process.pid)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
