"""`raytui plan --json`: stable names for scripts. docs/plan.md describes every one of them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from raytui.autoscaler.explain import explain
from raytui.autoscaler.reason_codes import code_of
from raytui.model.plan import Launch, Outcome, Plan, Verdict, Wait
from raytui.model.reason import Reason, Why
from raytui.model.resources import Resources
from raytui.model.state import ClusterState, LabelSelector


class ReasonReport(Struct, frozen=True):
    """Why, for scripts and for people."""

    code: str
    text: str


class OfferingReport(Struct, frozen=True):
    """As what a node is bought."""

    instance_type: str
    zone: str
    market: str
    price_per_hour: float | None


class ConsideredReport(Struct, frozen=True):
    """What one node type would have meant."""

    node_type: str
    chosen: bool
    fits: int
    nodes: int
    price_per_hour: float | None
    price_per_request: float | None
    waste: float
    reason: ReasonReport


class LaunchReport(Struct, frozen=True):
    """Nodes to be launched."""

    node_type: str
    count: int
    offering: OfferingReport
    reason: ReasonReport
    considered: tuple[ConsideredReport, ...]
    all_or_nothing: bool


class TerminationReport(Struct, frozen=True):
    """A node to be drained and terminated."""

    node_id: str
    instance_id: str
    node_type: str
    deadline: float | None
    reason: ReasonReport


class UnplacedReport(Struct, frozen=True):
    """A request that has no room now and gets none by this plan."""

    kind: str
    label: str
    resources: dict[str, float]
    label_selector: dict[str, str]
    fallback_label_selectors: tuple[dict[str, str], ...]
    count: int
    reason: ReasonReport


class KeptReport(Struct, frozen=True):
    """A node that is not terminated by this plan."""

    node_id: str
    instance_id: str
    node_type: str
    reason: ReasonReport


class PlanReport(Struct, frozen=True):
    """The whole."""

    launches: tuple[LaunchReport, ...]
    terminations: tuple[TerminationReport, ...]
    unplaced: tuple[UnplacedReport, ...]
    kept: tuple[KeptReport, ...]
    cost_per_hour: float
    lower_bound_per_hour: float | None
    solve_ms: float


def report_of(plan: Plan, state: ClusterState, now: float, solve_ms: float) -> PlanReport:
    """The report of a plan that was made for `state` at `now` (unix s)."""
    members = {member.id: member for member in state.members}
    nodes = {name: member.node.node_id for name, member in members.items() if member.node}
    leaving = {removal.instance_id for removal in plan.removals}
    considered = tuple(_considered(verdict, now) for verdict in plan.verdicts)
    return PlanReport(
        launches=tuple(_launch(launch, considered, now) for launch in plan.launches),
        terminations=tuple(
            TerminationReport(
                node_id=removal.node_id,
                instance_id=removal.instance_id,
                node_type=removal.node_type,
                deadline=removal.deadline or None,
                reason=_reason(removal.reason, now),
            )
            for removal in plan.removals
        ),
        unplaced=tuple(_unplaced(outcome, now) for outcome in unplaced(plan.outcomes)),
        kept=tuple(
            KeptReport(
                node_id=nodes.get(kept.instance_id, ""),
                instance_id=_instance_id(kept.instance_id, nodes),
                node_type=members[kept.instance_id].node_type,
                reason=_reason(kept.reason, now),
            )
            for kept in plan.kept
            if kept.instance_id not in leaving
        ),
        cost_per_hour=round(plan.cost_per_hour, 6),
        lower_bound_per_hour=_rounded(plan.lower_bound_per_hour),
        solve_ms=round(solve_ms, 3),
    )


def unplaced(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of requests that have no room and get none now."""
    return [o for o in outcomes if o.wait in (Wait.BLOCKED, Wait.INFEASIBLE)]


def _reason(reason: Reason, now: float) -> ReasonReport:
    return ReasonReport(code_of(reason.why), explain(reason, now))


def _considered(verdict: Verdict, now: float) -> ConsideredReport:
    return ConsideredReport(
        node_type=verdict.node_type,
        chosen=verdict.chosen,
        fits=verdict.fits,
        nodes=verdict.nodes,
        price_per_hour=_rounded(verdict.price_per_hour),
        price_per_request=_rounded(verdict.price_per_request),
        waste=round(verdict.waste, 4),
        reason=_reason(verdict.reason, now),
    )


def _launch(launch: Launch, considered: tuple[ConsideredReport, ...], now: float) -> LaunchReport:
    offering = launch.offering
    for_floor = launch.reason.why in (Why.MIN_WORKERS, Why.USER_FLOOR)
    return LaunchReport(
        node_type=launch.node_type,
        count=launch.count,
        offering=OfferingReport(
            offering.instance_type, offering.zone, offering.market.value, offering.price_per_hour
        ),
        reason=_reason(launch.reason, now),
        # Nothing is chosen for a floor: it names its type.
        considered=() if for_floor else considered,
        all_or_nothing=launch.all_or_nothing,
    )


def _unplaced(outcome: Outcome, now: float) -> UnplacedReport:
    first, *fallbacks = outcome.selectors or ((),)
    return UnplacedReport(
        kind=outcome.kind.value,
        label=outcome.label or outcome.resources.text(),
        resources=_amounts(outcome.resources),
        label_selector=_selector(first),
        fallback_label_selectors=tuple(_selector(selector) for selector in fallbacks),
        count=outcome.count,
        reason=_reason(outcome.reason, now),
    )


def _amounts(resources: Resources) -> dict[str, float]:
    """Amounts; the sum of a huge request_resources may pass the whole numbers that JSON has."""
    return {name: a if a < 2**53 else float(a) for name, a in resources.amounts().items()}


def _selector(selector: LabelSelector) -> dict[str, str]:
    """A selector as Ray's users write it: `{"zone": "in(a,b)", "spot": "!true"}`."""
    texts: dict[str, str] = {}
    for key, operator, values in selector:
        text = values[0] if len(values) == 1 else f"in({','.join(values)})"
        text = text if operator == "in" else f"!{text}"
        texts[key] = f"{texts[key]} and {text}" if key in texts else text
    return texts


def _rounded(price: float | None) -> float | None:
    return None if price is None else round(price, 6)


def _instance_id(name: str, nodes: dict[str, str]) -> str:
    """A node that nobody launched is called by its node id, which is no instance's."""
    return "" if nodes.get(name) == name else name
