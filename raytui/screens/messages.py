"""What screens ask of the app: the app alone opens pages."""

from __future__ import annotations

from textual.message import Message

from raytui.client.base import ClusterClient


class OpenNode(Message):
    """Show everything about one node."""

    def __init__(self, node_id: str) -> None:
        self.node_id = node_id
        super().__init__()


class OpenLogs(Message):
    """Show what the containers of a node's pod print."""

    def __init__(self, node_id: str) -> None:
        self.node_id = node_id
        super().__init__()


class OpenSetups(Message):
    """Show the set-ups of all nodes."""


class OpenSteps(Message):
    """Show the steps of one node's set-up, and their output."""

    def __init__(self, node: str) -> None:
        self.node = node
        super().__init__()


class OpenCluster(Message):
    """Show the pages of a cluster; the one that was open is left."""

    def __init__(self, client: ClusterClient) -> None:
        self.client = client
        super().__init__()


class LeaveCluster(Message):
    """Go back to the list that the cluster was opened from."""
