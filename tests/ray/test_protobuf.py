"""Translating Ray's protobufs, without a cluster."""

import pytest

from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import FailureKind, LaunchFailure, Outcome, Request, Wait
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType, ProviderSpec
from raytui.model.state import Demand, Instance, NodeStatus, Strategy
from raytui.ray import protobuf
from raytui.ray.base import AutoscalerReport, RayView
from raytui.ray.view_reader import ViewReader

pb = pytest.importorskip("ray.core.generated.autoscaler_pb2")
common = pytest.importorskip("ray.core.generated.common_pb2")

NOW = 1_000.0


def reply(**state: object) -> bytes:
    told = pb.ClusterResourceState(**state)
    return pb.GetClusterResourceStateReply(cluster_resource_state=told).SerializeToString()


def view(**state: object) -> RayView:
    return ViewReader().read(reply(**state), NOW)


def node_state(number: int = 1, **fields: object) -> object:
    return pb.NodeState(**{"node_id": bytes([number]) * 4, "status": pb.RUNNING, **fields})


def asks(count: int = 1, selectors: object = (), **amounts: float) -> object:
    request = pb.ResourceRequest(resources_bundle=amounts, label_selectors=selectors)
    return pb.ResourceRequestByCount(request=request, count=count)


def selector(key: str, *values: str, operator: int = 1) -> object:
    constraint = common.LabelSelectorConstraint(
        label_key=key, operator=operator, label_values=values
    )
    return common.LabelSelector(label_constraints=[constraint])


@pytest.mark.parametrize(("shapes", "capped"), [(99, False), (100, True), (101, False)])
def test_as_many_shapes_as_a_node_tells_at_most_may_hide_others(shapes: int, capped: bool) -> None:
    """More of them show that the limit was lifted, or that several nodes tell."""
    waiting = [asks(CPU=1 + number) for number in range(shapes)]
    assert view(pending_resource_requests=waiting).capped is capped


def test_a_node_in_our_words() -> None:
    (node,) = view(
        node_states=[
            node_state(
                instance_id="i-1",
                ray_node_type_name="cpu",
                total_resources={"CPU": 4.0, "GPU": 0.5},
                available_resources={"CPU": 1.5},
                node_ip_address="10.0.0.7",
                labels={"zone": "a"},
                node_activity=["Busy workers on node."],
            )
        ]
    ).nodes
    assert (node.node_id, node.instance_id, node.node_type) == ("01010101", "i-1", "cpu")
    assert node.used == Resources.of(CPU=2.5, GPU=0.5)
    assert (node.labels, node.ip, node.is_head) == ({"zone": "a"}, "10.0.0.7", False)
    assert node.activity == ("Busy workers on node.",)
    assert node.idle_since == 0


def test_the_head_is_known_by_its_resource() -> None:
    (node,) = view(node_states=[node_state(total_resources={"node:__internal_head__": 1})]).nodes
    assert node.is_head


def test_dead_nodes_are_left_out() -> None:
    assert view(node_states=[node_state(status=pb.DEAD)]).nodes == ()


def test_draining_is_kept_and_unknown_statuses_count_as_running() -> None:
    nodes = view(node_states=[node_state(1, status=pb.DRAINING), node_state(2, status=77)]).nodes
    assert [node.status for node in nodes] == [NodeStatus.DRAINING, NodeStatus.RUNNING]


def idle(duration_ms: int, before: float = 0.0) -> float:
    """`idle_since` of a node whose answer before, if any, told that it was idle since then."""
    reader = ViewReader()
    if before:
        first = node_state(status=pb.IDLE, idle_duration_ms=1)
        reader.read(reply(node_states=[first]), before + 0.001)
    second = node_state(status=pb.IDLE, idle_duration_ms=duration_ms)
    return reader.read(reply(node_states=[second]), NOW).nodes[0].idle_since


def test_a_node_that_stays_as_it_was_is_not_read_anew() -> None:
    reader = ViewReader()
    facts = {"status": pb.IDLE, "total_resources": {"CPU": 2.0, "GPU": 1.0}}
    first = reader.read(reply(node_states=[node_state(1, idle_duration_ms=10, **facts)]), NOW)
    again = node_state(1, idle_duration_ms=1_010, node_state_version=9, **facts)
    second = reader.read(reply(node_states=[again, node_state(2)]), NOW + 1)
    assert second.nodes[0] is first.nodes[0]
    busy = node_state(1, status=pb.RUNNING, available_resources={"CPU": 1.0})
    third = reader.read(reply(node_states=[busy]), NOW + 2)
    assert (third.nodes[0].available, third.nodes[0].idle_since) == (Resources.of(CPU=1), 0.0)
    fourth = reader.read(reply(node_states=[again]), NOW + 3)
    assert fourth.nodes[0].idle_since == pytest.approx(NOW + 3 - 1.01)


def test_idle_since_is_a_moment_that_does_not_waver() -> None:
    assert idle(30_000) == NOW - 30
    assert idle(30_400, before=NOW - 30) == NOW - 30
    assert idle(5_000, before=NOW - 30) == NOW - 5


def test_a_node_that_turned_idle_this_moment_is_idle() -> None:
    assert idle(0) == NOW


def test_an_idle_node_keeps_no_stale_activity() -> None:
    state = node_state(status=pb.IDLE, idle_duration_ms=9_000, node_activity=["Busy workers."])
    assert view(node_states=[state]).nodes[0].activity == ()


def test_bundles_of_placement_groups_are_not_counted_twice() -> None:
    group = "9fa6ca21a08f95bde21c6c63507301000000"
    (node,) = view(
        node_states=[
            node_state(
                total_resources={"CPU": 2, f"CPU_group_{group}": 1, f"bundle_group_{group}": 1000},
                available_resources={"CPU": 1, f"CPU_group_{group}": 1},
                node_activity=[
                    "Resource: CPU currently in use.",
                    f"Resource: CPU_group_{group} currently in use.",
                    f"Resource: bundle_group_{group} currently in use.",
                ],
            )
        ]
    ).nodes
    assert node.total == Resources.of(CPU=2)
    assert node.activity == (
        "Resource: CPU currently in use.",
        "Bundles of placement group 9fa6ca21a08f on node.",
    )


def test_demand_is_counted_by_shape() -> None:
    empty = common.LabelSelector()
    demands = view(
        pending_resource_requests=[
            asks(40, [empty], CPU=1),
            asks(2, CPU=1),
            asks(3, CPU=0.1, GPU=1),
            asks(9, CPU_group_0_0123456789abcdef0123=1),
        ]
    ).demands
    assert demands == (
        Demand(Resources.of(CPU=1), 42),
        Demand(Resources.of(CPU=0.1, GPU=1), 3),
    )


def test_label_selectors_keep_their_order_and_an_empty_fallback() -> None:
    first = selector("zone", "a", "b")
    second = selector("disk", "hdd", operator=2)
    anywhere = common.LabelSelector()
    asked = asks(1, [first, second, anywhere], CPU=1)
    (demand,) = view(pending_resource_requests=[asked]).demands
    assert demand.selectors == (
        (("zone", "in", ("a", "b")),),
        (("disk", "not-in", ("hdd",)),),
        (),
    )


def gang(details: str = "", **fields: object) -> object:
    return pb.GangResourceRequest(details=details, **fields)


def test_a_placement_group_with_its_id_strategy_and_bundles() -> None:
    requests = [pb.ResourceRequest(resources_bundle={"GPU": 1}) for _ in range(2)]
    (read,) = view(
        pending_gang_resource_requests=[gang("ab12:STRICT_SPREAD|PENDING", requests=requests)]
    ).gangs
    assert (read.gang_id, read.strategy) == ("ab12", Strategy.STRICT_SPREAD)
    assert [bundle.resources for bundle in read.bundles] == [Resources.of(GPU=1)] * 2


def test_a_placement_group_that_lost_a_node_is_told_where_its_other_bundles_are() -> None:
    mark = {"_PG_ab12": ""}
    hosts = [node_state(1, dynamic_labels=mark), node_state(2, dynamic_labels={"_PG_ff": ""})]
    lost = pb.ResourceRequest(resources_bundle={"GPU": 1})
    (read,) = view(
        node_states=[*hosts, node_state(3, dynamic_labels=mark, status=pb.DEAD)],
        pending_gang_resource_requests=[gang("ab12:STRICT_SPREAD|RESCHEDULING", requests=[lost])],
    ).gangs
    assert len(read.bundles) == 1
    assert read.placed_on == ("01010101",)


def test_a_placement_group_that_waits_for_nothing_is_none() -> None:
    assert view(pending_gang_resource_requests=[gang()]).gangs == ()


def test_bundle_selectors_are_preferred_to_the_old_list() -> None:
    labelled = pb.ResourceRequest(
        resources_bundle={"CPU": 3}, label_selectors=[selector("disk", "ssd")]
    )
    (read,) = view(
        pending_gang_resource_requests=[
            gang(
                "ab12:PACK|PENDING",
                requests=[pb.ResourceRequest(resources_bundle={"CPU": 3})],
                bundle_selectors=[pb.BundleSelector(resource_requests=[labelled])],
            )
        ]
    ).gangs
    (bundle,) = read.bundles
    assert bundle.selector == (("disk", "in", ("ssd",)),)


def test_the_later_ways_to_place_a_group_are_its_fallbacks() -> None:
    ways = [[asks(1, GPU=1).request] * 2, [], [asks(1, CPU=8).request], [asks(1, CPU=4).request]]
    (read,) = view(
        pending_gang_resource_requests=[
            gang(
                "ab12:PACK|PENDING",
                bundle_selectors=[pb.BundleSelector(resource_requests=way) for way in ways],
            )
        ]
    ).gangs
    assert [bundle.resources for bundle in read.bundles] == [Resources.of(GPU=1)] * 2
    assert [[b.resources for b in way] for way in read.fallbacks] == [
        [Resources.of(CPU=8)],
        [Resources.of(CPU=4)],
    ]


def test_a_strategy_that_is_not_told_is_read_from_the_constraints() -> None:
    apart = pb.PlacementConstraint(
        anti_affinity=pb.AntiAffinityConstraint(label_name="g", label_value="")
    )
    request = pb.ResourceRequest(resources_bundle={"CPU": 1}, placement_constraints=[apart])
    (read,) = view(pending_gang_resource_requests=[gang("", requests=[request])]).gangs
    assert read.strategy is Strategy.STRICT_SPREAD


def test_request_resources_keeps_counts() -> None:
    constraint = pb.ClusterResourceConstraint(resource_requests=[asks(16, CPU=2)])
    (read,) = view(cluster_resource_constraints=[constraint]).constraints
    ((bundle, count),) = read.bundles
    assert (bundle.resources, count) == (Resources.of(CPU=2), 16)


def test_a_cancelled_request_is_no_constraint() -> None:
    nothing = pb.ClusterResourceConstraint(resource_requests=[])
    assert view(cluster_resource_constraints=[nothing]).constraints == ()


def test_fields_of_a_newer_ray_are_ignored() -> None:
    state = pb.ClusterResourceState(cluster_resource_state_version=7, cluster_session_name="s")
    unknown = bytes([0xFA, 0x3E, 3]) + b"new"  # field 1007, three bytes
    inner = state.SerializeToString() + unknown
    outer = bytes([0x0A, len(inner)]) + inner + unknown
    read = ViewReader().read(outer, NOW)
    assert (read.version, read.session, read.nodes) == (7, "s", ())


def written(**report: object) -> object:
    given = AutoscalerReport(3, **report)  # type: ignore[arg-type]
    return pb.AutoscalingState.FromString(protobuf.write_state(given, 11, NOW))


def test_ray_is_told_versions_and_what_starts() -> None:
    starting = (
        Instance("", "cpu", InstanceStatus.QUEUED),
        Instance("", "cpu", InstanceStatus.REQUESTED, launched_at=900),
        Instance("i-1", "gpu", InstanceStatus.SETTING_UP, ip="10.0.0.9"),
    )
    state = written(starting=starting)
    assert state.last_seen_cluster_resource_state_version == 3
    assert state.autoscaler_state_version == 11
    asked = state.pending_instance_requests
    assert [(r.ray_node_type_name, r.count, r.request_ts) for r in asked] == [
        ("cpu", 1, 1000),
        ("cpu", 1, 900),
    ]
    (there,) = state.pending_instances
    assert (there.instance_id, there.ip_address) == ("i-1", "10.0.0.9")
    assert there.details == "setting-up"


def test_ray_is_told_failures_in_the_providers_words() -> None:
    failure = LaunchFailure("gpu", FailureKind.CAPACITY, "no room in a", 5, 9, count=3)
    (told,) = written(failures=(failure,)).failed_instance_requests
    assert (told.ray_node_type_name, told.reason, told.count) == ("gpu", "no room in a", 3)


def outcome(why: Why, kind: Request = Request.DEMAND) -> Outcome:
    return Outcome(kind, Wait.INFEASIBLE, 1, because(why), Resources.of(TPU=1))


def test_only_shapes_that_fit_nowhere_are_called_infeasible() -> None:
    told = written(
        infeasible=(
            outcome(Why.NO_TYPE_HAS),
            outcome(Why.NO_TYPE_LABELS),
            outcome(Why.NO_TYPE_HAS, Request.GANG),
        )
    ).infeasible_resource_requests
    assert [dict(request.resources_bundle) for request in told] == [{"TPU": 1}]


def test_ray_is_told_the_limits_of_each_type() -> None:
    types = {
        "head": NodeType("head"),
        "cpu": NodeType("cpu", Resources.of(CPU=4), min_workers=1, max_workers=50),
    }
    spec = ClusterSpec("c", ProviderSpec("x"), types, "head", max_workers=20)
    head, cpu = pb.ClusterConfig.FromString(protobuf.write_config(spec)).node_group_configs
    assert (head.name, head.min_count, head.max_count) == ("head", 1, 1)
    assert (cpu.name, cpu.min_count, cpu.max_count) == ("cpu", 1, 20)
    assert dict(cpu.resources) == {"CPU": 4}
