"""Reading ClusterResourceState from protobuf's JSON form, without Ray or protobuf."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytui.config.problems import ConfigErrors
from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import Resources
from raytui.model.spec import Market
from raytui.model.state import Bundle, ClusterState, Demand, NodeStatus, Strategy
from raytui.ray.state_json import StateFile, read_state

NOW = 1_000_000.0


def read_file(tree: object) -> StateFile:
    return read_state(json.dumps(tree).encode(), "state.json", NOW, "head")


def read(tree: object) -> ClusterState:
    return read_file(tree).state


def refusal(tree: object) -> str:
    with pytest.raises(ConfigErrors) as refused:
        read(tree)
    return str(refused.value)


def node(**fields: object) -> dict[str, object]:
    return {"node_id": "aa01", "instance_id": "i-1", "ray_node_type_name": "cpu", **fields}


def asks(count: object = 1, selectors: object = (), **amounts: object) -> dict[str, object]:
    request = {"resources_bundle": amounts, "label_selectors": selectors}
    return {"pending_resource_requests": [{"request": request, "count": count}]}


# -- what is read ---------------------------------------------------------------------------------


def test_an_empty_object_is_a_cluster_without_anything():
    state = read({})
    assert (state.members, state.demands, state.complete) == ((), (), True)


def test_both_spellings_of_a_key():
    snake = read({"node_states": [node(idle_duration_ms=5000, status="IDLE")]})
    camel = read(
        {
            "nodeStates": [
                {
                    "nodeId": "aa01",
                    "instanceId": "i-1",
                    "rayNodeTypeName": "cpu",
                    "idleDurationMs": "5000",
                    "status": 3,
                }
            ]
        }
    )
    assert snake == camel
    (member,) = snake.members
    assert member.node is not None
    assert member.node.idle_since == NOW - 5


@pytest.mark.parametrize("status", ["IDLE", 3])
def test_enums_by_name_and_by_number(status: object):
    (member,) = read({"node_states": [node(status=status)]}).members
    assert member.node is not None
    assert member.node.status is NodeStatus.IDLE


@pytest.mark.parametrize("count", [7, "7", 7.0])
def test_whole_numbers_as_numbers_and_as_text(count: object):
    assert read(asks(count, CPU=1)).demands == (Demand(Resources.of(CPU=1), 7),)


@pytest.mark.parametrize("amount", [0.5, "0.5", "5e-1"])
def test_amounts_as_numbers_and_as_text(amount: object):
    assert read(asks(GPU=amount)).demands == (Demand(Resources.of(GPU=0.5), 1),)


RAW = bytes(range(200, 228))


@pytest.mark.parametrize(
    "written",
    [
        RAW.hex(),
        RAW.hex().upper(),
        base64.b64encode(RAW).decode(),
        base64.urlsafe_b64encode(RAW).decode().rstrip("="),
    ],
)
def test_node_ids_come_out_in_hex(written: str):
    (member,) = read({"node_states": [node(node_id=written)]}).members
    assert member.node is not None
    assert member.node.node_id == RAW.hex()


def test_null_stands_for_what_is_not_set():
    assert read({"node_states": None, "cluster_session_name": None}) == read({})


def test_equal_shapes_are_counted_together_and_none_is_no_demand():
    state = read(
        {
            "pending_resource_requests": [
                {"request": {"resources_bundle": {"CPU": 1}}, "count": 2},
                {"request": {"resources_bundle": {"CPU": 1.0}}, "count": "3"},
                {"request": {"resources_bundle": {"GPU": 1}}},
            ]
        }
    )
    assert state.demands == (Demand(Resources.of(CPU=1), 5),)


def test_label_selectors():
    zone = {"label_key": "zone", "operator": "LABEL_OPERATOR_IN", "label_values": ["a", "b"]}
    spot = {"labelKey": "spot", "operator": 2, "labelValues": ["true"]}
    (demand,) = read(asks(1, [{"label_constraints": [zone, spot]}], CPU=1)).demands
    (selector,) = demand.selectors
    assert set(selector) == {("zone", "in", ("a", "b")), ("spot", "not-in", ("true",))}


def test_a_placement_group():
    gang = {
        "requests": [{"resources_bundle": {"GPU": 1}}] * 2,
        "details": "4f2a:STRICT_SPREAD|PENDING",
    }
    (read_gang,) = read({"pending_gang_resource_requests": [gang]}).gangs
    assert (read_gang.gang_id, read_gang.strategy) == ("4f2a", Strategy.STRICT_SPREAD)
    assert [bundle.resources for bundle in read_gang.bundles] == [Resources.of(GPU=1)] * 2


@pytest.mark.parametrize("camel", [False, True])
def test_the_fallbacks_of_a_placement_group(camel: bool):
    listed, requests = (
        ("bundleSelectors", "resourceRequests")
        if camel
        else ("bundle_selectors", "resource_requests")
    )
    shape = "resourcesBundle" if camel else "resources_bundle"
    ways = [{requests: [{shape: {"GPU": 1}}] * 2}, {requests: [{shape: {"CPU": 8}}] * 2}]
    groups = "pendingGangResourceRequests" if camel else "pending_gang_resource_requests"
    (gang,) = read({groups: [{"details": "4f2a:PACK|PENDING", listed: ways}]}).gangs
    assert [bundle.resources for bundle in gang.bundles] == [Resources.of(GPU=1)] * 2
    assert gang.fallbacks == ((Bundle(Resources.of(CPU=8)),) * 2,)


def test_where_the_other_bundles_of_a_placement_group_are():
    lost = {"requests": [{"resources_bundle": {"GPU": 1}}], "details": "4f2a:PACK|RESCHEDULING"}
    host = {"node_id": "aa" * 28, "status": "RUNNING", "dynamic_labels": {"_PG_4f2a": ""}}
    (gang,) = read({"node_states": [host], "pending_gang_resource_requests": [lost]}).gangs
    assert gang.placed_on == ("aa" * 28,)


def test_a_placement_group_without_details_is_known_by_its_constraints():
    apart = {"anti_affinity": {"label_name": "_PG_1", "label_value": ""}}
    request = {"resources_bundle": {"GPU": 1}, "placement_constraints": [apart]}
    (gang,) = read({"pending_gang_resource_requests": [{"requests": [request] * 2}]}).gangs
    assert gang.strategy is Strategy.STRICT_SPREAD


def test_request_resources():
    one = {"request": {"resources_bundle": {"CPU": 2}}, "count": "4"}
    (constraint,) = read(
        {"cluster_resource_constraints": [{"resource_requests": [one]}]}
    ).constraints
    ((bundle, count),) = constraint.bundles
    assert (bundle.resources, count) == (Resources.of(CPU=2), 4)


def test_what_ray_gave_out_beyond_what_there_is_is_none_left():
    state = read(
        {"node_states": [node(available_resources={"CPU": -1}, total_resources={"CPU": 4})]}
    )
    (member,) = state.members
    assert member.node is not None
    assert member.node.available == Resources()


def test_keys_of_a_newer_ray_are_left_out_and_named():
    file = read_file({"node_states": [node(colour="red")], "cluster_weather": {"sun": 1}})
    assert file.unknown == ("cluster_weather", "colour")
    assert len(file.state.members) == 1


# -- instances ------------------------------------------------------------------------------------


def test_without_instances_a_node_with_an_instance_id_runs_and_one_without_joined_by_hand():
    state = read({"node_states": [node(), node(node_id="aa02", instance_id="")]})
    ours, stranger = state.members
    assert ours.instance is not None
    assert (ours.instance.node_type, ours.status) == ("cpu", InstanceStatus.RUNNING)
    assert (stranger.instance, stranger.id) == (None, "aa02")


def test_a_draining_node_is_a_draining_instance_and_a_dead_one_is_gone():
    state = read({"node_states": [node(status="DRAINING"), node(node_id="aa02", status="DEAD")]})
    assert [member.status for member in state.members] == [InstanceStatus.DRAINING]


def test_wrapped_with_instances():
    state = read(
        {
            "cluster_resource_state": {"node_states": [node()]},
            "instances": [
                {"instance_id": "i-1", "node_type": "cpu", "status": "setting-up"},
                {"instanceId": "i-2", "nodeType": "cpu", "status": "SETTING_UP", "market": "SPOT"},
                {"instance_id": "i-3", "node_type": "cpu", "price_per_hour": 0.2},
            ],
        }
    )
    assert [(m.id, m.status) for m in state.members] == [
        ("i-1", InstanceStatus.RUNNING),  # Ray runs on it, whatever the list says
        ("i-2", InstanceStatus.SETTING_UP),
        ("i-3", InstanceStatus.RUNNING),
    ]
    assert state.members[1].instance is not None
    assert state.members[1].instance.market is Market.SPOT
    assert state.members[2].instance is not None
    assert state.members[2].instance.price_per_hour == 0.2


def test_wrapped_without_instances_is_as_unwrapped():
    tree = {"node_states": [node()]}
    assert read({"clusterResourceState": tree}) == read(tree)


def test_the_head_is_known_by_its_resource_and_else_by_its_type():
    mark = {"node:__internal_head__": 1}
    others = [node(node_id="bb", instance_id="b", ray_node_type_name="head")]
    marked = read({"node_states": [*others, node(total_resources=mark)]})
    assert [m.id for m in marked.members if m.is_head] == ["i-1"]
    unmarked = read({"node_states": [node(), *others]})
    assert [m.id for m in unmarked.members if m.is_head] == ["b"]


def test_nobody_idles_since_before_the_epoch():
    (member,) = read({"node_states": [node(status="IDLE", idle_duration_ms=2**63 - 1)]}).members
    assert member.idle


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ([], "state.json: expected an object, got a list"),
        (3, "state.json: expected an object, got 3"),
        ({"node_stats": []}, "did you mean node_states?"),
        ({"node_states": {}}, "node_states: expected a list, got an object"),
        ({"node_states": [1]}, "node_states[0]: expected an object, got 1"),
        ({"nodeStates": [node(status="BUSY")]}, "nodeStates[0].status: expected one of UNSPEC"),
        ({"nodeStates": [node(status=True)]}, "nodeStates[0].status: expected one of UNSPEC"),
        ({"node_states": [node(node_id="n-1!")]}, 'expected an id in hex or base64, got "n-1!"'),
        ({"node_states": [node(node_id=7)]}, "node_states[0].node_id: expected an id in hex"),
        ({"node_states": [node(labels={"a": 1})]}, "node_states[0].labels.a: expected text, got 1"),
        ({"node_states": [node(idle_duration_ms=-1)]}, "idle_duration_ms: expected at least 0"),
        (
            {"node_states": [node(total_resources={"CPU": -1})]},
            "total_resources.CPU: expected at l",
        ),
        ({"node_states": [node(), node()]}, 'node_states: "i-1" stands here twice'),
        ({"node_states": [node(), node(instance_id="i-2")]}, '"aa01" stands here twice'),
        ({"node_states": [{}]}, "a node without any id"),
        ({"node_states": [], "nodeStates": []}, "node_states stands here twice, in both spellings"),
        (asks(-1, CPU=1), "pending_resource_requests[0].count: expected at least 0, got -1"),
        (asks(1.5, CPU=1), "count: expected a whole number, got 1.5"),
        (asks(True, CPU=1), "count: expected a whole number, got true"),
        (asks("many", CPU=1), 'count: expected a whole number, got "many"'),
        (asks(10**13, CPU=1), "count: expected at most 1,000,000,000,000"),
        (asks(10**400, CPU=1), "count: expected"),
        (asks(1, CPU="NaN"), 'resources_bundle.CPU: expected a finite number, got "NaN"'),
        (asks(1, CPU="Infinity"), "resources_bundle.CPU: expected a finite number"),
        (asks(1, CPU="-Infinity"), "resources_bundle.CPU: expected a finite number"),
        (asks(1, CPU=1e300), "resources_bundle.CPU: expected at most"),
        (asks(1, CPU=10**400), "resources_bundle.CPU: expected"),
        (asks(1, CPU=-1), "resources_bundle.CPU: expected at least 0, got -1"),
        (asks(1, CPU=[]), "resources_bundle.CPU: expected a finite number, got a list"),
        (asks(1, CPU=True), "resources_bundle.CPU: expected a finite number, got true"),
        (asks(1, [{"label_constraints": [{"operator": "="}]}], CPU=1), "operator: expected one of"),
        ({"instances": [{}]}, "instances[0]: needs instance_id and node_type"),
        (
            {"instances": [{"instance_id": "i", "node_type": "cpu", "status": "tired"}]},
            "instances[0].status: expected one of queued, requested",
        ),
        (
            {"instances": [{"instance_id": "i", "node_type": "cpu", "launched_at": -5}]},
            "instances[0].launched_at: expected at least 0",
        ),
        (
            {"instances": [{"instance_id": "i", "node_type": "cpu"}] * 2},
            'instances: "i" stands here twice',
        ),
        (
            {"pending_resource_requests": [{}] * 100_001},
            "pending_resource_requests: has 100,001 entries, at most 100,000 are read",
        ),
    ],
)
def test_what_is_wrong_and_where(tree: object, words: str):
    assert words in refusal(tree)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"node_states": NaN}',
        b'{"pending_resource_requests": [{"count": Infinity}]}',
        b'{"cluster_session_name": "\\ud800"}',
        b"{} {}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json(data: bytes):
    with pytest.raises(ConfigErrors, match=r"^state\.json: is (no JSON|nested too deeply)"):
        read_state(data, "state.json", NOW, "head")


def test_refusals_are_one_line_whatever_the_file_says():
    text = refusal({"node_states": [node(labels={"\x1b[2J\n" * 90: 1})]})
    assert text.isprintable()
    assert len(text) < 400


# -- anything at all ------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *("cluster_resource_state", "nodeStates", "node_states", "instances", "node_id", "status"),
        *("instanceId", "instance_id", "node_type", "pending_resource_requests", "request"),
        *("resources_bundle", "count", "label_selectors", "label_constraints", "total_resources"),
        *("pendingGangResourceRequests", "requests", "details", "cluster_resource_constraints"),
        *("resource_requests", "idle_duration_ms", "launched_at", "CPU", "available_resources"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["IDLE", "RUNNING", "NaN", "Infinity", "1e400", "aa01", "a:PACK|", "-1", "cpu"]
    ),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=30,
)
AMOUNTS = st.dictionaries(st.sampled_from(["CPU", "GPU"]), SCALARS, max_size=2)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "node_states": st.lists(
            st.fixed_dictionaries(
                {"node_id": st.sampled_from(["aa", "bb", "Y2M="])},
                optional={
                    "status": SCALARS,
                    "total_resources": AMOUNTS,
                    "idle_duration_ms": SCALARS,
                    "ray_node_type_name": SCALARS,
                },
            ),
            max_size=3,
        ),
        "pending_resource_requests": st.lists(
            st.fixed_dictionaries(
                {"request": st.fixed_dictionaries({"resources_bundle": AMOUNTS}), "count": SCALARS}
            ),
            max_size=3,
        ),
        "instances": TREES,
    },
)


@given(TREES | NEARLY)
@settings(max_examples=300, deadline=None)
def test_any_json_is_read_or_refused_in_words(tree: Any):
    try:
        state = read(tree)
    except ConfigErrors as refused:
        for line in str(refused).split("\n"):
            assert line.startswith("state.json: ")
            assert line.isprintable()
        return
    assert len({member.id for member in state.members}) == len(state.members)
    assert all(0 < demand.count <= 10**12 * 100 for demand in state.demands)


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused_in_words(data: bytes):
    try:
        read_state(data, "state.json", NOW, "head")
    except ConfigErrors as refused:
        assert str(refused).startswith("state.json: ")


# -- the same as Ray's own protobuf ---------------------------------------------------------------


@pytest.fixture(scope="module")
def ray_state() -> Any:
    """A real message with something in every field that we read."""
    pb = pytest.importorskip("ray.core.generated.autoscaler_pb2")
    common = pytest.importorskip("ray.core.generated.common_pb2")
    selector = common.LabelSelector(
        label_constraints=[
            common.LabelSelectorConstraint(label_key="zone", operator=1, label_values=["a", "b"]),
            common.LabelSelectorConstraint(label_key="spot", operator=2, label_values=["true"]),
        ]
    )
    apart = pb.PlacementConstraint(anti_affinity=pb.AntiAffinityConstraint(label_name="_PG_1"))
    bundle = pb.ResourceRequest(resources_bundle={"GPU": 0.5}, placement_constraints=[apart])
    asked = pb.ResourceRequest(resources_bundle={"CPU": 1, "memory": 2.0**33})
    chosen = pb.ResourceRequest(resources_bundle={"CPU": 1}, label_selectors=[selector])
    return pb.ClusterResourceState(
        cluster_resource_state_version=2**53 + 1,
        cluster_session_name="session_1",
        node_states=[
            pb.NodeState(
                node_id=RAW,
                instance_id="head-0",
                ray_node_type_name="head",
                status=pb.RUNNING,
                total_resources={"node:__internal_head__": 1.0, "CPU": 2.0},
                available_resources={"CPU": 0.5},
                node_ip_address="10.0.0.7",
                node_activity=["Resource: CPU currently in use."],
            ),
            pb.NodeState(
                node_id=bytes(28),
                instance_id="i-1",
                ray_node_type_name="cpu",
                status=pb.IDLE,
                idle_duration_ms=42_000,
                total_resources={"CPU": 4.0},
                available_resources={"CPU": 4.0},
                labels={"zone": "a"},
            ),
            pb.NodeState(node_id=bytes([9]) * 28, status=pb.DEAD, instance_id="i-1"),
        ],
        pending_resource_requests=[
            pb.ResourceRequestByCount(request=asked, count=10_000),
            pb.ResourceRequestByCount(request=chosen, count=1),
        ],
        pending_gang_resource_requests=[
            pb.GangResourceRequest(requests=[bundle, bundle]),
            pb.GangResourceRequest(
                details="4f2a:SPREAD|PENDING",
                bundle_selectors=[
                    pb.BundleSelector(resource_requests=[asked, chosen]),
                    pb.BundleSelector(resource_requests=[asked]),
                ],
            ),
        ],
        cluster_resource_constraints=[
            pb.ClusterResourceConstraint(
                resource_requests=[pb.ResourceRequestByCount(request=chosen, count=3)]
            )
        ],
    )


@pytest.mark.ray
@pytest.mark.parametrize("snake", [True, False])
@pytest.mark.parametrize("numbers", [True, False])
def test_protobufs_own_json_means_what_the_message_means(
    ray_state: Any, snake: bool, numbers: bool
):
    from google.protobuf.json_format import MessageToJson

    from raytui.ray.protobuf import idle_since, node_of, view_of

    text = MessageToJson(
        ray_state, preserving_proto_field_name=snake, use_integers_for_enums=numbers
    )
    file = read_state(text.encode(), "state.json", NOW, "head")
    view = view_of(ray_state, lambda node: node_of(node, idle_since(node, NOW)))
    assert file.unknown == ()
    assert file.state.version == view.version
    assert tuple(member.node for member in file.state.members) == view.nodes
    assert file.state.demands == view.demands
    assert file.state.gangs == view.gangs
    assert [len(gang.fallbacks) for gang in file.state.gangs] == [0, 1]
    assert file.state.constraints == view.constraints


@pytest.mark.ray
def test_every_field_of_rays_message_is_known(ray_state: Any):
    """With every field set to something, by Ray's own description of the message."""
    filled = _filled(type(ray_state).DESCRIPTOR)
    assert read_file(filled).unknown == ()


def _filled(message: Any) -> dict[str, Any]:
    """A JSON object with every field of a message, and every field of the messages in it."""
    from google.protobuf.descriptor import FieldDescriptor

    examples = {
        FieldDescriptor.TYPE_STRING: "x",
        FieldDescriptor.TYPE_BYTES: "eA==",
        FieldDescriptor.TYPE_ENUM: 1,
        FieldDescriptor.TYPE_INT64: "1",
        FieldDescriptor.TYPE_DOUBLE: 1.0,
        FieldDescriptor.TYPE_BOOL: True,
    }
    tree: dict[str, Any] = {}
    for field in message.fields:
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            tree[field.json_name] = {"x": examples[inner.fields_by_name["value"].type]}
            continue
        value = _filled(inner) if inner is not None else examples[field.type]
        tree[field.json_name] = [value] if field.is_repeated else value
    return tree
