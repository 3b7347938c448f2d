"""Where Ray's nodes are in the list of the cluster: Ray names them by hex ids, people by rows."""

from __future__ import annotations

from raytui.model.snapshot import Row, Snapshot

_SHORT = 8
"""Digits shown of a hex id that belongs to no row."""


class Places:
    """The rows of one snapshot by Ray's hex ids of their nodes."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        self._rows: dict[str, Row] = {}
        for row in snapshot.rows if snapshot is not None else ():
            if row.member.node is not None:
                self._rows[row.member.node.node_id] = row

    def member_id(self, node_id: str) -> str:
        """Id of the row; empty when no row is of this node."""
        row = self._rows.get(node_id)
        return row.id if row is not None else ""

    def name(self, node_id: str) -> str:
        """What a node is called on the screen: its row's id, else the beginning of Ray's."""
        return self.member_id(node_id) or node_id[:_SHORT]

    def found_by(self, node_id: str) -> str:
        """What a filter finds the node by: its name and all of Ray's id."""
        return f"{self.name(node_id)} {node_id}" if node_id else ""
