"""`up --dry-run` on EC2: what is there, what would be made and bought, and at which price."""

from __future__ import annotations

import pytest

from raytui.launcher.dry_run import what_up_would_do
from raytui.launcher.options import UpOptions
from raytui.model.step import LaunchError
from tests.aws.bootstrapping import MINIMAL
from tests.aws.laptop import Laptop
from tests.aws.price_server import PriceServer, product, spot
from tests.aws.world import A, B

ON_DEMAND = product("m5.large", 0.096, regionCode="us-west-2")
SPOT = [spot("m5.large", zone, usd, "2026-01-01T00:00:00Z") for zone, usd in ((A, 0.04), (B, 0.03))]


@pytest.fixture
def priced(laptop: Laptop) -> Laptop:
    laptop.ec2.prices = PriceServer([ON_DEMAND], SPOT)
    return laptop


def told(laptop: Laptop, text: str = MINIMAL) -> list[str]:
    cluster = laptop.cluster(text, availability_zone=f"{A},{B}")
    return list(what_up_would_do(cluster, UpOptions()))


def after(lines: list[str], head: str) -> list[str]:
    """The lines that belong to the one that begins with these words."""
    at = next(n for n, line in enumerate(lines) if line.startswith(head))
    rest = lines[at + 1 :]
    end = next((n for n, line in enumerate(rest) if not line.startswith("  ")), len(rest))
    return [line.strip() for line in rest[:end]]


def test_parts_come_in_the_order_in_which_they_would_be_made(priced: Laptop):
    needs = after(told(priced), "what machines need")
    kinds = ("instance profile", "key pair", "subnets", "security group", "image")
    assert all(kind in line for kind, line in zip(kinds, needs, strict=True))
    assert [line.startswith("to be made") for line in needs] == [True, True, False, True, False]


def test_nothing_is_made(priced: Laptop):
    told(priced)
    assert not [
        call for call in priced.ec2.calls if not call.startswith(("Describe", "Get", "List"))
    ]


def test_each_way_to_buy_has_its_price_and_the_cheapest_is_first(priced: Laptop):
    lines = told(priced)
    head = after(lines, "head ray.head.default: to be launched")
    assert head[:3] == [
        "{CPU: 2}",
        f"m5.large {A}: $0.096 an hour",
        f"m5.large {B}: $0.096 an hour",
    ]
    worker = after(lines, "workers ray.worker.default: 0 to 2")
    assert worker[1:3] == [f"m5.large {B} spot: $0.03 an hour", f"m5.large {A} spot: $0.04 an hour"]


def test_the_price_of_the_whole_is_that_of_its_full_size(priced: Laptop):
    lines = told(priced)
    assert "the head: $0.096 an hour" in lines
    assert (
        "at full size: $0.156 an hour for the head and 2 workers, each bought where it is "
        "cheapest now" in lines
    )


def test_what_nobody_tells_is_unknown_and_not_nothing(laptop: Laptop):
    laptop.ec2.prices = PriceServer([ON_DEMAND])
    lines = told(laptop)
    assert f"m5.large {A} spot: price unknown" in after(lines, "workers ray.worker.default")
    assert "at full size: price unknown, because nobody tells that of ray.worker.default" in lines


def test_the_steps_of_the_set_up_follow(priced: Laptop):
    head = after(told(priced), "head ray.head.default")
    assert "install raytui" in head
    assert head[-1] == "start the autoscaler"


def test_a_head_that_is_there_is_named(priced: Laptop):
    priced.up()
    (head,) = priced.heads()
    assert any(line.startswith(f"head ray.head.default: {head}, m5.large") for line in told(priced))


def test_a_head_of_another_machine_is_told_of(priced: Laptop):
    priced.up()
    lines = told(priced, MINIMAL.replace("{InstanceType: m5.large}", "{InstanceType: m5.xlarge}"))
    (line,) = [line for line in lines if line.startswith("head ")]
    assert "made from another node_config" in line


def test_without_credentials_one_sentence_says_what_was_tried(
    priced: Laptop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(LaunchError, match="no AWS credentials: profile default in us-west-2"):
        told(priced)
