"""What a host has, and what a node type has whose hosts are not all alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from raytui.model.resources import Resources
from raytui.model.text import bytes_text

MEMORY_SHARE = 0.65
"""Of a host's memory, what tasks may ask for: Ray keeps 30 % for objects, and the system lives."""

_MODEL = re.compile(r"\w+\s+((?:[A-Z]+\s+)*[A-Z0-9]*\d[A-Z0-9]*)")
"""Ray 2.60 `_private/accelerators/nvidia_gpu.py`: `NVIDIA A100-SXM4-40GB` is an A100."""


class Facts(Struct, frozen=True, omit_defaults=True):
    """What was found on a host."""

    cpus: int
    memory: int
    """Bytes."""
    gpus: tuple[tuple[str, int], ...] = ()
    """Name as NVIDIA gives it, and bytes of memory."""

    def resources(self) -> Resources:
        """What Ray will find there, under Ray's names."""
        amounts: dict[str, float] = {"CPU": self.cpus, "memory": int(self.memory * MEMORY_SHARE)}
        if self.gpus:
            amounts["GPU"] = len(self.gpus)
            amounts[f"accelerator_type:{accelerator_type(self.gpus[0][0])}"] = 1
        return Resources.of(amounts)

    def text(self) -> str:
        """`8 CPU, 31 GiB, 2 A100`."""
        models = Counter(accelerator_type(name) for name, _ in self.gpus)
        gpus = [f"{count} {model}" for model, count in models.items()]
        return ", ".join([f"{self.cpus} CPU", bytes_text(self.memory), *gpus])


def accelerator_type(name: str) -> str:
    """Ray's word for a GPU, as in its resource `accelerator_type:A100`."""
    match = _MODEL.match(name)
    if match and len(match[1]) > 1:
        return match[1].replace(" ", "-")
    return re.sub(r"^NVIDIA\s+", "", name).strip().replace(" ", "-")


def least(facts: Iterable[Facts]) -> Resources:
    """What every one of these hosts has; nothing when there is none."""
    each = [one.resources().amounts() for one in facts]
    names = set.intersection(*(set(amounts) for amounts in each)) if each else set()
    return Resources.of({name: min(amounts[name] for amounts in each) for name in sorted(names)})


def difference(hosts: Mapping[str, Facts]) -> str:
    """How the hosts of one type differ: `a: 8 CPU, 31 GiB; b: …`; empty when they do not.

    Memory that differs by less than a tenth is alike: no two machines report the same.
    """
    if len(hosts) < 2:
        return ""
    memory = [one.memory for one in hosts.values()]
    kinds = {(one.cpus, tuple(name for name, _ in one.gpus)) for one in hosts.values()}
    if len(kinds) == 1 and min(memory) >= 0.9 * max(memory):
        return ""
    alike: dict[str, list[str]] = {}
    for host, one in hosts.items():
        alike.setdefault(one.text(), []).append(host)
    return "; ".join(f"{_some(names)}: {text}" for text, names in alike.items())


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more"
