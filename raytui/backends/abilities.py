"""What a provider may be able to do besides NodeProvider, and asking it when it can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from raytui.backends.base import NodeProvider
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from raytui.model.step import Step


class HeadProvider(NodeProvider, Protocol):
    """A NodeProvider that also knows how its head is reached."""

    def head_address(self) -> str:
        """`ip:port` of the head's GCS; empty when there is no head or it is not known yet."""
        ...

    def dashboard_url(self) -> str:
        """`http://host:port` of the head's dashboard; empty when there is none."""
        ...


@runtime_checkable
class WorksInBackground(Protocol):
    """What a provider does besides when it sets machines up."""

    def start(self) -> None:
        """Set nodes up from now on, and go on with what an earlier process left undone."""
        ...

    def close(self) -> None:
        """End what is under way on machines; nodes stay as they are."""
        ...


@runtime_checkable
class KnowsItsMachines(Protocol):
    """A provider that completes the cluster file by what its machines have."""

    def fill(self, spec: ClusterSpec) -> ClusterSpec:
        """The spec with the resources that it leaves open, as far as they are known.

        May take 20 s while machines are asked that nothing is known of.
        """
        ...

    def notices(self) -> list[str]:
        """What a person should know of the machines."""
        ...

    def clean(self) -> list[str]:
        """End what ended nodes have left where it could not be ended before.

        Returns the machines where it still cannot, with why; takes at most 20 s.
        """
        ...


@runtime_checkable
class KeepsItsListing(Protocol):
    """A provider that tells its newest listing again while nothing is due: asking costs much."""

    def listing_age_s(self) -> float:
        """Seconds since the machines were asked for what a listing tells now."""
        ...

    def look_again(self, *, at_once: bool = False) -> None:
        """Ask again soon, or with the next listing: something may have happened to machines."""
        ...


@runtime_checkable
class OwnsItsInstances(Protocol):
    """A provider whose instances somebody else may make, too, and that are ours all the same."""

    def is_ours(self, instance: Instance) -> bool:
        """Whether an instance that no launch brought is a node of this cluster: it is taken in."""
        ...


@runtime_checkable
class HeadMoves(Protocol):
    """A provider whose head may be made anew elsewhere, by itself."""

    def whereabouts(self) -> tuple[str, str]:
        """`ip:port` of the head's GCS and the URL of its dashboard, each empty while unknown.

        Asked in every round of the loop: from what is known, without asking anybody.
        """
        ...


@runtime_checkable
class ReadsItsSpec(Protocol):
    """A provider that can ask for what its cluster is to be; there is no file that says it."""

    def read_spec(self) -> ClusterSpec:
        """What the cluster is to be now; raises ConfigErrors and ProviderError."""
        ...


@runtime_checkable
class ReplacesInstances(Protocol):
    """A provider behind which a controller keeps the number of nodes."""

    def is_replaced(self, instance: Instance) -> bool:
        """Whether an instance that ends by itself is cleared away, and another one is made."""
        ...


@runtime_checkable
class MayBeScaledByOthers(Protocol):
    """A provider whose nodes are, now and then, for somebody else to launch and to end."""

    def why_only_watched(self) -> str:
        """Why nothing may be done now, and what to do about it; empty when raytui may act.

        Asked in every round of the loop: from what is known, without asking anybody.
        """
        ...


@runtime_checkable
class SetsUpNodes(Protocol):
    """What a provider can tell besides when it sets its machines up."""

    def steps(self) -> Sequence[Step]:
        """The set-up of nodes under way, failed, or done in the last minutes, in order."""
        ...

    def step_output(self, node: str, name: str, lines: int) -> list[str]:
        """The last lines of one step's output; empty when there is none."""
        ...

    def retry(self, instance_ids: Sequence[str]) -> list[str]:
        """Try failed steps again now, and go on; the ids for which there was something to try."""
        ...


def filled(provider: NodeProvider, spec: ClusterSpec) -> ClusterSpec:
    """The spec with what the provider knows of its machines and the file leaves open."""
    return provider.fill(spec) if isinstance(provider, KnowsItsMachines) else spec


def notices_of(provider: NodeProvider) -> list[str]:
    """What a person should know of the provider's machines."""
    return provider.notices() if isinstance(provider, KnowsItsMachines) else []


def cleaned(provider: NodeProvider) -> list[str]:
    """What still could not be cleaned of ended nodes, after one more try."""
    return provider.clean() if isinstance(provider, KnowsItsMachines) else []


def listing_age_s(provider: NodeProvider) -> float:
    """How old a listing is that the provider gives now; 0 for one that asks each time."""
    return provider.listing_age_s() if isinstance(provider, KeepsItsListing) else 0.0


def look_again(provider: NodeProvider, *, at_once: bool = False) -> None:
    """Have a provider that keeps its listing ask for a new one soon, or with the next listing."""
    if isinstance(provider, KeepsItsListing):
        provider.look_again(at_once=at_once)


def is_ours(provider: NodeProvider, instance: Instance) -> bool:
    """Whether an instance that no launch brought is a node of the cluster, whoever made it."""
    return isinstance(provider, OwnsItsInstances) and provider.is_ours(instance)


def is_replaced(provider: NodeProvider, instance: Instance) -> bool:
    """Whether somebody makes another instance in place of one that ends by itself."""
    return isinstance(provider, ReplacesInstances) and provider.is_replaced(instance)


def why_only_watched(provider: NodeProvider) -> str:
    """Why nothing may be done to the provider's nodes now; empty when raytui may act."""
    if isinstance(provider, MayBeScaledByOthers):
        return provider.why_only_watched()
    return ""
