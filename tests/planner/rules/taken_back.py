"""Nodes whose machines their owner takes back: they leave at once, and are replaced at once."""

from __future__ import annotations

from msgspec.structs import replace

from raytui.model.leaving import RebalancePolicy
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import DrainUnderWay, FailureKind, Hold, LaunchFailure, Memory
from raytui.model.reason import Why, because
from raytui.model.spec import ClusterSpec, Market, NodeType, Offering
from raytui.model.state import Member, NodeStatus, Notice, NoticeKind
from tests.planner.rules.rule import AT_TYPE_MAX, ON_NEW, ON_RUNNING, ON_STARTING, SMALL, Rule
from tests.support.clusters import NOW, demand, kind, spec, state, worker

UNTIL = NOW + 110
REASON = because(Why.TAKEN_BACK, by="AWS", deadline=UNTIL)


def noticed(member: Member, notice: NoticeKind = NoticeKind.INTERRUPTION) -> Member:
    assert member.instance is not None
    name = member.instance.instance_id
    return replace(member, notice=Notice(name, notice, "AWS", NOW - 1, UNTIL))


def drained_without_end(member: Member) -> Member:
    return replace(member, notice=Notice(member.id, NoticeKind.DRAINED))


def leaving(name: str, used: dict[str, float] | None = None) -> Member:
    """One that has begun to drain for a notice."""
    member = noticed(worker(SMALL, name, used=used, status=InstanceStatus.DRAINING))
    assert member.node is not None
    return replace(member, node=replace(member.node, status=NodeStatus.DRAINING))


def replacing(*kinds: NodeType) -> ClusterSpec:
    """A cluster whose file wants nodes replaced that may be taken back."""
    return replace(spec(*kinds), rebalance=RebalancePolicy.REPLACE)


DRAINS = Memory(drains=(DrainUnderWay("a", NOW - 5, UNTIL, REASON),))

SPOT_A = Offering("m5.large", "us-west-2a", Market.SPOT, 0.03)
SPOT_B = Offering("m5.large", "us-west-2b", Market.SPOT, 0.04)
ON_DEMAND = Offering("m5.large", "us-west-2a", Market.ON_DEMAND, 0.10)
GONE = LaunchFailure(
    "small",
    FailureKind.INTERRUPTED,
    "spot interruption notice for a",
    NOW - 1,
    NOW + 600,
    "us-west-2a",
    "m5.large",
    Market.SPOT,
)


def _bought_as(*offerings: Offering) -> NodeType:
    return kind("small", offerings=offerings, CPU=4)


RULES = [
    Rule(
        "an idle node that is taken back leaves and nothing is launched for it",
        state(noticed(worker(SMALL, "a", idle_for=5))),
        spec(SMALL),
        removals=("a",),
        kept={"a": Why.TAKEN_BACK},
    ),
    Rule(
        "what runs on a node that is taken back gets a new one at once",
        state(noticed(worker(SMALL, "a"))),
        spec(SMALL),
        launches={"small": 1},
        removals=("a",),
        fates={ON_NEW: 1},
    ),
    Rule(
        "what runs there is not replaced where there is room elsewhere",
        state(noticed(worker(SMALL, "a", used={"CPU": 3})), worker(SMALL, "b", idle_for=900)),
        spec(SMALL, idle_s=60),
        removals=("a",),
        fates={ON_RUNNING: 1},
        kept={"b": Why.EXPECTED},
    ),
    Rule(
        "while it drains its work is replaced once",
        state(leaving("a"), worker(SMALL, "b", status=InstanceStatus.SETTING_UP)),
        spec(SMALL),
        DRAINS,
        fates={ON_STARTING: 1},
        kept={"a": Why.TAKEN_BACK},
    ),
    Rule(
        "what waits comes before what still runs",
        state(
            leaving("a"),
            worker(SMALL, "b", status=InstanceStatus.SETTING_UP),
            demands=[demand(1, CPU=4)],
        ),
        spec(kind("small", 0.2, CPU=4, max=1)),
        DRAINS,
        fates={ON_STARTING: 1, AT_TYPE_MAX: 1},
    ),
    Rule(
        "it keeps no floor",
        state(noticed(worker(SMALL, "a", idle_for=5))),
        spec(kind("small", 0.2, CPU=4, min=1)),
        launches={"small": 1},
        removals=("a",),
    ),
    Rule(
        "it takes no place of its type's max_workers",
        state(noticed(worker(SMALL, "a"))),
        spec(kind("small", 0.2, CPU=4, max=1)),
        launches={"small": 1},
        removals=("a",),
        fates={ON_NEW: 1},
    ),
    Rule(
        "no hold keeps what the owner takes back",
        state(noticed(worker(SMALL, "a", idle_for=5))),
        spec(SMALL),
        Memory(holds=(Hold("a", "ann"),)),
        removals=("a",),
    ),
    Rule(
        "one that leaves by order is not replaced",
        state(leaving("a")),
        spec(SMALL),
        Memory(drains=(DrainUnderWay("a", NOW - 5, NOW + 60, because(Why.BY_COMMAND, by="ann")),)),
        kept={"a": Why.DRAINING},
    ),
    Rule(
        "one that somebody else drains leaves as well, and is replaced",
        state(noticed(worker(SMALL, "a"), NoticeKind.DRAINED)),
        spec(SMALL),
        launches={"small": 1},
        removals=("a",),
        fates={ON_NEW: 1},
        kept={"a": Why.DRAINED},
    ),
    Rule(
        "where it has all the time that its work takes only its floor is",
        state(drained_without_end(worker(SMALL, "a"))),
        spec(kind("small", 0.2, CPU=4, min=1)),
        launches={"small": 1},
        removals=("a",),
    ),
    Rule(
        "one that drains because it is idle is not replaced",
        state(noticed(leaving("a"), NoticeKind.DRAINED)),
        spec(SMALL),
        Memory(
            drains=(
                DrainUnderWay(
                    "a", NOW - 5, 0.0, because(Why.IDLE_TIMEOUT, idle_s=61, timeout_s=60)
                ),
            )
        ),
        kept={"a": Why.DRAINING},
    ),
    Rule(
        "one that may be taken back stays at work",
        state(noticed(worker(SMALL, "a"), NoticeKind.REBALANCE)),
        spec(SMALL),
        kept={"a": Why.BUSY},
    ),
    Rule(
        "one that may be taken back is the first to leave above a limit",
        state(
            worker(SMALL, "a", used={"CPU": 1}),
            noticed(worker(SMALL, "b", used={"CPU": 3}), NoticeKind.REBALANCE),
        ),
        spec(kind("small", 0.2, CPU=4, max=1)),
        removals=("b",),
    ),
    Rule(
        "where the file wants it, room for its work comes first",
        state(noticed(worker(SMALL, "a"), NoticeKind.REBALANCE)),
        replacing(SMALL),
        launches={"small": 1},
        fates={ON_NEW: 1},
        kept={"a": Why.BUSY},
    ),
    Rule(
        "it stays while that starts",
        state(
            noticed(worker(SMALL, "a"), NoticeKind.REBALANCE),
            worker(SMALL, "b", status=InstanceStatus.SETTING_UP),
        ),
        replacing(SMALL),
        fates={ON_STARTING: 1},
        kept={"a": Why.BUSY},
    ),
    Rule(
        "and leaves when it runs",
        state(
            noticed(worker(SMALL, "a", used={"CPU": 3}), NoticeKind.REBALANCE),
            worker(SMALL, "b", idle_for=900),
        ),
        replacing(SMALL),
        removals=("a",),
        fates={ON_RUNNING: 1},
        kept={"a": Why.AT_RISK, "b": Why.EXPECTED},
    ),
    Rule(
        "it stays where a limit leaves no room for another",
        state(noticed(worker(SMALL, "a"), NoticeKind.REBALANCE)),
        replacing(kind("small", 0.2, CPU=4, max=1)),
        fates={AT_TYPE_MAX: 1},
        kept={"a": Why.BUSY},
    ),
    Rule(
        "it stays where a person holds it",
        state(noticed(worker(SMALL, "a"), NoticeKind.REBALANCE)),
        replacing(SMALL),
        Memory(holds=(Hold("a", "ann"),)),
        kept={"a": Why.HELD},
    ),
    Rule(
        "an idle one leaves at once",
        state(noticed(worker(SMALL, "a", idle_for=1), NoticeKind.REBALANCE)),
        replacing(SMALL),
        removals=("a",),
    ),
    Rule(
        "its room is not counted on for what waits",
        state(
            noticed(worker(SMALL, "a", idle_for=1), NoticeKind.REBALANCE),
            demands=[demand(1, CPU=3)],
        ),
        replacing(SMALL),
        launches={"small": 1},
        removals=("a",),
        fates={ON_NEW: 1},
    ),
    Rule(
        "one with labels is replaced by one with the same where there is one",
        state(noticed(worker(kind("ssd", 0.3, CPU=4, labels={"disk": "ssd"}), "a"))),
        spec(SMALL, kind("ssd", 0.3, CPU=4, labels={"disk": "ssd"})),
        launches={"ssd": 1},
        removals=("a",),
        fates={ON_NEW: 1},
    ),
    Rule(
        "and by any other that has room where there is none",
        state(noticed(worker(kind("ssd", 0.3, CPU=4, labels={"disk": "ssd"}), "a"))),
        spec(SMALL, kind("ssd", 0.3, CPU=4, labels={"disk": "ssd"}, max=0)),
        launches={"small": 1},
        removals=("a",),
        fates={ON_NEW: 1},
    ),
    Rule(
        "after an interruption spot is bought in another zone",
        state(demands=[demand(1, CPU=4)]),
        spec(_bought_as(SPOT_A, SPOT_B, ON_DEMAND)),
        Memory(failures=(GONE,)),
        launches={"small": 1},
        fates={ON_NEW: 1},
        offerings=("m5.large us-west-2b spot",),
    ),
    Rule(
        "or on demand where that is the only other way",
        state(demands=[demand(1, CPU=4)]),
        spec(_bought_as(SPOT_A, ON_DEMAND)),
        Memory(failures=(GONE,)),
        launches={"small": 1},
        fates={ON_NEW: 1},
        offerings=("m5.large us-west-2a",),
    ),
    Rule(
        "or there again where there is no other way",
        state(demands=[demand(1, CPU=4)]),
        spec(_bought_as(SPOT_A)),
        Memory(failures=(GONE,)),
        launches={"small": 1},
        fates={ON_NEW: 1},
        offerings=("m5.large us-west-2a spot",),
    ),
    Rule(
        "which is better than where launches fail",
        state(demands=[demand(1, CPU=4)]),
        spec(_bought_as(SPOT_A, SPOT_B)),
        Memory(
            failures=(GONE, replace(GONE, kind=FailureKind.CAPACITY, zone="us-west-2b")),
        ),
        launches={"small": 1},
        fates={ON_NEW: 1},
        offerings=("m5.large us-west-2a spot",),
    ),
]
