"""A screen to read a longer text on: an event's story, all messages, a reason in full."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from raytui.model.text import plain
from raytui.screens.dialog import Dialog, titled

_ABOVE = 2
"""Lines kept in sight above what was found."""


class ReadingScreen(Dialog[None]):
    """Scrolls; `/` finds words, `n` and `N` go on, `c` copies the text, Esc goes back."""

    DEFAULT_CSS = """
    ReadingScreen > .box { height: auto; width: 110; }
    ReadingScreen > .box > Static { width: 1fr; height: auto; }
    ReadingScreen > #find { dock: bottom; width: 100%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy a text", show=False, id="text-copy"),
        Binding("slash", "find", "Find in a text", show=False, id="text-find"),
        Binding("n", "go_on(1)", "Next found", show=False, id="text-next"),
        Binding("N", "go_on(-1)", "Found before", show=False, id="text-before"),
        Binding("q,enter", "cancel", "Close a text", show=False, id="text-close"),
    ]

    hint = "/ find   c copy   esc back"
    """What the frame says of keys."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = _harmless(text)
        self._found: list[int] = []
        """Where the words that are looked for begin in the text."""
        self._at = 0
        self._words = ""

    def compose(self) -> ComposeResult:
        """The text in a box as high as it needs."""
        with VerticalScroll(classes="box") as box:
            titled(box, self._title, self.hint)
            yield Static(self._text, markup=False)

    def show(self, title: str, text: str) -> None:
        """Put another text in place of this one; the words looked for are looked for there."""
        self._title, self._text = title, _harmless(text)
        self._box.border_title = Content(plain(title))
        self._look_for(self._words)

    def action_copy(self) -> None:
        """Copy the text to the clipboard."""
        self.app.copy_to_clipboard(self._text)
        self.app.notify("copied", markup=False)

    async def action_find(self) -> None:
        """Ask for words to find."""
        if not self.query("#find"):
            line = Input(self._words, placeholder="find", id="find")
            await self.mount(line)
            line.focus()

    def action_cancel(self) -> None:
        """Close the line in which words are typed, else the screen."""
        if self.query("#find"):
            self._put_away()
        else:
            self.dismiss(None)

    def action_go_on(self, step: int) -> None:
        """Go to the next place that was found, or to the one before."""
        if self._found:
            self._at = (self._at + step) % len(self._found)
            self._paint()

    @on(Input.Submitted, "#find")
    def _find(self, event: Input.Submitted) -> None:
        self._look_for(event.value)
        if self._words and not self._found:
            self.app.notify(f"not in this text: {self._words}", severity="warning", markup=False)
        self._put_away()

    @property
    def _box(self) -> Widget:
        return self.query_one(".box")

    def _put_away(self) -> None:
        self.query("#find").remove()
        self._box.focus()

    def _look_for(self, words: str) -> None:
        self._words, self._at, self._found = words, 0, []
        # Letter by letter, since some letters become two when their case is changed.
        text, wanted = _folded(self._text), _folded(words)
        at = text.find(wanted) if wanted else -1
        while at >= 0:
            self._found.append(at)
            at = text.find(wanted, at + len(wanted))
        self._paint()

    def _paint(self) -> None:
        content = Content(self._text)
        for index, at in enumerate(self._found):
            style = "bold reverse" if index == self._at else "underline"
            content = content.stylize(style, at, at + len(self._words))
        self._box.query_one(Static).update(content)
        if self._found:
            self._box.scroll_to(y=max(0, self._line_of(self._found[self._at]) - _ABOVE))

    def _line_of(self, at: int) -> int:
        """The line on the screen, about: where long lines break is not known exactly."""
        width = max(1, self._box.query_one(Static).size.width)
        return sum(max(1, -(-cell_len(line) // width)) for line in self._text[:at].split("\n")[:-1])


def _harmless(text: str) -> str:
    return "\n".join(plain(line) for line in text.splitlines())


def _folded(text: str) -> str:
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
