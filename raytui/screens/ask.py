"""A dialog that asks for one line of text."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from raytui.screens.dialog import Dialog, titled

Check = Callable[[str], str]
"""What is wrong with a text, in one sentence; empty when nothing is."""


class AskScreen(Dialog[str]):
    """Dismissed with the text when it passes the check, with None by Esc."""

    def __init__(self, title: str, hint: str, check: Check, *, placeholder: str = "") -> None:
        super().__init__()
        self._title = title
        self._hint = hint
        self._check = check
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        """The question, the line to write on, and room for what is wrong with it."""
        with Vertical(classes="box") as box:
            titled(box, self._title)
            yield Input(placeholder=self._placeholder)
            yield Static("", classes="error", markup=False)
            yield Static(self._hint, classes="quiet", markup=False)

    @on(Input.Changed)
    def _forget_error(self) -> None:
        self.query_one(".error", Static).update("")

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        wrong = self._check(event.value)
        if wrong:
            self.query_one(".error", Static).update(wrong)
        else:
            self.dismiss(event.value.strip())
