"""Many equal placement groups as one large one, and what that got dealt out to them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from raytui.autoscaler.planning.bundles import conditions_of
from raytui.autoscaler.planning.laying import Parts
from raytui.autoscaler.planning.packing import Placed, Stage
from raytui.autoscaler.planning.reserved import Group
from raytui.model.resources import Resources
from raytui.model.state import Bundle, Strategy

_Slot = tuple[Stage, str, str]
"""A place for one bundle: stage, node type, node."""


def pooled(group: Group, groups: int) -> Group:
    """So many groups like this one as a single group; of STRICT_PACK each is one bundle of it."""
    if group.strategy is Strategy.STRICT_PACK:
        rest = [(_as_bundle(group), groups)]
        return replace(group, strategy=Strategy.PACK, ways=(rest,), rest=rest)
    rest = [(bundle, count * groups) for bundle, count in group.rest]
    return replace(group, ways=(rest,), rest=rest)


def _as_bundle(group: Group) -> Bundle:
    selectors = conditions_of(bundle for bundle, _ in group.rest)
    return Bundle(group.total, selectors[0] if selectors else ())


def dealt(group: Group, parts: Parts, groups: int) -> list[Parts]:
    """What is for each of so many groups like this one, of all that they got in common.

    Each gets places that lie side by side: on few nodes, or for SPREAD on as many as there are.
    """
    in_turn = group.strategy is Strategy.SPREAD
    places: dict[Resources, list[_Slot]] = {}
    for shape, part in parts:
        places.setdefault(shape, []).extend(_slots(part, in_turn=in_turn))
    hands: list[Parts] = [[] for _ in range(groups)]
    for shape, slots in places.items():
        each = len(slots) // groups
        for index, hand in enumerate(hands):
            hand += _as_parts(shape, slots[index * each : (index + 1) * each])
    return hands


def _slots(part: Placed, *, in_turn: bool) -> Iterator[_Slot]:
    """A place for each bundle, node by node, or one on every node and then a second one."""
    nodes = list(part.on_each())
    if not in_turn:
        for node_id, copies in nodes:
            yield from [(part.stage, part.node_type, node_id)] * copies
        return
    for turn in range(part.each):
        for node_id, copies in nodes:
            if turn < copies:
                yield (part.stage, part.node_type, node_id)


def _as_parts(shape: Resources, slots: list[_Slot]) -> Parts:
    """The places of one group, nodes with as many bundles on them together."""
    together: dict[tuple[Stage, str, int], list[str]] = {}
    for (stage, node_type, node_id), copies in Counter(slots).items():
        together.setdefault((stage, node_type, copies), []).append(node_id)
    return [
        (shape, Placed(stage, node_type, copies * len(ids), ids, copies))
        for (stage, node_type, copies), ids in together.items()
    ]
