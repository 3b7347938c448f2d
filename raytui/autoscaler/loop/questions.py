"""Questions about members that screens ask: what would die with them, what their logs say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from raytui.model.command import Impact
from raytui.model.state import Member
from raytui.ray.base import RayCluster


def impact_of(
    members: Iterable[Member], instance_ids: Sequence[str], ray: RayCluster
) -> list[Impact]:
    """What dies with these members; unknown ids are left out."""
    known = {member.id: member for member in members}
    wanted = [known[i] for i in instance_ids if i in known]
    found = ray.impact([m.node.node_id for m in wanted if m.node is not None])
    return [
        msgspec.structs.replace(
            found.get(member.node.node_id if member.node else "", Impact(member.id)),
            instance_id=member.id,
            node_type=member.node_type,
        )
        for member in wanted
    ]


def log_end(members: Iterable[Member], instance_id: str, lines: int) -> list[str]:
    """The last lines of a member's start-up log; empty when there is none here."""
    member = next((m for m in members if m.id == instance_id), None)
    if member is None or member.instance is None or not member.instance.log_path:
        return []
    try:
        text = Path(member.instance.log_path).read_text(errors="replace")
    except OSError as error:
        return [str(error)]
    return text.splitlines()[-lines:]
