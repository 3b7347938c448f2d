"""What a row stands for: all that the moves from any row need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
