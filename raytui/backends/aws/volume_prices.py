"""What EBS volumes cost by their size, asked of the Pricing API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from raytui.backends.aws.session import AwsSession

_BY_SIZE = frozenset({"gp2", "gp3", "st1", "sc1", "standard"})
"""Others cost more for their operations than for their size."""
_HOURS_A_MONTH = 730.0
"""AWS's own."""


def volume_prices(pricing: AwsSession, region: str, kinds: Iterable[str]) -> dict[str, float]:
    """USD per GiB and hour of these volume types, without what is paid for more operations.

    One call for each type; those that AWS tells no price of are left out. Raises ProviderError.
    """
    found: dict[str, float] = {}
    for kind in sorted(_BY_SIZE.intersection(kinds)):
        filters = {"productFamily": "Storage", "volumeApiName": kind, "regionCode": region}
        products = pricing.pages(
            "pricing",
            "get_products",
            "PriceList",
            ServiceCode="AmazonEC2",
            Filters=[{"Type": "TERM_MATCH", "Field": f, "Value": v} for f, v in filters.items()],
        )
        prices = [usd for text in products for usd in _per_month(json.loads(text))]
        if prices:
            found[kind] = prices[0] / _HOURS_A_MONTH
    return found


def _per_month(product: Mapping[str, Any]) -> Iterator[float]:
    """USD per GiB and month."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            usd = float(dimension.get("pricePerUnit", {}).get("USD", 0))
            if dimension.get("unit") == "GB-Mo" and usd > 0:
                yield usd
