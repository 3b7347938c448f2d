"""Help for the page it was asked on, made from the list of verbs."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from raytui.screens.dialog import Dialog, titled
from raytui.screens.keymap import IN_LISTS, KEYED
from raytui.screens.keys import KeyNames
from raytui.screens.pages import EVERYWHERE, LIVE
from raytui.screens.verb import Verb
from raytui.screens.verb_list import VERBS
from raytui.screens.verbs import verbs_on
from raytui.widgets.cell import Cell, cell, to_content

_MOVING = (
    ("Tab", "The next list on the page"),
    ("ctrl+p", "Find a command"),
)
_FILTERS = (
    ("word  !word", "in any column, in none"),
    ("key=value", "one column or label: type=gpu status=idle zone=2a"),
    ("~regex", "the rest of the line as one expression"),
)


class HelpScreen(Dialog[None]):
    """Keys and names of all verbs; those that read-only mode refuses are greyed."""

    DEFAULT_CSS = """
    HelpScreen > .box { width: 92; }
    HelpScreen > .box > Static { height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [("q,question_mark,enter", "cancel", "Back")]

    def __init__(self, page: str, keys: KeyNames, *, read_only: bool) -> None:
        super().__init__()
        self._page = page
        self._keys = keys
        self._read_only = read_only

    def compose(self) -> ComposeResult:
        """All sections in one text that scrolls."""
        with VerticalScroll(classes="box") as box:
            titled(box, "Help", "esc back")
            yield Static(to_content(*self._lines()), markup=False)

    def _lines(self) -> list[Cell]:
        shared = (LIVE, EVERYWHERE)
        here = [v for v in verbs_on(self._page) if v.pages not in shared]
        everywhere = [v for v in verbs_on(self._page) if v.pages in shared and v.keys]
        by_name = [v for v in VERBS if v.names and not v.keys]
        lines: list[Cell] = []
        if here:
            lines += [_heading("On this page"), *map(self._verb_line, here), ()]
        lines += [_heading("Everywhere"), *map(self._verb_line, everywhere), ()]
        lines += [_heading("By name, after :"), *map(self._verb_line, by_name), ()]
        moves = ((self._keys.of_id(one, KEYED[one][0]), KEYED[one][1]) for one in IN_LISTS)
        lines += [_heading("In lists"), *(_line(*pair) for pair in (*moves, *_MOVING)), ()]
        lines += [_heading("Filters"), *(_line("", words, form) for form, words in _FILTERS)]
        return lines

    def _verb_line(self, verb: Verb) -> Cell:
        names = f":{verb.names[0]} {verb.argument}".rstrip() if verb.names else ""
        refused = self._read_only and verb.mutates
        words = f"{verb.words} (read-only)" if refused else verb.words
        return _line(self._keys.of(verb), words, names, greyed=refused)


def _heading(words: str) -> Cell:
    return cell((words, "bold $heading"))


def _line(keys: str, words: str, names: str = "", *, greyed: bool = False) -> Cell:
    return cell(
        (f"  {keys:<9}", "$faint" if greyed else "bold $key"),
        (f"{names:<17}", "$faint" if greyed else "$quiet"),
        (f" {words}", "$faint" if greyed else ""),
    )
