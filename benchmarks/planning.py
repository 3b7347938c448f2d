"""What planning costs and what its plans cost, beside Ray's own autoscaler v2.

Both planners get the same running nodes, node types with AWS prices, and waiting requests, and
decide once. `busy`: all running nodes are full; `mixed`: 40 % of them are 25 to 75 % free. `pgs`
are placement groups STRICT_SPREAD of four times {CPU: 4}. No limit is in force for either: no
max_workers, no upscaling_speed.

`cpu_s` is the CPU time of one call (median; Ray's is timed once when it takes long), `usd_per_h`
the list price of the new nodes, `nodes` their number, `left` the requests that got no room. Ray's
planner is `ray.autoscaler.v2.scheduler.ResourceDemandScheduler`. A dash was not run: those cases
are known to take Ray's planner more than a minute. `ray_over_raytui_…` is how many times more Ray's
takes or spends, where both place the same number of requests; below 1 Ray's wins.

Ray's planner knows no prices and takes the largest nodes that it can fill: it ends with a third or
a quarter of our nodes, which is less to boot and to watch. Most of what it pays for that is GPUs:
one in the smallest GPU node here costs $0.53 an hour, in the largest $2.04, and no request says
which it needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import common
import workload
from workload import FULL, PARTLY_FREE, Workload

from raytui.autoscaler.planning.planner import plan
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Memory, Wait
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType, Offering, ProviderSpec
from raytui.model.state import (
    Bundle,
    ClusterState,
    Demand,
    Gang,
    Instance,
    Member,
    Node,
    NodeStatus,
    SourceHealth,
    Strategy,
)

_NOW = 1_700_000_000.0
_NO_LIMIT = 1_000_000
_CALLS = 5
_ENOUGH_S = 0.5

T = TypeVar("T")


class Shape(NamedTuple):
    """What makes a case."""

    nodes: int
    demands: int
    existing: str
    gangs: int


class Answer(NamedTuple):
    """What a planner decided, and the CPU seconds it took."""

    cpu_s: float
    nodes: int
    usd_per_h: float
    left: int


_SIZES = (100, 500, 1000)
_FULL_RUN = (
    *(Shape(n, d, e, 0) for e in (FULL, PARTLY_FREE) for n in _SIZES for d in (1000, 10_000)),
    *(Shape(n, 0, e, 100) for e in (FULL, PARTLY_FREE) for n in _SIZES),
    Shape(1000, 1000, PARTLY_FREE, 100),
    Shape(10, 1000, FULL, 0),
    Shape(10, 10_000, FULL, 0),
)
_QUICK_RUN = (
    Shape(100, 1000, FULL, 0),
    Shape(100, 1000, PARTLY_FREE, 0),
    Shape(100, 0, PARTLY_FREE, 20),
)
_TOO_LONG_FOR_RAY = {Shape(1000, 10_000, PARTLY_FREE, 0)}


def measure(quick: bool) -> common.Measured:
    """Both planners on every case."""
    cases = [_case(shape) for shape in (_QUICK_RUN if quick else _FULL_RUN)]
    return common.Measured(cases, _summary(cases))


def _case(shape: Shape) -> common.Case:
    common.progress(f"{shape.nodes} nodes, {shape.demands} demands, {shape.existing}, "
                    f"{shape.gangs} placement groups")  # fmt: skip
    work = workload.make(*shape)
    ours = _raytui(work)
    theirs = None if shape in _TOO_LONG_FOR_RAY else _ray(work)
    same = theirs if theirs is not None and theirs.left == ours.left else None
    return {
        "running": shape.nodes,
        "demands": shape.demands,
        "existing": shape.existing,
        "pgs": shape.gangs,
        **{f"raytui_{name}": value for name, value in ours._asdict().items()},
        **{f"ray_{name}": getattr(theirs, name, None) for name in Answer._fields},
        "ray_over_raytui_cpu": common.ratio(same and same.cpu_s, ours.cpu_s),
        "ray_over_raytui_usd": common.ratio(same and same.usd_per_h, ours.usd_per_h),
    }


def _summary(cases: list[common.Case]) -> dict[str, object]:
    cpu = [case["ray_over_raytui_cpu"] for case in cases if case["ray_over_raytui_cpu"]]
    usd = [case["ray_over_raytui_usd"] for case in cases if case["ray_over_raytui_usd"]]
    both = [case for case in cases if case["ray_nodes"] is not None]
    return {
        "raytui_cpu_s_max": max(case["raytui_cpu_s"] for case in cases),
        "ray_cpu_s_max": max((case["ray_cpu_s"] for case in both), default=None),
        "ray_over_raytui_cpu_median": common.median(cpu) if cpu else None,
        "ray_over_raytui_usd_median": common.median(usd) if usd else None,
        "cases": len(cases),
        "cases_both_ran": len(both),
        "ray_is_faster": sum(case["ray_cpu_s"] < case["raytui_cpu_s"] for case in both),
        "ray_is_cheaper": sum(
            case["ray_usd_per_h"] < case["raytui_usd_per_h"] - 0.005 for case in both
        ),
        "ray_needs_fewer_nodes": sum(case["ray_nodes"] < case["raytui_nodes"] for case in both),
        "raytui_left": sum(case["raytui_left"] for case in cases),
        "ray_left": sum(case["ray_left"] for case in both),
    }


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of a call, and its answer: the median of five calls, or one if it takes long."""
    times: list[float] = []
    while True:
        started = time.process_time()
        answer = call()
        times.append(time.process_time() - started)
        if len(times) == _CALLS or sum(times) > _ENOUGH_S:
            return common.median(times), answer


# raytui's planner.


def _raytui(work: Workload) -> Answer:
    spec, state, memory = _spec(), _state(work), Memory()
    cpu_s, decided = _timed(lambda: plan(state, spec, memory, _NOW))
    unplaced = (Wait.BLOCKED, Wait.INFEASIBLE)
    return Answer(
        cpu_s,
        sum(launch.count for launch in decided.launches),
        round(sum(workload.PRICES[n.node_type] * n.count for n in decided.launches), 2),
        sum(outcome.count for outcome in decided.outcomes if outcome.wait in unplaced),
    )


def _spec() -> ClusterSpec:
    types = {
        machine.name: NodeType(
            machine.name,
            Resources.of(machine.amounts),
            max_workers=_NO_LIMIT,
            offerings=(Offering(machine.name, price_per_hour=machine.price),),
        )
        for machine in workload.MACHINES
    }
    types["head"] = NodeType("head")
    return ClusterSpec(
        cluster_name="planning",
        provider=ProviderSpec("simulated"),
        node_types=types,
        head_node_type="head",
        max_workers=_NO_LIMIT,
        upscaling_speed=float(_NO_LIMIT),
    )


def _state(work: Workload) -> ClusterState:
    bundles = (Bundle(Resources.of(workload.BUNDLE)),) * workload.GANG_SIZE
    return ClusterState(
        observed_at=_NOW,
        members=(
            _member(0, workload.HEAD, {}, is_head=True),
            *(_member(i, node.machine, node.free) for i, node in enumerate(work.existing, 1)),
        ),
        demands=tuple(Demand(Resources.of(shape), count) for shape, count in work.demands),
        gangs=tuple(
            Gang(f"{index:08x}", Strategy.STRICT_SPREAD, bundles) for index in range(work.gangs)
        ),
        sources=(SourceHealth("gcs", ok=True), SourceHealth("provider", ok=True)),
    )


def _member(
    index: int, machine: workload.Machine, free: workload.Amounts, *, is_head: bool = False
) -> Member:
    name = f"i-{index:05d}"
    return Member(
        Instance(name, machine.name, InstanceStatus.RUNNING, is_head=is_head, launched_at=_NOW),
        Node(
            node_id=f"{index:056x}",
            instance_id=name,
            node_type=machine.name,
            status=NodeStatus.RUNNING,
            total=Resources.of(machine.amounts),
            available=Resources.of(free),
            is_head=is_head,
        ),
    )


# Ray's planner.


def _ray(work: Workload) -> Answer | None:
    try:
        import ray_scheduler
    except ImportError as error:
        common.progress(f"Ray's planner cannot be had: {error}")
        return None
    cpu_s, (launches, left) = _timed(ray_scheduler.prepare(work))
    usd_per_h = sum(workload.PRICES[name] * count for name, count in launches.items())
    return Answer(cpu_s, sum(launches.values()), round(usd_per_h, 2), left)


if __name__ == "__main__":
    common.main("planning", __doc__, measure)
