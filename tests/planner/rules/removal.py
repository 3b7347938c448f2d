"""Which nodes leave and why the others stay."""

from __future__ import annotations

import msgspec

from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Hold, Memory
from raytui.model.reason import Why
from raytui.model.state import Member, NodeStatus
from tests.planner.rules.rule import AT_GLOBAL_MAX, LARGE, NEW_FOR_GANG, ON_RUNNING, SMALL, Rule
from tests.support.clusters import NOW, bundle, by_hand, demand, gang, kind, spec, state, worker


def _capped(most: int, least: int = 0):
    return kind("small", 0.2, CPU=4, max=most, min=least)


def _idle_but_running_in_ray(name: str) -> Member:
    """Idle by its timer, yet Ray says RUNNING: something is on it that uses no resources."""
    member = worker(SMALL, name, idle_for=900)
    assert member.node is not None
    return msgspec.structs.replace(
        member, node=msgspec.structs.replace(member.node, status=NodeStatus.RUNNING)
    )


IDLE = [
    Rule(
        "a node idle beyond its timeout leaves",
        state(worker(SMALL, "a", idle_for=61)),
        spec(SMALL, idle_s=60),
        removals=("a",),
        kept={"a": Why.IDLE_TIMEOUT},
    ),
    Rule(
        "a node idle for exactly its timeout leaves",
        state(worker(SMALL, "a", idle_for=60)),
        spec(SMALL, idle_s=60),
        removals=("a",),
    ),
    Rule(
        "a node idle for less stays",
        state(worker(SMALL, "a", idle_for=59)),
        spec(SMALL, idle_s=60),
        kept={"a": Why.IDLE},
    ),
    Rule(
        "a longer timeout of the type wins over the cluster's",
        state(worker(SMALL, "a", idle_for=61)),
        spec(kind("small", 0.2, CPU=4, idle_timeout_s=1000), idle_s=60),
        kept={"a": Why.IDLE},
    ),
    Rule(
        "a shorter timeout of the type wins over the cluster's",
        state(worker(SMALL, "a", idle_for=61)),
        spec(kind("small", 0.2, CPU=4, idle_timeout_s=30), idle_s=600),
        removals=("a",),
    ),
    Rule(
        "min_workers stay and the longest idle leave first",
        state(
            worker(SMALL, "young", idle_for=100),
            worker(SMALL, "old", idle_for=300),
            worker(SMALL, "middle", idle_for=200),
        ),
        spec(_capped(9, least=1)),
        removals=("old", "middle"),
        kept={"young": Why.MIN_WORKERS},
    ),
    Rule(
        "busy nodes count towards min_workers, so the idle ones may leave",
        state(worker(SMALL, "busy"), worker(SMALL, "idle", idle_for=900)),
        spec(_capped(9, least=1)),
        removals=("idle",),
        kept={"busy": Why.BUSY},
    ),
    Rule(
        "a busy node stays whatever its idle timer was",
        state(worker(SMALL, "a", used={"CPU": 0.5})),
        spec(SMALL, idle_s=0),
        kept={"a": Why.BUSY},
    ),
    Rule(
        "a node that Ray calls running stays although its resources are free",
        state(_idle_but_running_in_ray("a")),
        spec(SMALL, idle_s=60),
    ),
    Rule(
        "a starting node is not idle",
        state(worker(SMALL, "a", status=InstanceStatus.SETTING_UP)),
        spec(SMALL, idle_s=0),
        kept={"a": Why.STARTING},
    ),
    Rule(
        "an idle node about to run a task stays",
        state(worker(SMALL, "a", idle_for=900), demands=[demand(1, CPU=1)]),
        spec(SMALL),
        fates={ON_RUNNING: 1},
        kept={"a": Why.EXPECTED},
    ),
    Rule(
        "only as many idle nodes stay as the work needs, and the freshest",
        state(
            worker(SMALL, "old", idle_for=900),
            worker(SMALL, "young", idle_for=100),
            demands=[demand(4, CPU=1)],
        ),
        spec(SMALL),
        removals=("old",),
        fates={ON_RUNNING: 4},
        kept={"young": Why.EXPECTED},
    ),
    Rule(
        "an idle node that a group waits for stays while its others start",
        state(
            worker(SMALL, "a", idle_for=900), gangs=[gang("STRICT_SPREAD", *[bundle(CPU=4)] * 2)]
        ),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
        kept={"a": Why.EXPECTED},
    ),
    Rule(
        "a held node stays",
        state(worker(SMALL, "a", idle_for=900)),
        spec(SMALL),
        Memory(holds=(Hold("a", "ann"),)),
        kept={"a": Why.HELD},
    ),
    Rule(
        "a hold ends at its time",
        state(worker(SMALL, "a", idle_for=900)),
        spec(SMALL),
        Memory(holds=(Hold("a", "ann", until=NOW - 1),)),
        removals=("a",),
    ),
    Rule(
        "an idle head stays",
        state(head_has={"CPU": 8}),
        spec(SMALL, idle_s=0),
        kept={"head-0": Why.HEAD},
    ),
    Rule(
        "a node that joined by hand stays",
        state(by_hand(worker(SMALL, "a", idle_for=9000))),
        spec(SMALL),
        kept={"a": Why.UNMANAGED},
    ),
]

OVER_LIMITS = [
    Rule(
        "above a type's limit: not yet running first, then idle, then the least used",
        state(
            worker(SMALL, "full", used={"CPU": 4}),
            worker(SMALL, "half", used={"CPU": 2}),
            worker(SMALL, "idle", idle_for=1),
            worker(SMALL, "starting", status=InstanceStatus.SETTING_UP),
        ),
        spec(_capped(1)),
        removals=("starting", "idle", "half"),
        kept={"full": Why.BUSY, "half": Why.OVER_MAX_TYPE},
    ),
    Rule(
        "above the cluster's limit: the same over all types",
        state(
            worker(LARGE, "full", used={"CPU": 16}),
            worker(SMALL, "half", used={"CPU": 2}),
            worker(LARGE, "idle", idle_for=1),
        ),
        spec(SMALL, LARGE, max_workers=1),
        removals=("idle", "half"),
        kept={"half": Why.OVER_MAX_GLOBAL},
    ),
    Rule(
        "what leaves for its type's limit counts towards the cluster's",
        state(worker(SMALL, "a", idle_for=1), worker(SMALL, "b"), worker(LARGE, "c", idle_for=2)),
        spec(_capped(1), LARGE, max_workers=2),
        removals=("a",),
    ),
    Rule(
        "a held node stays above a limit, and another one leaves",
        state(worker(SMALL, "held", idle_for=9), worker(SMALL, "busy", used={"CPU": 2})),
        spec(_capped(1)),
        Memory(holds=(Hold("held", "ann"),)),
        removals=("busy",),
        kept={"held": Why.HELD},
    ),
    Rule(
        "a type that was taken out of the file leaves",
        state(worker(LARGE, "a", used={"CPU": 1})),
        spec(SMALL),
        removals=("a",),
        kept={"a": Why.TYPE_GONE},
    ),
    Rule(
        "nodes that joined by hand are not above any limit",
        state(by_hand(worker(SMALL, "x")), worker(SMALL, "a")),
        spec(_capped(1), max_workers=1),
        kept={"x": Why.UNMANAGED, "a": Why.BUSY},
    ),
    Rule(
        "a limit lowered below min_workers removes down to the limit",
        state(worker(SMALL, "a", idle_for=1), worker(SMALL, "b", idle_for=2)),
        spec(kind("small", 0.2, CPU=4, min=2, max=2), max_workers=1),
        removals=("b",),
        fates={AT_GLOBAL_MAX: 1},
    ),
]

RULES = [*IDLE, *OVER_LIMITS]
