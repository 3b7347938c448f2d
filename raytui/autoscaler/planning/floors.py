"""Floors: the nodes of each type that are there however little is asked for."""

from __future__ import annotations

from raytui.autoscaler.planning.buying import Wanted
from raytui.autoscaler.planning.judging import why_not
from raytui.autoscaler.planning.money import times_in
from raytui.autoscaler.planning.placing import Placing
from raytui.model.plan import Outcome, Request, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.resources import EMPTY


def place_floors(placing: Placing) -> None:
    """Launch up to each type's floor: a person's, else min_workers. Not throttled."""
    capacity = placing.capacity
    for kind in capacity.worker_types:
        own = placing.memory.floors.get(kind.name)
        floor = kind.min_workers if own is None else own
        missing = floor - capacity.count(kind.name)
        if missing <= 0:
            continue
        why = Why.MIN_WORKERS if own is None else Why.USER_FLOOR
        reason = because(why, node_type=kind.name, floor=floor)
        failure = capacity.failure(kind.name)
        affordable = times_in(capacity.price(kind.name), capacity.money_left())
        left = min(capacity.type_left(kind.name), capacity.total_left())
        allowed = 0 if failure else min(missing, left)
        allowed = allowed if affordable is None else min(allowed, affordable)
        if allowed:
            placing.launch_empty(kind.name, allowed, reason)
        if allowed < missing:
            blocked = why_not(Wanted(EMPTY, 1), capacity, throttled=False, only=kind.name)
            placing.outcomes.append(_missed(placing, kind.name, missing - allowed, blocked))


def floors_held_back(placing: Placing, blocked: Reason) -> list[Outcome]:
    """The floors that are missed when nothing may be launched."""
    return [
        _missed(placing, intent.node_type, intent.count, blocked)
        for intent in placing.intents
        if intent.reason.why in (Why.MIN_WORKERS, Why.USER_FLOOR)
    ]


def _missed(placing: Placing, node_type: str, count: int, reason: Reason) -> Outcome:
    room = placing.capacity.room_of(node_type)
    return Outcome(Request.FLOOR, Wait.BLOCKED, count, reason, room, f"floor of {node_type}")
