"""Limits and floors: max_workers, min_workers, upscaling_speed, failures, pauses."""

from __future__ import annotations

from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import DrainUnderWay, FailureKind, LaunchFailure, Memory
from raytui.model.reason import Why, because
from raytui.model.spec import Market, Offering
from raytui.model.state import SourceHealth
from tests.planner.rules.rule import (
    AT_GLOBAL_MAX,
    AT_SPEED,
    AT_TYPE_MAX,
    BACKING_OFF,
    LARGE,
    NEW_FOR_CONSTRAINT,
    NEW_FOR_GANG,
    NOT_OBSERVED,
    ON_NEW,
    ON_RUNNING,
    ON_STARTING,
    PAUSED,
    SMALL,
    Rule,
)
from tests.support.clusters import (
    NOW,
    bundle,
    by_hand,
    constraint,
    demand,
    gang,
    kind,
    spec,
    state,
    worker,
)

FOUR = demand(4, CPU=1)
MANY = kind("small", 0.2, CPU=4, max=100)


def _capped(most: int, least: int = 0):
    return kind("small", 0.2, CPU=4, max=most, min=least)


MAX_WORKERS = [
    Rule(
        "max_workers of a type holds and is named",
        state(demands=[demand(20, CPU=1)]),
        spec(_capped(2)),
        launches={"small": 2},
        fates={ON_NEW: 8, AT_TYPE_MAX: 12},
        args={"node_type": "small", "now": 2, "max": 2},
    ),
    Rule(
        "the next type takes over at max_workers",
        state(demands=[demand(20, CPU=1)]),
        spec(_capped(1), LARGE),
        launches={"small": 1, "large": 1},
        fates={ON_NEW: 20},
    ),
    Rule(
        "the cluster's max_workers holds over all types and is named",
        state(worker(SMALL, "a"), demands=[demand(40, CPU=1)]),
        spec(SMALL, max_workers=3),
        launches={"small": 2},
        fates={ON_NEW: 8, AT_GLOBAL_MAX: 32},
        args={"now": 3, "max": 3},
    ),
    Rule(
        "a starting node counts against max_workers",
        state(worker(SMALL, "a", status=InstanceStatus.ALLOCATED), demands=[demand(8, CPU=1)]),
        spec(_capped(1)),
        fates={ON_STARTING: 4, AT_TYPE_MAX: 4},
    ),
    Rule(
        "a draining node does not: its place is free",
        state(worker(SMALL, "a"), demands=[FOUR]),
        spec(_capped(1)),
        Memory(drains=(DrainUnderWay("a", NOW, NOW + 9, because(Why.BY_COMMAND, by="ann")),)),
        launches={"small": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "the head does not count",
        state(demands=[FOUR]),
        spec(SMALL, max_workers=1),
        launches={"small": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "a node that joined by hand does not count",
        state(by_hand(worker(SMALL, "a")), demands=[FOUR]),
        spec(_capped(1), max_workers=1),
        launches={"small": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "a type with max_workers 0 is blocked, not infeasible",
        state(demands=[FOUR]),
        spec(_capped(0)),
        fates={AT_TYPE_MAX: 4},
    ),
    Rule(
        "a full cluster launches the node that serves the most",
        state(demands=[demand(16, CPU=1)]),
        spec(SMALL, LARGE, max_workers=1),
        launches={"large": 1},
        fates={ON_NEW: 16},
    ),
]

FLOORS = [
    Rule(
        "min_workers are launched without demand",
        state(),
        spec(_capped(9, least=2)),
        launches={"small": 2},
    ),
    Rule(
        "running and starting nodes count towards min_workers",
        state(worker(SMALL, "a"), worker(SMALL, "b", status=InstanceStatus.REQUESTED)),
        spec(_capped(9, least=3)),
        launches={"small": 1},
    ),
    Rule(
        "a node that joined by hand does not",
        state(by_hand(worker(SMALL, "a"))),
        spec(_capped(9, least=1)),
        launches={"small": 1},
    ),
    Rule(
        "a draining node does not",
        state(worker(SMALL, "a")),
        spec(_capped(9, least=1)),
        Memory(drains=(DrainUnderWay("a", NOW, NOW + 9, because(Why.BY_COMMAND, by="ann")),)),
        launches={"small": 1},
    ),
    Rule(
        "min_workers above demand stay min_workers",
        state(demands=[FOUR]),
        spec(_capped(9, least=3)),
        launches={"small": 3},
        fates={ON_NEW: 4},
    ),
    Rule(
        "a floor that the cluster's limit forbids says so",
        state(),
        spec(_capped(9, least=5), max_workers=2),
        launches={"small": 2},
        fates={AT_GLOBAL_MAX: 3},
    ),
    Rule(
        "a person's floor stands in place of min_workers",
        state(),
        spec(_capped(9, least=1)),
        Memory(floors={"small": 3}),
        launches={"small": 3},
    ),
    Rule(
        "a person's floor of 0 lets the last idle node leave",
        state(worker(SMALL, "a", idle_for=900)),
        spec(_capped(9, least=1)),
        Memory(floors={"small": 0}),
        removals=("a",),
    ),
    Rule(
        "a person's floor keeps an idle node",
        state(worker(SMALL, "a", idle_for=900)),
        spec(SMALL),
        Memory(floors={"small": 1}),
        kept={"a": Why.USER_FLOOR},
    ),
]

SPEED = [
    Rule(
        "upscaling_speed lets five of a type start where none runs",
        state(demands=[demand(80, CPU=1)]),
        spec(MANY),
        launches={"small": 5},
        fates={ON_NEW: 20, AT_SPEED: 60},
        args={"node_type": "small", "allowed": 5},
    ),
    Rule(
        "upscaling_speed 0 still lets five start",
        state(demands=[demand(80, CPU=1)]),
        spec(MANY, speed=0.0),
        launches={"small": 5},
        fates={ON_NEW: 20, AT_SPEED: 60},
    ),
    Rule(
        "upscaling_speed multiplies what runs",
        state(*[worker(MANY, f"w{i}") for i in range(8)], demands=[demand(80, CPU=1)]),
        spec(MANY),
        launches={"small": 8},
        fates={ON_NEW: 32, AT_SPEED: 48},
    ),
    Rule(
        "upscaling_speed rounds up",
        state(*[worker(MANY, f"w{i}") for i in range(11)], demands=[demand(80, CPU=1)]),
        spec(MANY, speed=0.5),
        launches={"small": 6},
        fates={ON_NEW: 24, AT_SPEED: 56},
    ),
    Rule(
        "nodes that start already use up the speed",
        state(
            *[worker(MANY, f"w{i}", status=InstanceStatus.REQUESTED) for i in range(3)],
            demands=[demand(80, CPU=1)],
        ),
        spec(MANY),
        launches={"small": 2},
        fates={ON_STARTING: 12, ON_NEW: 8, AT_SPEED: 60},
    ),
    Rule(
        "throttled work waits rather than run somewhere dearer",
        state(demands=[demand(50, CPU=1)]),
        spec(kind("cheap", 0.1, CPU=1, max=100), kind("dear", 9.0, CPU=1, max=100)),
        launches={"cheap": 5},
        fates={ON_NEW: 5, AT_SPEED: 45},
    ),
    Rule(
        "min_workers are not throttled",
        state(),
        spec(kind("small", 0.2, CPU=4, min=40, max=50), speed=0.0),
        launches={"small": 40},
    ),
    Rule(
        "placement groups are not throttled",
        state(gangs=[gang("STRICT_SPREAD", *[bundle(CPU=1)] * 8)]),
        spec(MANY),
        launches={"small": 8},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "request_resources is not throttled",
        state(constraints=[constraint(40, CPU=4)]),
        spec(MANY),
        launches={"small": 40},
        fates={NEW_FOR_CONSTRAINT: 1},
    ),
]

ONLY = Offering()
CHEAP = Offering("m1", "a", Market.SPOT, 0.10)
DEAR = Offering("m1", "b", Market.ON_DEMAND, 0.30)
BOTH = kind("small", offerings=(DEAR, CHEAP), CPU=4)


def _failed(node_type: str, offering: Offering = ONLY, retry_in: float = 25) -> LaunchFailure:
    return LaunchFailure(
        node_type, FailureKind.CAPACITY, "no capacity", NOW - 5, NOW + retry_in,
        offering.zone, offering.instance_type, offering.market,
    )  # fmt: skip


FAILURES = [
    Rule(
        "a failing type is avoided and others are tried",
        state(demands=[FOUR]),
        spec(SMALL, LARGE),
        Memory(failures=(_failed("small"),)),
        launches={"large": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "alone it is named with its own words and the next try",
        state(demands=[FOUR]),
        spec(SMALL),
        Memory(failures=(_failed("small"),)),
        fates={BACKING_OFF: 4},
        args={"message": "no capacity", "retry_at": NOW + 25, "kind": "capacity"},
    ),
    Rule(
        "it is tried again when the pause is over",
        state(demands=[FOUR]),
        spec(SMALL),
        Memory(failures=(_failed("small", retry_in=-1),)),
        launches={"small": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "the cheapest offering is bought",
        state(demands=[FOUR]),
        spec(BOTH),
        launches={"small": 1},
        fates={ON_NEW: 4},
        offerings=("m1 a spot",),
    ),
    Rule(
        "only the failing offering is avoided",
        state(demands=[FOUR]),
        spec(BOTH),
        Memory(failures=(_failed("small", CHEAP),)),
        launches={"small": 1},
        fates={ON_NEW: 4},
        offerings=("m1 b",),
    ),
    Rule(
        "a type with all its offerings failing is avoided",
        state(demands=[FOUR]),
        spec(BOTH, LARGE),
        Memory(failures=(_failed("small", CHEAP), _failed("small", DEAR))),
        launches={"large": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "what is left of a failing type is weighed at its own price",
        state(demands=[FOUR]),
        spec(
            kind("small", offerings=(Offering("m1", "b", price_per_hour=5.0), CHEAP), CPU=4), LARGE
        ),
        Memory(failures=(_failed("small", CHEAP),)),
        launches={"large": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "min_workers of a failing type wait for it",
        state(),
        spec(_capped(9, least=2)),
        Memory(failures=(_failed("small"),)),
        fates={BACKING_OFF: 2},
    ),
    Rule(
        "a failing type's running nodes stay in use",
        state(worker(SMALL, "a", idle_for=1), demands=[FOUR]),
        spec(SMALL),
        Memory(failures=(_failed("small"),)),
        fates={ON_RUNNING: 4},
    ),
]

NOT_ACTING = [
    Rule(
        "paused it explains and does not act",
        state(worker(SMALL, "a", idle_for=900), demands=[demand(1, CPU=3), demand(5, CPU=2)]),
        spec(SMALL),
        Memory(paused_by="ann"),
        fates={ON_RUNNING: 1, PAUSED: 5},
        args={"by": "ann"},
    ),
    *(
        Rule(
            f"what {source} does not tell is not zero",
            state(
                worker(SMALL, "a", idle_for=900),
                demands=[demand(1, CPU=3), demand(5, CPU=2)],
                sources=(SourceHealth(source, ok=False, last_ok_at=NOW - 50, error="no answer"),),
            ),
            spec(SMALL),
            fates={ON_RUNNING: 1, NOT_OBSERVED: 5},
            args={"source": source, "since": NOW - 50},
        )
        for source in ("gcs", "provider")
    ),
    Rule(
        "paused, no limit is enforced, and every floor says what it waits for",
        state(worker(LARGE, "a", idle_for=1), worker(LARGE, "b")),
        spec(_capped(9, least=2), kind("large", 0.9, CPU=16, max=0)),
        Memory(paused_by="ann"),
        fates={PAUSED: 2},
        args={"by": "ann"},
    ),
    Rule(
        "blind, a floor waits until Ray answers",
        state(sources=(SourceHealth("gcs", ok=False, last_ok_at=NOW - 60),)),
        spec(_capped(9, least=2)),
        fates={NOT_OBSERVED: 2},
        args={"source": "gcs"},
    ),
    Rule(
        "paused, what would be launched for all kinds of requests is held back",
        state(
            demands=[FOUR],
            gangs=[gang("STRICT_SPREAD", bundle(CPU=4), bundle(CPU=4))],
            constraints=[constraint(1, CPU=16)],
        ),
        spec(SMALL, LARGE),
        Memory(paused_by="ann"),
        fates={PAUSED: 6},
    ),
]

RULES = [*MAX_WORKERS, *FLOORS, *SPEED, *FAILURES, *NOT_ACTING]
