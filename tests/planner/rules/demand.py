"""Tasks and actors: existing room first, soonest first, and only room that stays."""

from __future__ import annotations

import msgspec

from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import DrainUnderWay, Hold, Memory
from raytui.model.reason import Why, because
from raytui.model.state import Member, NodeStatus
from tests.planner.rules.rule import (
    AT_TYPE_MAX,
    GPU,
    LARGE,
    NEW_FOR_CONSTRAINT,
    NEW_FOR_GANG,
    ON_NEW,
    ON_RUNNING,
    ON_STARTING,
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
DRAIN = DrainUnderWay("a", NOW, NOW + 60, because(Why.BY_COMMAND, by="ann"))


def _as_ray_says(member: Member, status: NodeStatus) -> Member:
    assert member.node is not None
    return msgspec.structs.replace(member, node=msgspec.structs.replace(member.node, status=status))


ORDER = [
    Rule("nothing pending, nothing done", state(), spec(SMALL)),
    Rule(
        "running room is used before anything is launched",
        state(worker(SMALL, "a", used={"CPU": 1}), demands=[demand(3, CPU=1)]),
        spec(SMALL),
        fates={ON_RUNNING: 3},
    ),
    Rule(
        "starting nodes count, so nothing is launched twice",
        state(worker(SMALL, "a", status=InstanceStatus.SETTING_UP), demands=[FOUR]),
        spec(SMALL),
        fates={ON_STARTING: 4},
    ),
    Rule(
        "a node that was only just queued counts too",
        state(worker(SMALL, "a", status=InstanceStatus.QUEUED), demands=[FOUR]),
        spec(SMALL),
        fates={ON_STARTING: 4},
    ),
    Rule(
        "running room comes before starting room",
        state(
            worker(SMALL, "s", status=InstanceStatus.REQUESTED),
            worker(SMALL, "r", idle_for=1),
            demands=[FOUR],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 4},
        kept={"r": Why.EXPECTED, "s": Why.STARTING},
    ),
    Rule(
        "what does not fit on running or starting nodes is launched for",
        state(
            worker(SMALL, "s", status=InstanceStatus.REQUESTED),
            worker(SMALL, "r", idle_for=1),
            demands=[demand(9, CPU=1)],
        ),
        spec(SMALL),
        launches={"small": 1},
        fates={ON_RUNNING: 4, ON_STARTING: 4, ON_NEW: 1},
    ),
    Rule(
        "a node launched for min_workers takes demand",
        state(demands=[demand(8, CPU=1)]),
        spec(kind("small", 0.2, CPU=4, min=2)),
        launches={"small": 2},
        fates={ON_NEW: 8},
    ),
    Rule(
        "a node launched for request_resources takes demand",
        state(constraints=[constraint(4, CPU=1)], demands=[FOUR]),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_CONSTRAINT: 1, ON_NEW: 4},
    ),
    Rule(
        "room that a placement group leaves on a new node takes demand",
        state(gangs=[gang("STRICT_PACK", bundle(CPU=2))], demands=[demand(2, CPU=1)]),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1, ON_NEW: 2},
    ),
    Rule(
        "a placement group is served before tasks",
        state(
            worker(kind("small", 0.2, CPU=4, max=1), "a", idle_for=1),
            gangs=[gang("STRICT_PACK", bundle(CPU=4))],
            demands=[FOUR],
        ),
        spec(kind("small", 0.2, CPU=4, max=1)),
        fates={ON_RUNNING: 1, AT_TYPE_MAX: 4},
    ),
]

WHERE = [
    Rule(
        "a head with CPUs takes demand",
        state(demands=[FOUR], head_has={"CPU": 4}),
        spec(SMALL),
        fates={ON_RUNNING: 4},
    ),
    Rule(
        "a head without CPUs takes none",
        state(demands=[FOUR]),
        spec(SMALL),
        launches={"small": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "a node that joined by hand is room",
        state(by_hand(worker(SMALL, "a", idle_for=1)), demands=[FOUR]),
        spec(SMALL),
        fates={ON_RUNNING: 4},
        kept={"a": Why.UNMANAGED},
    ),
    Rule(
        "a held node is room",
        state(worker(SMALL, "a", idle_for=1), demands=[FOUR]),
        spec(SMALL),
        Memory(holds=(Hold("a", "ann"),)),
        fates={ON_RUNNING: 4},
        kept={"a": Why.HELD},
    ),
    Rule(
        "a node that we drain holds no demand",
        state(worker(SMALL, "a", idle_for=5), demands=[FOUR]),
        spec(SMALL),
        Memory(drains=(DRAIN,)),
        launches={"small": 1},
        fates={ON_NEW: 4},
        kept={"a": Why.DRAINING},
    ),
    Rule(
        "a starting node that we drain holds no demand",
        state(worker(SMALL, "a", status=InstanceStatus.SETTING_UP), demands=[FOUR]),
        spec(SMALL),
        Memory(drains=(DRAIN,)),
        launches={"small": 1},
        fates={ON_NEW: 4},
    ),
    *(
        Rule(
            f"a node that Ray calls {status.value} holds no demand",
            state(_as_ray_says(worker(SMALL, "a", idle_for=5), status), demands=[FOUR]),
            spec(SMALL),
            launches={"small": 1},
            fates={ON_NEW: 4},
        )
        for status in (NodeStatus.DRAINING, NodeStatus.DEAD)
    ),
    *(
        Rule(
            f"an instance that is {status.value} holds no demand",
            state(
                msgspec.structs.replace(
                    worker(SMALL, "a", idle_for=5),
                    instance=worker(SMALL, "a", status=status).instance,
                ),
                demands=[FOUR],
            ),
            spec(SMALL),
            launches={"small": 1},
            fates={ON_NEW: 4},
        )
        for status in (
            InstanceStatus.DRAINING,
            InstanceStatus.TERMINATING,
            InstanceStatus.TERMINATED,
            InstanceStatus.LAUNCH_FAILED,
            InstanceStatus.SETUP_FAILED,
            InstanceStatus.LOST,
        )
    ),
    Rule(
        "a node above a lowered limit holds no demand (Ray places it there)",
        state(
            worker(kind("large", 0.9, CPU=16, max=1), "old", idle_for=9),
            worker(kind("large", 0.9, CPU=16, max=1), "new", idle_for=1),
            demands=[demand(2, CPU=16)],
        ),
        spec(kind("large", 0.9, CPU=16, max=1)),
        removals=("old",),
        fates={ON_RUNNING: 1, AT_TYPE_MAX: 1},
    ),
]

GPUS = [
    Rule(
        "no GPU node is launched for it at the same price",
        state(demands=[FOUR]),
        spec(kind("accelerated", 0.2, CPU=4, GPU=1), kind("plain", 0.2, CPU=4)),
        launches={"plain": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "work without GPUs leaves GPU nodes alone",
        state(worker(GPU, "g", idle_for=1), worker(LARGE, "l", idle_for=1), demands=[FOUR]),
        spec(LARGE, GPU),
        fates={ON_RUNNING: 4},
        kept={"l": Why.EXPECTED, "g": Why.IDLE},
    ),
    Rule(
        "it takes a running GPU node when nothing else is there",
        state(worker(GPU, "g", idle_for=1), demands=[FOUR]),
        spec(SMALL, GPU),
        fates={ON_RUNNING: 4},
        kept={"g": Why.EXPECTED},
    ),
    Rule(
        "no GPU node is launched for it while another type can take it",
        state(demands=[demand(8, CPU=1)]),
        spec(GPU, LARGE),
        launches={"large": 1},
        fates={ON_NEW: 8},
    ),
    Rule(
        "a GPU node is launched for it when only that can hold it",
        state(demands=[demand(1, CPU=8)]),
        spec(SMALL, GPU),
        launches={"gpu": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "a GPU node is launched for it when it is cheaper",
        state(demands=[demand(16, CPU=1)]),
        spec(LARGE, kind("bargain", 0.10, CPU=16, GPU=1)),
        launches={"bargain": 1},
        fates={ON_NEW: 16},
    ),
    Rule(
        "CPU work fills up the GPU nodes that GPU work needs anyway",
        state(demands=[demand(1, CPU=1, GPU=1), demand(7, CPU=1)]),
        spec(SMALL, GPU),
        launches={"gpu": 1},
        fates={ON_NEW: 8},
    ),
]

RULES = [*ORDER, *WHERE, *GPUS]
