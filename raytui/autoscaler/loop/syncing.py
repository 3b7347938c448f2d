"""Bring our instances in line with what the provider and Ray say, one instance at a time."""

from __future__ import annotations

from collections.abc import Mapping

from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.model.lifecycle import STARTING, IllegalTransitionError, InstanceStatus
from raytui.model.snapshot import Level
from raytui.model.state import Instance, Node
from raytui.model.text import duration_text, first_line

SETUP_TIMEOUT_S = 600.0
"""From launch call to a running Ray node, before an instance counts as failed."""
MISSING_GRACE_S = 10.0
"""A provider's listing may lag behind its launch call this long (EC2 is eventually consistent)."""
RAY_GRACE_S = 30.0
"""A running node may be missing from GCS this long (GCS restarts) before it counts as lost."""

_S = InstanceStatus


class Sync:
    """Compares and moves. What must be cleared away by the provider is collected in `clear`."""

    def __init__(self, fleet: Fleet, journal: Journal) -> None:
        self._fleet = fleet
        self._journal = journal
        self._absent_since: dict[str, float] = {}
        self.clear: list[str] = []
        """Instances that the provider should terminate or clear away."""
        self.started: list[tuple[Instance, float]] = []
        """Instances that became running, with the seconds that it took."""
        self.failed: list[Instance] = []
        """Instances whose set-up failed."""

    def run(
        self,
        listing: Mapping[str, Instance] | None,
        nodes: Mapping[str, Node] | None,
        now: float,
    ) -> None:
        """One comparison. None stands for a source that does not answer: its word is unknown."""
        self.clear, self.started, self.failed = [], [], []
        for instance in self._fleet:
            if instance.instance_id in self._fleet.quarantined:
                continue
            try:
                self._one(instance, listing, nodes, now)
            except IllegalTransitionError as error:
                self._fleet.quarantined[instance.instance_id] = str(error)
                self._lament(f"quarantined {error}", instance.instance_id, now)
        if listing is not None:
            for instance_id, listed in listing.items():
                if self._fleet.get(instance_id) is None:
                    self._unknown(listed, nodes or {}, now)

    def _one(
        self,
        instance: Instance,
        listing: Mapping[str, Instance] | None,
        nodes: Mapping[str, Node] | None,
        now: float,
    ) -> None:
        listed = listing.get(instance.instance_id) if listing is not None else None
        if listed is not None:
            self._keep_facts(instance, listed)
        if instance.status in (_S.QUEUED, _S.REQUESTED):
            return  # the launch call's own answer decides
        if instance.status in (_S.TERMINATING, _S.SETUP_FAILED, _S.LOST):
            self._finish(instance, listing, listed, now)
        elif listed is not None and listed.status is _S.LOST:
            self._died(instance, listed, now)
        elif listing is not None and listed is None:
            self._vanished(instance, now)
        elif nodes is None:
            self._absent_since.pop(instance.instance_id, None)  # nobody is missed in the dark
        elif instance.instance_id in nodes:
            self._seen_by_ray(instance, now)
        else:
            self._not_seen_by_ray(instance, now)

    def _keep_facts(self, instance: Instance, listed: Instance) -> None:
        facts = {
            name: value
            for name in ("ip", "zone", "log_path")
            if (value := getattr(listed, name)) and value != getattr(instance, name)
        }
        if instance.status in STARTING and listed.detail != instance.detail:
            facts["detail"] = listed.detail
        if facts:
            self._fleet.note(instance.instance_id, **facts)

    def _finish(
        self,
        instance: Instance,
        listing: Mapping[str, Instance] | None,
        listed: Instance | None,
        now: float,
    ) -> None:
        """See a dying instance off: when it is no longer listed, it has ended."""
        name = instance.instance_id
        if listing is not None and listed is None:
            self._fleet.move(name, _S.TERMINATED, now, "no longer listed by the provider")
            return
        if instance.is_head:
            return  # a dead head stays on screen; starting another is for a person to order
        if instance.status is not _S.TERMINATING:
            self._fleet.move(name, _S.TERMINATING, now, instance.detail or "to be cleared away")
        self.clear.append(name)

    def _died(self, instance: Instance, listed: Instance, now: float) -> None:
        """The machine or process is dead and nobody asked for it."""
        name = instance.instance_id
        word = first_line(listed.detail) or "no word from it"
        if instance.status is _S.DRAINING:
            self._fleet.move(name, _S.TERMINATING, now, "left after its drain")
            self.clear.append(name)
        elif instance.status in STARTING:
            failed = self._fleet.move(name, _S.SETUP_FAILED, now, "died in set-up", listed.detail)
            if failed is not None:
                self.failed.append(failed)
            self._lament(f"{_named(instance)} failed to start: {word}", name, now, listed.detail)
        else:
            self._fleet.move(name, _S.LOST, now, "its processes died", listed.detail)
            self._lament(f"lost {_named(instance)}: {word}", name, now, listed.detail)

    def _vanished(self, instance: Instance, now: float) -> None:
        """Not in the provider's list. Right after a launch the list may lag behind."""
        name = instance.instance_id
        if now - instance.launched_at < MISSING_GRACE_S:
            return
        if instance.status is _S.DRAINING:
            self._fleet.move(name, _S.TERMINATED, now, "gone after its drain")
            return
        detail = "the provider no longer lists it"
        self._fleet.move(name, _S.LOST, now, detail, detail)
        self._fleet.move(name, _S.TERMINATED, now, detail)
        self._journal.say(now, Level.ERROR, f"lost {_named(instance)}: {detail}", instance_id=name)

    def _seen_by_ray(self, instance: Instance, now: float) -> None:
        self._absent_since.pop(instance.instance_id, None)
        if instance.status not in STARTING:
            return
        boot_s = now - instance.launched_at
        running = self._fleet.move(instance.instance_id, _S.RUNNING, now, "registered with Ray")
        if running is not None:
            self.started.append((running, boot_s))
            self._journal.say(
                now,
                Level.GOOD,
                f"{_named(instance)} is running after {duration_text(boot_s)}",
                instance_id=instance.instance_id,
            )

    def _not_seen_by_ray(self, instance: Instance, now: float) -> None:
        name = instance.instance_id
        if instance.status in STARTING:
            if now - instance.launched_at > SETUP_TIMEOUT_S:
                detail = f"not a Ray node after {duration_text(SETUP_TIMEOUT_S)}"
                failed = self._fleet.move(name, _S.SETUP_FAILED, now, detail, detail)
                if failed is not None:
                    self.failed.append(failed)
                self._lament(f"{_named(instance)}: {detail}", name, now)
            return
        since = self._absent_since.setdefault(name, now)
        if instance.status is _S.RUNNING and now - since > RAY_GRACE_S:
            detail = f"Ray has not seen it for {duration_text(RAY_GRACE_S)}"
            self._fleet.move(name, _S.LOST, now, detail, detail)
            self._lament(f"lost {_named(instance)}: {detail}", name, now)

    def _lament(self, text: str, instance_id: str, now: float, detail: str = "") -> None:
        self._journal.say(now, Level.ERROR, text, detail=detail, instance_id=instance_id)

    def _unknown(self, listed: Instance, nodes: Mapping[str, Node], now: float) -> None:
        """An instance with our tags and no row: adopted when it runs our cluster's Ray."""
        if any(i.status is _S.REQUESTED for i in self._fleet.of_request(listed.request_id)):
            return  # the listing was quicker than the launch call's answer
        if listed.status is _S.LOST:
            if not listed.is_head:
                self.clear.append(listed.instance_id)
            return
        if listed.is_head or listed.instance_id in nodes:
            self._fleet.adopt(listed, now, "adopted: it runs this cluster's Ray")


def _named(instance: Instance) -> str:
    return f"{instance.node_type} {instance.instance_id}"
