"""The frame of every dialog: a box over the page, Esc closes it and does nothing."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input

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
        & .quiet { color: $quiet; height: auto; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
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
        Binding("right", "app.focus_next", show=False),
        Binding("left", "app.focus_previous", show=False),
    ]

    def __init__(self, command: R) -> None:
        super().__init__()
        self._command = command

    def on_mount(self) -> None:
        """Focus Cancel."""
        self.query_one("#cancel", Button).focus()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.dismiss(self._command)
