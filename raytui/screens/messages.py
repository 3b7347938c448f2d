"""What screens ask of the app: the app alone opens pages."""

from __future__ import annotations

from textual.message import Message


class OpenNode(Message):
    """Show everything about one node."""

    def __init__(self, node_id: str) -> None:
        self.node_id = node_id
        super().__init__()
