"""ClusterResourceState in protobuf's JSON form → ClusterState; needs neither Ray nor protobuf."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from raytui.config.problems import ConfigErrors, KeyPath, Problem, nearest, path_text
from raytui.model.lifecycle import STARTING, InstanceStatus
from raytui.model.spec import Market
from raytui.model.state import ClusterState, Instance, Member, Node, NodeStatus, SourceHealth
from raytui.ray import message_json as kinds
from raytui.ray.base import RayView
from raytui.ray.message_json import Kind, WrongValueError, choice, many, mapping, message
from raytui.ray.protobuf import idle_since, node_of, view_of

_SELECTOR = message(
    label_constraints=many(
        message(
            label_key=kinds.TEXT,
            operator=choice(
                {
                    "LABEL_OPERATOR_UNSPECIFIED": 0,
                    "LABEL_OPERATOR_IN": 1,
                    "LABEL_OPERATOR_NOT_IN": 2,
                }
            ),
            label_values=many(kinds.TEXT),
        )
    )
)
_AFFINITY = message(label_name=kinds.TEXT, label_value=kinds.TEXT)
_REQUEST = message(
    resources_bundle=mapping(kinds.AMOUNT),
    placement_constraints=many(message(anti_affinity=_AFFINITY, affinity=_AFFINITY)),
    label_selectors=many(_SELECTOR),
)
_COUNTED = message(request=_REQUEST, count=kinds.COUNT)
_NODE = message(
    node_id=kinds.NODE_ID,
    instance_id=kinds.TEXT,
    ray_node_type_name=kinds.TEXT,
    available_resources=mapping(kinds.AMOUNT_LEFT),
    total_resources=mapping(kinds.AMOUNT),
    dynamic_labels=mapping(kinds.TEXT),
    node_state_version=kinds.WHOLE,
    status=choice({"UNSPECIFIED": 0, "RUNNING": 1, "DEAD": 2, "IDLE": 3, "DRAINING": 4}),
    idle_duration_ms=kinds.WHOLE,
    node_ip_address=kinds.TEXT,
    instance_type_name=kinds.TEXT,
    node_activity=many(kinds.TEXT),
    labels=mapping(kinds.TEXT),
)
_LOCALITY = message(
    label_name=kinds.TEXT,
    placement_strategy=choice({"PACK": 0, "SPREAD": 1, "STRICT_PACK": 2, "STRICT_SPREAD": 3}),
)
_GANG = message(
    requests=many(_REQUEST),
    details=kinds.TEXT,
    bundle_selectors=many(
        message(
            resource_requests=many(_REQUEST),
            locality_requirement=message(locality_constraint=_LOCALITY, label_selector=_SELECTOR),
        )
    ),
)
_STATE_FIELDS = {
    "cluster_resource_state_version": kinds.WHOLE,
    "last_seen_autoscaler_state_version": kinds.WHOLE,
    "node_states": many(_NODE),
    "pending_resource_requests": many(_COUNTED),
    "pending_gang_resource_requests": many(_GANG),
    "cluster_resource_constraints": many(message(resource_requests=many(_COUNTED))),
    "cluster_session_name": kinds.TEXT,
}
"""Ray 2.60's `src/ray/protobuf/autoscaler.proto`."""
_STATE = message(**_STATE_FIELDS)


def _word_of(words: Iterable[str]) -> Kind:
    """One of our own words, also as Ray and Python write enums: `SETTING_UP`."""
    known = {word.replace("-", "_").upper(): word for word in words}

    def read(value: Any, _unknown: set[str]) -> str:
        spelled = value.replace("-", "_").upper() if isinstance(value, str) else ""
        if spelled not in known:
            raise WrongValueError(
                f"expected one of {', '.join(known.values())}, got {kinds.said(value)}"
            )
        return known[spelled]

    return Kind(read, str)


_INSTANCE = message(
    instance_id=kinds.TEXT,
    node_type=kinds.TEXT,
    status=_word_of(InstanceStatus),
    request_id=kinds.TEXT,
    is_head=kinds.FLAG,
    zone=kinds.TEXT,
    instance_type=kinds.TEXT,
    market=_word_of(Market),
    ip=kinds.TEXT,
    launched_at=kinds.AMOUNT,
    status_since=kinds.AMOUNT,
    price_per_hour=kinds.AMOUNT,
    detail=kinds.TEXT,
    log_path=kinds.TEXT,
    orphan=kinds.FLAG,
)
_WRAPPED = message(cluster_resource_state=_STATE, instances=many(_INSTANCE))
_WRAPPERS = frozenset({"cluster_resource_state", "clusterResourceState", "instances"})


class StateFile(Struct, frozen=True):
    """What a file says of a cluster."""

    state: ClusterState
    unknown: tuple[str, ...] = ()
    """Keys that mean nothing to us, perhaps written by a newer Ray; they were left out."""


def read_state(data: bytes, source: str, now: float, head_node_type: str) -> StateFile:
    """Read `data`; `source` is what errors call it, `now` (unix s) the moment it speaks of.

    The file is a ClusterResourceState, or {"cluster_resource_state": …, "instances": […]} with
    objects like our `Instance`. Without `instances` every living node with an instance id is a
    running instance. Raises ConfigErrors, which names the place, and nothing else.
    """
    try:
        found, instances, unknown = _read(data)
        for node in found.node_states:
            # Nobody idles since before the epoch; `idle_since` 0 would mean "not idle".
            node.idle_duration_ms = min(node.idle_duration_ms, int(now * 1000) - 1)
        view = view_of(found, lambda node: node_of(node, idle_since(node, now)))
        listed = _derived(view) if instances is None else instances
        members = _with_head(_joined(listed, view), head_node_type)
    except WrongValueError as wrong:
        problems = (Problem(source, 0, 0, path_text(one.path), str(one)) for one in wrong.all)
        raise ConfigErrors(tuple(problems)) from None
    state = ClusterState(
        observed_at=now,
        members=members,
        demands=tuple(demand for demand in view.demands if demand.count),
        gangs=view.gangs,
        constraints=view.constraints,
        sources=(SourceHealth("gcs", ok=True, last_ok_at=now),),
        version=view.version,
    )
    return StateFile(state, tuple(sorted(unknown)))


def _read(data: bytes) -> tuple[Any, list[Instance] | None, set[str]]:
    unknown: set[str] = set()
    tree = _tree(data)
    if not isinstance(tree, dict) or not _WRAPPERS & tree.keys():
        state = _STATE.read(tree, unknown)
        if tree and not state.given and unknown >= tree.keys():
            hint = nearest(next(iter(tree)), _STATE_FIELDS)
            raise WrongValueError(f"is no ClusterResourceState: none of its keys is there; {hint}")
        return state, None, unknown
    whole = _WRAPPED.read(tree, unknown)
    if "instances" not in whole.given:
        return whole.cluster_resource_state, None, unknown
    instances = []
    for index, fields in enumerate(whole.instances):
        missing = [n for n in ("instance_id", "node_type") if not getattr(fields, n)]
        if missing:
            raise _at_instance(index, f"needs {' and '.join(missing)}")
        instances.append(_instance(fields))
    _refuse_twins([i.instance_id for i in instances], ("instances",))
    return whole.cluster_resource_state, instances, unknown


def _tree(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise WrongValueError("is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise WrongValueError(f"is no JSON: {error}") from None


def _instance(fields: Any) -> Instance:
    values = {name: getattr(fields, name) for name in fields.given}
    values.setdefault("status", InstanceStatus.RUNNING)
    return msgspec.convert(values, Instance)


def _at_instance(index: int, message: str) -> WrongValueError:
    wrong = WrongValueError(message)
    wrong.path = ("instances", index)
    return wrong


def _derived(view: RayView) -> list[Instance]:
    return [
        Instance(
            instance_id=node.instance_id,
            node_type=node.node_type,
            status=_S.DRAINING if node.status is NodeStatus.DRAINING else _S.RUNNING,
            is_head=node.is_head,
            ip=node.ip,
        )
        for node in view.nodes
        if node.instance_id
    ]


_S = InstanceStatus


def _joined(instances: list[Instance], view: RayView) -> list[Member]:
    """Instances with their Ray nodes; a node without an instance stands for itself."""
    _refuse_twins([n.instance_id for n in view.nodes if n.instance_id], ("node_states",))
    _refuse_twins([n.node_id for n in view.nodes if n.node_id], ("node_states",))
    nodes = {node.instance_id: node for node in view.nodes if node.instance_id}
    members = [_member(instance, nodes.pop(instance.instance_id, None)) for instance in instances]
    members += [
        Member(None, node)
        for node in view.nodes
        if not node.instance_id or node.instance_id in nodes
    ]
    _refuse_twins([member.id for member in members], ())
    return members


def _member(instance: Instance, node: Node | None) -> Member:
    if node is not None and instance.status in STARTING:
        # Who listed it knows machines; that Ray runs on one, only Ray knows.
        instance = msgspec.structs.replace(instance, status=InstanceStatus.RUNNING)
    return Member(instance, node)


def _with_head(members: list[Member], head_node_type: str) -> tuple[Member, ...]:
    """The members with one marked as head.

    Ray's head has a resource `node:__internal_head__`. A state written by hand may lack it: then
    the first node of the head's type is the head, so that no plan removes it.
    """
    if not any(member.is_head for member in members):
        for index, member in enumerate(members):
            if member.node_type == head_node_type and member.node is not None:
                node = msgspec.structs.replace(member.node, is_head=True)
                members[index] = Member(member.instance, node)
                break
    return tuple(members)


def _refuse_twins(ids: list[str], path: KeyPath) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen or not name:
            what = f"{kinds.said(name)} stands here twice" if name else "a node without any id"
            wrong = WrongValueError(what)
            wrong.path = path
            raise wrong
        seen.add(name)
