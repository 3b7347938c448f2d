"""Prices: asked of AWS where that is possible, kept with their age, unknown with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.backends.aws.catalog import InstanceType
from raytui.backends.aws.choices import choices
from raytui.backends.aws.prices import (
    ON_DEMAND_LASTS_S,
    SPOT_IS_PAST_S,
    SPOT_LASTS_S,
    Price,
    PriceList,
    current_prices,
    on_demand_prices,
    pricing_session,
    spot_prices,
)
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import AuthError
from raytui.model.spec import Market, NodeType, Offering
from tests.aws.price_server import PriceServer, price_server, product, spot

NOW = 1_800_000_000.0
MIDNIGHT = 1_740_873_600.0  # 2025-03-02
CATALOG = {
    "m5.large": InstanceType("m5.large", 2, 8 * 2**30, price_per_hour=0.5, priced_on="2025-03-02"),
    "m9.large": InstanceType("m9.large", 2, 8 * 2**30),
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PriceServer]:
    with price_server() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield server


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, told: PriceServer, tmp_path: Path) -> PriceServer:
    """No credentials anywhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return told


def session(region: str = "us-east-1") -> AwsSession:
    return AwsSession({"region": region})


def ask(
    *names: str, region: str = "us-east-1", now: float = NOW, cache: Path | None = None
) -> PriceList:
    return current_prices(session(region), pricing_session({}), names, CATALOG, now, cache)


def test_of_all_products_of_a_type_only_plain_linux_counts(told: PriceServer):
    others = [
        product("m5.large", 0.188, operatingSystem="Windows"),
        product("m5.large", 0.102, tenancy="Dedicated"),
        product("m5.large", 0.576, preInstalledSw="SQL Std"),
        product("m5.large", 0.2, capacitystatus="UnusedCapacityReservation"),
        product("m5.large", 0.3, marketoption="CapacityBlock"),
        product("m5.large", 0.112, regionCode="us-west-1"),
        product("m5.xlarge", 0.192),
    ]
    told.products = [*others, product("m5.large", 0.096), *others]
    assert on_demand_prices(pricing_session({}), "us-east-1", NOW, ["m5.large"]) == {
        "m5.large": Price(0.096, NOW)
    }


@pytest.mark.parametrize("names", [["m5.metal", "m7i.metal-24xl"], []], ids=["these", "all"])
def test_bare_metal_is_listed_apart(told: PriceServer, names: list[str]):
    metal = {"tenancy": "Dedicated", "productFamily": "Compute Instance (bare metal)"}
    told.products = [
        product("m5.metal", 4.608, **metal),
        product("m5.metal", 5.0, **(metal | {"operatingSystem": "SUSE"})),
        product("m7i.metal-24xl", 5.3, **metal),
    ]
    prices = on_demand_prices(pricing_session({}), "us-east-1", NOW, names)
    assert {name: price.usd for name, price in prices.items()} == {
        "m5.metal": 4.608,
        "m7i.metal-24xl": 5.3,
    }


def test_all_pages_of_a_region_are_read(told: PriceServer):
    told.products = [product(f"m5.{n}xlarge", n) for n in range(1, 8)]
    prices = on_demand_prices(pricing_session({}), "us-east-1", NOW)
    assert {name: price.usd for name, price in prices.items()} == {
        f"m5.{n}xlarge": n for n in range(1, 8)
    }


def test_a_price_of_nothing_is_none(told: PriceServer):
    told.products = [product("p5e.48xlarge", 0.0)]
    assert on_demand_prices(pricing_session({}), "us-east-1", NOW, ["p5e.48xlarge"]) == {}


def test_a_price_per_something_else_than_hours_is_none(told: PriceServer):
    told.products = [product("m5.large", 0.05, unit="vCPU-Hours")]
    assert on_demand_prices(pricing_session({}), "us-east-1", NOW, ["m5.large"]) == {}


def test_the_latest_spot_price_of_each_zone_counts_in_whatever_order_they_come(told: PriceServer):
    told.history = [
        spot("m5.large", "us-east-1a", 0.03, "2026-11-20T10:00:00.000Z"),
        spot("m5.large", "us-east-1a", 0.05, "2026-11-22T10:00:00.000Z"),
        spot("m5.large", "us-east-1b", 0.02, "2026-11-21T10:00:00.000Z"),
        spot("m5.large", "us-east-1a", 0.04, "2026-11-21T10:00:00.000Z"),
        spot("c5.large", "us-east-1a", 0.01, "2026-11-21T10:00:00.000Z"),
    ]
    assert spot_prices(session(), ["m5.large"], NOW) == {
        "m5.large": {"us-east-1a": Price(0.05, NOW), "us-east-1b": Price(0.02, NOW)}
    }
    assert {request["ProductDescription.1"] for request in told.asked} == {"Linux/UNIX"}
    assert {request["StartTime"] for request in told.asked} == {"2027-01-15T08:00:00Z"}


def test_spot_of_no_zone_is_the_cheapest_zones():
    prices = PriceList("r", spot={"m5.large": {"a": Price(0.05, NOW), "b": Price(0.02, NOW)}})
    assert prices.price("m5.large", "", Market.SPOT) == Price(0.02, NOW)
    assert prices.price("m5.large", "a", Market.SPOT) == Price(0.05, NOW)
    assert prices.price("m5.large", "c", Market.SPOT) is None
    assert prices.price("m5.large", "a", Market.ON_DEMAND) is None


def test_asked_once_they_are_kept_until_they_are_old(told: PriceServer, tmp_path: Path):
    told.products = [product("m5.large", 0.096)]
    told.history = [spot("m5.large", "us-east-1a", 0.03, "2026-11-20T10:00:00.000Z")]
    first = ask("m5.large", cache=tmp_path)
    asked = len(told.asked)
    assert ask("m5.large", cache=tmp_path, now=NOW + SPOT_LASTS_S) == first
    assert len(told.asked) == asked

    told.products = [product("m5.large", 0.1)]
    told.history = [spot("m5.large", "us-east-1a", 0.04, "2026-11-23T10:00:00.000Z")]
    later = ask("m5.large", cache=tmp_path, now=NOW + SPOT_LASTS_S + 1)
    assert later.price("m5.large", "us-east-1a", Market.SPOT) == Price(0.04, NOW + SPOT_LASTS_S + 1)
    assert later.price("m5.large", "", Market.ON_DEMAND) == Price(0.096, NOW)
    tomorrow = ask("m5.large", cache=tmp_path, now=NOW + ON_DEMAND_LASTS_S + 1)
    assert tomorrow.on_demand["m5.large"].usd == 0.1


def test_what_aws_no_longer_tells_is_known_from_before_with_its_age(
    told: PriceServer, tmp_path: Path
):
    told.products = [product("m5.large", 0.096)]
    told.history = [spot("m5.large", "us-east-1a", 0.03, "2026-11-20T10:00:00.000Z")]
    ask("m5.large", cache=tmp_path)
    told.refuses = "UnauthorizedOperation"
    old = ask("m5.large", cache=tmp_path, now=NOW + ON_DEMAND_LASTS_S - 1)
    assert old.price("m5.large", "us-east-1a", Market.SPOT) == Price(0.03, NOW)
    assert "UnauthorizedOperation: refused" in old.unknown

    past = ask("m5.large", cache=tmp_path, now=NOW + SPOT_IS_PAST_S + 1)
    assert past.spot == {}, "yesterday's spot price says nothing"
    assert past.on_demand == {"m5.large": Price(0.096, NOW)}


def test_prices_of_another_region_are_kept_apart(told: PriceServer, tmp_path: Path):
    told.products = [
        product("m5.large", 0.096),
        product("m5.large", 0.112, regionCode="us-west-1"),
    ]
    assert ask("m5.large", cache=tmp_path).on_demand["m5.large"].usd == 0.096
    west = ask("m5.large", cache=tmp_path, region="us-west-1")
    assert west.on_demand["m5.large"].usd == 0.112


def test_a_damaged_cache_is_asked_anew(told: PriceServer, tmp_path: Path):
    (tmp_path / "prices-us-east-1.json").write_text('{"region": "us-ea')
    told.products = [product("m5.large", 0.096)]
    assert ask("m5.large", cache=tmp_path).on_demand == {"m5.large": Price(0.096, NOW)}


def test_without_credentials_the_catalog_tells_with_its_day(nobody: PriceServer):
    prices = ask("m5.large", "m9.large")
    assert prices.on_demand == {"m5.large": Price(0.5, MIDNIGHT)}
    assert prices.spot == {}
    assert "no AWS credentials: profile default in us-east-1 was tried" in prices.unknown
    assert nobody.asked == []


def test_the_catalog_says_nothing_of_other_regions(nobody: PriceServer):
    prices = ask("m5.large", region="eu-central-1")
    assert prices.on_demand == {}
    assert prices.price("m5.large", "eu-central-1a", Market.ON_DEMAND) is None


def test_what_one_may_not_ask_does_not_hide_the_rest(told: PriceServer):
    told.history = [spot("m5.large", "us-east-1a", 0.03, "2026-11-20T10:00:00.000Z")]
    pricing = AwsSession({"region": "us-east-1", "aws_credentials": {"profile_name": "nobodys"}})
    prices = current_prices(session(), pricing, ["m5.large"], {}, NOW)
    assert prices.spot["m5.large"]["us-east-1a"].usd == 0.03
    assert prices.on_demand == {}
    assert prices.unknown.startswith("on-demand prices: ")
    assert "nobodys" in prices.unknown


def test_a_type_that_aws_does_not_price_is_named(told: PriceServer):
    prices = ask("m9.large")
    assert prices.unknown == "AWS tells no on-demand price of m9.large in us-east-1"


def test_asking_outright_raises_what_is_wrong(told: PriceServer):
    told.refuses = "AccessDeniedException"
    with pytest.raises(AuthError, match="AccessDeniedException: refused"):
        on_demand_prices(pricing_session({}), "us-east-1", NOW, ["m5.large"])


def test_each_way_to_buy_a_node_type_has_its_price():
    prices = PriceList(
        "us-west-2",
        on_demand={"m5.large": Price(0.096, NOW)},
        spot={"m5.large": {"us-west-2a": Price(0.04, NOW), "us-west-2b": Price(0.03, NOW)}},
    )
    config = {"InstanceType": ["m5.large", "c9z.large"], "SubnetIds": ["subnet-a", "subnet-b"]}
    ways = (Offering(market=Market.SPOT), Offering("m5.large", "us-west-2b", Market.ON_DEMAND))
    node_type = NodeType("worker", node_config=config, offerings=ways)
    zones = {"subnet-a": "us-west-2a", "subnet-b": "us-west-2b"}
    offered = [choice.offering for choice in choices(node_type, zones, prices.usd)]
    assert [(one.text(), one.price_per_hour) for one in offered] == [
        ("m5.large us-west-2b spot", 0.03),
        ("m5.large us-west-2a spot", 0.04),
        ("m5.large us-west-2b", 0.096),
        ("c9z.large us-west-2a spot", None),
        ("c9z.large us-west-2b spot", None),
    ]
