"""The loop plans with the ways to buy that its provider tells now."""

from __future__ import annotations

import logging

from raytui.autoscaler.loop.offers import Offers
from raytui.backends.base import ConfigError
from raytui.backends.fake import FakeProvider
from raytui.model.command import SetFloor
from raytui.model.spec import NodeType, Offering
from tests.support.clusters import kind, spec
from tests.support.world import World

CHEAP, DEAR = Offering("c5.xlarge", "a", price_per_hour=0.1), Offering("m5.xlarge", "b")


class Shop(FakeProvider):
    """Sells what it has on its shelf; a type that is not there is told nothing about."""

    shelf: dict[str, tuple[Offering, ...]]
    closed = False

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        if self.closed:
            raise ConfigError("the price list cannot be read")
        return self.shelf.get(node_type.name, ())


def shop(**shelf: tuple[Offering, ...]) -> Shop:
    made = Shop(clock=lambda: 0.0)
    made.shelf = shelf
    return made


def test_what_is_offered_takes_the_place_of_what_the_file_says() -> None:
    cluster = spec(kind("cpu", CPU=4), kind("gpu", 2.0, GPU=1))
    offers = Offers(shop(cpu=(CHEAP, DEAR)))
    types = offers.on(cluster).node_types
    assert types["cpu"].offerings == (CHEAP, DEAR)
    assert types["gpu"].offerings == cluster.node_types["gpu"].offerings


def test_nothing_is_made_anew_until_something_changes() -> None:
    cluster, seller = spec(kind("cpu", CPU=4)), shop(cpu=(DEAR,))
    offers = Offers(seller)
    first = offers.on(cluster)
    assert offers.on(cluster) is first
    seller.shelf = {"cpu": (CHEAP,)}
    assert offers.on(cluster).node_types["cpu"].offerings == (CHEAP,)
    assert offers.on(spec(kind("other", CPU=4))).node_types.keys() == {"head", "other"}


def test_a_provider_that_cannot_tell_does_not_stop_the_loop(caplog) -> None:
    cluster, seller = spec(kind("cpu", 0.3, CPU=4)), shop(cpu=(CHEAP,))
    seller.closed = True
    offers = Offers(seller)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert offers.on(cluster).node_types["cpu"].offerings[0].price_per_hour == 0.3
    assert len([r for r in caplog.records if "price list cannot be read" in r.message]) == 1
    seller.closed = False
    assert offers.on(cluster).node_types["cpu"].offerings == (CHEAP,)


def test_a_price_that_falls_is_bought_at_in_the_next_round(tmp_path) -> None:
    world = World(spec(kind("cpu", CPU=4, offerings=(DEAR,))), tmp_path / "ledger.db")
    world.order(SetFloor("cpu", 1))
    world.run()
    world.provider.offerings = lambda node_type: (DEAR, CHEAP)
    world.order(SetFloor("cpu", 2))
    world.run()
    bought = [i.instance_type for i in world.provider.instances.values() if not i.is_head]
    assert bought == ["m5.xlarge", "c5.xlarge"]
