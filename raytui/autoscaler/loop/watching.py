"""Whether this autoscaler may act, or only watches what somebody else scales."""

from __future__ import annotations

import math

from raytui.backends.abilities import why_only_watched
from raytui.backends.base import NodeProvider
from raytui.model.lifecycle import Timeouts

UNHURRIED = Timeouts(boot_s=math.inf, setup_s=math.inf, register_s=math.inf, terminate_s=math.inf)
"""Who only watches gives nobody up: that is for whoever scales."""


class Watching:
    """Told once for good, or asked of the provider again in each round."""

    def __init__(self, provider: NodeProvider, told: str) -> None:
        """`told` is why nothing may be done and what to do; empty leaves it to the provider."""
        self._provider = provider
        self._told = told
        self.why = ""
        """The sentence while it only watches; empty while it acts."""

    def look(self) -> bool:
        """See how it is now; whether that is something else than before."""
        before, self.why = self.why, self._told or why_only_watched(self._provider)
        return self.why != before
