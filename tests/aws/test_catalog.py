"""The catalog: what is known of EC2 instance types without asking anybody."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from raytui.backends.aws.catalog import (
    InstanceType,
    load,
    packaged_table,
    read,
    refreshed_table,
    save,
    write,
)
from raytui.backends.aws.catalog_lineage import Lineage, lineage, successor
from raytui.backends.aws.catalog_search import Order, per_unit, search
from raytui.backends.base import ConfigError

GIB = 2**30
FAMILIES = {one.family for one in load().values()}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def names(*words: str, order: Order = Order.NAME) -> list[str]:
    return [one.name for one in search(load().values(), words, order)]


def test_it_has_current_and_former_families_for_every_use():
    wanted = {"m5", "m7i", "m8g", "c5n", "c7a", "r7iz", "g4dn", "g6e", "p4d", "p5en", "p6-b200"}
    assert wanted | {"trn1", "trn2", "inf2", "t3", "i4i"} <= FAMILIES
    assert len(load()) > 1000


def test_a_machine_with_gpus_is_described_to_the_last_of_them():
    p5 = load()["p5.48xlarge"]
    assert (p5.vcpus, p5.memory, p5.architecture) == (192, 2048 * GIB, "x86_64")
    assert (p5.accelerator, p5.gpus, p5.accelerator_memory) == ("H100", 8, 80 * GIB)
    assert (p5.network_gbps, p5.network_peak_gbps, p5.efa) == (3200, 3200, True)
    assert p5.nvme == 30_400 * 10**9


def test_neuron_devices_are_no_gpus():
    trn2 = load()["trn2.48xlarge"]
    assert (trn2.accelerator, trn2.accelerators, trn2.neuron_cores) == ("Trainium2", 16, 128)
    assert trn2.gpus == 0


def test_network_that_lasts_and_bursts_are_told_apart():
    m5 = load()["m5.large"]
    assert (m5.network_gbps, m5.network_peak_gbps) == (0.75, 10)


def test_the_network_class_n_has_more_network():
    types = load()
    assert types["c6in.8xlarge"].network_gbps > 3 * types["c6i.8xlarge"].network_gbps


def test_every_type_can_hold_a_node():
    for one in load().values():
        assert one.vcpus > 0, one.name
        assert one.memory > 0, one.name
        assert one.network_gbps > 0, one.name
        assert one.architecture in ("x86_64", "arm64"), one.name
        assert bool(one.accelerator) == bool(one.accelerators), one.name
        assert " " not in one.accelerator, "Ray's names have none"


def test_a_price_is_unknown_or_more_than_nothing_and_then_has_its_day():
    priced = [one for one in load().values() if one.price_per_hour is not None]
    assert len(priced) > 500
    for one in priced:
        assert one.price_per_hour is not None
        assert one.price_per_hour > 0, one.name
        assert date(2020, 1, 1) < date.fromisoformat(one.priced_on) <= date.today(), one.name
    assert {one.priced_on for one in load().values() if one.price_per_hour is None} == {""}


def test_prices_within_a_family_grow_with_the_machine():
    for family in ("m7i", "c7g", "r6i", "m6a"):
        for one in search(load().values(), [f"{family}.", "priced", "no-metal"]):
            assert one.price_per_hour is not None
            smallest = search(load().values(), [f"{family}.", "priced", "no-metal"])[0]
            assert smallest.price_per_hour is not None
            ratio = one.price_per_hour / smallest.price_per_hour
            assert ratio == pytest.approx(one.vcpus / smallest.vcpus, rel=0.01), one.name


def test_a_table_is_read_as_it_was_written():
    types = list(load().values())
    assert list(read(write(types)).values()) == types
    assert write(types) == packaged_table().read_text()


def test_the_users_own_table_is_laid_over_the_packaged():
    packaged = load()
    new = InstanceType("zz1.large", 2, 8 * GIB, price_per_hour=0.25, priced_on="2026-01-02")
    m5 = replace(packaged["m5.large"], vcpus=3)
    save([new, m5], refreshed_table())
    assert load() == {**packaged, "zz1.large": new, "m5.large": m5}


@pytest.mark.parametrize(
    ("own", "day"), [("2020-01-01", "2025-03-02"), ("2126-01-01", "2126-01-01"), ("", "2025-03-02")]
)
def test_of_two_prices_the_later_one_counts(own: str, day: str):
    price = 5.0 if own else None
    save([replace(load()["m5.large"], price_per_hour=price, priced_on=own)], refreshed_table())
    m5 = load()["m5.large"]
    assert (m5.priced_on, m5.price_per_hour) == (day, 0.096 if day == "2025-03-02" else price)


@pytest.mark.parametrize("text", ["", "nonsense\n", "instance_type,vcpus\nm5.large,2\n"])
def test_a_damaged_table_says_how_to_get_a_new_one(text: str):
    refreshed_table().parent.mkdir(parents=True)
    refreshed_table().write_text(text)
    with pytest.raises(ConfigError, match=r"aws\.csv is no catalog.*raytui catalog refresh"):
        load()


def test_a_number_that_is_none_says_so_too():
    refreshed_table().parent.mkdir(parents=True)
    refreshed_table().write_text(packaged_table().read_text().replace(",96,", ",many,", 1))
    with pytest.raises(ConfigError, match="many"):
        load()


def test_names_tell_what_a_family_is():
    assert lineage("m6idn") == Lineage("m", 6, "i", "dn")
    assert lineage("m5dn") == Lineage("m", 5, "i", "dn")
    assert lineage("c7i-flex") == Lineage("c", 7, "i", "-flex")
    assert lineage("r8g") == Lineage("r", 8, "g", "")
    assert lineage("p6-b200") == Lineage("p", 6, "i", "-b200")
    assert lineage("u-6tb1") is None


@pytest.mark.parametrize(
    ("family", "next_one"),
    [
        ("m5", "m6i"),
        ("m6i", "m7i"),
        ("m5dn", "m6idn"),
        ("c5n", "c6in"),
        ("m5a", "m6a"),
        ("r7g", "r8g"),
        ("c7i-flex", "c8i-flex"),
        ("p4d", "p5"),
        ("p5", "p6-b200"),
        ("g5", "g6"),
        ("g6e", "g7e"),
        ("trn1", "trn2"),
        ("inf1", "inf2"),
        ("c8gn", ""),
        ("u-6tb1", ""),
    ],
)
def test_a_family_has_its_successor(family: str, next_one: str):
    assert successor(family, FAMILIES) == next_one


def test_a_successor_is_newer_and_has_the_same_kind_of_processor():
    arm = {one.family: one.architecture for one in load().values()}
    for family in FAMILIES:
        after = successor(family, FAMILIES)
        if after:
            own, other = lineage(family), lineage(after)
            assert own is not None
            assert other is not None
            assert other.generation > own.generation
            if own.series in {"m", "c", "r", "t"}:
                assert arm[after] == arm[family], (family, after)


def test_words_narrow_the_list():
    assert names("p5.") == ["p5.4xlarge", "p5.48xlarge"]
    assert names("h200") == ["p5e.48xlarge", "p5en.48xlarge"]
    assert names("gpu-memory>=80", "gpu=1", "cpu<=16") == [
        "g7e.2xlarge",
        "g7e.4xlarge",
        "p5.4xlarge",
    ]
    assert set(names("m7*.metal*")) == set(names("m7", "metal"))
    assert all(name.startswith(("inf", "trn")) for name in names("neuron"))
    assert not set(names("no-gpu")) & set(names("gpu"))
    assert names("no-such-type") == []


def test_an_unknown_price_passes_no_comparison():
    priced = set(names("priced"))
    assert set(names("price>=0")) == set(names("price<1000000")) == priced


def test_the_cheapest_for_a_unit_comes_first_and_the_unknown_last():
    found = search(load().values(), ["gpu"], Order.GPU)
    costs = [per_unit(one, Order.GPU) for one in found]
    known = [cost for cost in costs if cost is not None]
    assert known == sorted(known)
    assert costs == known + [None] * (len(costs) - len(known))
    assert len(known) not in (0, len(costs))


def test_what_cannot_be_compared_is_named():
    with pytest.raises(ValueError, match="size>=3: one of cpu, memory"):
        names("size>=3")
