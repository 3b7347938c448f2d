"""GCS's answers read one after another: a node that stayed as it was is not read anew.

Decoding a thousand nodes into our words takes ten times as long as parsing the bytes, and a daemon
looks several times a second at a cluster in which mostly nothing happens.
"""

from __future__ import annotations

from typing import Any

from raytui.model.state import Node
from raytui.ray.base import RayView
from raytui.ray.protobuf import idle_since, node_of, view_of


class ViewReader:
    """Reads the answers of one GCS, in their order."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[bytes, Node]] = {}

    def read(self, reply: bytes, now: float) -> RayView:
        """A serialized GetClusterResourceStateReply as a RayView; `now` is unix seconds."""
        from ray.core.generated import autoscaler_pb2

        state = autoscaler_pb2.GetClusterResourceStateReply.FromString(reply).cluster_resource_state
        before, self._known = self._known, {}
        return view_of(state, lambda node: self._node(node, before, now))

    def _node(self, state: Any, before: dict[bytes, tuple[bytes, Node]], now: float) -> Node:
        known = before.get(state.node_id)
        since = idle_since(state, now, known[1].idle_since if known else 0.0)
        idle_ms = state.idle_duration_ms
        # What differs in every answer does not make a node another one.
        state.idle_duration_ms = state.node_state_version = 0
        facts: bytes = state.SerializePartialToString(deterministic=True)
        if known is not None and known[0] == facts and known[1].idle_since == since:
            node = known[1]
        else:
            state.idle_duration_ms = idle_ms
            node = node_of(state, since)
        self._known[state.node_id] = (facts, node)
        return node
