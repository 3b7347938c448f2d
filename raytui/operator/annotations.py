"""What a RayCluster carries for its operator: people's orders at once, its summary now and then."""

from __future__ import annotations

import time

from raytui.backends.kubernetes import summary as summaries
from raytui.backends.kubernetes.marks import MEMORY, SUMMARY
from raytui.model.snapshot import Snapshot
from raytui.operator import memory
from raytui.operator.memory import Orders
from raytui.operator.objects_kept import Objects

_EVERY_S = 5.0
"""Every change of a summary is one of the RayCluster, which all who watch it are told."""


class Annotations:
    """Belongs to one thread at a time."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._written: dict[str, str] = {}
        self._summary_at = float("-inf")

    def write(self, orders: Orders, snapshot: Snapshot | None) -> float:
        """Write what is new; seconds until the rest is due, 0 when nothing is left.

        Raises ProviderError.
        """
        wanted = {MEMORY: memory.written(orders)}
        left_s = 0.0
        if snapshot is not None:
            text = summaries.written(summaries.summarised(snapshot))
            due_s = self._summary_at + _EVERY_S - time.monotonic()
            if due_s <= 0 or text == self._written.get(SUMMARY):
                wanted[SUMMARY] = text
            else:
                left_s = due_s
        if any(self._written.get(key) != text for key, text in wanted.items()):
            self._objects.annotate(wanted)
            if wanted.get(SUMMARY, "") != self._written.get(SUMMARY, ""):
                self._summary_at = time.monotonic()
            self._written.update(wanted)
        return left_s
