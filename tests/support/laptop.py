"""The machine from which a person launches: raytui on it, with directories of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


class Laptop:
    """Runs raytui on this machine as if it were another one."""

    folder: Path
    """State, settings and cluster files."""

    @property
    def environment(self) -> dict[str, str]:
        """What raytui's processes on the laptop have more than this one."""
        return {
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "RAYTUI_SSH_CONFIG": str(self.folder / "ssh_config"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "TERM": "xterm-256color",
            "TEXTUAL_ANIMATIONS": "none",
        }

    def argv(self, *words: str) -> list[str]:
        """One command line of raytui on the laptop."""
        return [sys.executable, "-m", "raytui", *words]

    def raytui(self, *words: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run raytui on the laptop to its end, without a terminal."""
        with self.start(*words) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired as late:
                _kill(process)
                said = "\n".join(process.communicate())
                raise TimeoutError(f"{late}; it said:\n{said}") from None
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    @contextlib.contextmanager
    def start(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Run raytui on the laptop, in a process group of its own; it ends with the context."""
        process = subprocess.Popen(
            self.argv(*words),
            env={**os.environ, **self.environment},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                _kill(process)
                process.communicate()


def _kill(process: subprocess.Popen[str]) -> None:
    """The program with all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
