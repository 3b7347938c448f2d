"""Page 2, Nodes: every member of the cluster, what it does and why it is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on

from raytui.model.lifecycle import LEAVING, STARTING
from raytui.model.snapshot import Row, Snapshot
from raytui.model.text import count_text
from raytui.screens.listpage import ListPage
from raytui.screens.messages import OpenNode
from raytui.screens.nodetable import NODE_COLUMNS, held_flag, node_fields
from raytui.screens.subject import Subject, node_subject
from raytui.screens.verbs import bindings_on
from raytui.screens.words import why_text
from raytui.widgets.cell import cell
from raytui.widgets.fitted import Part
from raytui.widgets.table import LineTable


class NodesScreen(ListPage):
    """The list of nodes; marked ones are acted on together."""

    page = "nodes"
    BINDINGS = bindings_on("nodes")

    _census: Sequence[Part] = (Part(cell(("NODES", "bold $heading"))),)

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

    def caption(self) -> Sequence[Part]:
        """How many nodes there are, by state."""
        return self._census

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Replace the rows; selection, marks, filter and order stay."""
        self._census = _census(snapshot.rows)
        self.table.show(snapshot.rows)

    def chosen_ids(self) -> Sequence[str]:
        """The marked nodes, or the selected one."""
        return self.table.chosen_ids

    def subject(self) -> Subject | None:
        """The node under the cursor."""
        row = self.table.selected
        if row is None:
            return None
        return node_subject(row, why_text(row, self.session.now()))

    def verb_mark(self, _argument: str) -> None:
        """Mark the selected node or take its mark away."""
        self.table.toggle_mark()

    @on(LineTable.Opened)
    def _open(self, event: LineTable.Opened) -> None:
        self.post_message(OpenNode(event.row.id))


def _census(rows: Sequence[Row]) -> list[Part]:
    members = [row.member for row in rows]
    idle = sum(member.idle for member in members)
    starting = sum(member.status in STARTING for member in members)
    leaving = sum(member.status in LEAVING for member in members)
    held = sum(row.hold is not None for row in rows)
    states = (
        ("●", len(members) - idle - starting - leaving, "busy", "$state-running"),
        ("◌", idle, "idle", "$state-idle"),
        ("◐", starting, "starting", "$state-starting"),
        ("▽", leaving, "leaving", "$state-draining"),
        ("⏸", held, "held", "$state-held"),
    )
    return [
        Part(cell((count_text(len(members), "NODE", "NODES"), "bold $heading"))),
        *(
            Part(cell((f"{glyph} {count:,} {word}", style)), drop=6)
            for glyph, count, word, style in states
            if count
        ),
    ]
