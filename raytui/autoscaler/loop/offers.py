"""The ways to buy nodes, as the provider tells them now: zones and prices that no file has."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from raytui.backends.base import NodeProvider
from raytui.model.spec import ClusterSpec, Offering


class Offers:
    """Keeps a cluster file together with what the provider offers. For the thread that ticks."""

    def __init__(self, provider: NodeProvider) -> None:
        self._provider = provider
        self._spec: ClusterSpec | None = None
        self._offered: Mapping[str, tuple[Offering, ...]] = {}
        self._filled: ClusterSpec | None = None

    def on(self, spec: ClusterSpec) -> ClusterSpec:
        """The file with every way to buy its nodes; the same object until something changes."""
        offered = {name: self._provider.offerings(kind) for name, kind in spec.node_types.items()}
        if self._filled is None or spec is not self._spec or offered != self._offered:
            self._spec, self._offered = spec, offered
            types = {
                name: replace(kind, offerings=offered[name] or kind.offerings)
                for name, kind in spec.node_types.items()
            }
            self._filled = replace(spec, node_types=types)
        return self._filled
