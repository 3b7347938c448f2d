"""The ways to buy one node type, and what RunInstances is asked for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from raytui.backends.aws import catalog, tags
from raytui.backends.aws.buckets import bucket_of
from raytui.backends.aws.catalog import InstanceType
from raytui.model.spec import Market, NodeType, Offering

PriceOf = Callable[[str, str, Market], float | None]
"""USD per hour of an instance type in a zone on a market; None when it is not known."""

_OURS = frozenset({"SubnetIds", "SubnetId", "MinCount", "MaxCount", "ClientToken", "InstanceType"})
"""Keys that are filled in for each call; `SubnetIds` is Ray's own."""


_ONLY = "capacity-reservations-only"
PERSISTENT = "persistent"
"""A kind of spot request, and what is only said of that kind:"""
_ONLY_PERSISTENT = frozenset({"InstanceInterruptionBehavior", "ValidUntil"})


class Choice(Struct, frozen=True):
    """An offering in one subnet of its zone; no subnet: the account's default one."""

    offering: Offering
    subnet: str = ""

    def text(self) -> str:
        """As people read it."""
        return " ".join(part for part in (self.offering.text(), self.subnet) if part)


def subnets_of(config: Mapping[str, Any]) -> list[str]:
    """The subnets that a `node_config` names for the first interface, in its order."""
    interfaces = config.get("NetworkInterfaces") or [{}]
    named = config.get("SubnetIds") or [config.get("SubnetId") or interfaces[0].get("SubnetId")]
    return list(dict.fromkeys(str(subnet) for subnet in named if subnet))


def choices(node_type: NodeType, zone_of: Mapping[str, str], price_of: PriceOf) -> list[Choice]:
    """Every way to buy a node of this type, the cheapest first, else in the file's order.

    `zone_of` has the zone of each subnet that the type's `node_config` names.
    """
    subnets = [(zone_of[s], s) for s in subnets_of(node_type.node_config) if s in zone_of]
    types = catalog.load()
    reserved = _reservation(node_type.node_config)
    found = [
        Choice(
            _priced(_counted(_at(offering, kind, zone, reserved), types), price_of),
            subnet,
        )
        for offering in node_type.offerings
        for kind in _instance_types(node_type, offering)
        for zone, subnet in _places(node_type, offering, subnets)
    ]
    return sorted(dict.fromkeys(found), key=lambda choice: _price(choice.offering))


def price_for(
    node_type: NodeType | None, instance_type: str, zone: str, market: Market, price_of: PriceOf
) -> float | None:
    """What an instance costs in USD per hour: as the file has it for its type, else as known."""
    bought = (instance_type, zone, market)
    for offering in node_type.offerings if node_type is not None else ():
        written = (offering.instance_type or instance_type, offering.zone or zone, offering.market)
        if written == bought and offering.price_per_hour is not None:
            return offering.price_per_hour
    return price_of(*bought)


def matching(offered: Iterable[Choice], wanted: Offering) -> list[Choice]:
    """The choices that a request leaves: what it does not say may be any.

    The market counts where the request names an instance type or a zone: a request that names
    neither leaves it to the file.
    """
    blank = not wanted.instance_type and not wanted.zone and wanted.market is Market.ON_DEMAND
    return [
        choice
        for choice in offered
        if wanted.instance_type in ("", choice.offering.instance_type)
        and wanted.zone in ("", choice.offering.zone)
        and (blank or wanted.market is choice.offering.market)
    ]


def run_arguments(
    config: Mapping[str, Any],
    choice: Choice,
    *,
    least: int,
    most: int,
    written: tags.Tags,
    token: str,
) -> dict[str, Any]:
    """What RunInstances is asked: the file's `node_config`, of this choice, with our tags.

    With fewer than `least` instances to give, EC2 gives none.
    """
    offering = choice.offering
    arguments = {key: value for key, value in config.items() if key not in _OURS}
    if offering.instance_type:
        arguments["InstanceType"] = offering.instance_type
    market = dict(arguments.pop("InstanceMarketOptions", None) or {})
    if offering.market is Market.SPOT:
        arguments["InstanceMarketOptions"] = _spot(market)
    elif market.get("MarketType", "spot") != "spot":  # a capacity block
        arguments["InstanceMarketOptions"] = market
    if choice.subnet and "NetworkInterfaces" in arguments:
        interfaces = arguments["NetworkInterfaces"]
        arguments["NetworkInterfaces"] = [{"SubnetId": choice.subnet, **i} for i in interfaces]
    elif choice.subnet:
        arguments["SubnetId"] = choice.subnet
    elif offering.zone:
        placement = arguments.get("Placement") or {}
        arguments["Placement"] = {**placement, "AvailabilityZone": offering.zone}
    arguments["TagSpecifications"] = _with_ours(
        arguments.get("TagSpecifications") or (), written, spot=offering.market is Market.SPOT
    )
    return {**arguments, "MinCount": least, "MaxCount": most, "ClientToken": token}


def _spot(market: Mapping[str, Any]) -> dict[str, Any]:
    """Spot in the file's words, but asked for once.

    For a request that persists EC2 launches another instance whenever we end one, and nobody would
    know of it.
    """
    options = dict(market.get("SpotOptions") or {})
    if options.get("SpotInstanceType") == PERSISTENT:
        options = {key: value for key, value in options.items() if key not in _ONLY_PERSISTENT}
        options["SpotInstanceType"] = "one-time"
    return {**market, "MarketType": "spot", **({"SpotOptions": options} if options else {})}


def _with_ours(
    specified: Iterable[Mapping[str, Any]], written: tags.Tags, *, spot: bool
) -> list[dict[str, Any]]:
    """The file's own tags under ours; a volume has those by which its cluster is known."""
    merged = {str(s["ResourceType"]): tags.read(s.get("Tags")) for s in specified}
    of_volume = {key: written[key] for key in (tags.NAME, tags.CLUSTER) if key in written}
    ours = {"instance": written, "volume": of_volume}
    if spot:
        ours["spot-instances-request"] = of_volume
    for kind, values in ours.items():
        merged[kind] = {**merged.get(kind, {}), **values}
    return [one for kind, values in merged.items() for one in tags.specification([kind], values)]


def _instance_types(node_type: NodeType, offering: Offering) -> list[str]:
    if offering.instance_type:
        return [offering.instance_type]
    written = node_type.node_config.get("InstanceType") or ""
    return [str(kind) for kind in written] if isinstance(written, list) else [str(written)]


def _places(
    node_type: NodeType, offering: Offering, subnets: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Zone and subnet of each place where the offering may be; either may be left to EC2."""
    if subnets:
        return [place for place in subnets if offering.zone in ("", place[0])]
    placement = node_type.node_config.get("Placement") or {}
    return [(offering.zone or str(placement.get("AvailabilityZone") or ""), "")]


def _at(offering: Offering, instance_type: str, zone: str, reserved: str) -> Offering:
    return replace(offering, instance_type=instance_type, zone=zone, reservation=reserved)


def _reservation(config: Mapping[str, Any]) -> str:
    """The capacity reservation, capacity block or host that instances are to be in, if any.

    What it has no room for says nothing about what everybody may buy, nor the other way round.
    """
    specified = config.get("CapacityReservationSpecification") or {}
    target = specified.get("CapacityReservationTarget") or {}
    placed = config.get("Placement") or {}
    if specified.get("CapacityReservationPreference") == _ONLY and not target:
        return "any reservation"
    return str(
        target.get("CapacityReservationId")
        or target.get("CapacityReservationResourceGroupArn")
        or placed.get("HostId")
        or placed.get("HostResourceGroupArn")
        or ("a dedicated host" if placed.get("Tenancy") == "host" else "")
    )


def _counted(offering: Offering, types: Mapping[str, InstanceType]) -> Offering:
    """With the limit of the account that it counts against."""
    known = types.get(offering.instance_type)
    share = float(known.vcpus) if known is not None else 0.0
    return replace(offering, quota=bucket_of(offering.instance_type), quota_share=share)


def _priced(offering: Offering, price_of: PriceOf) -> Offering:
    if offering.price_per_hour is not None:
        return offering
    price = price_of(offering.instance_type, offering.zone, offering.market)
    return replace(offering, price_per_hour=price)


def _price(offering: Offering) -> float:
    known = offering.price_per_hour
    return float("inf") if known is None else known
