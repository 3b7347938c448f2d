"""A newer catalog: specifications and prices laid over those that are there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

import msgspec

from raytui.backends.aws.catalog import InstanceType, laid_over
from raytui.backends.aws.catalog_api import Description, from_ec2, runs_ray
from raytui.backends.aws.prices import Price

DatedPrice = tuple[float, str]
"""USD per hour in us-east-1, and the day of that: `2026-07-20`."""


def with_descriptions(
    old: Mapping[str, InstanceType], descriptions: Iterable[Description]
) -> dict[str, InstanceType]:
    """The catalog with EC2's descriptions; prices stay, and so do types that EC2 left out."""
    described = map(from_ec2, filter(runs_ray, descriptions))
    return laid_over(old, {one.name: one for one in described})


def with_prices(
    old: Mapping[str, InstanceType], prices: Mapping[str, DatedPrice]
) -> dict[str, InstanceType]:
    """The catalog with these prices; those of types that it does not have are left out."""
    return {
        name: msgspec.structs.replace(
            one, price_per_hour=prices[name][0], priced_on=prices[name][1]
        )
        if name in prices
        else one
        for name, one in old.items()
    }


def dated(prices: Mapping[str, Price]) -> dict[str, DatedPrice]:
    """Prices that were asked for, with the day on which that was."""
    return {
        name: (price.usd, datetime.fromtimestamp(price.at, UTC).date().isoformat())
        for name, price in prices.items()
    }


def read_prices(text: str) -> dict[str, DatedPrice]:
    """Prices of a CSV file with the columns instance_type, usd_per_hour and priced_on.

    Raises ValueError with the line that is wrong.
    """
    found = {}
    rows = csv.DictReader(io.StringIO(text), strict=True)
    for row in rows:
        try:
            usd, day = float(row["usd_per_hour"]), date.fromisoformat(row["priced_on"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"line {rows.line_num}: needs instance_type, usd_per_hour, priced_on ({error})"
            ) from error
        if not 0 < usd < float("inf"):
            raise ValueError(f"line {rows.line_num}: {usd} is no price")
        found[row["instance_type"]] = (usd, day.isoformat())
    return found
