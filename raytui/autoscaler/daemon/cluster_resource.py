"""A cluster that a resource defines, not a file, as a running daemon follows it."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from raytui.autoscaler.daemon.cluster_file import give, refuse
from raytui.autoscaler.engine import Engine
from raytui.backends.abilities import ReadsItsSpec
from raytui.backends.base import ProviderError
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from raytui.config.problems import ConfigErrors
from raytui.model.command import Ack
from raytui.model.spec import ClusterSpec

LOOK_EVERY_S = 5.0
_WHAT = "the RayCluster"


class ClusterResource:
    """What a provider reads of its cluster, again and again; refused when it is bad.

    `changed` and `reload` may be called from different threads, not at the same time.
    """

    def __init__(
        self,
        provider: ReadsItsSpec,
        paths: ClusterPaths,
        spec: ClusterSpec,
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """`spec` is what the daemon begins with."""
        self._provider = provider
        self._paths = paths
        self._spec = _without_resource(spec)
        self._steady = steady
        self._asked_at = float("-inf")
        self._refused = ""
        """What was said of the resource when it was refused last."""

    def fill(self, spec: ClusterSpec) -> ClusterSpec:
        """What to go on with: what was read, without the resource that it was read from.

        It is noted on disk, too, without the pods that it describes: they may hold secrets.
        """
        self._spec = _without_resource(spec)
        remember(self._paths, _without_pods(self._spec))
        return self._spec

    def changed(self) -> bool:
        """Whether it is time to `reload`. May be asked every second, and asks now and then.

        What cannot be asked for has not changed: the provider says why (`why_only_watched`).
        """
        if self._steady() - self._asked_at < LOOK_EVERY_S:
            return False
        self._asked_at = self._steady()
        try:
            found = self._provider.read_spec()
        except ConfigErrors as error:
            return str(error) != self._refused
        except ProviderError:
            return False
        return found != self._spec

    def reload(self, engine: Engine) -> Ack:
        """Read the resource and give it to the engine; a bad one is refused.

        Both ends are written into the journal, a refusal with every problem.
        """
        try:
            spec = self._provider.read_spec()
        except (ConfigErrors, ProviderError) as error:
            self._refused = str(error)
            return refuse(engine, _WHAT, str(error))
        old, new = self._spec, self.fill(spec)
        self._refused = ""
        changes = give(engine, old, new, new, old)
        return Ack(True, changes)


def _without_resource(spec: ClusterSpec) -> ClusterSpec:
    options = {key: value for key, value in spec.provider.options.items() if key != "resource"}
    return replace(spec, provider=replace(spec.provider, options=options))


def _without_pods(spec: ClusterSpec) -> ClusterSpec:
    types = {name: replace(kind, node_config={}) for name, kind in spec.node_types.items()}
    return replace(spec, node_types=types)
