"""The subnets of machines: those of the file, or all usable ones of one network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from raytui.backends.aws.bootstrap.network_interfaces import groups_of
from raytui.backends.aws.bootstrap.parts import Draft, Part, State
from raytui.backends.aws.choices import subnets_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError

Subnet = dict[str, Any]


def subnets(draft: Draft, aws: AwsSession) -> Iterator[Part]:
    """Choose as Ray does: available, public unless `use_internal_ips`, in order of their zones.

    All are in one network: that of the file's subnets or security groups, else the default one.
    Raises ConfigError when none fits, or the file's are of several networks.
    """
    there = {one["SubnetId"]: one for one in aws.pages("ec2", "describe_subnets", "Subnets")}
    named = {name: subnets_of(config) for name, config in draft.configs.items()}
    unknown = sorted({s for those in named.values() for s in those if s not in there})
    if unknown:
        raise ConfigError(f"no such subnet in {aws.region}: {', '.join(unknown)}")
    given = list(dict.fromkeys(s for those in named.values() for s in those))
    networks = {there[subnet]["VpcId"] for subnet in given}
    if len(networks) > 1:
        raise ConfigError(f"a cluster is in one network; its subnets are in {sorted(networks)}")
    if given:
        draft.vpc = networks.pop()
        yield Part("subnets", _names([there[s] for s in given]), State.GIVEN, draft.vpc)
    if all(named.values()):
        return
    usable = _usable(draft, list(there.values()), aws.region)
    draft.vpc = draft.vpc or _network(draft, aws, usable)
    chosen = [one for one in usable if one["VpcId"] == draft.vpc]
    if not chosen:
        raise ConfigError(f"{draft.vpc} has no usable subnet; name some as SubnetIds")
    for name, config in draft.configs.items():
        if not named[name]:
            config["SubnetIds"] = [one["SubnetId"] for one in chosen]
    yield Part("subnets", _names(chosen), State.FOUND, draft.vpc)


def _usable(draft: Draft, there: Sequence[Subnet], region: str) -> list[Subnet]:
    inside = bool(draft.options.get("use_internal_ips"))
    zones = [z.strip() for z in str(draft.options.get("availability_zone") or "").split(",")]
    wanted = {zone: order for order, zone in enumerate(zones) if zone}
    found = [
        one
        for one in there
        if one["State"] == "available"
        and (inside or one["MapPublicIpOnLaunch"])
        and (not wanted or one["AvailabilityZone"] in wanted)
    ]
    if not found:
        where = f" in {', '.join(wanted)}" if wanted else f" in {region}"
        public = "" if inside else " that gives public addresses (or say use_internal_ips)"
        raise ConfigError(f"there is no available subnet{where}{public}")
    return sorted(
        found,
        key=lambda one: (
            wanted.get(one["AvailabilityZone"], 0),
            one["AvailabilityZone"],
            one["SubnetId"],
        ),
    )


def _network(draft: Draft, aws: AwsSession, usable: Sequence[Subnet]) -> str:
    groups = [group for config in draft.configs.values() for group in groups_of(config)]
    if groups:
        found = list(
            aws.pages("ec2", "describe_security_groups", "SecurityGroups", GroupIds=groups)
        )
        networks = {str(group["VpcId"]) for group in found}
        if len(networks) > 1:
            raise ConfigError(
                f"a cluster is in one network; its security groups are in {sorted(networks)}"
            )
        return networks.pop()
    default = [one for one in usable if one.get("DefaultForAz")]
    return str((default or sorted(usable, key=lambda one: str(one["VpcId"])))[0]["VpcId"])


def _names(some: Sequence[Subnet]) -> str:
    return ", ".join(f"{one['SubnetId']} ({one['AvailabilityZone']})" for one in some)
