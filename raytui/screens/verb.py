"""One thing that a person can ask for."""

from __future__ import annotations

from dataclasses import dataclass

from raytui.screens.pages import LIVE


class VerbError(Exception):
    """A verb cannot be done; `str()` is one line for the person who asked."""


@dataclass(frozen=True)
class Verb:
    """One thing to ask for. A page does it in its method `verb_<id>` with `-` as `_`."""

    id: str
    words: str
    """What it does, for help and palette."""
    keys: str = ""
    """Default keys in Textual's words, separated by commas; empty: only by name."""
    pages: frozenset[str] = LIVE
    """Pages where its key works and help tells of it."""
    mutates: bool = False
    """It changes the cluster: refused in read-only mode."""
    names: tuple[str, ...] = ()
    """What it is called after `:`; empty: it cannot be called by name."""
    argument: str = ""
    """What may follow the name, e.g. `TYPE N`."""
    short: str = ""
    """Its word in the footer; empty: not there."""
    drop: int = 5
    """How soon it leaves a footer that is too short (the highest first; 0: never)."""
    asks: bool = False
    """Its key opens a line to type in, and what is typed right behind the key belongs there."""
