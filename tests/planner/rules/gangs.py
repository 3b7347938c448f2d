"""Placement groups: whole or not at all, each strategy on existing and on new nodes."""

from __future__ import annotations

from msgspec.structs import replace

from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import FailureKind, LaunchFailure, Memory
from raytui.model.reason import Why
from raytui.model.resources import Resources
from raytui.model.state import Bundle, Gang, Member, Share, Strategy
from tests.planner.rules.rule import (
    AT_TYPE_MAX,
    GPU,
    LARGE,
    NEW_FOR_GANG,
    NO_TYPE_HAS,
    NO_TYPE_LABELS,
    ON_NEW,
    ON_RUNNING,
    ON_STARTING,
    SMALL,
    TIED,
    TOO_FEW_NODES,
    TOO_LARGE,
    Rule,
)
from tests.support.clusters import NOW, bundle, demand, gang, kind, spec, state, worker

ALPHA = kind("alpha", 0.1, CPU=4, labels={"zone": "a"})
BETA = kind("beta", 0.5, CPU=4, labels={"zone": "b", "disk": "ssd"})
IN_A = (("zone", "in", ("a",)),)
IN_B = (("zone", "in", ("b",)),)
NOT_IN_A = (("zone", "not-in", ("a",)),)
ON_SSD = (("disk", "in", ("ssd",)),)
HIGH = kind("high", 0.3, CPU=4, memory=8e9, max=1)
TINY = kind("tiny", 0.1, CPU=1)
ONE = kind("small", 0.2, CPU=4, max=1)


def _rest(strategy: str, *bundles: Bundle, on: str) -> Gang:
    """What a placement group lost; its other bundles are on a node."""
    return Gang("abc123", Strategy(strategy), bundles, placed_on=(f"n-{on}",))


def _two_halves_free():
    return worker(SMALL, "a", used={"CPU": 2}), worker(SMALL, "b", used={"CPU": 2})


STRICT_PACK = [
    Rule(
        "STRICT_PACK uses one running node",
        state(worker(LARGE, "a", idle_for=1), gangs=[gang("STRICT_PACK", *[bundle(CPU=8)] * 2)]),
        spec(LARGE),
        fates={ON_RUNNING: 1},
        kept={"a": Why.EXPECTED},
    ),
    Rule(
        "STRICT_PACK is not split over two running nodes",
        state(*_two_halves_free(), gangs=[gang("STRICT_PACK", *[bundle(CPU=2)] * 2)]),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "STRICT_PACK launches a node that holds all bundles",
        state(gangs=[gang("STRICT_PACK", bundle(CPU=8), bundle(CPU=8))]),
        spec(SMALL, LARGE),
        launches={"large": 1},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "STRICT_PACK waits on a node that starts",
        state(
            worker(LARGE, "a", status=InstanceStatus.SETTING_UP),
            gangs=[gang("STRICT_PACK", *[bundle(CPU=8)] * 2)],
        ),
        spec(LARGE),
        fates={ON_STARTING: 1},
    ),
    Rule(
        "STRICT_PACK larger than every type is infeasible",
        state(gangs=[gang("STRICT_PACK", *[bundle(CPU=4)] * 5)]),
        spec(SMALL, LARGE),
        fates={TOO_LARGE: 1},
        args={"resource": "CPU", "wanted": 20, "most": 16, "node_type": "large"},
    ),
    Rule(
        "STRICT_PACK bundles share a node that satisfies all their selectors (Ray splits them)",
        state(gangs=[gang("STRICT_PACK", bundle(IN_B, CPU=2), bundle(ON_SSD, CPU=2))]),
        spec(ALPHA, BETA),
        launches={"beta": 1},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "STRICT_PACK with selectors that contradict each other is infeasible",
        state(gangs=[gang("STRICT_PACK", bundle(IN_A, CPU=1), bundle(IN_B, CPU=1))]),
        spec(ALPHA, BETA),
        fates={NO_TYPE_LABELS: 1},
    ),
]

PACK = [
    Rule(
        "PACK prefers one running node to two",
        state(
            *_two_halves_free(),
            worker(SMALL, "c", idle_for=1),
            gangs=[gang("PACK", *[bundle(CPU=2)] * 2)],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 1},
        kept={"c": Why.EXPECTED, "a": Why.BUSY, "b": Why.BUSY},
    ),
    Rule(
        "PACK takes the running node that holds most of it",
        state(
            worker(LARGE, "a", used={"CPU": 10}),
            worker(LARGE, "b", used={"CPU": 12}),
            worker(LARGE, "c", used={"CPU": 14}),
            gangs=[gang("PACK", *[bundle(CPU=3)] * 2, bundle(CPU=2))],
            demands=[demand(1, CPU=4)],
        ),
        spec(LARGE),
        fates={ON_RUNNING: 2},
    ),
    Rule(
        "PACK prefers a node that runs to one that starts",
        state(
            worker(SMALL, "a", status=InstanceStatus.SETTING_UP),
            worker(SMALL, "b", idle_for=1),
            gangs=[gang("PACK", *[bundle(CPU=2)] * 2)],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 1},
        kept={"b": Why.EXPECTED},
    ),
    Rule(
        "PACK prefers one node that starts to two that run",
        state(
            *_two_halves_free(),
            worker(SMALL, "c", status=InstanceStatus.SETTING_UP),
            gangs=[gang("PACK", *[bundle(CPU=2)] * 2)],
        ),
        spec(SMALL),
        fates={ON_STARTING: 1},
    ),
    Rule(
        "PACK buys two cheap nodes rather than a dear one for all",
        state(gangs=[gang("PACK", *[bundle(CPU=4)] * 2)]),
        spec(SMALL, LARGE),
        launches={"small": 2},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "PACK is split when no running node has room for all",
        state(*_two_halves_free(), gangs=[gang("PACK", *[bundle(CPU=2)] * 2)]),
        spec(SMALL),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "PACK takes what runs and launches the rest",
        state(worker(SMALL, "a", idle_for=1), gangs=[gang("PACK", *[bundle(CPU=4)] * 2)]),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
        kept={"a": Why.EXPECTED},
    ),
    Rule(
        "PACK shares one new node",
        state(gangs=[gang("PACK", *[bundle(CPU=2)] * 2)]),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "PACK larger than every type is split over new nodes",
        state(gangs=[gang("PACK", *[bundle(CPU=4)] * 3)]),
        spec(SMALL),
        launches={"small": 3},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "PACK bundles go to different types by their selectors",
        state(gangs=[gang("PACK", bundle(IN_A, CPU=1), bundle(NOT_IN_A, CPU=1))]),
        spec(ALPHA, BETA),
        launches={"alpha": 1, "beta": 1},
        fates={NEW_FOR_GANG: 1},
    ),
]

SPREAD = [
    Rule(
        "SPREAD prefers distinct running nodes",
        state(
            worker(SMALL, "a", idle_for=1),
            worker(SMALL, "b", idle_for=1),
            gangs=[gang("SPREAD", *[bundle(CPU=1)] * 2)],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 1},
        kept={"a": Why.EXPECTED, "b": Why.EXPECTED},
    ),
    Rule(
        "SPREAD shares a running node rather than launch",
        state(worker(SMALL, "a", idle_for=1), gangs=[gang("SPREAD", *[bundle(CPU=1)] * 2)]),
        spec(SMALL),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "SPREAD gives no node a third bundle before every node has two",
        state(
            worker(SMALL, "a", idle_for=1),
            worker(SMALL, "b", idle_for=1),
            gangs=[gang("SPREAD", *[bundle(CPU=1)] * 4)],
            demands=[demand(2, CPU=2)],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 3},
    ),
    Rule(
        "SPREAD buys no node per bundle",
        state(gangs=[gang("SPREAD", *[bundle(CPU=1)] * 4)]),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "SPREAD uses all of the nodes that must be bought for it",
        state(gangs=[gang("SPREAD", *[bundle(CPU=1)] * 6)], demands=[demand(2, CPU=1)]),
        spec(SMALL),
        launches={"small": 2},
        fates={NEW_FOR_GANG: 1, ON_NEW: 2},
    ),
    Rule(
        "SPREAD doubles up where its wish would leave a bundle without room",
        state(
            worker(SMALL, "a", idle_for=1),
            worker(SMALL, "b", used={"CPU": 3}),
            gangs=[gang("SPREAD", *[bundle(CPU=1)] * 2, bundle(CPU=3))],
        ),
        spec(kind("small", 0.2, CPU=4, max=2)),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "SPREAD shares a new node when the limits allow no more",
        state(gangs=[gang("SPREAD", *[bundle(CPU=2)] * 2)]),
        spec(ONE),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "SPREAD that does not fit within the limits is blocked as a whole",
        state(gangs=[gang("SPREAD", *[bundle(CPU=3)] * 2)]),
        spec(ONE),
        fates={AT_TYPE_MAX: 1},
    ),
]

STRICT_SPREAD = [
    Rule(
        "STRICT_SPREAD wants a running node for each bundle",
        state(
            worker(SMALL, "a", idle_for=1),
            worker(SMALL, "b", idle_for=1),
            gangs=[gang("STRICT_SPREAD", *[bundle(CPU=1)] * 2)],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 1},
        kept={"a": Why.EXPECTED, "b": Why.EXPECTED},
    ),
    Rule(
        "STRICT_SPREAD launches the nodes that are missing",
        state(
            worker(SMALL, "a", idle_for=1),
            worker(SMALL, "b", idle_for=1),
            gangs=[gang("STRICT_SPREAD", *[bundle(CPU=1)] * 3)],
        ),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "STRICT_SPREAD counts nodes that start",
        state(
            worker(SMALL, "a", idle_for=1),
            worker(SMALL, "b", status=InstanceStatus.ALLOCATED),
            gangs=[gang("STRICT_SPREAD", *[bundle(CPU=1)] * 2)],
        ),
        spec(SMALL),
        fates={ON_STARTING: 1},
    ),
    Rule(
        "STRICT_SPREAD never shares a large node",
        state(gangs=[gang("STRICT_SPREAD", *[bundle(CPU=1)] * 3)]),
        spec(LARGE),
        launches={"large": 3},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "STRICT_SPREAD bundles of different shapes need distinct nodes too",
        state(
            worker(LARGE, "a", idle_for=1),
            gangs=[gang("STRICT_SPREAD", bundle(CPU=8), bundle(CPU=1), bundle(CPU=2))],
        ),
        spec(SMALL, LARGE),
        launches={"small": 2},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "STRICT_SPREAD leaves the only large node to the bundle that needs it",
        state(
            worker(SMALL, "s", idle_for=1),
            worker(kind("large", 0.9, CPU=16, max=1), "l", idle_for=1),
            gangs=[gang("STRICT_SPREAD", bundle(CPU=2), bundle(CPU=8))],
        ),
        spec(kind("small", 0.2, CPU=4, max=1), kind("large", 0.9, CPU=16, max=1)),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "STRICT_SPREAD leaves the only labelled node to the bundle that needs it",
        state(
            worker(ALPHA, "a", idle_for=1),
            worker(BETA, "b", idle_for=1),
            gangs=[gang("STRICT_SPREAD", bundle(CPU=1), bundle(IN_A, CPU=1))],
        ),
        spec(ALPHA, BETA),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "STRICT_SPREAD bundles make way for each other where they have a choice",
        state(
            worker(HIGH, "h", idle_for=1),
            worker(SMALL, "s", idle_for=1),
            gangs=[gang("STRICT_SPREAD", bundle(CPU=3, memory=1e9), bundle(CPU=4))],
        ),
        spec(kind("small", 0.2, CPU=4, max=1), HIGH),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "STRICT_SPREAD takes several types when one reaches its limit",
        state(gangs=[gang("STRICT_SPREAD", *[bundle(CPU=1)] * 3)]),
        spec(kind("small", 0.2, CPU=4, max=2), LARGE),
        launches={"small": 2, "large": 1},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "STRICT_SPREAD beyond the limits launches nothing and says what to raise",
        state(
            worker(kind("gpu", 1.2, CPU=8, GPU=1, max=4), "g"),
            gangs=[gang("STRICT_SPREAD", *[bundle(GPU=1)] * 4)],
        ),
        spec(kind("gpu", 1.2, CPU=8, GPU=1, max=4)),
        fates={TOO_FEW_NODES: 1},
        args={"wanted": 4, "possible": 3, "node_type": "gpu"},
    ),
    Rule(
        "STRICT_SPREAD bundles keep their selectors",
        state(gangs=[gang("STRICT_SPREAD", bundle(CPU=1), bundle(IN_B, CPU=1))]),
        spec(ALPHA, BETA),
        launches={"alpha": 1, "beta": 1},
        fates={NEW_FOR_GANG: 1},
    ),
]

PARTLY_PLACED = [
    Rule(
        "the rest of a STRICT_SPREAD group goes on other nodes than what is placed",
        state(
            worker(SMALL, "a", used={"CPU": 1}),
            gangs=[_rest("STRICT_SPREAD", bundle(CPU=1), on="a")],
        ),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "the rest of a STRICT_SPREAD group uses a running node without a bundle of it",
        state(
            worker(SMALL, "a", used={"CPU": 1}),
            worker(SMALL, "b", used={"CPU": 1}),
            gangs=[_rest("STRICT_SPREAD", bundle(CPU=1), on="a")],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "the rest of a SPREAD group takes the same node rather than launch",
        state(
            worker(SMALL, "a", used={"CPU": 1}),
            gangs=[_rest("SPREAD", bundle(CPU=1), on="a")],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "the rest of a STRICT_PACK group goes where the others are",
        state(
            worker(SMALL, "a", used={"CPU": 1}),
            worker(SMALL, "b", used={"CPU": 3}),
            gangs=[_rest("STRICT_PACK", bundle(CPU=1), on="a")],
            demands=[demand(1, CPU=1)],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 2},
    ),
    Rule(
        "the rest of a STRICT_PACK group launches nothing when its node is full",
        state(
            worker(SMALL, "a", used={"CPU": 4}),
            worker(SMALL, "b", idle_for=1),
            gangs=[_rest("STRICT_PACK", bundle(CPU=1), on="a")],
        ),
        spec(SMALL),
        fates={TIED: 1},
        args={"strategy": "STRICT_PACK", "node": "a"},
    ),
    Rule(
        "the rest of a STRICT_SPREAD group takes what runs and launches what is missing",
        state(
            worker(SMALL, "a", used={"CPU": 1}),
            worker(SMALL, "b", used={"CPU": 1}),
            gangs=[_rest("STRICT_SPREAD", *[bundle(CPU=1)] * 3, on="a")],
        ),
        spec(SMALL),
        launches={"small": 2},
        fates={NEW_FOR_GANG: 1},
    ),
    Rule(
        "the rest of a STRICT_SPREAD group waits when the limits allow no node beside its own",
        state(
            worker(ONE, "a", used={"CPU": 1}),
            gangs=[_rest("STRICT_SPREAD", bundle(CPU=1), on="a")],
        ),
        spec(ONE),
        fates={TOO_FEW_NODES: 1},
        args={"wanted": 1, "possible": 0, "node_type": "small"},
    ),
    Rule(
        "the rest of a SPREAD group prefers a node without a bundle of it",
        state(
            worker(LARGE, "a", used={"CPU": 1}),
            worker(SMALL, "b", idle_for=1),
            gangs=[_rest("SPREAD", bundle(CPU=1), on="a")],
        ),
        spec(SMALL, LARGE),
        fates={ON_RUNNING: 1},
        kept={"b": Why.EXPECTED},
    ),
    Rule(
        "the rest of a PACK group prefers the node of its others, so that another one can leave",
        state(
            worker(SMALL, "a", used={"CPU": 1}),
            worker(TINY, "b", idle_for=100),
            gangs=[_rest("PACK", bundle(CPU=1), on="a")],
        ),
        spec(SMALL, TINY),
        removals=("b",),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "the rest of a PACK group runs elsewhere when the node of its others is full",
        state(
            worker(SMALL, "a"),
            worker(SMALL, "b", idle_for=1),
            gangs=[_rest("PACK", *[bundle(CPU=2)] * 2, on="a")],
        ),
        spec(SMALL),
        fates={ON_RUNNING: 1},
        kept={"b": Why.EXPECTED},
    ),
    Rule(
        "the rest of a PACK group is launched for when nothing has room",
        state(worker(SMALL, "a"), gangs=[_rest("PACK", bundle(CPU=1), on="a")]),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
    ),
]

ON_GPUS = (bundle(CPU=2, GPU=1),) * 2
ON_CPUS = (bundle(CPU=2),) * 2
EITHER = gang("PACK", *ON_GPUS, fallbacks=(ON_CPUS,))
ONE_GPU = kind("gpu", 1.2, CPU=8, GPU=1, max=1)


def _meant_for_fallback():
    """A node that was bought for the fallback of EITHER and starts."""
    starting = worker(SMALL, "a", status=InstanceStatus.REQUESTED)
    meant = (Share(Resources.of(CPU=2), 2, EITHER.gang_id),)
    return Member(replace(starting.instance, meant_for=meant))


FALLBACKS = [
    Rule(
        "a group goes its first way where that can be had, though a fallback is cheaper",
        state(gangs=[EITHER]),
        spec(SMALL, GPU),
        launches={"gpu": 2},
        fates={NEW_FOR_GANG: 1},
        args={"fallback": None},
    ),
    Rule(
        "a group takes running room by its fallback rather than launch for its first way",
        state(worker(SMALL, "a", idle_for=1), gangs=[EITHER]),
        spec(SMALL, GPU),
        fates={ON_RUNNING: 1},
        kept={"a": Why.EXPECTED},
        args={"fallback": 1},
    ),
    Rule(
        "a group waits for starting room by its first way rather than run by its fallback",
        state(
            worker(SMALL, "a", idle_for=1),
            *[worker(GPU, name, status=InstanceStatus.ALLOCATED) for name in "bc"],
            gangs=[EITHER],
        ),
        spec(SMALL, GPU),
        fates={ON_STARTING: 1},
        args={"fallback": None},
    ),
    Rule(
        "a group is launched for by its fallback when its first way is infeasible",
        state(gangs=[EITHER]),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
        args={"fallback": 1},
    ),
    Rule(
        "a group does not wait for a first way that limits block",
        state(gangs=[EITHER]),
        spec(SMALL, ONE_GPU),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
        args={"fallback": 1},
    ),
    Rule(
        "a group does not wait for a first way whose launches fail",
        state(gangs=[EITHER]),
        spec(SMALL, GPU),
        Memory(failures=(LaunchFailure("gpu", FailureKind.CAPACITY, "no", NOW, NOW + 60),)),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
        args={"fallback": 1},
    ),
    Rule(
        "a group does not wait for a first way that the budget does not pay for",
        state(gangs=[EITHER]),
        replace(spec(SMALL, GPU), budget_per_hour=1.5),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
        args={"fallback": 1},
    ),
    Rule(
        "fallbacks of a group are tried in order",
        state(gangs=[gang("STRICT_PACK", bundle(TPU=1), fallbacks=(ON_CPUS, (bundle(CPU=1),)))]),
        spec(TINY, SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 1},
        args={"fallback": 1},
    ),
    Rule(
        "a fallback may have other numbers of bundles and other labels",
        state(
            gangs=[
                gang(
                    "STRICT_SPREAD",
                    *[bundle(IN_A, CPU=4, GPU=1)] * 2,
                    fallbacks=((bundle(IN_A, CPU=2),) * 2 + (bundle(IN_B, CPU=2),),),
                )
            ]
        ),
        spec(ALPHA, BETA),
        launches={"alpha": 2, "beta": 1},
        fates={NEW_FOR_GANG: 1},
        args={"fallback": 1},
    ),
    Rule(
        "a group with room by no way is told what blocks the first that a type could hold",
        state(worker(ONE, "a"), gangs=[gang("PACK", bundle(TPU=1), fallbacks=(ON_CPUS,))]),
        spec(ONE),
        fates={AT_TYPE_MAX: 1},
        args={"node_type": "small"},
    ),
    Rule(
        "a group that no type could hold by any way is told what its first way lacks",
        state(gangs=[gang("PACK", bundle(TPU=1), fallbacks=((bundle(GPU=1),),))]),
        spec(SMALL),
        fates={NO_TYPE_HAS: 1},
        args={"resource": "TPU"},
    ),
    Rule(
        "nodes bought for a group's fallback stay with it when its first way can be had again",
        state(_meant_for_fallback(), gangs=[EITHER], demands=[demand(1, CPU=4)]),
        spec(SMALL, GPU),
        launches={"small": 1},
        fates={ON_STARTING: 1, ON_NEW: 1},
    ),
]

ALTOGETHER = [
    Rule(
        "room for half of a group stays free for work that can use it",
        state(
            worker(ONE, "a", idle_for=1),
            gangs=[gang("PACK", *[bundle(CPU=4)] * 2)],
            demands=[demand(4, CPU=1)],
        ),
        spec(ONE),
        fates={AT_TYPE_MAX: 1, ON_RUNNING: 4},
    ),
    Rule(
        "many equal groups share new nodes",
        state(gangs=[gang("PACK", *[bundle(CPU=2)] * 3, name=f"g{i}") for i in range(20)]),
        spec(kind("small", 0.2, CPU=4, max=99)),
        launches={"small": 30},
        fates={NEW_FOR_GANG: 20},
    ),
    Rule(
        "of many equal groups as many are launched for as the limits allow",
        state(
            gangs=[gang("STRICT_PACK", *[bundle(CPU=1)] * 3, name=f"g{i:02}") for i in range(30)]
        ),
        spec(kind("small", 0.2, CPU=4, max=17)),
        launches={"small": 17},
        fates={NEW_FOR_GANG: 17, AT_TYPE_MAX: 13},
        args={"node_type": "small", "now": 17, "max": 17},
    ),
    Rule(
        "two groups share one new node",
        state(
            gangs=[
                gang("PACK", bundle(CPU=2), name="g1"),
                gang("STRICT_PACK", bundle(CPU=1), bundle(CPU=1), name="g2"),
            ]
        ),
        spec(SMALL),
        launches={"small": 1},
        fates={NEW_FOR_GANG: 2},
    ),
    Rule(
        "two STRICT_SPREAD groups may share their nodes with each other",
        state(
            gangs=[
                gang("STRICT_SPREAD", *[bundle(CPU=2)] * 2, name="g1"),
                gang("STRICT_SPREAD", *[bundle(CPU=2)] * 2, name="g2"),
            ]
        ),
        spec(SMALL),
        launches={"small": 2},
        fates={NEW_FOR_GANG: 2},
    ),
    Rule(
        "the group that is harder to place comes first",
        state(
            worker(ONE, "a", idle_for=1),
            gangs=[
                gang("PACK", bundle(CPU=1), name="aaa"),
                gang("PACK", *[bundle(CPU=1)] * 4, name="bbb"),
            ],
        ),
        spec(ONE),
        fates={ON_RUNNING: 1, AT_TYPE_MAX: 1},
        args={"node_type": "small", "now": 1, "max": 1},
    ),
    Rule(
        "a blocked group takes nothing of the limits from the next one",
        state(
            gangs=[
                gang("STRICT_SPREAD", *[bundle(GPU=1)] * 3, name="g1"),
                gang("STRICT_SPREAD", *[bundle(GPU=1)] * 2, name="g2"),
            ]
        ),
        spec(kind("gpu", 1.2, CPU=8, GPU=1, max=2)),
        launches={"gpu": 2},
        fates={NEW_FOR_GANG: 1, TOO_FEW_NODES: 1},
        args={"wanted": 3},
    ),
    Rule(
        "bundles of CPUs and GPUs in one group",
        state(
            gangs=[gang("PACK", bundle(CPU=1, GPU=1), bundle(CPU=4))], demands=[demand(3, CPU=1)]
        ),
        spec(SMALL, GPU),
        launches={"gpu": 1},
        fates={NEW_FOR_GANG: 1, ON_NEW: 3},
    ),
]

RULES = [*STRICT_PACK, *PACK, *SPREAD, *STRICT_SPREAD, *PARTLY_PLACED, *FALLBACKS, *ALTOGETHER]
