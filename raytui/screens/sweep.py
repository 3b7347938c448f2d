"""The dialog before orphans are terminated: which, how old, what they cost; Cancel first."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from raytui.autoscaler.consequences import orphan_lines
from raytui.model.command import SweepOrphans
from raytui.model.snapshot import Snapshot
from raytui.model.text import count_text
from raytui.screens.dialog import HarmDialog, titled
from raytui.screens.safety import Safety
from raytui.widgets.cell import cell, to_content


class SweepScreen(HarmDialog[SweepOrphans]):
    """Dismissed with the command for the ids it was opened with, or with None."""

    DEFAULT_CSS = """
    SweepScreen .orphans { height: auto; max-height: 16; }
    SweepScreen .after { height: auto; margin-top: 1; }
    """

    def __init__(self, snapshot: Snapshot, instance_ids: Sequence[str], safety: Safety) -> None:
        count = len(instance_ids)
        typed = count if count > safety.type_above else 0
        super().__init__(SweepOrphans(tuple(instance_ids)), typed=typed, of_what="orphans")
        self._snapshot = snapshot

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
            yield from self.typed_count()
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Terminate", id="go", classes="-harm", compact=True)
