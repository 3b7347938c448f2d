"""A dialog that asks which of a few things to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from raytui.screens.dialog import Dialog, titled


class Choice(Struct, frozen=True):
    """A button: its words, what the dialog is dismissed with, and whether it does harm."""

    words: str
    result: str
    harm: bool = False


class ChooseScreen(Dialog[str]):
    """Dismissed with a choice's result, with None by Esc or Cancel. The first one has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "app.focus_next", "Next answer", show=False, id="answer-next"),
        Binding("left", "app.focus_previous", "Answer before", show=False, id="answer-before"),
    ]

    def __init__(self, question: str, choices: Sequence[Choice], *, title: str = "") -> None:
        super().__init__()
        self._question = question
        self._choices = tuple(choices)
        self._title = title

    def compose(self) -> ComposeResult:
        """The question above its answers."""
        with Vertical(classes="box") as box:
            titled(box, self._title)
            yield Static(self._question, markup=False)
            with Horizontal(classes="buttons"):
                for index, choice in enumerate(self._choices):
                    classes = "-harm" if choice.harm else ""
                    yield Button(choice.words, id=f"choice-{index}", classes=classes, compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        name = event.button.id or "cancel"
        if name == "cancel":
            self.dismiss(None)
        else:
            self.dismiss(self._choices[int(name.removeprefix("choice-"))].result)
