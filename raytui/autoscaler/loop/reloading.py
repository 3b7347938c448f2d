"""What changed in a cluster YAML, in words for the journal."""

from __future__ import annotations

from raytui.model.spec import ClusterSpec
from raytui.model.text import count_text


def changes(old: ClusterSpec, new: ClusterSpec) -> list[str]:
    """Each change in a few words; empty when nothing changed that the autoscaler heeds."""
    found = [
        f"{name} {getattr(old, name)} → {getattr(new, name)}"
        for name in ("max_workers", "upscaling_speed", "idle_timeout_s")
        if getattr(old, name) != getattr(new, name)
    ]
    names = [n for n, t in new.node_types.items() if old.node_types.get(n) != t]
    gone = [name for name in old.node_types if name not in new.node_types]
    if names:
        found.append(f"{count_text(len(names), 'node type')} changed ({', '.join(names)})")
    if gone:
        found.append(f"removed {', '.join(gone)}")
    if old.timeouts != new.timeouts:
        found.append("timeouts changed")
    return found
