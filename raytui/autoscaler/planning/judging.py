"""Why no node can be launched for a request: nothing fits, or what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence

from raytui.autoscaler.planning.buying import Supply, Wanted
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.ceilings import about_limit
from raytui.autoscaler.planning.money import exceeds
from raytui.model.plan import LaunchFailure
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
        return backing_off(node_type, failure)
    if throttled and not capacity.speed_left(node_type):
        return because(
            Why.UPSCALING_SPEED,
            node_type=node_type,
            allowed=capacity.speed_limit(node_type),
            speed=capacity.spec.upscaling_speed,
        )
    price = capacity.price(node_type)
    dear = exceeds(price, capacity.money_left())
    if capacity.type_left(node_type) and capacity.total_left() and dear:
        return over_budget(capacity, price)
    # The smaller of the two limits is the one that stands in the way.
    if capacity.total_left() < capacity.type_left(node_type):
        return because(Why.MAX_WORKERS_GLOBAL, now=capacity.total, max=capacity.spec.max_workers)
    now = capacity.taken(node_type)
    return about_limit(Why.MAX_WORKERS_TYPE, capacity.spec, capacity.ceilings, node_type, now=now)


def over_budget(capacity: Capacity, price: float) -> Reason:
    """That what is wanted, at a price in USD per hour, is more than the budget has left."""
    most = capacity.spec.budget_per_hour or 0.0
    return because(Why.BUDGET, now=round(capacity.spending, 6), max=most, price=round(price, 6))


def backing_off(node_type: str, failure: LaunchFailure) -> Reason:
    """That a type is avoided; `failure` may have been met with another one."""
    offering = Offering(failure.instance_type, failure.zone, failure.market)
    return because(
        Why.BACKING_OFF,
        node_type=node_type,
        offering=offering.text(),
        kind=failure.kind.value,
        message=failure.message,
        retry_at=failure.retry_at,
    )


_ORDER = (
    Why.UPSCALING_SPEED,
    Why.BACKING_OFF,
    Why.BUDGET,
    Why.MAX_WORKERS_GLOBAL,
    Why.MAX_WORKERS_TYPE,
)


def _soonest(reason: Reason) -> tuple[int, float]:
    """What passes by itself comes before what needs a person, and little money before much."""
    return _ORDER.index(reason.why), float(reason.args.get("price", 0.0))


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
