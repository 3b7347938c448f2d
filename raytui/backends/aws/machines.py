"""EC2 instances as machines that come and go: `Machines` of provider `aws`."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from raytui.backends.aws import catalog, resources, tags
from raytui.backends.aws.choices import Choice, choices, price_for, subnets_of
from raytui.backends.aws.described import (
    ALIVE,
    LISTED,
    RUNNING,
    Described,
    by_ids,
    describe,
    ec2_id,
)
from raytui.backends.aws.ending import end
from raytui.backends.aws.journal import Journal
from raytui.backends.aws.launching import Launching, keeps_stopped
from raytui.backends.aws.listing import Listing, as_given
from raytui.backends.aws.newest_result import NewestResult
from raytui.backends.aws.price_watch import PriceWatch
from raytui.backends.aws.quota_check import QuotaCheck
from raytui.backends.aws.session import AwsSession
from raytui.backends.aws.tagging import Tagging
from raytui.backends.aws.zones import Zones
from raytui.backends.base import (
    CommandRunner,
    ConfigError,
    LaunchRequest,
    ProtectedError,
    TransientError,
)
from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance
from raytui.model.text import first_line

_FIRST_PRICES_S = 10.0
"""How long the cluster file waits to be completed for prices that nobody has told yet."""
_QUOTAS_S = 5.0
"""How long it waits for the account's quotas."""
_UNTOLD_FOR_S = 300.0
"""How long a completion is good for which EC2 could not be asked."""


class Ec2Machines:
    """The instances of one cluster, by its tags. Thread-safe.

    A listing is one call (a page for each thousand instances) when it is due (listing.py), a launch
    one for each way to buy that is tried, an end one for all: nothing is asked for each instance.
    Prices are looked up beside all that (price_watch.py).
    """

    def __init__(
        self,
        spec: ClusterSpec,
        paths: ClusterPaths,
        session: AwsSession,
        launch_hash: Callable[[ClusterSpec, NodeType], str],
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """`launch_hash` is Ray's hash of what a machine of a type is made from.

        `clock` tells unix seconds, `steady` seconds that nobody can set.
        """
        self._spec = spec
        self._paths = paths
        self._session = session
        self._clock = clock
        options = spec.provider.options
        self._private = spec.on_head or bool(options.get("use_internal_ips"))
        self._journal = Journal(paths.dir / "ec2_launches.json", clock)
        self._listing = Listing(self._ask, self._journal.given_since, clock, steady)
        self._launching = Launching(
            session,
            self._journal,
            lambda kind: launch_hash(self._spec, kind),
            clock,
            self._in_use,
            private=self._private,
        )
        self._tagging = Tagging(session)
        self._zones = Zones(session)
        self._prices = PriceWatch(spec, session, paths.dir, clock)
        self._quotas = QuotaCheck(spec, paths.dir, clock)
        self._lock = threading.Lock()
        self._filled: tuple[ClusterSpec | None, ClusterSpec | None] = (None, None)
        """The newest cluster file, and that completed."""
        self._asked_again_at = 0.0
        """When that is completed once more; unix seconds."""
        self._runners: dict[str, CommandRunner] = {}
        self._offered: dict[str, tuple[object, tuple[Offering, ...]]] = {}
        """By node type: what its offerings were made from, and they."""
        self._priced = NewestResult[list[Instance]]()

    # The life of it.

    def start(self) -> None:
        """Keep prices current from now on."""
        self._prices.start()

    def close(self) -> None:
        """Ask for no more prices, and end all connections; instances stay as they are."""
        self._prices.close()
        with self._lock:
            runners, self._runners = self._runners, {}
        for runner in runners.values():
            runner.close()

    # NodeProvider.

    def list_instances(self) -> list[Instance]:
        """See NodeProvider. Up to half a minute old while all is settled; see listing.py.

        What EC2 gave within the last minute is listed, if it tells or not.
        """
        listed = self._listing.instances()
        made_from = (listed, self._spec, self._prices.newest)
        return list(self._priced.of(made_from, lambda: [self._with_price(one) for one in listed]))

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """See NodeProvider. Tries each way to buy that the request allows, the cheapest first.

        All or nothing means all of one way, at once, or none. A TransientError and a
        ThrottledError leave open what was made: the same request tells when it is made again.
        """
        node_type = self._spec.node_types.get(request.node_type)
        if node_type is None:
            raise ConfigError(f"{request.node_type} is no node type of {self._spec.cluster_name}")
        self._zones.look_up(subnets_of(node_type.node_config))
        offered = self._choices(node_type)
        try:
            return self._launching.launch(self._spec, request, offered)
        finally:
            self._listing.look_again()

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """See NodeProvider. On-demand instances are stopped instead where those are kept."""
        asked = set(instance_ids)
        told = [one for i, one in self._listing.running_now().items() if i in asked]
        known_so = {one.instance.instance_id for one in told}
        names = sorted({name for one in asked - known_so if (name := ec2_id(one))})
        found = self._describe(by_ids(names)) if names else []
        given = self._listing.given(self._clock())
        known = [*told, *(as_given(one, given.get(one.ec2_id)) for one in found)]
        alive = [one.instance for one in known if one.state in ALIVE]
        ending = {i.instance_id: i for i in (*alive, *given.values()) if i.instance_id in asked}
        running = {one.ec2_id for one in known if one.state == RUNNING}
        left = end(
            self._session,
            list(ending.values()),
            keeps_stopped=keeps_stopped(self._spec),
            starting={name for i in ending if (name := ec2_id(i)) not in running},
        )
        ended = [i for i in asked if ec2_id(i) not in left.later | left.protected.keys()]
        self._journal.end(ended)
        self._listing.ended(ended)
        with self._lock:
            runners = [self._runners.pop(i) for i in asked if i in self._runners]
        for runner in runners:
            runner.close()
        if left.protected:
            words = "; ".join(left.protected[name] for name in sorted(left.protected))
            raise ProtectedError(words, [i for i in asked if ec2_id(i) in left.protected])
        if left.later:
            raise TransientError(f"EC2 cannot end it yet: {', '.join(sorted(left.later))}")

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """See NodeProvider: each instance type in each zone of its subnets, the cheapest first.

        Nothing is asked for: prices and zones are those that are known.
        """
        made_from = (node_type, self._prices.newest, self._zones.known)
        before = self._offered.get(node_type.name)
        if before is None or before[0] != made_from:
            offered = dict.fromkeys(choice.offering for choice in self._choices(node_type))
            before = self._offered[node_type.name] = (made_from, tuple(offered))
        return before[1]

    def reload(self, spec: ClusterSpec) -> None:
        """See NodeProvider."""
        self._spec = spec
        self._prices.reload(spec)

    # KeepsItsListing.

    def listing_age_s(self) -> float:
        """See KeepsItsListing."""
        return self._listing.age_s

    def look_again(self, *, at_once: bool = False) -> None:
        """See KeepsItsListing."""
        self._listing.look_again(at_once=at_once)

    # KnowsItsMachines.

    def fill(self, spec: ClusterSpec) -> ClusterSpec:
        """The spec with the resources that its file leaves open, by the catalog of EC2.

        What was asked once is on disk. Prices and zones are looked up on the way, for `offerings`.
        The same file is completed once, as a daemon has that done every half minute; where EC2 did
        not tell of its types and subnets, once in five minutes. Raises ConfigError for an instance
        type that the region does not have.
        """
        of, known = self._filled
        if known is not None and of == spec and self._clock() < self._asked_again_at:
            return known
        for kind in spec.node_types.values():
            self._zones.try_to_look_up(subnets_of(kind.node_config))
        types = resources.types_of_cluster(
            spec, self._session, catalog.load(), cache=self._paths.dir
        )
        filled = resources.fill(spec, types)
        self._prices.reload(filled)
        self._prices.look_up(_FIRST_PRICES_S)
        if spec.on_head:  # who scales a cluster is to know; others ask with `up --dry-run`
            ways = {kind.name: self.offerings(kind) for kind in filled.node_types.values()}
            self._quotas.compare(filled, ways, _QUOTAS_S)
        subnets = [one for kind in spec.node_types.values() for one in subnets_of(kind.node_config)]
        is_told = self._zones.are_told(subnets) and resources.are_told(spec, types)
        self._asked_again_at = math.inf if is_told else self._clock() + _UNTOLD_FOR_S
        self._filled = (spec, filled)
        return filled

    def notices(self) -> list[str]:
        """Why prices are unknown, which subnets cannot be used, what the account may not run."""
        unknown = self._prices.newest.unknown
        words = [f"prices: {first_line(unknown)}"] if unknown else []
        return [*words, *self._zones.notices(), *self._quotas.notices()]

    def clean(self) -> list[str]:
        """See KnowsItsMachines: what has ended at EC2 has left nothing."""
        return []

    # Machines.

    def runner(self, instance_id: str) -> CommandRunner:
        """See Machines; raises TransientError while the instance has no address."""
        with self._lock:
            if instance_id not in self._runners:
                self._runners[instance_id] = self._new_runner(instance_id)
            return self._runners[instance_id]

    def tags(self, instance_id: str) -> dict[str, str]:
        """See Machines. A machine in another life is asked for, as it has a past."""
        has_a_past = ec2_id(instance_id) not in ("", instance_id)
        known = self._listing.find(instance_id, asking=has_a_past)
        return {**(known.tags if known else {}), **self._tagging.written(instance_id)}

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """See Machines. What several threads write at the same time goes in one call."""
        if not ec2_id(instance_id):
            raise ConfigError(f"{instance_id} is no instance of {self._spec.cluster_name}")
        self._tagging.write(instance_id, tags)

    # Parts.

    def _ask(self) -> list[Described]:
        return self._describe(tags.filters(instance_state_name=LISTED))

    def _describe(self, filters: list[dict[str, Any]]) -> list[Described]:
        """The instances of this cluster that pass."""
        ours = tags.with_tags({tags.CLUSTER: self._spec.cluster_name})
        return describe(self._session, [*ours, *filters], private=self._private)

    def _in_use(self) -> set[str]:
        given = self._listing.given(self._clock())
        return {name for name, i in given.items() if not self._listing.is_ending(i.instance_id)}

    def _with_price(self, instance: Instance) -> Instance:
        """An instance with its price of now, or else that at which it was bought."""
        price = price_for(
            self._spec.node_types.get(instance.node_type),
            instance.instance_type,
            instance.zone,
            instance.market,
            self._prices.usd,
        )
        return instance if price is None else replace(instance, price_per_hour=price)

    def _choices(self, node_type: NodeType) -> list[Choice]:
        zone_of = self._zones.of(subnets_of(node_type.node_config))
        return choices(node_type, zone_of, self._prices.usd)

    def _new_runner(self, instance_id: str) -> CommandRunner:
        known = self._listing.known(instance_id)
        if known is not None and known.is_head and self._spec.on_head:
            from raytui.backends.local_runner import LocalRunner

            return LocalRunner()
        if known is None or not known.ip:
            raise TransientError(f"{instance_id} has no address yet")
        # Here, since paramiko takes a third of a second to load.
        from raytui.backends.ssh.connection import SshConnection
        from raytui.backends.ssh.host_keys import HostKeys
        from raytui.backends.ssh.runner import SshRunner
        from raytui.backends.ssh.target import ssh_target

        name = ec2_id(instance_id)
        target = ssh_target(known.ip, self._spec.auth, node_id=name, ours=True)
        return SshRunner(SshConnection(target, HostKeys(self._paths.known_hosts)))
