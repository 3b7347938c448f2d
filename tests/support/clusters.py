"""Builders of specs and states for tests: say only what matters to the test."""

from __future__ import annotations

from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import EMPTY, Resources
from raytui.model.spec import ClusterSpec, NodeType, Offering, ProviderSpec
from raytui.model.state import (
    Bundle,
    ClusterState,
    Constraint,
    Demand,
    Gang,
    Instance,
    LabelSelector,
    Member,
    Node,
    NodeStatus,
    SourceHealth,
    Strategy,
)

NOW = 1_000_000.0
HEAD = NodeType("head")


def kind(
    name: str,
    price: float | None = None,
    *,
    min: int = 0,
    max: int = 10,
    labels: dict[str, str] | None = None,
    idle_timeout_s: float | None = None,
    priority: int = 0,
    offerings: tuple[Offering, ...] = (),
    **resources: float,
) -> NodeType:
    """A node type; `price` stands for one offering without a name."""
    return NodeType(
        name=name,
        resources=Resources.of(resources),
        labels=labels or {},
        min_workers=min,
        max_workers=max,
        idle_timeout_s=idle_timeout_s,
        priority=priority,
        offerings=offerings or (Offering(price_per_hour=price),),
    )


def spec(*kinds: NodeType, max_workers: int = 100, speed: float = 1.0, idle_s: float = 60.0):
    """A cluster with a head without CPUs and the given worker types."""
    return ClusterSpec(
        cluster_name="test",
        provider=ProviderSpec("fake_multinode"),
        node_types={k.name: k for k in (HEAD, *kinds)},
        head_node_type="head",
        max_workers=max_workers,
        upscaling_speed=speed,
        idle_timeout_s=idle_s,
    )


def head(**room: float) -> Member:
    """The head, idle since long ago; `room` is all it has, and free."""
    has = Resources.of(room)
    return Member(
        Instance("head-0", "head", InstanceStatus.RUNNING, is_head=True),
        Node(
            "f" * 8, "head-0", "head", NodeStatus.IDLE, has, has, idle_since=1.0, is_head=True
        ),
    )  # fmt: skip


def worker(
    kind: NodeType,
    name: str,
    *,
    used: dict[str, float] | None = None,
    idle_for: float | None = None,
    status: InstanceStatus = InstanceStatus.RUNNING,
    labels: dict[str, str] | None = None,
    also: dict[str, float] | None = None,
) -> Member:
    """A worker: running and fully used unless said otherwise; idle when `idle_for` is given.

    `also` is what the node has, free, besides its type's resources.
    """
    besides = Resources.of(also)
    instance = Instance(name, kind.name, status, request_id=f"r-{name}", launched_at=NOW - 1000.0)
    if status not in (InstanceStatus.RUNNING, InstanceStatus.DRAINING):
        return Member(instance)
    available = EMPTY
    if idle_for is not None:
        available = kind.resources
    elif used is not None:
        available = kind.resources - Resources.of(used)
    node = Node(
        node_id=f"n-{name}",
        instance_id=name,
        node_type=kind.name,
        status=NodeStatus.IDLE if idle_for is not None else NodeStatus.RUNNING,
        total=kind.resources + besides,
        available=available + besides,
        labels={"ray.io/node-group": kind.name, **kind.labels, **(labels or {})},
        idle_since=NOW - idle_for if idle_for is not None else 0.0,
    )
    return Member(instance, node)


def by_hand(member: Member) -> Member:
    """The same node as if somebody had joined it by hand: Ray knows it, no provider does."""
    return Member(node=member.node)


def state(
    *members: Member,
    demands: list[Demand] | None = None,
    gangs: list[Gang] | None = None,
    constraints: list[Constraint] | None = None,
    sources: tuple[SourceHealth, ...] = (SourceHealth("gcs", ok=True),),
    head_has: dict[str, float] | None = None,
) -> ClusterState:
    return ClusterState(
        observed_at=NOW,
        members=(head(**(head_has or {})), *members),
        demands=tuple(demands or ()),
        gangs=tuple(gangs or ()),
        constraints=tuple(constraints or ()),
        sources=sources,
    )


def demand(count: int, *selectors: LabelSelector, **resources: float) -> Demand:
    return Demand(Resources.of(resources), count, selectors)


def gang(
    strategy: str,
    *bundles: Bundle,
    name: str = "abc123",
    fallbacks: tuple[tuple[Bundle, ...], ...] = (),
) -> Gang:
    return Gang(name, Strategy(strategy), bundles, fallbacks=fallbacks)


def bundle(selector: LabelSelector = (), **resources: float) -> Bundle:
    return Bundle(Resources.of(resources), selector)


def constraint(count: int, **resources: float) -> Constraint:
    return Constraint(((bundle(**resources), count),))
