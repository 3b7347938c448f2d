"""Ray as it is while a cluster's first head starts: nothing of it is there, which is no fault.

The autoscaler does nothing while Ray does not answer, since what it does not know is not zero.
Before the head has ever answered it is zero: nobody can have asked for anything. So the workers
that are wanted in any case start beside the head, and wait for it.
"""

from __future__ import annotations

from collections.abc import Callable

from raytui.ray.base import RayView
from raytui.ray.gcs import GcsRay


class StartingRay(GcsRay):
    """A Ray cluster whose head may not have started yet."""

    def __init__(self, address: Callable[[], str], head_starts: Callable[[], bool]) -> None:
        """`head_starts` tells whether there is no head that has ever been ready."""
        super().__init__(address)
        self._head_starts = head_starts
        self._has_answered = False

    def observe(self) -> RayView:
        """Nodes and demand now; none before the head has answered for the first time."""
        if not self._has_answered and self._head_starts():
            return RayView(version=0)
        view = super().observe()
        self._has_answered = True
        return view
