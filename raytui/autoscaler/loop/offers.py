"""The ways to buy nodes, as the provider tells them now: zones and prices that no file has."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from msgspec.structs import replace

from raytui.backends.base import NodeProvider, ProviderError
from raytui.model.spec import ClusterSpec, NodeType, Offering

_log = logging.getLogger(__name__)


class Offers:
    """Keeps a cluster file together with what the provider offers. For the thread that ticks."""

    def __init__(self, provider: NodeProvider) -> None:
        self._provider = provider
        self._spec: ClusterSpec | None = None
        self._offered: Mapping[str, tuple[Offering, ...]] = {}
        self._filled: ClusterSpec | None = None
        self._trouble = ""

    def on(self, spec: ClusterSpec) -> ClusterSpec:
        """The file with every way to buy its nodes; the same object until something changes."""
        offered = {name: self._ways(kind) for name, kind in spec.node_types.items()}
        if self._filled is None or spec is not self._spec or offered != self._offered:
            self._spec, self._offered = spec, offered
            types = {
                name: replace(kind, offerings=offered[name])
                for name, kind in spec.node_types.items()
            }
            self._filled = replace(spec, node_types=types)
        return self._filled

    def _ways(self, kind: NodeType) -> tuple[Offering, ...]:
        """What the provider offers; where it does not tell, what the file says."""
        try:
            return self._provider.offerings(kind) or kind.offerings
        except ProviderError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.warning("%s is bought as its file says: %s", kind.name, error)
            return kind.offerings
