"""The dialog before nodes are drained and terminated: exactly what dies, Cancel first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from raytui.autoscaler.consequences import floor_lines
from raytui.client.base import ClientError
from raytui.model.command import Impact, Terminate
from raytui.model.leaving import ORDERED_DRAIN_S
from raytui.model.text import count_text, duration_text, plain
from raytui.screens.dialog import HarmDialog, titled
from raytui.screens.impact import impact_cells, shell_command
from raytui.screens.session import Session
from raytui.widgets.cell import Cell, cell, to_content

_PATIENCE_S = 10.0
"""How long to wait for what would die before one may go on without knowing."""


class TerminateScreen(HarmDialog[Terminate]):
    """Dismissed with the command for the ids it was opened with, or with None."""

    DEFAULT_CSS = """
    TerminateScreen .impact { height: auto; max-height: 16; }
    TerminateScreen .impact > Static { height: auto; }
    TerminateScreen .after { height: auto; margin-top: 1; }
    """

    def __init__(self, session: Session, instance_ids: Sequence[str]) -> None:
        snapshot = session.snapshot
        self._drain_s = snapshot.info.drain_s if snapshot is not None else ORDERED_DRAIN_S
        safety, count = session.safety, len(set(instance_ids))
        self._wait_s = safety.undo_s
        super().__init__(
            Terminate(tuple(instance_ids), self._drain_s, self._wait_s),
            typed=count if count > safety.type_above else 0,
        )
        self._is_told = False
        self._session = session
        rows = {row.id: row for row in snapshot.rows} if snapshot is not None else {}
        self._types = {
            i: rows[i].member.node_type if i in rows else "" for i in self._command.instance_ids
        }

    def compose(self) -> ComposeResult:
        """What dies, what comes after, the same as a shell command, and the two answers."""
        ids = self._command.instance_ids
        with Vertical(classes="box") as box:
            titled(box, f"Terminate {count_text(len(ids), 'node')} of {self._session.client.name}")
            with VerticalScroll(classes="impact", can_focus=False):
                yield Static(
                    "\n".join(plain(f"{i}  {self._types[i]}") for i in ids)
                    + "\nasking what runs there …",
                    id="impact",
                    markup=False,
                )
            yield Static(to_content(*self._after()), classes="after", markup=False)
            yield from self.typed_count()
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(
                    "Drain and terminate", id="go", classes="-harm", compact=True, disabled=True
                )

    def on_mount(self) -> None:
        """Focus Cancel and ask what would die."""
        super().on_mount()
        self.run_worker(self._ask(), group="impact", exclusive=True, exit_on_error=False)

    async def _ask(self) -> None:
        ids = self._command.instance_ids
        try:
            async with asyncio.timeout(_PATIENCE_S):
                impacts = await self._session.client.impact(ids)
            lines = self._impact_lines(impacts)
        except (ClientError, TimeoutError) as error:
            why = str(error) or "no answer"
            lines = [cell((i, "bold"), f"  {self._types[i]}") for i in ids]
            lines.append(cell((f"! What runs there is not known: {why}", "$state-draining")))
        if self.is_attached:
            self.query_one("#impact", Static).update(to_content(*lines))
            self._is_told = True
            self.allow_if_sure()

    def _impact_lines(self, impacts: Sequence[Impact]) -> list[Cell]:
        known = {impact.instance_id: impact for impact in impacts}
        unknown = "no longer known to the cluster"
        id_width = max(len(i) for i in self._types)
        type_width = max(len(t) for t in self._types.values())
        return [
            line
            for i, node_type in self._types.items()
            for line in impact_cells(
                known.get(i, Impact(i, notes=(unknown,))), node_type, id_width, type_width
            )
        ]

    def _how(self) -> str:
        drain = f"rain for up to {duration_text(self._drain_s)}, then terminate."
        if not self._wait_s:
            return f"D{drain}"
        return f"Wait {duration_text(self._wait_s)}, in which U takes it back; d{drain}"

    def _after(self) -> list[Cell]:
        ids, snapshot = self._command.instance_ids, self._session.snapshot
        floors = floor_lines(snapshot, self._types.values()) if snapshot is not None else []
        return [
            *(cell((line, "$state-draining")) for line in floors),
            cell(self._how()),
            cell(("In a shell: ", "$quiet"), shell_command(ids, self._drain_s, self._wait_s)),
        ]
