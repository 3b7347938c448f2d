"""A dialog to pick one of many names: a list that follows what is typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from raytui.model.text import plain
from raytui.screens.dialog import Dialog, titled


class Pick(Struct, frozen=True):
    """One of the names: how it reads, and what the dialog is dismissed with."""

    words: str
    result: str
    note: str = ""


class PickScreen(Dialog[str]):
    """Dismissed with the result of a pick, with None by Esc; `current` is selected at first."""

    DEFAULT_CSS = """
    PickScreen > .box { width: 72; }
    PickScreen OptionList {
        height: auto; max-height: 16; border: none; background: $surface; padding: 0;
        scrollbar-size-vertical: 1;
        & > .option-list--option { padding: 0 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Next", show=False, priority=True, id="pick-down"),
        Binding("up", "move(-1)", "Before", show=False, priority=True, id="pick-up"),
    ]

    def __init__(self, title: str, picks: Sequence[Pick], *, current: str = "") -> None:
        super().__init__()
        self._title = title
        self._picks = tuple(picks)
        self._current = current
        self._shown: list[Pick] = []

    def compose(self) -> ComposeResult:
        """The line to type on, the list below."""
        with Vertical(classes="box") as box:
            titled(box, self._title, "enter choose   esc back")
            yield Input(placeholder="type to narrow down")
            # The line keeps the focus: keys move the list, letters narrow it down.
            names = OptionList()
            names.can_focus = False
            yield names

    def on_mount(self) -> None:
        """All names, the current one selected."""
        self._show("")
        self.query_one(Input).focus()

    def action_move(self, step: int) -> None:
        """Select the next or the previous name."""
        names = self.query_one(OptionList)
        names.action_cursor_down() if step > 0 else names.action_cursor_up()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._show(event.value)

    @on(Input.Submitted)
    def _submit(self) -> None:
        at = self.query_one(OptionList).highlighted
        if at is not None and at < len(self._shown):
            self.dismiss(self._shown[at].result)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index].result)

    def _show(self, text: str) -> None:
        needle = text.strip().lower()
        self._shown = [one for one in self._picks if needle in one.words.lower()]
        names = self.query_one(OptionList)
        names.clear_options()
        names.add_options([Option(_prompt(one)) for one in self._shown])
        results = [one.result for one in self._shown]
        if results:
            names.highlighted = results.index(self._current) if self._current in results else 0


def _prompt(one: Pick) -> Content:
    note = (f"  {plain(one.note)}", "$quiet") if one.note else ("", "")
    return Content.assemble(plain(one.words), note)
