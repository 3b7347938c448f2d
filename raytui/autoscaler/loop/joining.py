"""Instances joined with the Ray nodes that run on them: the members of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from raytui.autoscaler.loop.fleet import Fleet
from raytui.model.state import Instance, Member, Node, Notice


def join(
    fleet: Fleet,
    nodes: Mapping[str, Node],
    all_nodes: Iterable[Node],
    orphans: Mapping[str, Instance],
    listing: Mapping[str, Instance],
    notices: Mapping[str, Notice],
) -> Iterator[Member]:
    """Ours first; then nodes that joined by hand; then orphans.

    `nodes` are Ray's nodes by instance id, `all_nodes` also those without one; `notices` are by
    instance id, too.
    """
    for instance in fleet:
        name = instance.instance_id
        yield Member(instance, nodes.get(name), notices.get(name))
    for node in all_nodes:
        name = node.instance_id
        if fleet.get(name) is not None or fleet.has_ended(name):
            continue
        if name not in listing and name not in orphans:
            yield Member(None, node)
    for name, orphan in orphans.items():
        yield Member(orphan, nodes.get(name))
