"""Page 2, Nodes: every member of the cluster, what it does and why it is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on

from raytui.model.lifecycle import LEAVING, STARTING
from raytui.model.snapshot import Snapshot
from raytui.model.text import count_text
from raytui.screens.listpage import ListPage
from raytui.screens.node import NodeScreen
from raytui.screens.nodetable import NODE_COLUMNS, held_flag, node_fields
from raytui.screens.verbs import bindings_on
from raytui.widgets.cell import Cell, cell, joined
from raytui.widgets.table import LineTable


class NodesScreen(ListPage):
    """The list of nodes; marked ones are acted on together."""

    page = "nodes"
    BINDINGS = bindings_on("nodes")

    def make_list(self) -> LineTable[Any]:
        """The node list."""
        return LineTable(
            NODE_COLUMNS,
            key=lambda row: row.id,
            now=self.session.now,
            fields=node_fields,
            flag=held_flag,
            marking=True,
            id="nodes",
            empty="no node to show\nraise a floor on the Cluster page (1, then +), submit work, "
            "or clear the filter (Esc)",
        )

    def caption(self) -> Cell:
        """How many nodes there are, by state."""
        snapshot = self.session.snapshot
        return _census(snapshot) if snapshot is not None else cell(("NODES", "$heading"))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Replace the rows; selection, marks, filter and order stay."""
        self.table.show(snapshot.rows)

    def chosen_ids(self) -> Sequence[str]:
        """The marked nodes, or the selected one."""
        return self.table.chosen_ids

    def verb_mark(self, _argument: str) -> None:
        """Mark the selected node or take its mark away."""
        self.table.toggle_mark()

    @on(LineTable.Opened)
    def _open(self, event: LineTable.Opened) -> None:
        self.app.push_screen(NodeScreen(self.session, self.keys, event.row.id))


def _census(snapshot: Snapshot) -> Cell:
    members = [row.member for row in snapshot.rows]
    idle = sum(member.idle for member in members)
    starting = sum(member.status in STARTING for member in members)
    leaving = sum(member.status in LEAVING for member in members)
    held = sum(row.hold is not None for row in snapshot.rows)
    return joined(
        "   ",
        (
            cell((count_text(len(members), "NODE"), "bold $heading")),
            cell((f"● {len(members) - idle - starting - leaving:,} busy", "$state-running")),
            cell((f"◌ {idle:,} idle", "$state-idle")) if idle else (),
            cell((f"◐ {starting:,} starting", "$state-starting")) if starting else (),
            cell((f"▽ {leaving:,} leaving", "$state-draining")) if leaving else (),
            cell((f"⏸ {held:,} held", "$state-held")) if held else (),
        ),
    )
