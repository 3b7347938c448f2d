"""What the cluster file leaves open and EC2 knows: resources, ways to buy, prices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count

import pytest
from msgspec.structs import replace

from raytui.backends import tags as made
from raytui.backends.aws.price_watch import PriceWatch
from raytui.backends.base import ConfigError
from raytui.model.resources import Resources
from raytui.model.spec import Market, NodeType, Offering
from raytui.provisioning.hashes import launch_hash
from tests.aws.price_server import PriceServer, price_server, product, spot
from tests.aws.world import SPOT, A, B, World, ids
from tests.support.hosts import wait_until

GIB = 2**30
TODAY = "2026-11-23T12:00:00.000Z"


@pytest.fixture
def told(world: World) -> PriceServer:
    """What AWS tells of prices: m5.large on demand, and on spot where zone b is cheaper."""
    world.ec2.prices = PriceServer(
        products=[product("m5.large", 0.096, regionCode="us-west-2")],
        history=[spot("m5.large", A, 0.04, TODAY), spot("m5.large", B, 0.03, TODAY)],
    )
    return world.ec2.prices


def both(world: World) -> World:
    """Workers on spot, else on demand."""
    world.machines = world.again(world.cluster(Offering(market=SPOT), Offering()))
    return world


def worker(world: World) -> NodeType:
    return world.spec.node_types["worker"]


def test_resources_are_those_of_the_instance_type(world: World, told: PriceServer) -> None:
    filled = world.machines.fill(world.spec).node_types
    assert filled["worker"].resources == Resources.of(CPU=2, memory=int(8 * GIB * 0.7))
    assert filled["head"].resources == Resources.of(CPU=2)


def test_what_was_asked_once_is_known_to_the_next_process(world: World, told: PriceServer) -> None:
    filled = both(world).machines.fill(world.spec)
    before = dict(world.ec2.calls)
    machines = world.again()
    assert machines.fill(world.spec) == filled
    assert machines.offerings(worker(world))[0].price_per_hour == 0.03
    after = dict(world.ec2.calls)
    assert {k: n - before.get(k, 0) for k, n in after.items() if n != before.get(k, 0)} == {
        "DescribeSubnets": 1
    }


def test_a_file_that_is_completed_again_and_again_is_asked_about_once(world: World) -> None:
    world.ec2.prices = PriceServer(refuses="AccessDeniedException")
    world.ec2.fail("DescribeInstanceTypes", "UnauthorizedOperation")
    world.ec2.fail("DescribeSubnets", "UnauthorizedOperation")
    filled = world.machines.fill(world.spec)
    before = world.ec2.calls.total()
    assert world.machines.fill(world.spec) == filled
    assert world.ec2.calls.total() == before


@pytest.mark.parametrize("action", ["DescribeInstanceTypes", "DescribeSubnets"])
def test_what_ec2_could_not_be_asked_is_asked_again_after_a_while(
    world: World, told: PriceServer, action: str
) -> None:
    world.ec2.fail(action, "UnauthorizedOperation")
    world.machines.fill(world.spec)
    world.ec2.faults.clear()
    before = world.ec2.calls[action]
    for later, asked in ((200, 0), (200, 1), (10**6, 1)):
        world.now += later
        world.machines.fill(world.spec)
        assert world.ec2.calls[action] == before + asked


def test_without_an_answer_the_catalog_tells(world: World, told: PriceServer) -> None:
    world.ec2.fail("DescribeInstanceTypes", "UnauthorizedOperation")
    assert world.machines.fill(world.spec).node_types["worker"].resources.amount("CPU") == 2


def test_a_type_that_the_region_does_not_have_is_refused(world: World, told: PriceServer) -> None:
    with pytest.raises(ConfigError, match=r"m5\.lagre"):
        world.machines.fill(world.cluster(config=world.config(InstanceType="m5.lagre")))


def test_each_zone_and_market_is_an_offering_the_cheapest_first(
    world: World, told: PriceServer
) -> None:
    both(world).machines.fill(world.spec)
    offered = world.machines.offerings(worker(world))
    assert [(o.text(), o.price_per_hour) for o in offered] == [
        ("m5.large us-west-2b spot", 0.03),
        ("m5.large us-west-2a spot", 0.04),
        ("m5.large us-west-2a", 0.096),
        ("m5.large us-west-2b", 0.096),
    ]


def test_asking_for_offerings_asks_nobody(world: World, told: PriceServer) -> None:
    before = world.ec2.calls.total()
    assert [o.text() for o in world.machines.offerings(worker(world))] == ["m5.large"]
    assert world.ec2.calls.total() == before


def test_a_price_that_nobody_tells_is_unknown_with_a_reason(world: World) -> None:
    world.ec2.prices = PriceServer(refuses="AccessDeniedException")
    world.machines.fill(world.spec)
    assert {o.price_per_hour for o in world.machines.offerings(worker(world))} == {None}
    (notice,) = world.machines.notices()
    assert notice.startswith("prices: on-demand prices: ")
    assert "\n" not in notice


def test_spot_prices_are_asked_for_where_spot_is_bought_only(
    world: World, told: PriceServer
) -> None:
    world.machines.fill(world.spec)
    assert world.ec2.calls["DescribeSpotPriceHistory"] == 0
    both(world).machines.fill(world.spec)
    assert world.ec2.calls["DescribeSpotPriceHistory"] == 1


def test_a_subnet_that_is_not_there_is_named_and_the_others_are_used(
    world: World, told: PriceServer
) -> None:
    config = world.config(SubnetIds=["subnet-0123", world.subnets[B]])
    world.machines = world.again(world.cluster(config=config))
    world.machines.fill(world.spec)
    assert world.machines.notices() == [
        "there is no subnet subnet-0123 in us-west-2: nothing is launched in it"
    ]
    assert {i.zone for i in world.launch("request-1", 2)} == {B}


def test_without_any_of_its_subnets_nothing_is_launched_elsewhere(world: World) -> None:
    world.machines = world.again(world.cluster(config=world.config(SubnetIds=["subnet-0123"])))
    with pytest.raises(ConfigError, match="there is no subnet subnet-0123 in us-west-2"):
        world.launch("request-1")
    assert world.at_ec2() == {}


def test_who_cannot_look_subnets_up_is_told_so(world: World, told: PriceServer) -> None:
    world.ec2.fail("DescribeSubnets", "UnauthorizedOperation", message="not you")
    assert world.machines.fill(world.spec).node_types["worker"].resources
    assert world.machines.notices() == [
        "subnets cannot be looked up: UnauthorizedOperation: not you"
    ]


# The price of now.


def test_a_node_has_the_price_of_now(world: World, told: PriceServer) -> None:
    both(world).machines.fill(world.spec)
    (one,) = world.launch("request-1")
    assert one.price_per_hour == 0.03
    told.history = [spot("m5.large", A, 0.04, TODAY), spot("m5.large", B, 0.05, TODAY)]
    world.now += 400
    world.machines.start()
    try:
        wait_until(lambda: world.machines.list_instances()[0].price_per_hour == 0.05, "prices")
    finally:
        world.machines.close()
    cheapest = world.machines.offerings(worker(world))[0]
    assert (cheapest.zone, cheapest.price_per_hour) == (A, 0.04)


def test_where_no_price_is_told_any_more_a_node_has_that_at_which_it_was_bought(
    world: World, told: PriceServer
) -> None:
    world.ec2.lag_behind = True
    both(world).machines.fill(world.spec)
    world.launch("request-1")
    world.ec2.prices = PriceServer()
    for kept in world.paths.dir.glob("prices-*"):
        kept.unlink()
    (one,) = world.again().list_instances()
    assert one.price_per_hour == 0.03


def test_prices_are_asked_for_again_and_again_once_it_was_started(
    world: World, told: PriceServer
) -> None:
    spec = world.cluster(Offering(market=SPOT))
    clock = count(0, 400).__next__  # each look at it is seven minutes later
    watch = PriceWatch(spec, world.aws, world.paths.dir, clock, every_s=0.02)
    assert watch.usd("m5.large", A, SPOT) is None
    watch.start()
    try:
        wait_until(lambda: watch.usd("m5.large", A, SPOT) == 0.04, "prices")
        told.history = [spot("m5.large", A, 0.07, TODAY)]
        wait_until(lambda: watch.usd("m5.large", A, SPOT) == 0.07, "prices")
        told.refuses = "UnauthorizedOperation"
        wait_until(lambda: watch.newest.unknown != "", "prices")
        assert watch.usd("m5.large", A, SPOT) == 0.07
        assert watch.usd("m5.large", "", Market.ON_DEMAND) == 0.096
    finally:
        watch.close()


def test_a_changed_file_asks_for_the_prices_of_its_types_at_once(
    world: World, told: PriceServer
) -> None:
    world.machines.start()
    try:
        told.products.append(product("m6i.large", 0.1, regionCode="us-west-2"))
        world.machines.reload(world.cluster(config=world.config(InstanceType="m6i.large")))
        kind = world.cluster(config=world.config(InstanceType="m6i.large")).node_types["worker"]
        wait_until(lambda: world.machines.offerings(kind)[0].price_per_hour == 0.1, "prices")
    finally:
        world.machines.close()


def test_who_only_looks_has_no_thread_for_prices(world: World, told: PriceServer) -> None:
    world.machines.fill(world.spec)
    world.machines.list_instances()
    assert not [t for t in threading.enumerate() if t.name in ("prices", "first prices")]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A Pricing API that answers when the event is set."""
    answers = threading.Event()

    class Slow(PriceServer):
        def pricing(self, request: dict[str, object]) -> dict[str, object]:
            answers.wait(60)
            return super().pricing(request)

    with price_server(Slow()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", server.url)
        yield answers
        answers.set()


def test_nobody_waits_for_prices(world: World, slow: threading.Event) -> None:
    world.machines.start()
    try:
        wait_until(lambda: any(t.name == "prices" for t in threading.enumerate()), "prices")
        (one,) = world.launch("request-1")
        assert ids(world.machines.list_instances()) == [one.instance_id]
        assert not slow.is_set()
    finally:
        world.machines.close()


# Ray's hash.


def test_what_was_filled_in_does_not_count_for_rays_hash(world: World, told: PriceServer) -> None:
    (before,) = world.launch("request-1")
    world.machines.reload(world.machines.fill(world.spec))
    (after,) = world.launch("request-2")
    found = world.at_ec2()
    hashes = [
        {tag["Key"]: tag["Value"] for tag in found[one.instance_id]["Tags"]}[made.LAUNCH]
        for one in (before, after)
    ]
    assert hashes == [launch_hash(world.config(), {})] * 2


def test_after_a_reload_the_hash_is_of_the_new_file(world: World) -> None:
    config = world.config(InstanceType="m6i.large")
    world.machines.reload(replace(world.cluster(config=config), max_workers=7))
    (one,) = world.launch("request-1")
    (found,) = world.at_ec2().values()
    assert one.instance_type == "m6i.large"
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]}[made.LAUNCH] == launch_hash(
        config, {}
    )
