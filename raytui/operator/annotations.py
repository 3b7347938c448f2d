"""What a RayCluster carries for its operator: people's orders at once, its summary now and then."""

from __future__ import annotations

import time

from raytui.backends.kubernetes import summary as summaries
from raytui.backends.kubernetes.errors import ConflictError
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
        self._written = ""
        self._summary_at = float("-inf")

    def remember(self, orders: Orders) -> None:
        """Keep people's orders, unless the RayCluster has them already; raises ProviderError."""
        text = memory.written(orders)
        try:
            self._objects.annotate({MEMORY: text})
        except ConflictError:  # somebody has changed the RayCluster, perhaps nothing of ours
            self._objects.look()
            self._objects.annotate({MEMORY: text})

    def summarise(self, snapshot: Snapshot) -> float:
        """Write what lists show, if it is new; seconds until it is due, 0 when nothing is left.

        Raises ProviderError.
        """
        text = summaries.written(summaries.summarised(snapshot))
        if text == self._written:
            return 0.0
        due_s = self._summary_at + _EVERY_S - time.monotonic()
        if due_s > 0:
            return due_s
        self._objects.annotate({SUMMARY: text})
        self._summary_at = time.monotonic()
        self._written = text
        return 0.0
