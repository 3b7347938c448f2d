"""Which keys a person has given to what, and whether that can be: known ids, keys, no clashes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from textual.binding import Binding, BindingType
from textual.keys import Keys, key_to_character

from raytui.config.problems import Mark, Problem, nearest
from raytui.config.settings import Settings
from raytui.screens.commandline import CommandLine
from raytui.screens.datascreen import DataScreen
from raytui.screens.dialog import Dialog, HarmDialog
from raytui.screens.pages import EVERYWHERE
from raytui.screens.pick import PickScreen
from raytui.screens.reading import ReadingScreen
from raytui.screens.verb_list import VERBS
from raytui.widgets.table import LineTable

NEVER_HARMFUL = frozenset(f"ctrl+{letter}" for letter in "abhjkld")
"""Keys of shells, tmux and screen: pressed by habit, so nothing that changes a cluster is there."""

_SHORT = {"slash": "/", "backslash": "\\", "at": "@", "minus": "-", "plus": "+", "underscore": "_"}
"""Textual's own names for signs that Unicode calls otherwise."""
_NAMED = frozenset(key.value for key in Keys) | _SHORT.keys()
_MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})


def _with_ids(bindings: Iterable[BindingType]) -> Iterator[Binding]:
    return (one for one in bindings if isinstance(one, Binding) and one.id)


_MOVES = tuple(
    move
    for where in (LineTable, Dialog, HarmDialog, PickScreen, CommandLine, ReadingScreen, DataScreen)
    for move in _with_ids(where.BINDINGS)
)
IN_LISTS = tuple(one.id for one in _with_ids(LineTable.BINDINGS) if one.id)
"""Moves in any list, by id."""

KEYED: Mapping[str, tuple[str, str]] = {
    **{verb.id: (verb.keys, verb.words) for verb in VERBS if verb.keys},
    **{str(one.id): (one.key, one.description) for one in _MOVES},
}
"""All that can be given keys: id → (its usual keys, what it does)."""

_HARMFUL = frozenset(verb.id for verb in VERBS if verb.mutates)


def checked_keys(settings: Settings) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The keys that can be given, by id; and what is wrong with the others, which stay usual."""
    given: dict[str, str] = {}
    wrong: list[Problem] = []
    for one, keys in settings.keys.items():
        if trouble := _trouble(one, keys):
            wrong.append(_problem(settings, one, *trouble))
        else:
            given[one] = ",".join(_split(keys))
    # Only now: two may have changed places.
    for one in list(given):
        if clash := _clash(one, given):
            wrong.append(_problem(settings, one, clash, ""))
            del given[one]
    return given, tuple(wrong)


def _trouble(one: str, keys: str) -> tuple[str, str] | None:
    """What is wrong with one line of the table by itself, and a hint."""
    if one not in KEYED:
        close = nearest(one, KEYED).partition(" allowed:")[0]
        known = "raytui config --docs lists all"
        return "nothing with a key has this id", known if "allowed" in close else close
    if not _split(keys):
        return "names no key", "e.g. t or ctrl+t or f5"
    for key in _split(keys):
        if not _is_key(key):
            return f"{key}: there is no such key", "e.g. t, T, ctrl+t, f5, space, full_stop"
        if one in _HARMFUL and _one_form(key) in NEVER_HARMFUL:
            return f"{key} is pressed by habit, and this changes the cluster", "choose another"
    return None


def _clash(one: str, given: Mapping[str, str]) -> str:
    """What else the keys of `one` do where it can be done; empty when nothing."""
    places = _places(one)
    for key in _split(given[one]):
        for other in KEYED:
            here = other != one and _places(other) & places
            if here and _one_form(key) in _keys_of(other, given):
                return f"{key} is the key of {other} on the same page"
    return ""


def _places(one: str) -> frozenset[str]:
    """Pages where something works; lists are on nearly every page."""
    if one in IN_LISTS:
        return EVERYWHERE
    pages = next((verb.pages for verb in VERBS if verb.id == one), None)
    return frozenset({"dialog"}) if pages is None else pages


def _keys_of(one: str, given: Mapping[str, str]) -> set[str]:
    return {_one_form(key) for key in _split(given.get(one, KEYED[one][0]))}


def _split(keys: str) -> list[str]:
    # A comma among the keys is called so.
    return [key.strip() for key in keys.split(",") if key.strip()]


def _one_form(key: str) -> str:
    """A key always said in the same way: `?` is also called question_mark."""
    return key if len(key) == 1 else _SHORT.get(key) or key_to_character(key) or key


def _is_key(key: str) -> bool:
    if len(key) == 1:
        return key.isprintable()
    *modifiers, last = key.split("+")
    if not set(modifiers) <= _MODIFIERS:
        return False
    return last in _NAMED or key_to_character(last) is not None


def _problem(settings: Settings, one: str, message: str, hint: str) -> Problem:
    mark = settings.marks.get(("keys", one), Mark())
    return Problem(settings.source, mark.line, mark.column, f"keys.{one}", message, hint)
