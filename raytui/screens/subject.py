"""What a row stands for: all that the moves from any row need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from raytui.model.snapshot import Row


@dataclass(frozen=True)
class Subject:
    """A thing under the cursor. What is done with it is done with these values, not with a row."""

    kind: str
    """One word for people: node, job, actor, task, group, object, event."""
    id: str
    """Its whole id, as it is copied."""
    data: Any
    """A Struct of ours, or plain data: what `y` shows as YAML and JSON."""
    member_id: str = ""
    """Id of the cluster's row for the node that it is on, for shell and logs; empty if unknown."""
    ray_node_id: str = ""
    """Ray's hex id of that node; empty if unknown."""
    log_name: str = ""
    """A part of the name of its log file on that node, such as `-4711.out`; empty if unknown."""
    told: tuple[tuple[str, str], ...] = ()
    """Titles and texts that a description shows before the data: why it waits, what it holds."""


def node_subject(row: Row, why: str = "") -> Subject:
    """A node of the cluster, and why it is here where that is to be told."""
    node = row.member.node
    node_id = node.node_id if node is not None else ""
    return Subject("node", row.id, row, row.id, node_id, told=(("why it is here", why),))
