"""The hosts of a cluster file as machines that come and go: `Machines` of provider `local`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from raytui.backends.base import (
    CapacityError,
    CommandRunner,
    ConfigError,
    LaunchRequest,
    PartialLaunchError,
    ProviderError,
)
from raytui.backends.local_runner import LocalRunner
from raytui.backends.on_premise.asking import Asking
from raytui.backends.on_premise.choosing import why_none
from raytui.backends.on_premise.claimed_runner import ClaimedRunner
from raytui.backends.on_premise.giving_back import GivingBack
from raytui.backends.on_premise.host import Host
from raytui.backends.on_premise.hosts_file import Claim, HostsFile, Stage
from raytui.backends.on_premise.reaching import Reaching
from raytui.backends.on_premise.taking import Taking
from raytui.backends.on_premise.watching import LOOK_EVERY_S, Watching, note
from raytui.backends.tags import RAY_STARTED
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec, DockerSpec, NodeType, Offering
from raytui.model.state import Instance
from raytui.model.text import first_line

_log = logging.getLogger(__name__)

_AT_ONCE = 64


class OnPremMachines:
    """The machines of one cluster, as its head has them. Thread-safe.

    The head is this machine and always there until it is terminated. Workers are hosts of the
    cluster file, each claimed on the host itself, since other clusters may share it.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        paths: ClusterPaths,
        clock: Callable[[], float] = time.time,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Raises ConfigError when the file leaves its hosts to somebody else."""
        options = spec.provider.options
        if "head_ip" not in options:
            raise ConfigError(
                "raytui shares hosts among clusters without a coordinator: "
                "name head_ip and worker_ips instead of coordinator_address"
            )
        self.spec = spec
        """As the cluster file says it now."""
        self._clock = clock
        self._since = clock()
        self._head_id = str(options["head_ip"])
        self._head_runner = LocalRunner()
        self._head_ended = False
        self.cluster = f"{spec.cluster_name}@{self._head_id}"
        """What the claims on the hosts call us."""
        self._reach = Reaching(self.cluster, spec.auth, paths)
        self._file = HostsFile(paths.dir / "hosts.json", self.cluster)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="host")
        self._asking = Asking(self._file, self._reach.host, self._pool, clock)
        self._taking = Taking(self._file, self._reach.host, self._pool, clock)
        self._giving = GivingBack(self._file, self._reach.host, self._pool, clock)
        self._watching = Watching(
            self._file, self._reach.host, self._docker_of, clock, look_every_s
        )
        self._runners: dict[str, CommandRunner] = {}
        self._lock = threading.Lock()

    # The life of it.

    def start(self) -> None:
        """Look after the hosts in the background from now on."""
        self._watching.start(self._asking, self._taking, self._giving)

    def close(self) -> None:
        """End the looks and all connections; nodes stay as they are."""
        self._watching.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._reach.close()

    # NodeProvider.

    def list_instances(self) -> list[Instance]:
        """See NodeProvider. Workers are ALLOCATED, whatever has been made of them."""
        listed = [] if self._head_ended else [self._head()]
        for host, record in self._asking.known(self.spec).items():
            if record.claim is not None and record.claim.stage is not Stage.TAKING:
                listed.append(self._instance(host, record.claim))
        return listed

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """Claim free hosts of the type's pool; see NodeProvider.

        Raises CapacityError, which says who has the hosts, when none is free.
        """
        if request.is_head:
            raise ConfigError("the head of an on-premise cluster is not launched from itself")
        pool = self.spec.pools.get(request.node_type)
        if pool is None:
            raise ConfigError(f"{request.node_type} has no hosts in {self.spec.cluster_name}")
        self._asking.known(self.spec)
        taken = self._taking.take(request, pool, self._docker_of(request.node_type))
        launched = [self._instance(host, claim) for host, claim in taken.claims]
        if len(launched) < request.count:
            known, now = self._file.read(), self._clock()
            words = why_none(request.node_type, pool.hosts, known, taken.met, now)
            error = CapacityError(words)
            if launched and request.all_or_nothing:
                self.terminate([one.instance_id for one in launched])
            elif launched:
                raise PartialLaunchError(launched, error)
            raise error
        return launched

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End what runs of these nodes and give their hosts back, all at once, within 20 s.

        A host that does not answer is cleaned when it does, before anybody gets it.
        """
        self._giving.give_back(instance_ids, self._power_off)
        with self._lock:
            for name in instance_ids:
                self._runners.pop(name, None)
        if self._head_id in instance_ids:
            Host(self._head_id, self._head_runner, self.cluster).release([self._head_id])
            self._head_ended = True

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """What the cluster file says; hosts are there already."""
        return node_type.offerings

    def reload(self, spec: ClusterSpec) -> None:
        """See NodeProvider. A host that the file no longer names stays until its node ends."""
        self.spec = spec
        known = self._file.read()
        self._reach.reload(spec.auth, {host for host, record in known.items() if record.claim})

    # Machines.

    def runner(self, instance_id: str) -> CommandRunner:
        """See Machines; the head's runs commands here."""
        if instance_id == self._head_id:
            return self._head_runner
        with self._lock:
            if instance_id not in self._runners:
                self._runners[instance_id] = self._new_runner(instance_id)
            return self._runners[instance_id]

    def tags(self, instance_id: str) -> dict[str, str]:
        """See Machines. A fresh claim has the hashes of what we made of the host before."""
        if instance_id == self._head_id:
            return self._file.head_tags
        found = self._file.claimed(instance_id)
        return dict(found[1].tags) if found else {}

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """See Machines. Word is left on the host, too, at once or when it answers."""
        if instance_id == self._head_id:
            self._file.tag_head(dict(tags))
            return
        found = self._file.claimed(instance_id)
        if found is None:
            raise ConfigError(f"{instance_id} is no node of {self.spec.cluster_name}")
        host = found[0]
        with self._file.change() as known:
            record = known[host]
            claim = record.claim
            if claim is None or claim.instance_id != instance_id:
                return
            claim = replace(claim, tags={**claim.tags, **tags}, noted=False)
            record = replace(record, claim=claim)
            if tags.get(RAY_STARTED):
                record = replace(record, failures=0, error="", avoid_until=0.0)
            known[host] = record
        try:
            note(self._file, self._reach.host(host), claim)
        except ProviderError as error:
            _log.info("%s", first_line(str(error)))

    # What the hosts have.

    def fill(self, spec: ClusterSpec) -> ClusterSpec:
        """The spec with the resources of node types as their hosts have them.

        Of each resource the least of a type's hosts; what the file states stays. Hosts that were
        never asked are asked now, for at most 20 s; without an answer nothing is guessed, and they
        are asked again in the background.
        """
        return self._asking.fill(spec)

    def notices(self) -> list[str]:
        """What a person should know: of lost state, unclean hosts, types of unlike hosts."""
        lost = [f"{self._file.lost}; the claims on the hosts say what is ours"]
        unseen = [
            f"{name} cannot be looked at: {error}"
            for name, error in self._watching.unanswered().items()
        ]
        return [
            *(lost if self._file.lost else ()),
            *self._unclean(),
            *unseen,
            *self._asking.unlike(self.spec),
        ]

    def clean(self) -> list[str]:
        """End what ended nodes have left on hosts that did not answer; those that still do not."""
        known = self._file.read()
        self._giving.clean_all({h: r.unclean for h, r in known.items() if r.unclean})
        return self._unclean()

    # Parts.

    def _unclean(self) -> list[str]:
        return [
            f"{host} is not cleaned of what ran there ({', '.join(record.unclean)}): {record.error}"
            for host, record in self._file.read().items()
            if record.unclean
        ]

    def _head(self) -> Instance:
        return Instance(
            instance_id=self._head_id,
            node_type=self.spec.head_node_type,
            status=InstanceStatus.ALLOCATED,
            is_head=True,
            ip=self._head_id,
            launched_at=self._since,
            status_since=self._since,
            price_per_hour=self.spec.head.price_per_hour,
        )

    def _instance(self, host: str, claim: Claim) -> Instance:
        node_type = self.spec.node_types.get(claim.node_type)
        status, detail = InstanceStatus.ALLOCATED, ""
        if claim.stage is Stage.LEAVING:
            status = InstanceStatus.TERMINATING
        elif claim.stage is Stage.WAKING:
            detail = "its power comes on"
        elif detail := self._watching.why_lost(claim):
            status = InstanceStatus.LOST
        return Instance(
            instance_id=claim.instance_id,
            node_type=claim.node_type,
            status=status,
            request_id=claim.request_id,
            ip=host,
            launched_at=claim.since,
            status_since=claim.since,
            price_per_hour=node_type.price_per_hour if node_type else None,
            detail=detail,
        )

    def _new_runner(self, instance_id: str) -> CommandRunner:
        found = self._file.claimed(instance_id)
        if found is None:
            raise ConfigError(f"{instance_id} is no node of {self.spec.cluster_name}")
        host, claim = found
        runner = self._reach.host(host).runner
        if claim.stage is not Stage.WAKING:
            return runner
        docker = self._docker_of(claim.node_type)
        return ClaimedRunner(runner, lambda: self._taking.claim_when_awake(instance_id, docker))

    def _docker_of(self, node_type: str) -> DockerSpec | None:
        known = self.spec.node_types.get(node_type)
        return known.docker if known is not None else self.spec.docker

    def _power_off(self, node_type: str) -> str:
        pool = self.spec.pools.get(node_type)
        return pool.power.off if pool is not None else ""
