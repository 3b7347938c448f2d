"""A screen to read a longer text on: an event's story, all messages, a reason in full."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from raytui.model.text import plain
from raytui.screens.dialog import Dialog, titled


class ReadingScreen(Dialog[None]):
    """Scrolls; `c` copies the text, Esc goes back."""

    DEFAULT_CSS = """
    ReadingScreen > .box { height: auto; width: 110; }
    ReadingScreen > .box > Static { width: 1fr; height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy", show=False),
        Binding("q,enter", "cancel", "Back", show=False),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = "\n".join(plain(line) for line in text.splitlines())

    def compose(self) -> ComposeResult:
        """The text in a box as high as it needs."""
        with VerticalScroll(classes="box") as box:
            titled(box, self._title, "c copy   esc back")
            yield Static(self._text, markup=False)

    def action_copy(self) -> None:
        """Copy the text to the clipboard."""
        self.app.copy_to_clipboard(self._text)
        self.app.notify("copied", markup=False)
