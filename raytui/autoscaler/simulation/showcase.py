"""A simulated cluster of any size to look around in: real planning on a made-up world."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.simulation.inline import Inline
from raytui.autoscaler.simulation.simulated_ray import Arrivals, SimulatedRay
from raytui.backends.base import LaunchRequest
from raytui.backends.fake import FakeProvider, Faults
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo
from raytui.model.spec import ClusterSpec, NodeType, Offering, ProviderSpec

_GIB = 2**30

_TYPES = (
    # name, CPUs, GPUs, GiB, USD per hour, share of the nodes
    ("cpu-small", 4, 0, 16, 0.20, 0.50),
    ("cpu-large", 16, 0, 64, 0.77, 0.25),
    ("gpu-a10", 8, 1, 32, 1.21, 0.20),
    ("gpu-h100", 96, 8, 1024, 55.04, 0.05),
)

_STREAMS = (
    # name, shape, mean seconds, node type whose nodes it keeps busy, share of them
    ("preprocess", {"CPU": 1}, 40.0, "cpu-small", 0.9),
    ("shuffle", {"CPU": 4, "memory": 8 * _GIB}, 90.0, "cpu-large", 0.8),
    ("embed", {"CPU": 4, "GPU": 1}, 120.0, "gpu-a10", 0.9),
    ("train", {"CPU": 48, "GPU": 4}, 300.0, "gpu-h100", 0.95),
)


def showcase_spec(nodes: int) -> ClusterSpec:
    """Four worker types that together have room for half as many nodes again."""
    types = {"head": NodeType("head", offerings=(Offering("m7i.xlarge", "zone-a"),))}
    for name, cpus, gpus, gib, price, share in _TYPES:
        types[name] = NodeType(
            name=name,
            resources=Resources.of(CPU=cpus, GPU=gpus, memory=gib * _GIB),
            max_workers=max(2, round(1.5 * share * nodes)),
            offerings=(Offering(name.replace("-", "."), "zone-a", price_per_hour=price),),
        )
    return ClusterSpec(
        cluster_name=f"simulated-{nodes}",
        provider=ProviderSpec("simulated"),
        node_types=types,
        head_node_type="head",
        max_workers=max(4, round(1.2 * nodes)),
        idle_timeout_s=60.0,
    )


def showcase(nodes: int, seed: int = 0, clock: Callable[[], float] = time.time) -> Reconciler:
    """An engine over a simulated cluster of about `nodes` nodes, most of them busy from the start.

    The same seed and clock give the same story.
    """
    spec = showcase_spec(nodes)
    provider = FakeProvider(seed=seed, clock=clock, faults=Faults(capacity=0.02))
    provider.launch(LaunchRequest("head", "head", 1, is_head=True))
    provider.faults = Faults()
    streams = []
    for name, shape, duration_s, node_type, busy in _STREAMS:
        kind = spec.node_types[node_type]
        count = max(1, round(next(t[-1] for t in _TYPES if t[0] == node_type) * nodes))
        for index in range(count):
            provider.launch(
                LaunchRequest(f"{node_type}-{index:04x}", node_type, 1, kind.offerings[0])
            )
        resources = Resources.of(shape)
        tasks = count * resources.times_in(kind.resources) * busy
        streams.append(Arrivals(resources, tasks / duration_s, duration_s, name))
    provider.faults = Faults(capacity=0.02, partial=0.05)
    ray = SimulatedRay(spec, provider, streams, clock=clock, seed=seed)
    ray.settle()
    info = ClusterInfo(
        cluster_name=spec.cluster_name,
        provider="simulated",
        max_workers=spec.max_workers,
        upscaling_speed=spec.upscaling_speed,
        idle_timeout_s=spec.idle_timeout_s,
    )
    names = random.Random(seed)  # noqa: S311 - repeatable, not secret
    return Reconciler(
        spec,
        provider,
        ray,
        Ledger(None),
        info=info,
        pool=Inline(),
        clock=clock,
        steady=clock,
        new_id=lambda: f"{names.getrandbits(24):06x}",
    )
