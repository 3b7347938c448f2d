"""Tells Ray's GCS that a machine is about to be taken back; a program for the node that it is.

It is sent to a node as it stands and run by the Python of the node's Ray, where nothing of raytui
is and Python may be as old as 3.9:

    tell_notice.py GCS_ADDRESS INSTANCE_ID '{"kind": "interruption", "by": "AWS", "deadline": …}'
"""

from __future__ import annotations

import json
import sys
from typing import Any

NAMESPACE = b"raytui"
PREFIX = "notice:"
"""A notice's name in GCS's key-value store is this, its kind, a colon and the instance's id."""

_PREEMPTION, _DEAD = 2, 2
"""Numbers of Ray's protobuf enums: a reason to drain, a node's status."""


def tell(gcs_address: str, instance_id: str, notice: dict[str, Any]) -> None:
    """Write the notice down in GCS; when the machine is to go, have Ray drain its node as well.

    The note comes first: an idle node is gone the moment that it is drained. Raises what Ray does.
    """
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled

    gcs = GcsClient(address=gcs_address)
    name = f"{PREFIX}{notice['kind']}:{instance_id}"
    gcs.internal_kv_put(name.encode(), json.dumps(notice).encode(), True, NAMESPACE)
    print("GCS knows it", flush=True)
    for node_id in _nodes_of(gcs, instance_id) if notice["kind"] == "interruption" else ():
        accepted, words = _drain(gcs, node_id, notice)
        print("Ray drains the node" if accepted else f"Ray does not drain the node: {words}")


def _nodes_of(gcs: Any, instance_id: str) -> list[str]:
    """Hex ids of the instance's nodes that are alive."""
    from ray.core.generated import autoscaler_pb2

    reply = gcs.get_cluster_resource_state()
    state = autoscaler_pb2.GetClusterResourceStateReply.FromString(reply).cluster_resource_state
    ours = [node for node in state.node_states if node.instance_id == instance_id]
    return [node.node_id.hex() for node in ours if node.status != _DEAD]


def _drain(gcs: Any, node_id: str, notice: dict[str, Any]) -> tuple[bool, str]:
    message, deadline_ms = f"{notice['by']} takes it back", int(notice["deadline"] * 1000)
    try:
        accepted, words = gcs.drain_node(node_id, _PREEMPTION, message, deadline_ms)
    except TypeError:  # before Ray 2.49 it wanted bytes
        accepted, words = gcs.drain_node(node_id.encode(), _PREEMPTION, message, deadline_ms)
    return bool(accepted), str(words)


if __name__ == "__main__":
    tell(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
