"""What a cluster is meant to be: the validated cluster YAML in our words."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from raytui.model.leaving import OrphanPolicy, RebalancePolicy, RemovalRules
from raytui.model.lifecycle import Timeouts
from raytui.model.resources import EMPTY, Resources


class Market(StrEnum):
    """How a machine is bought."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"


class Expander(StrEnum):
    """A policy that chooses among node types for what waits."""

    PRICE = "price"
    """The most work per dollar."""
    PRIORITY = "priority"
    """The highest `priority`."""
    LEAST_WASTE = "least-waste"
    """The node that is filled best."""
    FEWEST_NODES = "fewest-nodes"
    """The node that takes most."""


class Offering(Struct, frozen=True, omit_defaults=True):
    """One way to buy a node of a type: an instance type in a zone on a market, with its price."""

    instance_type: str = ""
    zone: str = ""
    market: Market = Market.ON_DEMAND
    price_per_hour: float | None = None
    """USD per hour; None when nobody has told us the price."""
    quota: str = ""
    """The limit of the account that it counts against, in the provider's words: what has the same
    limit can fail for the same cause. Empty: the provider tells of none."""
    quota_share: float = 0.0
    """How much of that limit one takes (on EC2 vCPUs); 0 when it is not known."""
    reservation: str = ""
    """What is reserved for this account and it is taken from; empty: it is bought on the market."""

    def text(self) -> str:
        """`m5.large us-west-2a spot`, leaving out what is not known."""
        market = "spot" if self.market is Market.SPOT else ""
        return " ".join(part for part in (self.instance_type, self.zone, market) if part)


class DockerSpec(Struct, frozen=True, omit_defaults=True):
    """The `docker` section; a node type's own section has been merged over the cluster's."""

    image: str = ""
    container_name: str = ""
    pull_before_run: bool = True
    run_options: tuple[str, ...] = ()
    disable_automatic_runtime_detection: bool = False
    disable_shm_size_detection: bool = False
    use_podman: bool = False


class NodeType(Struct, frozen=True, omit_defaults=True):
    """One entry of `available_node_types`, with Ray's defaults and merge rules applied."""

    name: str
    resources: Resources = EMPTY
    labels: dict[str, str] = {}
    min_workers: int = 0
    max_workers: int = 0
    idle_timeout_s: float | None = None
    """Seconds of idleness before removal; None means the cluster's `idle_timeout_s`."""
    priority: int = 0
    offerings: tuple[Offering, ...] = (Offering(),)
    node_config: dict[str, Any] = {}
    docker: DockerSpec | None = None
    initialization_commands: tuple[str, ...] = ()
    setup_commands: tuple[str, ...] = ()
    """Complete list for a node of this type: head or worker commands already merged in."""

    @property
    def price_per_hour(self) -> float | None:
        """The cheapest known price of this type in USD per hour, or None."""
        prices = [o.price_per_hour for o in self.offerings if o.price_per_hour is not None]
        return min(prices, default=None)


class ProviderSpec(Struct, frozen=True):
    """The `provider` section: its type, and every key as written (Ray leaves it open)."""

    type: str
    options: dict[str, Any] = {}


class PowerHooks(Struct, frozen=True, omit_defaults=True):
    """A person's own commands that switch a host on and off; they find it in `RAYTUI_HOST`."""

    on: str = ""
    off: str = ""


class HostPool(Struct, frozen=True, omit_defaults=True):
    """The hosts that nodes of one type of provider `local` run on."""

    hosts: tuple[str, ...]
    resources: Resources = EMPTY
    """What the file states, which Ray is told; what it leaves out is what each host has."""
    power: PowerHooks = PowerHooks()


class AuthSpec(Struct, frozen=True, omit_defaults=True):
    """The `auth` section: how to reach the machines by SSH."""

    ssh_user: str = ""
    ssh_private_key: str = ""
    ssh_public_key: str = ""
    ssh_proxy_command: str = ""
    ssh_proxy_use_node_id: bool = False


class FilesSpec(Struct, frozen=True, omit_defaults=True):
    """What is synchronised to the nodes."""

    file_mounts: dict[str, str] = {}
    cluster_synced_files: tuple[str, ...] = ()
    file_mounts_sync_continuously: bool = False
    rsync_exclude: tuple[str, ...] = ()
    rsync_filter: tuple[str, ...] = ()


class MetricsSpec(Struct, frozen=True, omit_defaults=True):
    """`metadata.raytui.metrics`: where Prometheus asks the daemon."""

    host: str = "127.0.0.1"
    port: int | None = None
    """None: Ray's port for its autoscaler's metrics, or the next that is free; 0: nowhere."""


class ClusterSpec(Struct, frozen=True):
    """The validated cluster YAML. Node types keep the order of the file, for people's eyes."""

    cluster_name: str
    provider: ProviderSpec
    node_types: dict[str, NodeType]
    head_node_type: str
    max_workers: int = 2
    """Upper limit of all workers together; the head is not counted (Ray's rule)."""
    upscaling_speed: float = 1.0
    idle_timeout_s: float = 300.0
    auth: AuthSpec = field(default_factory=AuthSpec)
    docker: DockerSpec | None = None
    files: FilesSpec = field(default_factory=FilesSpec)
    head_start_ray_commands: tuple[str, ...] = ()
    worker_start_ray_commands: tuple[str, ...] = ()
    no_restart: bool = False
    metadata: dict[str, Any] = {}
    expander: tuple[Expander, ...] = (Expander.PRICE,)
    """`metadata.raytui.expander`: policies that choose among node types, the first decides."""
    budget_per_hour: float | None = None
    """`metadata.raytui.budget.max_per_hour`: no launch takes the price of all nodes above it."""
    metrics: MetricsSpec = MetricsSpec()
    timeouts: Timeouts = Timeouts()
    removal: RemovalRules = RemovalRules()
    """`metadata.raytui.removal`: how fast and when nodes may leave."""
    orphans: OrphanPolicy = OrphanPolicy.KEEP
    """`metadata.raytui.orphans`: what becomes of instances that nobody remembers."""
    rebalance: RebalancePolicy = RebalancePolicy.KEEP
    """`metadata.raytui.rebalance`: what becomes of nodes that may be taken back."""
    pools: dict[str, HostPool] = {}
    """Provider `local`: the hosts of each node type, the head's machine left out."""
    head_itself: NodeType | None = None
    """The head's own commands and container, where workers of its type have others."""
    on_head: bool = False
    """This is the bootstrap file on the head: its machines are driven from here."""
    launch_hashes: dict[str, str] = {}
    """Ray's hash of each type's machine as a person wrote it, where the file was filled in since:
    a newer image found at the next launch does not make another machine of those that run."""
    source: str = ""
    """Path of the file this came from; empty when built in code."""
    written: dict[str, Any] = {}
    """The file's own keys with Ray's fill-in: Ray's hashes are over them. Empty when built in
    code."""

    @property
    def state_name(self) -> str:
        """What its files are kept under: its name, unless others may have the same one.

        On Kubernetes `NAMESPACE.NAME`, and from outside the context before it: no namespace has a
        dot.
        """
        if self.provider.type != "kuberay":
            return self.cluster_name
        options = self.provider.options
        name = f"{options.get('namespace') or 'default'}.{self.cluster_name}"
        context = str(options.get("context") or "")
        return f"{_file_name(context)}.{name}" if context else name

    @property
    def head(self) -> NodeType:
        """The node type of the head, as it holds for the head."""
        return self.head_itself or self.node_types[self.head_node_type]

    @property
    def worker_types(self) -> tuple[NodeType, ...]:
        """Types that may have workers, in file order; the head's own type only if its max > 0."""
        return tuple(
            t for t in self.node_types.values() if t.name != self.head_node_type or t.max_workers
        )

    def idle_timeout(self, node_type: str) -> float:
        """Seconds a node of this type may idle before it is removed; the type's own value wins."""
        own = self.node_types[node_type].idle_timeout_s if node_type in self.node_types else None
        return self.idle_timeout_s if own is None else own


def _file_name(text: str) -> str:
    """A text as part of a file name: what is unusual in one becomes `-`, and a digest says what."""
    usual = re.sub(r"[^A-Za-z0-9_-]", "-", text)
    return usual if usual == text else f"{usual}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
