"""What EC2 instances cost: asked of AWS, kept on disk with its age, else from the catalog.

On-demand prices come from the Pricing API, spot prices from DescribeSpotPriceHistory. A price that
nobody told us is unknown, and `PriceList.unknown` says why in one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from raytui.backends.aws.catalog import PRICED_REGION, InstanceType
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ProviderError
from raytui.config.durable import write_durably
from raytui.model.spec import Market

PRICING_REGION = "us-east-1"
"""The Pricing API answers in few regions, and for all of them."""

ON_DEMAND_LASTS_S = 24 * 3600.0
SPOT_LASTS_S = 5 * 60.0
"""How old a price may be before it is asked for again."""
SPOT_IS_PAST_S = 24 * 3600.0
"""A spot price older than this says nothing about today's."""

_FEW = 20
"""For so many types a call for each is cheaper than all pages of a region."""

_LINUX = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
_VIRTUAL = {**_LINUX, "tenancy": "Shared", "productFamily": "Compute Instance"}
_METAL = {**_LINUX, "tenancy": "Dedicated", "productFamily": "Compute Instance (bare metal)"}
"""Linux that runs, with nothing to be licensed: one product for each type. Of bare metal AWS says
that it is dedicated, though it costs no more for that."""


class Price(Struct, frozen=True):
    """USD per hour, and the unix time at which that was true."""

    usd: float
    at: float


class PriceList(Struct, frozen=True, omit_defaults=True):
    """What is known of prices in one region."""

    region: str
    on_demand: dict[str, Price] = {}
    """By instance type."""
    spot: dict[str, dict[str, Price]] = {}
    """By instance type and zone."""
    unknown: str = ""
    """Why some prices are unknown or old, in one sentence; empty when all were told."""

    def price(self, instance_type: str, zone: str, market: Market) -> Price | None:
        """The price of one way to buy; spot without a zone is the cheapest zone's."""
        if market is Market.ON_DEMAND:
            return self.on_demand.get(instance_type)
        zones = self.spot.get(instance_type, {})
        if zone:
            return zones.get(zone)
        return min(zones.values(), key=lambda price: price.usd, default=None)

    def usd(self, instance_type: str, zone: str, market: Market) -> float | None:
        """USD per hour, or None when it is unknown: what `Ec2Machines` takes for its `price_of`."""
        price = self.price(instance_type, zone, market)
        return None if price is None else price.usd


def pricing_session(options: Mapping[str, Any]) -> AwsSession:
    """A session for the Pricing API with the credentials of a `provider` section."""
    return AwsSession({**options, "region": PRICING_REGION})


def current_prices(
    session: AwsSession,
    pricing: AwsSession,
    instance_types: Iterable[str],
    catalog: Mapping[str, InstanceType],
    now: float,
    cache: Path | None = None,
    *,
    on_spot: Iterable[str] | None = None,
) -> PriceList:
    """The prices of these types in the session's region, as fresh as they can be had.

    What is too old is asked for, by one call for spot and one per type for on-demand. What AWS does
    not tell is what the directory `cache` has, and for on-demand in us-east-1 what the catalog
    has. `pricing` is a `pricing_session`. Where not all types are of interest `on_spot`, it names
    those that are. Never raises for want of credentials, permission or a network.
    """
    wanted = sorted(set(instance_types))
    wanted_on_spot = wanted if on_spot is None else sorted(set(on_spot))
    try:
        region = session.region
    except ProviderError as error:
        return PriceList("", unknown=str(error))
    kept_at = _kept_at(cache, region)
    known = _without_past(_kept(kept_at, region), now)
    stale = _stale(known, wanted, wanted_on_spot, now)
    asked, troubles = _asked(session, pricing, region, stale, now)
    fresh = _joined(known, asked)
    if kept_at is not None and (asked.on_demand or asked.spot):
        _keep(kept_at, fresh)
    told = with_catalog(fresh, wanted, catalog)
    silent = [name for name in wanted if name not in told.on_demand]
    if silent and not troubles:
        troubles = [f"AWS tells no on-demand price of {', '.join(silent)} in {region}"]
    return msgspec.structs.replace(told, unknown="; ".join(troubles))


def known_prices(
    region: str,
    instance_types: Iterable[str],
    catalog: Mapping[str, InstanceType],
    now: float,
    cache: Path | None = None,
) -> PriceList:
    """What `current_prices` knows without asking anybody."""
    known = _without_past(_kept(_kept_at(cache, region), region), now)
    return with_catalog(known, instance_types, catalog)


def on_demand_prices(
    pricing: AwsSession, region: str, now: float, instance_types: Iterable[str] = ()
) -> dict[str, Price]:
    """On-demand prices of a region by the Pricing API: of these types, or of all.

    Raises ProviderError.
    """
    names = sorted(set(instance_types))
    if 0 < len(names) <= _FEW:
        asked = [{**_kind_of(name), "instanceType": name} for name in names]
    else:
        asked = [_VIRTUAL, _METAL]
    found = {
        name: Price(usd, now)
        for filters in asked
        for name, usd in _products(pricing, {**filters, "regionCode": region})
    }
    return {name: found[name] for name in names if name in found} if names else found


def spot_prices(
    session: AwsSession, instance_types: Iterable[str], now: float
) -> dict[str, dict[str, Price]]:
    """The latest spot price of each type in each zone of the session's region.

    Raises ProviderError.
    """
    names = sorted(set(instance_types))
    if not names:
        return {}
    found: dict[str, dict[str, Price]] = {}
    # A history that begins now holds the price of now, whenever it was set.
    history = session.pages(
        "ec2",
        "describe_spot_price_history",
        "SpotPriceHistory",
        InstanceTypes=names,
        ProductDescriptions=["Linux/UNIX"],
        StartTime=datetime.fromtimestamp(now, UTC),
    )
    set_at: dict[tuple[str, str], datetime] = {}
    for entry in history:
        key = (entry["InstanceType"], entry["AvailabilityZone"])
        if key not in set_at or entry["Timestamp"] > set_at[key]:
            set_at[key] = entry["Timestamp"]
            found.setdefault(key[0], {})[key[1]] = Price(float(entry["SpotPrice"]), now)
    return found


def with_catalog(
    prices: PriceList, wanted: Iterable[str], catalog: Mapping[str, InstanceType]
) -> PriceList:
    """Prices with the catalog's where none is known and the region is the catalog's."""
    on_demand = dict(prices.on_demand)
    for name in wanted:
        listed = catalog.get(name)
        if name not in on_demand and prices.region == PRICED_REGION and listed is not None:
            price = catalog_price(listed)
            if price is not None:
                on_demand[name] = price
    return msgspec.structs.replace(prices, on_demand=on_demand)


def catalog_price(listed: InstanceType) -> Price | None:
    """The catalog's price of a type with the midnight of its day."""
    if listed.price_per_hour is None:
        return None
    day = datetime.fromisoformat(listed.priced_on).replace(tzinfo=UTC)
    return Price(listed.price_per_hour, day.timestamp())


def _kind_of(instance_type: str) -> Mapping[str, str]:
    return _METAL if instance_type.partition(".")[2].startswith("metal") else _VIRTUAL


def _products(pricing: AwsSession, filters: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """Instance type and USD per hour of each product that passes."""
    wanted = [
        {"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in filters.items()
    ]
    listed = pricing.pages(
        "pricing", "get_products", "PriceList", ServiceCode="AmazonEC2", Filters=wanted
    )
    for text in listed:
        product: dict[str, Any] = json.loads(text)
        usd = _per_hour(product)
        if usd is not None:
            yield product["product"]["attributes"]["instanceType"], usd


def _per_hour(product: Mapping[str, Any]) -> float | None:
    """A product's price; a price of nothing is how AWS marks what cannot be bought so."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            usd = float(dimension.get("pricePerUnit", {}).get("USD", 0))
            if dimension.get("unit") == "Hrs" and usd > 0:
                return usd
    return None


class _Wanted(Struct, frozen=True):
    on_demand: tuple[str, ...]
    spot: tuple[str, ...]


def _stale(
    known: PriceList, on_demand: Iterable[str], on_spot: Iterable[str], now: float
) -> _Wanted:
    return _Wanted(
        on_demand=tuple(
            name
            for name in on_demand
            if (price := known.on_demand.get(name)) is None or now - price.at > ON_DEMAND_LASTS_S
        ),
        spot=tuple(
            name
            for name in on_spot
            if not (zones := known.spot.get(name))
            or now - min(price.at for price in zones.values()) > SPOT_LASTS_S
        ),
    )


def _asked(
    session: AwsSession, pricing: AwsSession, region: str, wanted: _Wanted, now: float
) -> tuple[PriceList, list[str]]:
    """What AWS told, and why it did not tell the rest."""
    on_demand: dict[str, Price] = {}
    spot: dict[str, dict[str, Price]] = {}
    troubles = []
    try:
        spot = spot_prices(session, wanted.spot, now)
    except ProviderError as error:
        troubles.append(f"spot prices: {error}")
    try:
        if wanted.on_demand:
            on_demand = on_demand_prices(pricing, region, now, wanted.on_demand)
    except ProviderError as error:
        troubles.append(f"on-demand prices: {error}")
    return PriceList(region, on_demand, spot), troubles


def _joined(known: PriceList, asked: PriceList) -> PriceList:
    return PriceList(
        known.region, {**known.on_demand, **asked.on_demand}, {**known.spot, **asked.spot}
    )


def _without_past(prices: PriceList, now: float) -> PriceList:
    spot = {
        name: {zone: p for zone, p in zones.items() if now - p.at <= SPOT_IS_PAST_S}
        for name, zones in prices.spot.items()
    }
    return msgspec.structs.replace(
        prices, spot={name: zones for name, zones in spot.items() if zones}
    )


def _kept_at(cache: Path | None, region: str) -> Path | None:
    return cache / f"prices-{region}.json" if cache is not None else None


def _kept(path: Path | None, region: str) -> PriceList:
    """What earlier calls kept; nothing when it cannot be read."""
    try:
        if path is not None:
            return msgspec.json.decode(path.read_bytes(), type=PriceList)
    except (OSError, msgspec.MsgspecError):
        pass
    return PriceList(region)


def _keep(path: Path, prices: PriceList) -> None:
    """Best effort: a disk that takes nothing costs a call the next time, no more."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, msgspec.json.encode(prices))
