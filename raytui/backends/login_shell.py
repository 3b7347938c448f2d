"""The shell that Ray gives to the commands of a cluster file."""

from __future__ import annotations

import re
from collections.abc import Callable

_UNHEARD = re.compile(
    r"bash: (cannot set terminal process group \(-?\d+\): .*|no job control in this shell)"
)


def login_shell(text: str) -> list[str]:
    """The argv that runs `text` as Ray does (`_with_interactive` of its command_runner.py).

    A login shell that is interactive, too, so that `~/.bashrc` with its conda or PATH lines counts
    (most return at once in shells that are not), and one thread for OpenMP. The line breaks let
    `text` end with a comment or a here-document.
    """
    settings = (
        "[ ! -r ~/.bashrc ] || source ~/.bashrc; export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore"
    )
    return ["bash", "--login", "-c", "-i", f"{settings} && (\n{text}\n)"]


def without_noise(output: str) -> str:
    """Output without the lines in which an interactive shell says that it has no terminal."""
    return "".join(line for line in output.splitlines(keepends=True) if not _is_noise(line))


def noiseless(on_line: Callable[[str], None] | None) -> Callable[[str], None] | None:
    """The same for lines as they come."""
    if on_line is None:
        return None
    hear = on_line

    def heard(line: str) -> None:
        if not _is_noise(line):
            hear(line)

    return heard


def _is_noise(line: str) -> bool:
    return _UNHEARD.fullmatch(line.rstrip("\r\n")) is not None
