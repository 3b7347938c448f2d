"""Finding instance types: what passes a few words, and what costs least per unit."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from fnmatch import fnmatchcase

from raytui.backends.aws.catalog import GB, InstanceType

GIB = 1024**3

_COMPARISON = re.compile(r"(?P<fact>[a-z-]+)(?P<how>>=|<=|=|>|<)(?P<number>\d+(\.\d+)?)")
_HOW: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, "=": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip

FACTS: dict[str, Callable[[InstanceType], float | None]] = {
    "cpu": lambda one: one.vcpus,
    "memory": lambda one: one.memory / GIB,
    "gpu": lambda one: one.gpus,
    "gpu-memory": lambda one: one.accelerator_memory / GIB if one.gpus else 0,
    "neuron": lambda one: one.neuron_cores,
    "network": lambda one: one.network_gbps,
    "nvme": lambda one: one.nvme / GB,
    "price": lambda one: one.price_per_hour,
}
"""What may be compared with a number: vCPUs, GiB, GPUs, GiB of each, cores, lasting Gbit/s, GB,
and USD per hour."""

KINDS: dict[str, Callable[[InstanceType], bool]] = {
    "gpu": lambda one: one.gpus > 0,
    "neuron": lambda one: one.neuron_cores > 0,
    "nvme": lambda one: one.nvme > 0,
    "efa": lambda one: one.efa,
    "arm64": lambda one: one.architecture == "arm64",
    "x86_64": lambda one: one.architecture == "x86_64",
    "metal": lambda one: one.bare_metal,
    "burstable": lambda one: one.burstable,
    "current": lambda one: one.current,
    "priced": lambda one: one.price_per_hour is not None,
}
"""Words for kinds of instance types; `no-gpu` and the like for all others."""


class Order(StrEnum):
    """What a list is sorted by; whatever has no such value comes last."""

    NAME = "name"
    PRICE = "price"
    CPU = "cpu"
    """Price per vCPU."""
    MEMORY = "memory"
    """Price per GiB."""
    GPU = "gpu"
    """Price per GPU."""


_UNITS: dict[Order, Callable[[InstanceType], float]] = {
    Order.PRICE: lambda _: 1,
    Order.CPU: lambda one: one.vcpus,
    Order.MEMORY: lambda one: one.memory / GIB,
    Order.GPU: lambda one: one.gpus,
}


def search(
    types: Iterable[InstanceType], words: Iterable[str], order: Order = Order.NAME
) -> list[InstanceType]:
    """The types that all words fit, sorted; by name they keep the order that they came in.

    A word is a comparison (`memory>=64`), a kind (`gpu`, `no-metal`), the beginning of a name
    (`m7`, `p5.`), a pattern (`*.metal`), or a GPU or Neuron device (`H100`). What is unknown
    passes no comparison. Raises ValueError for a comparison of something that no type has.
    """
    tests = [_test(word) for word in words]
    found = [one for one in types if all(test(one) for test in tests)]
    if order is Order.NAME:
        return found
    return sorted(found, key=lambda one: (per_unit(one, order) is None, per_unit(one, order) or 0))


def per_unit(one: InstanceType, order: Order) -> float | None:
    """USD per hour and vCPU, GiB or GPU, as the order has it; None when there is none."""
    units = _UNITS[order](one) if order in _UNITS else 0
    return one.price_per_hour / units if one.price_per_hour is not None and units else None


def _test(word: str) -> Callable[[InstanceType], bool]:
    low = word.lower()
    compared = _COMPARISON.fullmatch(low)
    if compared is not None:
        return _comparison(word, compared)
    if low in KINDS:
        return KINDS[low]
    if low.removeprefix("no-") in KINDS:
        return lambda one: not KINDS[low.removeprefix("no-")](one)
    return lambda one: (
        one.name.startswith(low) or low == one.accelerator.lower() or fnmatchcase(one.name, low)
    )


def _comparison(word: str, parts: re.Match[str]) -> Callable[[InstanceType], bool]:
    fact, how, number = FACTS.get(parts["fact"]), _HOW[parts["how"]], float(parts["number"])
    if fact is None:
        raise ValueError(f"{word}: one of {', '.join(FACTS)} can be compared")

    def test(one: InstanceType) -> bool:
        value = fact(one)
        return value is not None and how(value, number)

    return test
