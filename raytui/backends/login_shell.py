"""The shell that Ray gives to the commands of a cluster file."""

from __future__ import annotations

import re
from collections.abc import Callable

_UNHEARD = re.compile(
    r"bash: (?:cannot set terminal process group \(-?\d+\): [^\r\n]*|no job control in this shell)"
    r"(?:\r?\n|$)"
)
"""What an interactive shell says that has no terminal. It comes by another way than output, and may
stand behind a last line that has no end."""


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
    """Output without what an interactive shell says of having no terminal."""
    return _UNHEARD.sub("", output)


def noiseless(on_line: Callable[[str], None] | None) -> Callable[[str], None] | None:
    """The same for lines as they come."""
    if on_line is None:
        return None
    hear = on_line

    def heard(line: str) -> None:
        rest = _UNHEARD.sub("", line)
        if rest or not line:
            hear(rest)

    return heard
