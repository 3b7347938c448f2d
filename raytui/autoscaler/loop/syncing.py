"""Bring our instances in line with what the provider and Ray say, one instance at a time."""

from __future__ import annotations

from collections.abc import Container, Mapping

import msgspec

from raytui.autoscaler.loop.believing import Believed
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.overdue import OverdueTerminations, overdue_start
from raytui.autoscaler.loop.quarantine import Quarantine
from raytui.autoscaler.loop.waits import Waits
from raytui.backends.abilities import is_ours, is_replaced
from raytui.backends.base import NodeProvider
from raytui.model.failure import FailureKind
from raytui.model.lifecycle import STARTING, InstanceStatus, Timeouts
from raytui.model.snapshot import Level
from raytui.model.state import Instance, Node
from raytui.model.text import duration_text, first_line

MISSING_GRACE_S = 10.0
"""A listing may lack what was given this long before it was asked for (EC2 lags like that)."""
AGREED_GRACE_S = 10.0
"""An instance of which Ray says that it is gone may be missing from listings this long."""
UNLISTED_GRACE_S = 30.0
"""The same for one of which Ray does not say so."""
RAY_GRACE_S = 30.0
"""A running node may be missing from GCS this long (GCS restarts) before it counts as lost."""

_S = InstanceStatus
_UNLISTED, _UNSEEN = "not listed", "not seen by Ray"


class Sync:
    """Compares and moves. What must be cleared away by the provider is collected in `clear`."""

    def __init__(
        self,
        fleet: Fleet,
        ledger: Ledger,
        journal: Journal,
        quarantine: Quarantine,
        waits: Waits,
        provider: NodeProvider,
    ) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._journal = journal
        self._quarantine = quarantine
        self._waits = waits
        self._provider = provider
        self._overdue = OverdueTerminations(journal, waits)
        self._limits = Timeouts()
        self._acts = True
        self._ended: Container[str] = ()
        self._listing_age_s = 0.0
        self._strangers: set[str] = set()
        """Orphans, of which the ledger was found to know nothing."""
        self.clear: list[str] = []
        """Instances that the provider should terminate or clear away."""
        self.started: list[tuple[Instance, float]] = []
        """Instances that became running, with the seconds that it took."""
        self.failed: list[Instance] = []
        """Instances that failed to start, and those that ran and were taken away."""

    def run(
        self,
        believed: Believed,
        ended: Container[str],
        limits: Timeouts,
        now: float,
        *,
        acts: bool = True,
    ) -> None:
        """One comparison with what is believed of the provider's and Ray's words.

        `ended` are the instances that the provider has said it ends. Where nobody `acts`, what is
        lost may come back.
        """
        listing, nodes = believed.listing, believed.nodes
        self.clear, self.started, self.failed = [], [], []
        self._limits = limits
        self._ended = ended
        self._acts = acts
        self._listing_age_s = believed.listing_age_s
        self._end_replaced_head(listing or {}, now)
        for instance in self._fleet:
            if not instance.quarantined and not self._is_well(instance, listing, nodes):
                with self._quarantine.guard(instance.instance_id, now):
                    known = self._listing_for(instance, believed)
                    self._one(instance, known, nodes, now)
        unknown = [i for i in (listing or {}).values() if i.instance_id not in self._fleet]
        self._strangers &= {listed.instance_id for listed in unknown}
        for listed in unknown:
            self._unknown(listed, nodes or {}, now)
        self._waits.keep(self._fleet)

    def _end_replaced_head(self, listing: Mapping[str, Instance], now: float) -> None:
        """There is one head: where another is listed, one that is not has ended for certain."""
        gone = [i for i in self._fleet if i.is_head and i.instance_id not in listing]
        if gone and any(i.is_head and i.status is not _S.LOST for i in listing.values()):
            for head in gone:
                cause = "another head has taken its place"
                if head.status in STARTING or head.status is _S.RUNNING:
                    self._fleet.move(head.instance_id, _S.LOST, now, cause)
                self._fleet.move(head.instance_id, _S.TERMINATED, now, cause)

    def _is_well(
        self,
        instance: Instance,
        listing: Mapping[str, Instance] | None,
        nodes: Mapping[str, Node] | None,
    ) -> bool:
        """Whether it runs and nobody says anything new of it, as of most in most rounds."""
        name = instance.instance_id
        if instance.status is not _S.RUNNING or listing is None or name not in (nodes or ()):
            return False
        listed = listing.get(name)
        if listed is None or listed.status in (_S.LOST, _S.TERMINATING):
            return False
        self._waits.over(name, _UNLISTED)
        self._waits.over(name, _UNSEEN)
        return (
            listed.ip in ("", instance.ip)
            and listed.zone in ("", instance.zone)
            and listed.log_path in ("", instance.log_path)
            and listed.price_per_hour in (None, instance.price_per_hour)
        )

    def _listing_for(self, instance: Instance, believed: Believed) -> Mapping[str, Instance] | None:
        """The listing, unless it may be too old to have an instance that was just given."""
        if instance.status in (_S.QUEUED, _S.REQUESTED):
            return believed.listing
        given_s = self._waits.still(instance.instance_id, "given")
        listing = believed.listing
        if listing is None or instance.instance_id in listing:
            return listing
        return listing if given_s - believed.listing_age_s >= MISSING_GRACE_S else None

    def _one(
        self,
        instance: Instance,
        listing: Mapping[str, Instance] | None,
        nodes: Mapping[str, Node] | None,
        now: float,
    ) -> None:
        name = instance.instance_id
        listed = listing.get(name) if listing is not None else None
        if listed is not None:
            self._waits.over(name, _UNLISTED)
            instance = self._keep_facts(instance, listed, now)
        if instance.status in (_S.QUEUED, _S.REQUESTED):
            return  # the launch call's own answer decides
        if instance.status in (_S.TERMINATING, _S.SETUP_FAILED, _S.LOST):
            self._finish(instance, listing, listed, nodes, now)
        elif listed is not None and listed.status is _S.LOST:
            self._died(instance, listed, now)
        elif listed is not None and self._is_ended_by_others(instance, listed):
            self._fleet.move(name, _S.LOST, now, "somebody else ends it")
            text = f"{_named(instance)} is ended by somebody else"
            self._journal.say(now, Level.INFO, text, instance_id=name)
        elif listing is not None and listed is None:
            self._unlisted(instance, nodes, now)
        elif nodes is None:
            self._waits.over(name, _UNSEEN)  # nobody is missed in the dark
        elif name in nodes:
            self._seen_by_ray(instance, now)
        else:
            self._not_seen_by_ray(instance, now)

    def _keep_facts(self, instance: Instance, listed: Instance, now: float) -> Instance:
        facts = {
            name: value
            for name in ("ip", "zone", "log_path", "ray_started_at", "price_per_hour")
            if (value := getattr(listed, name)) and value != getattr(instance, name)
        }
        if instance.status in STARTING:
            news = {"detail": listed.detail, "obstacle": listed.obstacle}
            facts |= {key: new for key, new in news.items() if new != getattr(instance, key)}
        name = instance.instance_id
        if facts:
            self._fleet.note(name, **facts)
        if instance.status is _S.ALLOCATED and listed.status is _S.SETTING_UP:
            self._fleet.move(name, _S.SETTING_UP, now, "it is being set up")
        return self._fleet.get(name) or instance

    def _finish(
        self,
        instance: Instance,
        listing: Mapping[str, Instance] | None,
        listed: Instance | None,
        nodes: Mapping[str, Node] | None,
        now: float,
    ) -> None:
        """See a dying instance off: when it is no longer listed, it has ended."""
        name = instance.instance_id
        absent = listing is not None and listed is None
        if absent and (name in self._ended or self._unlisted_s(name) >= AGREED_GRACE_S):
            self._fleet.move(name, _S.TERMINATED, now, "no longer listed by the provider")
            self._overdue.ended(name)
            return
        if instance.is_head or not self._acts:
            # A dead head stays on screen; another one is for a person to order.
            lives = listed is not None and listed.status is not _S.LOST
            if instance.status is _S.LOST and lives and name in (nodes or {}):
                self._fleet.move(name, _S.RUNNING, now, "Ray sees it again")
            return
        if instance.status is _S.LOST and not self._is_for_us_to_clear(listed):
            return
        if instance.status is not _S.TERMINATING:
            self._fleet.move(name, _S.TERMINATING, now, instance.detail or "to be cleared away")
        elif listed is not None:
            self._overdue.look(instance, self._limits, now)
        self.clear.append(name)

    def _is_for_us_to_clear(self, listed: Instance | None) -> bool:
        """Whether what is left of a lost instance stays until the provider is told to end it."""
        if listed is None or listed.status not in (_S.LOST, _S.TERMINATING):
            return True
        return not is_replaced(self._provider, listed)

    def _is_ended_by_others(self, instance: Instance, listed: Instance) -> bool:
        """Whether it goes, and not because of us; for other providers only its end counts."""
        goes = listed.status is _S.TERMINATING and instance.status is not _S.DRAINING
        return goes and is_ours(self._provider, listed)

    def _died(self, instance: Instance, listed: Instance, now: float) -> None:
        """The machine or process is dead and nobody asked for it."""
        name = instance.instance_id
        word = first_line(listed.detail) or "no word from it"
        if instance.status is _S.DRAINING:
            self._fleet.move(name, _S.TERMINATING, now, "left after its drain")
            self.clear.append(name)
        elif instance.status in STARTING:
            self._failed_to_start(instance, "died in set-up", listed.detail, now)
            self._lament(f"{_named(instance)} failed to start: {word}", name, now, listed.detail)
        else:
            lost = self._fleet.move(name, _S.LOST, now, "its processes died", listed.detail)
            if lost is not None and _was_taken(listed):
                self.failed.append(lost)
            self._lament(f"lost {_named(instance)}: {word}", name, now, listed.detail)

    def _unlisted(self, instance: Instance, nodes: Mapping[str, Node] | None, now: float) -> None:
        """Not in the provider's list, which may lag behind a launch, or be wrong for a while."""
        name = instance.instance_id
        ray_misses_it = nodes is not None and name not in nodes and instance.status not in STARTING
        if self._unlisted_s(name) < (AGREED_GRACE_S if ray_misses_it else UNLISTED_GRACE_S):
            return
        if instance.status is _S.DRAINING:
            self._fleet.move(name, _S.TERMINATED, now, "gone after its drain")
            return
        detail = "the provider no longer lists it"
        if instance.status in STARTING:
            self._failed_to_start(instance, detail, detail, now)
        else:
            self._fleet.move(name, _S.LOST, now, detail, detail)
        self._fleet.move(name, _S.TERMINATED, now, detail)
        self._lament(f"lost {_named(instance)}: {detail}", name, now)

    def _unlisted_s(self, instance_id: str) -> float:
        """How long an instance has been missing from listings: no longer than they were made."""
        return self._waits.still(instance_id, _UNLISTED) - self._listing_age_s

    def _seen_by_ray(self, instance: Instance, now: float) -> None:
        name = instance.instance_id
        self._waits.over(name, _UNSEEN)
        if instance.status not in STARTING:
            return
        boot_s = self._waits.since(name, "launched", instance.launched_at, now)
        running = self._fleet.move(name, _S.RUNNING, now, "registered with Ray")
        if running is not None:
            self.started.append((running, boot_s))
            text = f"{_named(instance)} is running after {duration_text(boot_s)}"
            self._journal.say(now, Level.GOOD, text, instance_id=name)

    def _not_seen_by_ray(self, instance: Instance, now: float) -> None:
        name = instance.instance_id
        if instance.status in STARTING:
            late = overdue_start(instance, self._limits, self._waits, now)
            if late and self._acts:
                self._failed_to_start(instance, late, late, now)
                self._lament(f"{_named(instance)}: {late}", name, now)
        elif instance.status is _S.RUNNING and self._waits.still(name, _UNSEEN) > RAY_GRACE_S:
            detail = f"Ray has not seen it for {duration_text(RAY_GRACE_S)}"
            self._fleet.move(name, _S.LOST, now, detail, detail)
            self._lament(f"lost {_named(instance)}: {detail}", name, now)

    def _failed_to_start(self, instance: Instance, cause: str, detail: str, now: float) -> None:
        failed = self._fleet.move(instance.instance_id, _S.SETUP_FAILED, now, cause, detail)
        if failed is not None:
            self.failed.append(failed)

    def _lament(self, text: str, instance_id: str, now: float, detail: str = "") -> None:
        self._journal.say(now, Level.ERROR, text, detail=detail, instance_id=instance_id)

    def _unknown(self, listed: Instance, nodes: Mapping[str, Node], now: float) -> None:
        """An instance with our tags and no open row: taken in when it is ours, else an orphan."""
        name, request_id = listed.instance_id, listed.request_id
        if any(i.status is _S.REQUESTED for i in self._fleet.of_request(request_id)):
            return  # the listing was quicker than the launch call's answer
        if listed.status is _S.LOST:
            if not listed.is_head and not is_replaced(self._provider, listed):
                self.clear.append(name)
        elif listed.is_head:
            self._fleet.adopt(listed, now, "adopted: it is the head")
        elif name not in self._strangers and self._ledger.was_to_end(name):
            self._fleet.adopt(_ending(listed), now, "listed again after its end")
        elif name in nodes:
            self._fleet.adopt(listed, now, "adopted: it runs this cluster's Ray")
        elif is_ours(self._provider, listed):
            if listed.status is not _S.TERMINATING:
                self._fleet.adopt(listed, now, "adopted: it is a node of this cluster")
        elif name in self._strangers:
            return
        elif request_id and self._ledger.knows_request(request_id):
            self._fleet.adopt(listed, now, "came after its request was given up")
            text = f"{_named(listed)} came after its launch was given up; it is taken in"
            self._journal.say(now, Level.WARNING, text, instance_id=name)
        else:
            self._strangers.add(name)


def _ending(listed: Instance) -> Instance:
    return msgspec.structs.replace(listed, status=_S.TERMINATING)


def _was_taken(listed: Instance) -> bool:
    """Whether it ended for reasons that lie with the provider."""
    return listed.obstacle is not None and listed.obstacle.kind is not FailureKind.SETUP


def _named(instance: Instance) -> str:
    return f"{instance.node_type} {instance.instance_id}"
