"""A provider without machines: seeded, on any clock, with faults. For simulations and tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from raytui.backends.base import (
    CapacityError,
    LaunchRequest,
    PartialLaunchError,
    TransientError,
)
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance


class Faults(Struct, frozen=True):
    """How often things go wrong, each from 0 (never) to 1 (always)."""

    capacity: float = 0.0
    """A launch call is refused for want of capacity."""
    partial: float = 0.0
    """A launch of several nodes gives only some."""
    listing: float = 0.0
    """A listing fails."""


class FakeProvider:
    """Instances in a dictionary. Keeps NodeProvider's promises: launches are idempotent."""

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Callable[[], float],
        faults: Faults | None = None,
        short_of: frozenset[str] = frozenset(),
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._clock = clock
        self.faults = faults or Faults()
        self.short_of = short_of
        """Node types for which every launch meets a CapacityError."""
        self.instances: dict[str, Instance] = {}
        self.launch_calls = 0
        self._answers: dict[str, tuple[str, ...]] = {}

    def list_instances(self) -> list[Instance]:
        """See NodeProvider."""
        if self._random.random() < self.faults.listing:
            raise TransientError("the simulated provider did not answer")
        return list(self.instances.values())

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """See NodeProvider."""
        self.launch_calls += 1
        if request.request_id in self._answers:
            ids = self._answers[request.request_id]
            return [self.instances[i] for i in ids if i in self.instances]
        short = request.node_type in self.short_of
        if short or self._random.random() < self.faults.capacity:
            zone = request.offering.zone or "zone-a"
            raise CapacityError(
                f"InsufficientInstanceCapacity: no {request.node_type} in {zone} now", zone=zone
            )
        count = request.count
        if count > 1 and self._random.random() < self.faults.partial:
            if request.all_or_nothing:
                raise CapacityError(f"not all {count} {request.node_type} could be had")
            count = self._random.randint(1, count - 1)
        launched = [self._make(request, index) for index in range(count)]
        self._answers[request.request_id] = tuple(i.instance_id for i in launched)
        if count < request.count:
            raise PartialLaunchError(
                launched, CapacityError(f"only {count} of {request.count} could be had")
            )
        return launched

    def _make(self, request: LaunchRequest, index: int) -> Instance:
        number = len(self.instances) + 1
        instance = Instance(
            instance_id=f"{request.request_id}-{index}",
            node_type=request.node_type,
            status=InstanceStatus.ALLOCATED,
            request_id=request.request_id,
            is_head=request.is_head,
            zone=request.offering.zone,
            instance_type=request.offering.instance_type,
            market=request.offering.market,
            price_per_hour=request.offering.price_per_hour,
            ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            launched_at=self._clock(),
        )
        self.instances[instance.instance_id] = instance
        return instance

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """See NodeProvider."""
        for instance_id in instance_ids:
            self.instances.pop(instance_id, None)

    def lose(self, instance_id: str, detail: str) -> None:
        """Let an instance die without being asked."""
        old = self.instances[instance_id]
        self.instances[instance_id] = msgspec.structs.replace(
            old, status=InstanceStatus.LOST, detail=detail
        )

    def reload(self, spec: ClusterSpec) -> None:
        """It has no spec: a node is what its request says."""

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """See NodeProvider."""
        return node_type.offerings
