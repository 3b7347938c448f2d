"""Tasks and actors: on room that exists, on room that starts, on nodes to be launched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from raytui.autoscaler.planning.attempts import best_attempt
from raytui.autoscaler.planning.buying import Bought, Wanted, hardest_first
from raytui.autoscaler.planning.capacity import meant_for
from raytui.autoscaler.planning.judging import why_not
from raytui.autoscaler.planning.packing import Placed, Stage
from raytui.autoscaler.planning.placing import WAITS, Placing, wait_for
from raytui.model.plan import Request, Wait
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.state import Demand, LabelSelector, Share

Promised = dict[tuple[Resources, tuple[LabelSelector, ...]], list[Placed]]
"""Room on nodes on their way that is kept for the requests they were launched for."""


def place_demands(
    placing: Placing,
    demands: Iterable[Demand],
    promised: Promised,
    kind: Request = Request.DEMAND,
) -> None:
    """Tasks and actors; launches for them are throttled by upscaling_speed.

    `kind` is what they are told as: what waits, or what runs where it cannot stay.
    """
    wanted = [want for want in _merged(demands) if _without_promised(placing, want, promised, kind)]
    best = best_attempt(wanted, placing.room, placing.capacity, placing.budget)
    placing.room = best.room
    _tell_all_placed(placing, best.placed, kind)
    bought = _throttle(placing, best.lots)
    for want, before in zip(best.missing, best.asked, strict=True):
        want.selectors = before.selectors  # buying settled on one of them
    if bought:
        placing.note(best.asked, best.missing)
        _launch_for_demand(placing, bought, kind)
    for want in best.missing:
        if want.count:
            blocked = why_not(want, placing.capacity, throttled=True)
            placing.outcome(
                kind,
                wait_for(blocked),
                want.count,
                blocked,
                want.shape,
                selectors=want.selectors,
            )


def unpromised(demands: Iterable[Demand], promised: Promised) -> list[Wanted]:
    """The requests that no room is kept for, the hardest first."""
    wanted = _merged(demands)
    for want in wanted:
        want.count -= sum(part.count for part in promised.get((want.shape, want.selectors), ()))
    return [want for want in wanted if want.count]


def keep_promises(placing: Placing, demands: Iterable[Demand]) -> Promised:
    """Keep the room of nodes on their way for what they were launched for.

    Otherwise a plan that packs the same requests in another order finds too little room on
    them, and launches more.
    """
    promised: Promised = {}
    waiting: dict[Resources, list[Wanted]] = {}
    for want in _merged(demands):
        waiting.setdefault(want.shape, []).append(want)
    for member_id, member in placing.capacity.staying.items() if waiting else ():
        holding = meant_for(member)
        labels = placing.capacity.labels_at(member_id) if holding else {}
        for share in holding:
            count = 0 if share.gang else share.count
            alike = waiting.get(share.resources, [])
            for want in sorted(alike, key=lambda want: want.selectors != share.selectors):
                if count and want.count and want.accepts(labels):
                    part = _set_aside(placing, member_id, want, min(count, want.count))
                    if part is not None:
                        count -= part.count
                        promised.setdefault((want.shape, want.selectors), []).append(part)
    return promised


def _set_aside(placing: Placing, member_id: str, want: Wanted, count: int) -> Placed | None:
    """Set room on a node aside; None when there is none."""
    part = placing.room.place_on(member_id, want.shape, count)
    if part is not None:
        want.count -= part.count
    return part


def _without_promised(placing: Placing, want: Wanted, promised: Promised, kind: Request) -> bool:
    """Tell of what is promised room already; whether anything is left to place."""
    parts = promised.get((want.shape, want.selectors), [])
    want.count -= sum(part.count for part in parts)
    _tell_placed(placing, want, parts, kind)
    return want.count > 0


def _tell_all_placed(
    placing: Placing, placed: Iterable[tuple[Wanted, Placed]], kind: Request
) -> None:
    """Tell of room that requests found, request by request."""
    parts: dict[int, list[Placed]] = {}
    wants: dict[int, Wanted] = {}
    for want, part in placed:
        wants[id(want)] = want
        parts.setdefault(id(want), []).append(part)
    for want in hardest_first(wants.values()):
        _tell_placed(placing, want, parts[id(want)], kind)


def _tell_placed(placing: Placing, want: Wanted, parts: Iterable[Placed], kind: Request) -> None:
    by_stage: dict[Stage, list[Placed]] = {}
    for part in parts:
        by_stage.setdefault(part.stage, []).append(part)
    for stage, group in sorted(by_stage.items()):
        count = sum(part.count for part in group)
        reason = placing.where(stage, group)
        placing.outcome(kind, WAITS[stage], count, reason, want.shape, selectors=want.selectors)
        placing.expect(group, because(Why.EXPECTED, shape=want.shape.text()), _share(want, 1))


def _throttle(placing: Placing, bought: Sequence[Bought]) -> list[Bought]:
    """Keep what upscaling_speed allows now; the rest waits rather than run somewhere dearer."""
    types = {lot.supply.node_type for lot in bought}
    left = {node_type: placing.capacity.speed_left(node_type) for node_type in types}
    allowed = []
    for lot in bought:
        nodes = min(lot.nodes, left[lot.supply.node_type])
        placing.throttled |= nodes < lot.nodes
        left[lot.supply.node_type] -= nodes
        for want, copies in lot.pattern:
            want.count += copies * (lot.nodes - nodes)
        if nodes:
            allowed.append(replace(lot, nodes=nodes))
    return allowed


def _launch_for_demand(placing: Placing, bought: Sequence[Bought], kind: Request) -> None:
    """One launch a type, its reason the hardest request that it was bought for."""
    by_type: dict[str, list[Bought]] = {}
    for lot in bought:
        by_type.setdefault(lot.supply.node_type, []).append(lot)
    for node_type, lots in by_type.items():
        nodes = sum(lot.nodes for lot in lots)
        takes: Counter[int] = Counter()
        wants: dict[int, Wanted] = {}
        for lot in lots:
            for want, copies in lot.pattern:
                wants[id(want)] = want
                takes[id(want)] += copies * lot.nodes
        hardest = min(wants.values(), key=lambda want: want.difficulty)
        count = takes[id(hardest)]
        why = Why.REPLACES if kind is Request.REPLACEMENT else Why.FOR_DEMAND
        reason = because(why, count=count, shape=hardest.shape.text())
        fills = tuple(
            (lot.nodes, tuple(_share(want, copies) for want, copies in lot.pattern)) for lot in lots
        )
        placing.launch(node_type, nodes, reason, fills)
        where = because(Why.WAITS_FOR_STARTING, nodes=f"{nodes} × {node_type}")
        for key, placed in takes.items():
            want = wants[key]
            placing.outcome(
                kind,
                Wait.LAUNCH,
                placed,
                where,
                want.shape,
                node_type=node_type,
                selectors=want.selectors,
            )


def _share(want: Wanted, copies: int) -> Share:
    return Share(want.shape, copies, selectors=want.selectors)


def _merged(demands: Iterable[Demand]) -> list[Wanted]:
    """Equal demands together, the hardest first."""
    counts: Counter[tuple[Resources, tuple[LabelSelector, ...]]] = Counter()
    for demand in demands:
        counts[demand.resources, demand.selectors] += demand.count
    wanted = [Wanted(shape, count, selectors) for (shape, selectors), count in counts.items()]
    return hardest_first(wanted)
