"""A shell has the terminal for itself, ctrl+c too, and raytui takes it back when that ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_PROGRAM = """
from raytui.app import RaytuiApp
from tests.tui.test_pods import OnKubernetes
client = OnKubernetes()
shell = "trap 'echo caught' INT; echo its own terminal; while :; do read x && $x; done"
client.pods.shell = ["sh", "-c", shell]
RaytuiApp(client).run()
"""


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[list[str]]:
    """tmux on a server of the test's own; what to put before its commands."""
    program = shutil.which("tmux")
    if program is None:
        pytest.skip("no tmux here")
    command = [program, "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    yield command
    subprocess.run([*command, "kill-server"], capture_output=True, check=False)


def test_shell_has_the_terminal_until_it_ends(tmux: list[str]) -> None:
    def shown() -> str:
        asked = [*tmux, "capture-pane", "-p"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout

    def wait_for(words: str) -> None:
        deadline = time.monotonic() + 30
        while words not in shown():
            assert time.monotonic() < deadline, f"{words} never came:\n{shown()}"
            time.sleep(0.1)

    def press(*keys: str) -> None:
        subprocess.run([*tmux, "send-keys", *keys], check=True)

    size = ["-x", "120", "-y", "30"]
    root = str(Path(__file__).parents[2])
    started = [*tmux, "new-session", "-d", "-c", root, *size, sys.executable, "-c", _PROGRAM]
    subprocess.run(started, check=True)
    wait_for("NODE TYPES")
    press("2")
    wait_for("i-0a31")
    press("s")
    wait_for("its own terminal")
    assert "NODES" not in shown()
    press("C-c")
    wait_for("caught")
    press("exit 3", "Enter")
    wait_for("ended with exit code 3")
    press("Enter")
    wait_for("2 Nodes")
    assert "i-0a31" in shown()
