"""`request_resources`: room that must be there, busy or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from raytui.autoscaler.planning.bundles import conditions_of, counted, selectors_of, total_of
from raytui.autoscaler.planning.buying import Wanted
from raytui.autoscaler.planning.fallbacks import buy_in_turn
from raytui.autoscaler.planning.judging import over_budget, why_not
from raytui.autoscaler.planning.money import cost, exceeds
from raytui.autoscaler.planning.packing import Stage
from raytui.autoscaler.planning.placing import Placing, copies_of, wait_for
from raytui.model.plan import Request, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.state import Constraint


def place_constraints(placing: Placing, constraints: Iterable[Constraint]) -> None:
    """request_resources: measured against totals as if idle, all or nothing, not throttled."""
    for constraint in constraints:
        totals = placing.capacity.packing(as_if_idle=True)
        for index, (node_type, count) in enumerate(placing.capacity.planned.items()):
            ids = [f"planned-{index}-{i}" for i in range(count)]
            placing.capacity.add_empty(totals, Stage.NEW, node_type, ids)
        wanted = []
        for bundle, count in counted(constraint.bundles):
            parts = totals.place(bundle.resources, count, selectors_of(bundle))
            placing.expect(parts, because(Why.FOR_CONSTRAINT, shape=bundle.resources.text()))
            rest = count - sum(part.count for part in parts)
            wanted.append(Wanted(bundle.resources, rest, selectors_of(bundle)))
        _satisfy(placing, constraint, wanted)


def _satisfy(placing: Placing, constraint: Constraint, wanted: list[Wanted]) -> None:
    text = " + ".join(f"{count} × {b.resources.text()}" for b, count in counted(constraint.bundles))
    shape = total_of(b.resources * count for b, count in constraint.bundles)
    chosen = conditions_of(bundle for bundle, _ in constraint.bundles)
    missing = [want for want in wanted if want.count]
    if not missing:
        return
    asked = copies_of(missing)
    bought = buy_in_turn(missing, placing.capacity, placing.budget)
    reason = because(Why.FOR_CONSTRAINT, shape=text)
    label = f"request {text}"
    if any(want.count for want in missing):
        unmet = next(want for want in missing if want.count)
        blocked = _too_dear(asked, placing) or why_not(unmet, placing.capacity, throttled=False)
        wait = wait_for(blocked)
        placing.outcome(Request.CONSTRAINT, wait, 1, blocked, shape, label, selectors=chosen)
        return
    placing.note(asked, unfilled=bought)
    nodes: Counter[str] = Counter()
    for lot in bought:
        nodes[lot.supply.node_type] += lot.nodes
    for node_type, count in nodes.items():
        placing.launch_empty(node_type, count, reason)  # empty: a constraint holds nothing
    placing.outcome(Request.CONSTRAINT, Wait.LAUNCH, 1, reason, shape, label, selectors=chosen)


def _too_dear(asked: Sequence[Wanted], placing: Placing) -> Reason | None:
    """Whether money alone stands in the way."""
    capacity = placing.capacity
    if capacity.spec.budget_per_hour is None:
        return None
    wanted = copies_of(asked)
    price = cost(buy_in_turn(wanted, capacity.without_budget(), placing.budget))
    if any(want.count for want in wanted) or not exceeds(price, capacity.money_left()):
        return None
    return over_budget(capacity, price)
