"""What is wrong with a file: each problem with its place, what is allowed and what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from msgspec import Struct

KeyPath = tuple[str | int, ...]
"""Keys and list indexes from the top of the document down to a value."""

MOST_SHOWN = 50
"""A file with more problems than this is not helped by a longer list."""

_LONGEST_QUOTE = 60


class Mark(Struct, frozen=True):
    """A place in a file; lines and columns start at 1, line 0 stands for the whole file."""

    line: int = 0
    column: int = 0


class Problem(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong, where it is, and how to put it right."""

    source: str
    """The file as the user named it."""
    line: int
    """Starts at 1; 0 when the file as a whole is meant."""
    column: int
    key_path: str
    """`available_node_types.cpu.min_workers`; empty when no key is meant."""
    message: str
    hint: str = ""
    """What is allowed, or what was probably meant."""

    def __str__(self) -> str:
        """`file:line: key.path: message (hint)`, on one line and safe to print."""
        place = f"{shown(self.source)}:{self.line}" if self.line else shown(self.source)
        key = f"{self.key_path}: " if self.key_path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {key}{self.message}{hint}"


class ConfigErrors(Exception):  # noqa: N818 - it carries all the errors of a file, not one
    """A file was refused; `problems` has every reason in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...], left_out: int = 0) -> None:
        super().__init__(problems, left_out)
        self.problems = problems
        self.left_out = left_out
        """How many more problems there are, beyond those that are worth listing."""

    def __str__(self) -> str:
        """One line per problem."""
        lines = [str(problem) for problem in self.problems]
        if self.left_out:
            lines.append(f"… and {self.left_out:,} more problems")
        return "\n".join(lines)


class Problems:
    """Collects the problems of one file, so that all are told at once."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.locate: Callable[[KeyPath], Mark] = lambda path: Mark()
        """Finds the place of a key path; set as soon as the file's tree is known."""
        self._found: list[tuple[KeyPath, Problem]] = []
        self._left_out = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: KeyPath, message: str, hint: str = "", *, at: Mark | None = None) -> None:
        """Note a problem with the value at `path`, or at the given place."""
        if len(self._found) >= MOST_SHOWN:
            self._left_out += 1
            return
        mark = self.locate(path) if at is None else at
        problem = Problem(self.source, mark.line, mark.column, path_text(path), message, hint)
        self._found.append((path, problem))

    def unknown_key(self, path: KeyPath, allowed: Iterable[str]) -> None:
        """Note a key that means nothing here, with the nearest key that does."""
        if len(self._found) >= MOST_SHOWN:
            self._left_out += 1
            return
        self.add(path, "unknown key", nearest(str(path[-1]), allowed))

    def touch(self, path: KeyPath) -> bool:
        """True when a problem lies at `path`, above it or below it."""
        return any(
            found[: len(path)] == path[: len(found)] for found, problem in self._found if found
        )

    def raise_if_any(self) -> None:
        """Raise ConfigErrors with everything found, in the order of the file."""
        if self._found:
            ordered = sorted((p for _, p in self._found), key=lambda p: (p.line, p.column))
            raise ConfigErrors(tuple(ordered), self._left_out)


def shown(text: str) -> str:
    """Text from a file, safe for a terminal: one line, no control characters."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def quoted(text: str) -> str:
    """A short quotation of text from a file."""
    short = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return f'"{shown(short)}"'


def path_text(path: KeyPath) -> str:
    """`provider.worker_ips[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            short = part if len(part) <= _LONGEST_QUOTE else part[: _LONGEST_QUOTE - 1] + "…"
            text += ("." if text else "") + shown(short)
    return text


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`did you mean x? allowed: …`, leaving out what cannot be said."""
    names = list(allowed)
    said = []
    short = word[:_LONGEST_QUOTE].lower()
    close = difflib.get_close_matches(short, names, n=1)
    close += [name for name in names if len(short) > 2 and name.startswith(short)]
    if close:
        said.append(f"did you mean {shown(close[0])}?")
    if names:
        said.append(f"allowed: {', '.join(shown(name) for name in names[:40])}")
    return " ".join(said)
