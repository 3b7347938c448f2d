"""A small cluster in every state that a screen can meet, and builders for bigger ones."""

from __future__ import annotations

import math

from raytui.model.command import Impact
from raytui.model.lifecycle import InstanceStatus as S
from raytui.model.plan import (
    Decision,
    Hold,
    Launch,
    Outcome,
    Plan,
    Removal,
    Request,
    Verdict,
    Wait,
)
from raytui.model.reason import Reason, Why, because
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Event, Level, Row, Snapshot, TypeRow
from raytui.model.state import Instance, Member, Node, NodeStatus

GIB = 1024**3
NOW = 1_790_000_600.0
"""2026-09-21 14:23:20 UTC."""

SHAPES = {
    "head": {},
    "cpu-small": {"CPU": 4},
    "cpu-large": {"CPU": 16},
    "gpu-a10": {"CPU": 8, "GPU": 1},
}


def member(
    name: str,
    node_type: str,
    status: S = S.RUNNING,
    *,
    used: float = 0.0,
    idle_s: float = 0.0,
    objects: float = 0.0,
    activity: tuple[str, ...] = (),
    detail: str = "",
    age_s: float = 600.0,
    ip: str = "",
) -> Member:
    """A machine of a type; `used` and `objects` are shares of its CPUs and object store."""
    running = status in (S.RUNNING, S.DRAINING)
    total = {**SHAPES.get(node_type, {"CPU": 4}), "memory": 16 * GIB}
    total["object_store_memory"] = 4 * GIB
    left = {
        key: amount * (1 - used) if key in ("CPU", "GPU") else amount
        for key, amount in total.items()
    }
    left["memory"] = total["memory"] * (1 - used * 0.3 - 0.08)
    left["object_store_memory"] = total["object_store_memory"] * (1 - objects)
    instance = Instance(
        instance_id=name,
        node_type=node_type,
        status=status,
        request_id=f"req-{name}",
        is_head=node_type == "head",
        zone="us-west-2a",
        instance_type="m5.xlarge",
        ip=ip,
        launched_at=NOW - age_s,
        status_since=NOW - min(age_s, 60),
        price_per_hour=0.1,
        detail=detail,
    )
    node = None
    if running:
        state = NodeStatus.IDLE if idle_s else NodeStatus.RUNNING
        node = Node(
            node_id=name.encode().hex().rjust(56, "0"),
            instance_id=name,
            node_type=node_type,
            status=NodeStatus.DRAINING if status is S.DRAINING else state,
            total=Resources.of(total),
            available=Resources.of(left),
            labels={"ray.io/node-type": node_type, "ray.io/availability-zone": "us-west-2a"},
            ip=ip,
            idle_since=NOW - idle_s if idle_s else 0.0,
            activity=activity,
            is_head=node_type == "head",
        )
    return Member(instance, node)


def rows() -> tuple[Row, ...]:
    return (
        Row(member("i-0001", "head", ip="10.0.1.4", age_s=8_000), because(Why.HEAD)),
        Row(
            member("i-0a31", "cpu-small", used=1.0, ip="10.0.1.7", objects=0.02, age_s=720,
                   activity=("4 tasks: preprocess ×4",)),
            because(Why.BUSY, activity="4 tasks: preprocess ×4"),
        ),
        Row(
            member("i-0b77", "cpu-small", idle_s=221, ip="10.0.1.9", age_s=1_860),
            because(Why.IDLE, since=NOW - 221, leaves_at=NOW + 79),
        ),
        Row(
            member("i-0b80", "cpu-small", used=0.5, ip="10.0.1.10", age_s=1_200,
                   activity=("2 actors: Loader ×2",)),
            because(Why.BUSY, activity="2 actors: Loader ×2"),
        ),
        Row(
            member("i-0d05", "cpu-small", S.SETTING_UP, detail="Collecting torch (cached)",
                   age_s=48),
            because(Why.STARTING, status="setting up", since=NOW - 48),
        ),
        Row(
            member("i-0d06", "cpu-small", S.REQUESTED, age_s=3),
            because(Why.STARTING, status="requested", since=NOW - 3),
        ),
        Row(
            member("i-0e07", "cpu-large", S.DRAINING, used=0.2, ip="10.0.1.30", age_s=3_900),
            because(Why.DRAINING, cause="idle 5m04s", deadline=NOW + 200),
        ),
        Row(
            member("i-0c12", "gpu-a10", idle_s=400, objects=0.41, ip="10.0.2.3", age_s=3_840),
            because(Why.HOLDS_OBJECTS, bytes=int(3.6 * GIB)),
        ),
        Row(
            member("i-0c40", "gpu-a10", used=1.0, objects=0.12, ip="10.0.2.8", age_s=7_860),
            because(Why.HELD, by="ana", until=NOW + 3_600),
            Hold("i-0c40", "ana", NOW + 3_600),
        ),
        Row(
            member("i-0f99", "gpu-a10", S.LOST, age_s=4_000, detail="raylet exited with code 137"),
            because(Why.LOST, message="raylet exited with code 137"),
        ),
    )  # fmt: skip


def types() -> tuple[TypeRow, ...]:
    wave = tuple(0.5 + 0.45 * math.sin(i / 8) for i in range(60))
    return (
        TypeRow("head", 1, 1, running=1, is_head=True, price_per_hour=0.0, total={"CPU": 0}),
        TypeRow("cpu-small", 0, 20, running=3, starting=2, idle=1, price_per_hour=0.1,
                cost_per_hour=0.6, used={"CPU": 6}, total={"CPU": 12},
                history=tuple(min(1.0, i / 40) for i in range(60))),
        TypeRow("cpu-large", 0, 8, draining=1, price_per_hour=0.77, cost_per_hour=0.77,
                used={"CPU": 3.2}, total={"CPU": 16},
                history=tuple(1 - i / 70 for i in range(60))),
        TypeRow("gpu-a10", 1, 4, running=2, idle=1, failed=3, price_per_hour=0.45,
                cost_per_hour=0.45, user_floor=True, used={"CPU": 8, "GPU": 1},
                total={"CPU": 16, "GPU": 2}, history=wave),
    )  # fmt: skip


def outcomes() -> tuple[Outcome, ...]:
    def shape(**amounts: float) -> Resources:
        return Resources.of(amounts)

    return (
        Outcome(
            Request.DEMAND, Wait.STARTING, 18,
            because(Why.WAITS_FOR_STARTING, nodes="2 × cpu-small", since=NOW - 20,
                    ready_at=NOW + 40),
            shape(CPU=1), "{CPU: 1}", "cpu-small",
        ),
        Outcome(
            Request.DEMAND, Wait.BLOCKED, 3,
            because(Why.BACKING_OFF, node_type="gpu-a10", offering="us-west-2a", kind="capacity",
                    message="Insufficient capacity", retry_at=NOW + 50),
            shape(CPU=4, GPU=1), "{CPU: 4, GPU: 1}", "gpu-a10",
        ),
        Outcome(
            Request.GANG, Wait.BLOCKED, 1,
            because(Why.GANG_TOO_FEW_NODES, strategy="STRICT_SPREAD", wanted=5, possible=4,
                    node_type="gpu-a10"),
            shape(GPU=5), "PG train-7 STRICT_SPREAD 5 × {GPU: 1}",
        ),
        Outcome(
            Request.DEMAND, Wait.INFEASIBLE, 2, because(Why.NO_TYPE_HAS, resource="TPU"),
            shape(TPU=1), "{TPU: 1}",
        ),
    )  # fmt: skip


def decision(number: int, at: float = NOW - 1) -> Decision:
    return Decision(
        number,
        at,
        Plan(
            launches=(
                Launch("cpu-small", 2, because(Why.FOR_DEMAND, count=18, shape="{CPU: 1}")),
            ),
            removals=(
                Removal("i-0e07", "cpu-large", because(Why.IDLE_TIMEOUT, idle_s=304,
                                                       timeout_s=300)),
            ),
            outcomes=outcomes(),
            verdicts=(
                Verdict("cpu-small", True, because(Why.CHEAPEST), 18, 2, 0.2, 0.0111, 0.0),
                Verdict("cpu-large", False, because(Why.DEARER, factor=7.7), 18, 2, 1.54, 0.0856,
                        0.44),
                Verdict("gpu-a10", False, because(Why.SPARES_GPU), 18, 3, 1.35, 0.075, 0.25),
            ),
        ),
        summary="launch 2 × cpu-small because 18 × {CPU: 1} did not fit on 7 nodes",
        nodes_before=7,
        solved_ms=1.2,
        outcome="2 allocated in 3.1 s" if number % 2 else "",
    )  # fmt: skip


def events() -> tuple[Event, ...]:
    return (
        Event(43, NOW - 1, Level.GOOD, "launched 2 cpu-small for 18 × {CPU: 1}",
              detail="cheapest of 3 types at $0.025 per CPU-hour", decision_id=1841),
        Event(42, NOW - 19, Level.INFO, "draining cpu-large i-0e07 (idle 5m04s)"),
        Event(41, NOW - 26, Level.ERROR, "gpu-a10 us-west-2b: InsufficientInstanceCapacity",
              detail="We currently do not have sufficient g5.2xlarge capacity\nin us-west-2b."),
        Event(40, NOW - 80, Level.WARNING, "i-0f99 was lost: raylet exited with code 137",
              detail="[raylet] Killed\nexit code 137", instance_id="i-0f99"),
        Event(39, NOW - 300, Level.INFO, "floor of gpu-a10 set to 1", by="ana"),
    )  # fmt: skip


def snapshot(seq: int = 1842, **changes: object) -> Snapshot:
    """The whole picture; `changes` replace fields."""
    trend = tuple(0.35 + 0.25 * math.sin(i / 7) for i in range(60))
    fields: dict[str, object] = {
        "info": ClusterInfo("prod-west", "aws", gcs_address="10.0.1.4:6379", max_workers=20),
        "seq": seq,
        "taken_at": NOW,
        "rows": rows(),
        "types": types(),
        "outcomes": outcomes(),
        "events": events(),
        "decisions": tuple(decision(n, NOW - 60 * (1841 - n)) for n in range(1841, 1831, -1)),
        "used": {"CPU": 29.0, "GPU": 1.0, "memory": 31.0 * GIB, "object_store_memory": 0.2 * GIB},
        "total": {"CPU": 48.0, "GPU": 2.0, "memory": 96.0 * GIB, "object_store_memory": 9.0 * GIB},
        "history": {
            "CPU": trend,
            "GPU": trend[::-1],
            "memory": trend,
            "object_store_memory": trend,
        },
        "cost_per_hour": 1.82,
        "idle_cost_per_hour": 0.38,
        "priced": True,
        "tick_ms": 3.2,
        **changes,
    }
    return Snapshot(**fields)  # type: ignore[arg-type]


def impacts() -> dict[str, Impact]:
    return {
        "i-0a31": Impact("i-0a31", "cpu-small", tasks=("preprocess ×4",)),
        "i-0c12": Impact("i-0c12", "gpu-a10", object_bytes=int(3.6 * GIB), jobs=("12",)),
    }


def many(count: int, seq: int = 1) -> Snapshot:
    """A cluster of `count` workers."""
    kinds = ("cpu-small", "cpu-large", "gpu-a10")
    made = []
    for i in range(count):
        busy = i % 3
        reason: Reason = (
            because(Why.BUSY, activity=f"{i % 7} tasks")
            if busy
            else because(Why.IDLE, since=NOW - i, leaves_at=NOW + 300)
        )
        name = f"i-{i:05d}"
        node = member(name, kinds[i % 3], used=(i % 5) / 4, idle_s=0 if busy else float(i + 1),
                      ip=f"10.{i // 250}.0.{i % 250}", age_s=float(i))  # fmt: skip
        made.append(Row(node, reason))
    return snapshot(seq, rows=tuple(made))
