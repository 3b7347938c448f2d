"""The dialog before orphans are terminated: which, how old, what they cost; Cancel first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from raytui.autoscaler.consequences import orphan_lines
from raytui.model.command import SweepOrphans
from raytui.model.snapshot import Snapshot
from raytui.model.text import count_text
from raytui.screens.dialog import Dialog, titled
from raytui.widgets.cell import cell, to_content


class SweepScreen(Dialog[SweepOrphans]):
    """Dismissed with the command for the ids it was opened with, or with None."""

    DEFAULT_CSS = """
    SweepScreen .orphans { height: auto; max-height: 16; }
    SweepScreen .after { height: auto; margin-top: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "app.focus_next", show=False),
        Binding("left", "app.focus_previous", show=False),
    ]

    def __init__(self, snapshot: Snapshot, instance_ids: Sequence[str]) -> None:
        super().__init__()
        self._snapshot = snapshot
        self._command = SweepOrphans(tuple(instance_ids))

    def compose(self) -> ComposeResult:
        """The orphans, the same as a shell command, and the two answers."""
        ids = self._command.instance_ids
        with Vertical(classes="box") as box:
            titled(box, f"Terminate {count_text(len(ids), 'orphan')}")
            lines = orphan_lines(self._snapshot, ids)
            yield Static(to_content(*map(cell, lines)), classes="orphans", markup=False)
            after = (
                cell("They carry the cluster's tags; nobody remembers them; no Ray of ours runs."),
                cell(("In a shell: ", "$quiet"), f"raytui sweep {' '.join(ids)}"),
            )
            yield Static(to_content(*after), classes="after", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Terminate", id="go", classes="-harm", compact=True)

    def on_mount(self) -> None:
        """Focus Cancel."""
        self.query_one("#cancel", Button).focus()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.dismiss(self._command)
