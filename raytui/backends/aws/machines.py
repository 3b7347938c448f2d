"""EC2 instances as machines that come and go: `Machines` of provider `aws`."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from raytui.backends.aws import tags
from raytui.backends.aws.choices import Choice, PriceOf, choices, price_for, subnets_of
from raytui.backends.aws.described import (
    ALIVE,
    LISTED,
    Described,
    batched,
    by_ids,
    describe,
    ec2_id,
)
from raytui.backends.aws.errors import code_of
from raytui.backends.aws.journal import Journal
from raytui.backends.aws.launching import Launching, keeps_stopped
from raytui.backends.aws.session import AwsSession
from raytui.backends.aws.tagging import Tagging
from raytui.backends.base import (
    CommandRunner,
    ConfigError,
    LaunchRequest,
    ProviderError,
    TransientError,
)
from raytui.backends.tags import RAY_STARTED
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec, Market, NodeType, Offering
from raytui.model.state import Instance

_log = logging.getLogger(__name__)

_UNLISTED_S = 60.0
"""How long EC2 may not list what it has given."""
_ENDED_KNOWN_S = 3600.0
"""How long EC2 lists what has ended."""
_UNKNOWN_IDS = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")
_EC2_IDS = re.compile(r"i-[0-9a-z]+")


def price_unknown(instance_type: str, zone: str, market: Market) -> float | None:
    """The price of everything for who knows no prices."""
    return None


class Ec2Machines:
    """The instances of one cluster, by its tags. Thread-safe.

    A listing is one call (a page for each thousand instances), a launch one for each way to buy
    that is tried, an end one for all: nothing is asked for each instance.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        paths: ClusterPaths,
        session: AwsSession,
        launch_hash: Callable[[NodeType], str],
        *,
        price_of: PriceOf = price_unknown,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`launch_hash` is Ray's hash of what a machine of a type is made from."""
        self._spec = spec
        self._paths = paths
        self._session = session
        self._price_of = price_of
        self._clock = clock
        options = spec.provider.options
        self._private = spec.on_head or bool(options.get("use_internal_ips"))
        self._journal = Journal(paths.dir / "ec2_launches.json", clock)
        self._launching = Launching(
            session, self._journal, launch_hash, clock, self._in_use, private=self._private
        )
        self._tagging = Tagging(session)
        self._lock = threading.Lock()
        self._zones: dict[str, str] = {}
        self._listed: dict[str, Described] = {}
        """The newest listing, by our id."""
        self._alive: set[str] = set()
        """What was alive in a listing or given: should it be gone, EC2's reason is of interest."""
        self._ended: dict[str, float] = {}
        """What was told to end, and when; EC2 may go on listing it as running for a while."""
        self._runners: dict[str, CommandRunner] = {}

    # NodeProvider.

    def list_instances(self) -> list[Instance]:
        """See NodeProvider. What EC2 gave within the last minute is listed, if it tells or not."""
        found = self._describe(tags.filters(instance_state_name=LISTED))
        now = self._clock()
        given = self._given(now)
        found = [_as_given(one, given.get(one.ec2_id)) for one in found]
        told = {one.ec2_id for one in found}
        late = [instance for name, instance in given.items() if name not in told]
        with self._lock:
            self._ended = {i: at for i, at in self._ended.items() if at > now - _ENDED_KNOWN_S}
            self._listed = {one.instance.instance_id: one for one in found}
            self._alive &= self._listed.keys()
            self._alive |= {i for i, one in self._listed.items() if one.state in ALIVE}
            self._alive |= {instance.instance_id for instance in given.values()}
            shown = [self._shown(one) for one in found]
            ended = set(self._ended)
        return [
            *(instance for instance in shown if instance is not None),
            *(instance for instance in late if instance.instance_id not in ended),
        ]

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """See NodeProvider. Tries each way to buy that the request allows, the cheapest first.

        All or nothing means all of one way, at once, or none. A TransientError and a
        ThrottledError leave open what was made: the same request tells when it is made again.
        """
        node_type = self._spec.node_types.get(request.node_type)
        if node_type is None:
            raise ConfigError(f"{request.node_type} is no node type of {self._spec.cluster_name}")
        offered = self._choices(node_type)
        return self._launching.launch(self._spec, request, offered)

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """See NodeProvider. On-demand instances are stopped instead where those are kept."""
        asked = set(instance_ids)
        names = sorted({name for one in asked if (name := ec2_id(one))})
        found = self._describe(by_ids(names)) if names else []
        given = self._given(self._clock())
        known = [_as_given(one, given.get(one.ec2_id)) for one in found]
        running = [one.instance for one in known if one.state in ALIVE]
        ending = {i.instance_id: i for i in (*running, *given.values()) if i.instance_id in asked}
        unheard = self._end(list(ending.values()))
        with self._lock:
            now = self._clock()
            self._ended.update({i: now for i in asked if ec2_id(i) not in unheard})
            runners = [self._runners.pop(i) for i in asked if i in self._runners]
        for runner in runners:
            runner.close()
        if unheard:
            raise TransientError(f"EC2 does not know yet: {', '.join(sorted(unheard))}")

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """See NodeProvider: each instance type in each zone of its subnets, the cheapest first."""
        return tuple(dict.fromkeys(choice.offering for choice in self._choices(node_type)))

    def reload(self, spec: ClusterSpec) -> None:
        """See NodeProvider."""
        self._spec = spec

    # Machines.

    def runner(self, instance_id: str) -> CommandRunner:
        """See Machines; raises TransientError while the instance has no address."""
        with self._lock:
            if instance_id not in self._runners:
                self._runners[instance_id] = self._new_runner(instance_id)
            return self._runners[instance_id]

    def tags(self, instance_id: str) -> dict[str, str]:
        """See Machines."""
        known = self._known(instance_id)
        return {**(known.tags if known else {}), **self._tagging.written(instance_id)}

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """See Machines. What several threads write at the same time goes in one call."""
        if not ec2_id(instance_id):
            raise ConfigError(f"{instance_id} is no instance of {self._spec.cluster_name}")
        self._tagging.write(instance_id, tags)

    # Parts.

    def _describe(self, filters: list[dict[str, Any]]) -> list[Described]:
        """The instances of this cluster that pass."""
        ours = tags.with_tags({tags.CLUSTER: self._spec.cluster_name})
        return describe(self._session, [*ours, *filters], private=self._private)

    def _given(self, now: float) -> dict[str, Instance]:
        """By EC2's id: what it gave so lately that it may not tell of it yet."""
        return {ec2_id(i.instance_id): i for i in self._journal.given_since(now - _UNLISTED_S)}

    def _in_use(self) -> set[str]:
        given = self._given(self._clock())
        with self._lock:
            return {name for name, i in given.items() if i.instance_id not in self._ended}

    def _shown(self, one: Described) -> Instance | None:
        """An instance as it is listed; None for what is gone, and nobody wonders why."""
        instance = one.instance
        name = instance.instance_id
        node_type = self._spec.node_types.get(instance.node_type)
        price = price_for(
            node_type, instance.instance_type, instance.zone, instance.market, self._price_of
        )
        instance = replace(instance, price_per_hour=price)
        if name in self._ended:
            gone = one.state == "terminated"
            return None if gone else replace(instance, status=InstanceStatus.TERMINATING)
        if one.died and name in self._alive:
            return replace(instance, status=InstanceStatus.LOST, detail=one.died)
        return None if one.state == "terminated" else instance

    def _end(self, instances: Sequence[Instance]) -> set[str]:
        """Stop or terminate, each in one call; those that EC2 does not know (yet)."""
        keeps = keeps_stopped(self._spec)
        stopping = [i for i in instances if keeps and i.market is not Market.SPOT]
        ending = [i for i in instances if not keeps or i.market is Market.SPOT]
        unheard: set[str] = set()
        try:
            unheard |= self._call_for("stop_instances", stopping)
        except ConfigError as error:  # some cannot be stopped: too new, or without a disk
            _log.info("terminated since they could not be stopped: %s", error)
            ending = list(instances)
        return unheard | self._call_for("terminate_instances", ending)

    def _call_for(self, operation: str, instances: Sequence[Instance]) -> set[str]:
        unheard: set[str] = set()
        for batch in batched([ec2_id(i.instance_id) for i in instances]):
            names = batch
            while names:
                try:
                    self._session.call("ec2", operation, InstanceIds=names)
                    break
                except ConfigError as error:
                    unknown = _unknown_in(error) & set(names)
                    if not unknown:
                        raise
                    unheard |= unknown
                    names = [name for name in names if name not in unknown]
        return unheard

    def _choices(self, node_type: NodeType) -> list[Choice]:
        return choices(node_type, self._zone_of(subnets_of(node_type.node_config)), self._price_of)

    def _zone_of(self, subnets: Sequence[str]) -> dict[str, str]:
        with self._lock:
            unknown = [subnet for subnet in subnets if subnet not in self._zones]
        if unknown:
            found = self._session.pages("ec2", "describe_subnets", "Subnets", SubnetIds=unknown)
            zones = {one["SubnetId"]: one["AvailabilityZone"] for one in found}
            with self._lock:
                self._zones.update(zones)
        return {subnet: self._zones[subnet] for subnet in subnets}

    def _known(self, instance_id: str) -> Described | None:
        """From the newest listing; a machine in another life is asked for, as it has a past."""
        with self._lock:
            known = self._listed.get(instance_id)
        name = ec2_id(instance_id)
        if known is None and name and name != instance_id:
            found = self._describe(by_ids([name]))
            return next((d for d in found if d.instance.instance_id == instance_id), None)
        return known

    def _new_runner(self, instance_id: str) -> CommandRunner:
        known = self._listed.get(instance_id)
        if known is not None and known.instance.is_head and self._spec.on_head:
            from raytui.backends.local_runner import LocalRunner

            return LocalRunner()
        if known is None or not known.instance.ip:
            raise TransientError(f"{instance_id} has no address yet")
        # Here, since paramiko takes a third of a second to load.
        from raytui.backends.ssh.connection import SshConnection
        from raytui.backends.ssh.host_keys import HostKeys
        from raytui.backends.ssh.runner import SshRunner
        from raytui.backends.ssh.target import ssh_target

        target = ssh_target(known.instance.ip, self._spec.auth, node_id=known.ec2_id, ours=True)
        return SshRunner(SshConnection(target, HostKeys(self._paths.known_hosts)))


def _as_given(one: Described, given: Instance | None) -> Described:
    """A machine in a new life, though EC2 still has the tags of the life before."""
    if given is None or one.instance.instance_id == given.instance_id:
        return one
    known = replace(
        one.instance,
        instance_id=given.instance_id,
        node_type=given.node_type,
        request_id=given.request_id,
        is_head=given.is_head,
    )
    return replace(one, instance=known, tags={**one.tags, RAY_STARTED: ""})


def _unknown_in(error: ProviderError) -> set[str]:
    """The ids that EC2 complains of."""
    return set(_EC2_IDS.findall(str(error))) if code_of(error) in _UNKNOWN_IDS else set()
