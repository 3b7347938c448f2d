"""Page 8, Placement groups: their bundles, the nodes on which these sit, and why some do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from raytui.model.resources import Resources
from raytui.model.work import Listing, PlacementGroup
from raytui.screens.subject import Subject
from raytui.screens.verbs import bindings_on
from raytui.screens.waits import why_group_waits
from raytui.screens.workpage import WorkPage, text_column
from raytui.screens.workwords import resources_text, state_cell
from raytui.widgets.cell import cell, text_of
from raytui.widgets.columns import Column
from raytui.widgets.filter import Fields

_SHORT = 8


def _bundles(group: PlacementGroup) -> str:
    """`4 × {GPU: 1}`, bundles of one shape together."""
    counts = Counter(Resources.of(bundle.resources) for bundle in group.bundles)
    return " + ".join(f"{count} × {shape.text()}" for shape, count in counts.items())


class GroupsScreen(WorkPage):
    """Placement groups that were not removed."""

    page = "groups"
    thing = "placement group"
    BINDINGS = bindings_on("groups")
    empty = "no placement group\nwork makes them with ray.util.placement_group"

    async def ask(self) -> Listing[PlacementGroup]:
        """All of them."""
        return await self.session.client.work.placement_groups()

    def columns(self) -> Sequence[Column[Any]]:
        """Name and state first."""
        return (
            text_column(
                "GROUP", lambda g: g.name or g.group_id[:_SHORT], _SHORT, most=24, style="bold"
            ),
            Column("STATE", lambda g, _: state_cell(g.state), 12, sort=lambda g: g.state),
            text_column("STRATEGY", lambda g: g.strategy, 8, most=13, drop=3),
            text_column("BUNDLES", _bundles, 12, most=34, drop=2),
            Column("PLACED", lambda g, _: cell(_placed(g)), 7, right=True, drop=4),
            text_column("ON", self._sits_on, 10, most=30, drop=1),
            Column("WHY IT WAITS", lambda g, _: cell((self._why(g), "$quiet")), 14, flex=True),
        )

    def _sits_on(self, group: PlacementGroup) -> str:
        """`i-0c12 ×2, i-0c40`, the fullest first."""
        counts = Counter(self.places.name(b.node_id) for b in group.bundles if b.node_id)
        return ", ".join(f"{n} ×{k}" if k > 1 else n for n, k in counts.most_common())

    def _why(self, group: PlacementGroup) -> str:
        if group.state not in ("PENDING", "RESCHEDULING"):
            return ""
        known = why_group_waits(group, self.session.snapshot, self.session.now())
        return known or group.why.lower().replace("_", " ")

    def key_of(self, row: PlacementGroup) -> str:
        """Ray's id."""
        return row.group_id

    def found_by(self, row: PlacementGroup) -> Fields:
        """Its columns; by any of its nodes."""
        nodes = {bundle.node_id for bundle in row.bundles}
        return {
            "name": row.name,
            "id": row.group_id,
            "state": f"{row.state} {text_of(state_cell(row.state))}",
            "strategy": row.strategy,
            "bundles": _bundles(row),
            "node": " ".join(map(self.places.found_by, sorted(nodes))),
            "job": row.job_id,
            "why": self._why(row),
        }

    def subject_of(self, row: PlacementGroup) -> Subject:
        """The group; it has a node only when all of it is on one."""
        nodes = {bundle.node_id for bundle in row.bundles}
        node_id = nodes.pop() if len(nodes) == 1 else ""
        lines = [
            f"{b.index:>3}  {resources_text(b.resources)}  "
            + (f"on {self.places.name(b.node_id)}" if b.node_id else "not placed")
            for b in row.bundles
        ]
        told = (("why it waits", self._why(row)), ("where its bundles sit", "\n".join(lines)))
        member_id = self.places.member_id(node_id)
        return Subject("placement group", row.group_id, row, member_id, node_id, told=told)


def _placed(group: PlacementGroup) -> str:
    return f"{sum(bool(b.node_id) for b in group.bundles)}/{len(group.bundles)}"
