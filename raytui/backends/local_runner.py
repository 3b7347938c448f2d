"""Runs commands on this machine: the CommandRunner of the local provider."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from raytui.backends.base import CommandResult, LineSink, TransientError

_TIMED_OUT = 124
"""Exit code of a command that was stopped because its time was up, as of timeout(1)."""
_NOT_FOUND = 127


class LocalRunner:
    """Runs argument lists, never a shell, each in a session of its own."""

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """Run to the end; stdout and stderr are combined. Exit code 124 means out of time.

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
        out_of_time = threading.Event()

        def give_up() -> None:
            out_of_time.set()
            _kill_group(process.pid)

        timer = threading.Timer(timeout_s, give_up) if timeout_s is not None else None
        if timer:
            timer.start()
        try:
            lines = []
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if on_line:
                    on_line(line.rstrip("\n"))
            code = process.wait()
        finally:
            if timer:
                timer.cancel()
            if process.poll() is None:
                _kill_group(process.pid)
                process.wait()
        return CommandResult(_TIMED_OUT if out_of_time.is_set() else code, "".join(lines))

    def stream_command(self, command: Sequence[str]) -> list[str]:
        """The command itself: its stdin and stdout are already here."""
        return list(command)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
