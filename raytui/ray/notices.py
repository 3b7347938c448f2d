"""Reads what GCS knows of machines that go: notices that nodes have left there, and drains.

Notices are in its key-value store (see tell_notice.py).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Any

import msgspec

from raytui.model.state import Node, NodeStatus, Notice, NoticeKind
from raytui.ray.tell_notice import NAMESPACE, PREFIX

_log = logging.getLogger(__name__)

_EVERY_S = 2.0
_KEPT_S = 600.0
"""A notice is cleared away so long after its node: one that GCS does not show may come back."""


class _Left(msgspec.Struct):
    """A notice as a node has left it."""

    kind: NoticeKind
    by: str = ""
    at: float = 0.0
    deadline: float = 0.0


class NoticeReader:
    """Reads the notices of one GCS. What a name stands for never changes, and is read once."""

    def __init__(self) -> None:
        self._known: dict[bytes, Notice | None] = {}
        self._absent_since: dict[bytes, float] = {}
        self._read_at = float("-inf")
        self._deadlines: dict[str, float] = {}
        """Of nodes that drain, by node id: unix seconds, or 0."""

    def read(self, gcs: Any, nodes: Collection[Node], timeout_s: float) -> tuple[Notice, ...]:
        """The notices that stand, and one for each node that drains.

        Asked for every two seconds, and when a node begins to drain.

        `gcs` is Ray's client, whose errors are raised.
        """
        now = time.monotonic()
        draining = {n.node_id: n.instance_id for n in nodes if n.status is NodeStatus.DRAINING}
        if now - self._read_at >= _EVERY_S or not draining.keys() <= self._deadlines.keys():
            names = gcs.internal_kv_keys(PREFIX.encode(), NAMESPACE, timeout=timeout_s)
            self._known = {name: self._notice(gcs, name, timeout_s) for name in names}
            self._clear_away(gcs, {node.instance_id for node in nodes}, now, timeout_s)
            deadlines = _deadlines(gcs, timeout_s) if draining else {}
            self._deadlines = {node_id: deadlines.get(node_id, 0.0) for node_id in draining}
            self._read_at = now
        drained = [
            Notice(name, NoticeKind.DRAINED, deadline=self._deadlines[node_id])
            for node_id, name in draining.items()
        ]
        return (*filter(None, self._known.values()), *drained)

    def _notice(self, gcs: Any, name: bytes, timeout_s: float) -> Notice | None:
        if name in self._known:
            return self._known[name]
        instance_id = name.decode().removeprefix(PREFIX).partition(":")[2]
        value = gcs.internal_kv_get(name, NAMESPACE, timeout=timeout_s)
        try:
            left = msgspec.json.decode(value or b"", type=_Left)
        except msgspec.DecodeError as error:
            _log.warning("the notice %s cannot be read: %s", name, error)
            return None
        return Notice(instance_id, left.kind, left.by, left.at, left.deadline)

    def _clear_away(self, gcs: Any, alive: Collection[str], now: float, timeout_s: float) -> None:
        known = self._known.items()
        gone = [name for name, n in known if n is None or n.instance_id not in alive]
        self._absent_since = {name: self._absent_since.get(name, now) for name in gone}
        for name, since in self._absent_since.items():
            if now - since >= _KEPT_S:
                gcs.internal_kv_del(name, False, NAMESPACE, timeout=timeout_s)
                del self._known[name]


def _deadlines(gcs: Any, timeout_s: float) -> dict[str, float]:
    """Until when nodes drain, by node id, in unix seconds; a Ray that does not tell knows none."""
    ask = getattr(gcs, "get_draining_nodes", None)
    found = {} if ask is None else ask(timeout=timeout_s)
    return {node_id: at_ms / 1000 for node_id, at_ms in found.items()}
