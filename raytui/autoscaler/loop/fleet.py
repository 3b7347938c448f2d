"""Our instances: every move checked against the lifecycle table and written to the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from raytui.autoscaler.loop.ledger import Ledger
from raytui.backends.base import LaunchRequest
from raytui.model.lifecycle import FINAL, InstanceStatus, check_transition
from raytui.model.snapshot import Move
from raytui.model.spec import NodeType
from raytui.model.state import Holding, Instance

_ENDED_KNOWN = 10_000


class Fleet:
    """The instances that have not ended. What is not here has a final row in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open: dict[str, Instance] = {}
        self._ids_of: dict[str, dict[str, None]] = {}
        """By request: the ids of its instances that have not ended, in order."""
        for instance in ledger.open_instances():
            self._enter(instance)
        self._moves: list[Move] = []
        self._ended: dict[str, None] = {}

    def __iter__(self) -> Iterator[Instance]:
        return iter(tuple(self._open.values()))

    def __contains__(self, instance_id: object) -> bool:
        return instance_id in self._open

    def get(self, instance_id: str) -> Instance | None:
        """An instance that has not ended, or None."""
        return self._open.get(instance_id)

    def has_ended(self, instance_id: str) -> bool:
        """Whether it came to its end not long ago: Ray may still show its node for a while."""
        return instance_id in self._ended

    def of_request(self, request_id: str) -> list[Instance]:
        """The instances of a launch request that have not ended."""
        return [self._open[instance_id] for instance_id in self._ids_of.get(request_id, ())]

    def intend(
        self, request: LaunchRequest, kind: NodeType, holdings: Sequence[Holding], now: float
    ) -> list[Instance]:
        """Write one QUEUED row for every node of a request, under a provisional id.

        `holdings` says for each node what it is meant to hold.
        """
        rows = [
            Instance(
                instance_id=f"{request.request_id}-{index}",
                node_type=request.node_type,
                status=InstanceStatus.QUEUED,
                request_id=request.request_id,
                zone=request.offering.zone,
                instance_type=request.offering.instance_type,
                market=request.offering.market,
                price_per_hour=_price(request, kind),
                launched_at=now,
                status_since=now,
                meant_for=holding,
            )
            for index, holding in enumerate(holdings)
        ]
        for row in rows:
            self._write(row, now, "intended")
        return rows

    def arrived(self, request: LaunchRequest, came: Sequence[Instance], now: float) -> None:
        """Replace a request's provisional rows by the instances that the provider gave."""
        provisional = [
            i for i in self.of_request(request.request_id) if i.status is InstanceStatus.REQUESTED
        ]
        waiting = {instance.instance_id: instance for instance in provisional}
        for instance in came:
            if instance.instance_id in self._open and instance.instance_id not in waiting:
                continue  # a repeated answer, or the listing was quicker
            row = waiting.pop(instance.instance_id, None)
            if row is None and waiting:
                _, row = waiting.popitem()
                self._ledger.rename(row.instance_id, instance.instance_id)
                self._leave(row)
            origin = row or instance
            status = instance.status
            if status not in (InstanceStatus.ALLOCATED, InstanceStatus.SETTING_UP):
                status = InstanceStatus.ALLOCATED
            merged = msgspec.structs.replace(
                instance,
                request_id=request.request_id,
                status=status,
                launched_at=origin.launched_at or now,
                status_since=now,
                price_per_hour=instance.price_per_hour or origin.price_per_hour,
                meant_for=origin.meant_for,
            )
            self._write(merged, now, "the provider gave it", row)

    def adopt(self, instance: Instance, now: float, cause: str) -> Instance:
        """Take an instance into the ledger that was started by somebody else."""
        adopted = msgspec.structs.replace(
            instance, status_since=now, launched_at=instance.launched_at or now
        )
        self._write(adopted, now, cause)
        return adopted

    def move(
        self, instance_id: str, status: InstanceStatus, now: float, cause: str, detail: str = ""
    ) -> Instance | None:
        """Move an instance to a status; the same status or an unknown id is no move.

        Raises IllegalTransitionError when the table forbids it.
        """
        old = self._open.get(instance_id)
        if old is None or old.status is status:
            return old
        check_transition(instance_id, old.status, status)
        new = msgspec.structs.replace(
            old, status=status, status_since=now, detail=detail or old.detail
        )
        self._write(new, now, cause, old)
        return new

    def set_quarantine(self, instance_id: str, cause: str, now: float) -> None:
        """Leave an instance alone for a cause, or (with none) no longer."""
        old = self._open.get(instance_id)
        if old is not None:
            new = msgspec.structs.replace(old, quarantined=cause)
            self._ledger.put(new, now, f"quarantined: {cause}" if cause else "released")
            self._open[instance_id] = new

    def note(self, instance_id: str, **facts: object) -> None:
        """Keep newer facts (ip, zone, detail, log_path) without a move.

        They are not worth a ledger row: after a restart the provider's next listing tells them
        again, and until then what stands in the row is what was known at the last move.
        """
        old = self._open.get(instance_id)
        if old is not None:
            self._open[instance_id] = msgspec.structs.replace(old, **facts)

    def take_moves(self) -> list[Move]:
        """The moves since this was last asked for, in order."""
        moves, self._moves = self._moves, []
        return moves

    def _write(
        self, instance: Instance, now: float, cause: str, old: Instance | None = None
    ) -> None:
        self._ledger.put(instance, now, cause)
        self._moves.append(
            Move(
                instance.instance_id,
                instance.node_type,
                instance.status,
                was=old.status if old is not None else None,
                after_s=now - old.status_since if old is not None else 0.0,
                launched_s=now - instance.launched_at,
                request_id=instance.request_id,
            )
        )
        if instance.status in FINAL:
            self._leave(instance)
            self._ended[instance.instance_id] = None
            if len(self._ended) > _ENDED_KNOWN:
                del self._ended[next(iter(self._ended))]
        else:
            self._enter(instance)

    def _enter(self, instance: Instance) -> None:
        old = self._open.get(instance.instance_id)
        if old is not None and old.request_id != instance.request_id:
            self._leave(old)
        self._open[instance.instance_id] = instance
        self._ids_of.setdefault(instance.request_id, {})[instance.instance_id] = None

    def _leave(self, instance: Instance) -> None:
        old = self._open.pop(instance.instance_id, None)
        if old is None:
            return
        ids = self._ids_of[old.request_id]
        del ids[old.instance_id]
        if not ids:
            del self._ids_of[old.request_id]


def _price(request: LaunchRequest, kind: NodeType) -> float | None:
    known = request.offering.price_per_hour
    return kind.price_per_hour if known is None else known
