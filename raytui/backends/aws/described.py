"""Instances as EC2 describes them, in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from raytui.backends.aws import tags
from raytui.backends.aws.session import AwsSession
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import Market
from raytui.model.state import Instance

RUNNING = "running"
ALIVE = ("pending", RUNNING)
STOPPED = "stopped"
STOPS = ("stopping", STOPPED)
GOING = ("shutting-down", "stopping")
LISTED = (*ALIVE, *GOING, "terminated")
"""States that a listing asks for; `terminated` for an hour, to tell why an instance is gone."""

AT_ONCE = 1000
"""Instances in one call."""

_FILTER_VALUES = 200
"""What EC2 takes in one filter."""

_BY_REQUEST = "Client.UserInitiatedShutdown"
_EC2_ID = re.compile(r"i-[0-9a-f]+")


class Described(Struct, frozen=True):
    """One instance at EC2."""

    ec2_id: str
    state: str
    tags: dict[str, str]
    instance: Instance
    died: str
    """Why it ends or ended, in EC2's words, when nobody asked for its end."""


def ec2_id(instance_id: str) -> str:
    """EC2's own id of an instance of ours; empty for what never was one.

    Our id is EC2's, followed by another word in each life after the first: a machine may be
    stopped and used again, and no id is given twice.
    """
    found = _EC2_ID.match(instance_id)
    return found[0] if found else ""


def described(found: Mapping[str, Any], *, private: bool) -> Described:
    """One entry of DescribeInstances or RunInstances; `private` chooses among its addresses."""
    written = tags.read(found.get("Tags"))
    state = str(found.get("State", {}).get("Name", ""))
    launched_at = found["LaunchTime"].timestamp() if "LaunchTime" in found else 0.0
    name = str(found["InstanceId"])
    reason = found.get("StateReason") or {}
    address = "PrivateIpAddress" if private else "PublicIpAddress"
    ends = state not in ALIVE and reason.get("Code") not in (None, "", _BY_REQUEST)
    return Described(
        ec2_id=name,
        state=state,
        tags=written,
        instance=Instance(
            instance_id="-".join(filter(None, (name, written.get(tags.LIFE)))),
            node_type=written.get(tags.TYPE, ""),
            status=InstanceStatus.ALLOCATED if state in ALIVE else InstanceStatus.TERMINATING,
            request_id=written.get(tags.REQUEST, ""),
            is_head=written.get(tags.KIND) == tags.HEAD,
            zone=str(found.get("Placement", {}).get("AvailabilityZone", "")),
            instance_type=str(found.get("InstanceType", "")),
            market=market_of(found),
            ip=str(found.get(address) or ""),
            launched_at=launched_at,
            status_since=launched_at,
        ),
        died=str(reason.get("Message") or reason.get("Code")) if ends else "",
    )


def describe(
    session: AwsSession, filters: Sequence[Mapping[str, Any]], *, private: bool
) -> list[Described]:
    """The instances that pass all filters, as `entries` has them."""
    return [described(one, private=private) for one in entries(session, filters)]


def entries(session: AwsSession, filters: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """EC2's own words on each instance that passes all filters: one call for each thousand."""
    reservations = session.pages(
        "ec2",
        "describe_instances",
        "Reservations",
        Filters=list(filters),
        PaginationConfig={"PageSize": AT_ONCE},
    )
    for reservation in reservations:
        yield from reservation["Instances"]


def market_of(found: Mapping[str, Any]) -> Market:
    """The market on which an instance was bought."""
    return Market.SPOT if found.get("InstanceLifecycle") == "spot" else Market.ON_DEMAND


def by_ids(names: Sequence[str]) -> list[dict[str, Any]]:
    """Filters for these instances; none when they are too many, so that others come along."""
    return tags.filters(instance_id=names) if len(names) <= _FILTER_VALUES else []


def batched(names: Sequence[str]) -> list[list[str]]:
    """Ids in portions that one call takes."""
    return [list(names[at : at + AT_ONCE]) for at in range(0, len(names), AT_ONCE)]
