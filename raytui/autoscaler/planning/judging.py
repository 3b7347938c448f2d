"""Judge node types: why one was taken and the others were not, and why nothing could be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raytui.autoscaler.planning.buying import (
    NODE_CHARGE,
    Supply,
    Wanted,
    hardest_first,
    nodes_alone,
)
from raytui.autoscaler.planning.capacity import Capacity
from raytui.model.plan import LaunchFailure, Verdict
from raytui.model.reason import Reason, Why, because
from raytui.model.spec import Offering
from raytui.model.state import LabelSelector


def why_not(want: Wanted, capacity: Capacity, *, throttled: bool, only: str = "") -> Reason:
    """Why no node can be launched for a request now.

    `throttled`: upscaling_speed may be the cause. `only` looks at one type alone.
    """
    catalogue = [s for s in capacity.catalogue() if not only or s.node_type == only]
    fitting = [supply for supply in catalogue if supply.fits(want)]
    if not fitting:
        return _infeasible(want, catalogue)
    reasons = [_obstacle(supply.node_type, capacity, throttled) for supply in fitting]
    return min(reasons, key=_soonest)


def _infeasible(want: Wanted, catalogue: Sequence[Supply]) -> Reason:
    for name, units in sorted(want.shape.items()):
        most = max(catalogue, key=lambda s: s.room.units(name), default=None)
        if most is None or not most.room.units(name):
            return because(Why.NO_TYPE_HAS, resource=name)
        if most.room.units(name) < units:
            return because(
                Why.TOO_LARGE,
                resource=name,
                wanted=want.shape.amount(name),
                most=most.room.amount(name),
                node_type=most.node_type,
            )
    if any(want.shape.fits(supply.room) for supply in catalogue):
        return because(Why.NO_TYPE_LABELS, selector=selectors_text(want.selectors))
    # Each resource alone fits on some type, together they fit on none: name the nearest type.
    nearest = max(catalogue, key=lambda s: sum(u <= s.room.units(n) for n, u in want.shape.items()))
    name = next(n for n, u in sorted(want.shape.items()) if u > nearest.room.units(n))
    return because(
        Why.TOO_LARGE,
        resource=name,
        wanted=want.shape.amount(name),
        most=nearest.room.amount(name),
        node_type=nearest.node_type,
    )


def _obstacle(node_type: str, capacity: Capacity, throttled: bool) -> Reason:
    failure = capacity.failure(node_type)
    if failure is not None:
        return _backing_off(node_type, failure)
    if throttled and not capacity.speed_left(node_type):
        return because(
            Why.UPSCALING_SPEED,
            node_type=node_type,
            allowed=capacity.speed_limit(node_type),
            speed=capacity.spec.upscaling_speed,
        )
    limit = capacity.spec.node_types[node_type].max_workers
    # The smaller of the two limits is the one that stands in the way.
    if capacity.total_left() < capacity.type_left(node_type):
        return because(Why.MAX_WORKERS_GLOBAL, now=capacity.total, max=capacity.spec.max_workers)
    now = capacity.count(node_type)
    return because(Why.MAX_WORKERS_TYPE, node_type=node_type, now=now, max=limit)


def _backing_off(node_type: str, failure: LaunchFailure) -> Reason:
    """`failure` may have been met with another type, and yet speak against this one."""
    offering = Offering(failure.instance_type, failure.zone, failure.market)
    return because(
        Why.BACKING_OFF,
        node_type=node_type,
        offering=offering.text(),
        kind=failure.kind.value,
        message=failure.message,
        retry_at=failure.retry_at,
    )


_ORDER = (Why.UPSCALING_SPEED, Why.BACKING_OFF, Why.MAX_WORKERS_GLOBAL, Why.MAX_WORKERS_TYPE)


def _soonest(reason: Reason) -> int:
    """What passes by itself comes before what needs a person."""
    return _ORDER.index(reason.why)


def judge(
    wanted: Sequence[Wanted], capacity: Capacity, chosen: Mapping[str, int]
) -> tuple[Verdict, ...]:
    """What every worker type would have meant for `wanted`; `chosen` is type to nodes launched."""
    order = hardest_first(wanted)
    judged = [_weigh(supply, order) for supply in capacity.catalogue()]
    best = min((v.price_per_request for v in judged if v.price_per_request), default=None)
    candidates = sum(1 for v in judged if v.fits)
    verdicts = []
    for supply, weighed in zip(capacity.catalogue(), judged, strict=True):
        reason = _reason(supply, weighed, wanted, capacity, chosen, best, candidates)
        nodes = chosen.get(supply.node_type, 0)
        verdicts.append(
            Verdict(
                node_type=supply.node_type,
                chosen=bool(nodes),
                reason=reason,
                fits=weighed.fits,
                nodes=nodes or weighed.nodes,
                price_per_hour=weighed.price_per_hour,
                price_per_request=weighed.price_per_request,
                waste=weighed.waste,
            )
        )
    return tuple(sorted(verdicts, key=lambda v: (not v.chosen, not v.fits)))


def _weigh(supply: Supply, order: Sequence[Wanted]) -> Verdict:
    """Nodes, price and waste if the requests had to run on this type alone; hardest first."""
    fitting = [want for want in order if supply.fits(want)]
    fits = sum(want.count for want in fitting)
    nodes = nodes_alone(supply, fitting)
    used: dict[str, int] = {}
    for want in fitting:
        for name, units in want.needs:
            used[name] = used.get(name, 0) + units * want.count
    shares = [units / (supply.room.units(name) * nodes) for name, units in used.items()]
    price = nodes * supply.price
    return Verdict(
        node_type=supply.node_type,
        chosen=False,
        reason=because(Why.DEARER),
        fits=fits,
        nodes=nodes,
        price_per_hour=price if nodes else None,
        price_per_request=price / fits if fits else None,
        waste=1 - max(shares, default=1.0),
    )


def _reason(
    supply: Supply,
    weighed: Verdict,
    wanted: Sequence[Wanted],
    capacity: Capacity,
    chosen: Mapping[str, int],
    best: float | None,
    candidates: int,
) -> Reason:
    if supply.node_type in chosen:
        if candidates == 1:
            return because(Why.ONLY_FIT)
        return because(Why.CHEAPEST if weighed.price_per_request == best else Why.BEST_MIX)
    if not weighed.fits:
        return because(Why.DOES_NOT_FIT, what=_lacks(supply, wanted[0]))
    failure = capacity.failure(supply.node_type)
    if failure is not None:
        return _backing_off(supply.node_type, failure)
    limit = capacity.spec.node_types[supply.node_type].max_workers
    if not capacity.type_left(supply.node_type):
        return because(Why.NO_ROOM, now=capacity.count(supply.node_type), max=limit)
    factor = (weighed.price_per_request or 0.0) / (best or NODE_CHARGE)
    if factor > 1.05:
        return because(Why.DEARER, factor=f"{factor:.1f}".removesuffix(".0"))
    if "GPU" in supply.room and not any("GPU" in want.shape for want in wanted):
        return because(Why.SPARES_GPU)
    return because(Why.AS_GOOD)


def _lacks(supply: Supply, want: Wanted) -> str:
    for name, units in sorted(want.shape.items()):
        if units > supply.room.units(name):
            return name
    return selectors_text(want.selectors)


def selectors_text(selectors: Sequence[LabelSelector]) -> str:
    """Label selectors as people write them: `zone in (a, b)`, fallbacks after `or`."""
    return " or ".join(
        ", ".join(
            f"{key} {'in' if operator == 'in' else 'not in'} ({', '.join(values)})"
            for key, operator, values in selector
        )
        for selector in selectors
        if selector
    )
