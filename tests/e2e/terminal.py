"""A real terminal for tests: tmux on a server of its own, typed into and read like a person's."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path


class Terminal:
    """One tmux window that runs one command; the window outlives the command."""

    def __init__(
        self,
        folder: Path,
        command: list[str],
        *,
        env: Mapping[str, str],
        width: int = 120,
        height: int = 40,
    ) -> None:
        self._socket = folder / "tmux"
        settings = [f"{name}={value}" for name, value in env.items()]
        # The shell that tmux starts gets quoted words only.
        # Python's readline tells its children the size of the terminal in which it was loaded.
        line = shlex.join(["env", "-u", "COLUMNS", "-u", "LINES", *settings, *command])
        line += "; echo exit code $?; exec sleep 600"
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-s", "main",
            "-x", str(width), "-y", str(height), "-c", str(folder), line,
        )  # fmt: skip

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names (Enter, Escape, Tab, Down) or as characters."""
        for key in keys:
            self._tmux("send-keys", "-t", "main", key)

    def type(self, text: str) -> None:
        """Type text letter by letter."""
        self._tmux("send-keys", "-t", "main", "-l", text)

    def screen(self) -> str:
        """What a person sees now."""
        return self._tmux("capture-pane", "-p", "-t", "main")

    def wait(self, seen: str | Callable[[str], object], within_s: float = 60.0) -> str:
        """Wait until a text (or what a function looks for) is on the screen; returns the screen."""
        deadline = time.monotonic() + within_s
        while True:
            screen = self.screen()
            if (seen in screen) if isinstance(seen, str) else seen(screen):
                return screen
            assert time.monotonic() < deadline, f"not on screen within {within_s} s:\n{screen}"
            time.sleep(0.1)

    def close(self) -> None:
        """End the window and its tmux server."""
        subprocess.run(
            ["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, timeout=20
        )


def lines_with(screen: str, *words: str) -> list[str]:
    """Lines that hold all the words."""
    return [line for line in screen.splitlines() if all(word in line for word in words)]
