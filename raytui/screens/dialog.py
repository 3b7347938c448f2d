"""The frame of every dialog: a box over the page, Esc closes it and does nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from raytui.model.text import plain

R = TypeVar("R")


def titled(box: Widget, title: str, subtitle: str = "") -> None:
    """Write on the frame of a box; as Content, because Textual reads a str as markup here."""
    if title:
        box.border_title = Content(plain(title))
    if subtitle:
        box.border_subtitle = Content(plain(subtitle))


class Dialog(ModalScreen[R]):
    """A box in the middle of the screen; dismissed with None by Esc."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        background: $background 55%;
        & > .box {
            width: 96;
            max-width: 96%;
            height: auto;
            max-height: 92%;
            padding: 1 2;
            background: $surface;
            border: round $rule;
            border-title-color: $primary;
            border-title-style: bold;
        }
        & .buttons { height: auto; align-horizontal: right; margin-top: 1; }
        & Button {
            height: 1; border: none !important; min-width: 0; width: auto;
            padding: 0 2; margin-left: 2;
            background: $panel; color: $foreground; text-style: none !important;
            &:hover { background: $panel; text-style: underline !important; }
            &:focus {
                background: $primary; color: $background; text-style: bold !important;
                background-tint: $background 0%;
            }
            &.-harm { color: $state-failed; }
            &.-harm:focus { background: $state-failed; color: $background; }
            &:disabled { opacity: 60%; }
        }
        &:nocolor Button:focus { text-style: reverse !important; }
        & Input {
            height: 1; border: none; padding: 0 1; background: $panel;
            &:focus { border: none; background: $panel; }
        }
        & .error { color: $state-failed; height: auto; }
        & .typed { height: auto; margin-top: 1; }
        & #typed { width: 12; }
        & .quiet { color: $quiet; height: auto; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Close a dialog", show=False, id="dialog-close"),
    ]

    def action_cancel(self) -> None:
        """Close and do nothing."""
        self.dismiss(None)

    @on(Key)
    async def _take_what_was_typed_ahead(self, event: Key) -> None:
        """What is typed before the dialog's line has the focus belongs there as well."""
        line = next(iter(self.query(Input)), None)
        if line is None or self.focused is not None:
            return
        if event.is_printable and event.character:
            line.insert_text_at_cursor(event.character)
        elif event.key == "enter":
            await line.action_submit()
        else:
            return
        event.prevent_default().stop()


class HarmDialog(Dialog[R]):
    """A dialog before something is destroyed: Cancel has the focus, `#go` gives the command.

    The command is made when the dialog opens and names its nodes by id: what changes on the page
    meanwhile does not change what is destroyed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "app.focus_next", "Next answer", show=False, id="answer-next"),
        Binding("left", "app.focus_previous", "Answer before", show=False, id="answer-before"),
    ]

    def __init__(self, command: R, *, typed: int = 0, of_what: str = "nodes") -> None:
        """`typed` is a number that has to be typed before `#go` can be pressed; 0: none."""
        super().__init__()
        self._command = command
        self._typed = typed
        self._of_what = of_what
        self._is_told = True
        """Whether what dies stands there."""

    def typed_count(self) -> Iterable[Widget]:
        """The line to type the number on, where one is asked for."""
        if self._typed:
            words = f"Type {self._typed}, the number of {self._of_what}, to go on:"
            yield Static(words, classes="typed", markup=False)
            yield Input(id="typed", max_length=8)

    def on_mount(self) -> None:
        """Focus Cancel."""
        self.query_one("#cancel", Button).focus()
        self.allow_if_sure()

    def allow_if_sure(self) -> None:
        """`#go` can be pressed when all is told, and the number typed."""
        typed = self.query_one("#typed", Input).value.strip() if self._typed else "0"
        self.query_one("#go", Button).disabled = not self._is_told or typed != str(self._typed)

    @on(Input.Changed, "#typed")
    def _count_was_typed(self) -> None:
        self.allow_if_sure()

    @on(Input.Submitted, "#typed")
    def _go_on_to_the_answer(self) -> None:
        """Enter behind the number goes to the answers; it is none itself."""
        go = self.query_one("#go", Button)
        (self.query_one("#cancel", Button) if go.disabled else go).focus()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.dismiss(self._command)
