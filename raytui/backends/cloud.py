"""What a launcher asks of a cloud before a cluster has a machine: what machines need, and its head.

Clouds differ in their parts, not in how they are told of: so a launcher names none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from raytui.model.spec import ClusterSpec, Offering


class State(StrEnum):
    """What is known of a part before anything is made."""

    GIVEN = "given"
    """The cluster file names it."""
    FOUND = "found"
    """It is there."""
    TO_MAKE = "to be made"


@dataclass(frozen=True)
class Part:
    """One thing that instances need."""

    kind: str
    """`key pair`, `security group`, …"""
    name: str
    state: State
    detail: str = ""
    """What a person should know of it, or what of it is to be made."""
    make: Callable[[], None] = lambda: None
    """Makes it and fills it in; done twice it makes nothing twice. Raises ProviderError."""


@dataclass(frozen=True)
class MadePart:
    """One thing that `up` makes beside machines, or that has the name of such a thing."""

    kind: str
    """`security group`, `key pair`, …"""
    name: str
    remove: Callable[[], str]
    """Removes it and returns nothing, or leaves it and returns why. What was removed half is
    finished by the next call. Raises ProviderError."""


class Needs(Protocol):
    """What the machines of a cluster need, looked up in order; nothing of it is made yet."""

    @property
    def parts(self) -> Sequence[Part]:
        """In the order in which they are to be made."""
        ...

    def filled(self) -> ClusterSpec:
        """The cluster file with all that is given, was found, or has been made by now."""
        ...


class Cloud(Protocol):
    """A provider whose machines have to be bought, the head's among them."""

    @property
    def whose(self) -> str:
        """Whose machines these are, and where: `profile default in us-west-2`."""
        ...

    def account(self) -> str:
        """Who pays for the machines, as the credentials of this machine have it.

        Raises ProviderError.
        """
        ...

    def look_up(self) -> Needs:
        """See what there is of what the cluster needs. Raises ProviderError."""
        ...

    def machine_of(self, instance_id: str) -> str:
        """The machine of an instance: its name in known_hosts, whatever its address is by now."""
        ...

    def key_file(self, instance_id: str) -> str:
        """The file here by which the machine of an instance lets us in; empty for none.

        For who has the cluster file only, and not looked up what the cluster needs. Raises
        ProviderError.
        """
        ...

    def shortages(self, ways: Mapping[str, Sequence[Offering]]) -> list[str]:
        """What of the cluster the account may not run, or why that is unknown; a sentence each.

        `ways` has the ways to buy each node type. Never raises.
        """
        ...

    def made_parts(self) -> Sequence[MadePart]:
        """What there is of what `up` makes beside machines, in the order to remove it in.

        To be asked when the machines are gone. Raises ProviderError.
        """
        ...
