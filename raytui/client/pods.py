"""What a terminal can see of nodes that are pods, with the rights of the person who looks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct


class PodContainer(Struct, frozen=True, omit_defaults=True):
    """One container of a pod."""

    name: str
    state: str
    """In Kubernetes' words: `running`, `waiting: ImagePullBackOff`, `ended: OOMKilled, …`."""
    is_running: bool = False
    is_init: bool = False
    restarts: int = 0


class Pods(Protocol):
    """The pods of one cluster, by the ids of its instances. All methods raise ClientError."""

    async def containers(self, instance_id: str) -> Sequence[PodContainer]:
        """Its containers in their order, those that run before the others first."""
        ...

    def log(
        self, instance_id: str, container: str, *, previous: bool = False, tail: int = 1000
    ) -> AsyncIterator[Sequence[str]]:
        """Lines of a container: the last ones at once, then those that come, until it has ended.

        `previous` gives those of the container before it was restarted, and ends.
        """
        ...

    async def shell_argv(self, instance_id: str, container: str = "") -> list[str]:
        """What opens a shell there when it has the terminal; the first container's by default."""
        ...


@runtime_checkable
class SeesPods(Protocol):
    """A ClusterClient of a cluster whose nodes are pods."""

    @property
    def pods(self) -> Pods:
        """What can be seen of them."""
        ...
