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


class OpenLog(Message):
    """Show a log file of a node, named by Ray's hex id, while it is written.

    `name` is a file below the log folder, or a part that only the wanted file's name has, such as
    `-4711.out` for the output of a process; empty: all files, to choose from.
    """

    def __init__(self, node_id: str, name: str = "", title: str = "") -> None:
        self.node_id = node_id
        self.name = name
        self.title = title
        super().__init__()


class OpenJobLog(Message):
    """Show what a job's driver prints."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
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
