"""What a node of a RayCluster's group has, as Ray's own reading of the resource has it.

The group's `resources` go before `rayStartParams`, those before the limits of the Ray container,
and those before its requests (ray/autoscaler/_private/kuberay/autoscaling_config.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, TypeVar

from raytui.backends.kubernetes.quantity import rounded_up
from raytui.config.names import wrong_resource_name
from raytui.config.problems import KeyPath, Problems, quoted

T = TypeVar("T")
Values = dict[str, Any]

_STANDARD = {"CPU": "num-cpus", "GPU": "num-gpus", "memory": "memory"}
"""By Ray's name of a resource: the option of `ray start` for it."""
_CONTAINER: KeyPath = ("template", "spec", "containers", 0, "resources")
_TPU = "google.com/tpu"
_TOPOLOGY = "cloud.google.com/gke-tpu-topology"
_ACCELERATOR = "cloud.google.com/gke-tpu-accelerator"
_GENERATIONS = {
    "tpu-v4-podslice": ("v4", 2),
    "tpu-v5-lite-device": ("v5litepod", 1),
    "tpu-v5-lite-podslice": ("v5litepod", 1),
    "tpu-v5p-slice": ("v5p", 2),
    "tpu-v6e-slice": ("v6e", 1),
    "tpu7x": ("v7x", 2),
}
"""By GKE's name of a TPU: Ray's name of its generation, and its cores on each chip."""


def resources_of(group: Values, path: KeyPath, problems: Problems) -> dict[str, float]:
    """By Ray's names: amounts of a node; memory in bytes. What cannot be read is a problem.

    A group that does not say how many CPUs it has is one of which only its nodes tell.
    """
    return _Reading(group, path, problems).resources()


class _Reading:
    def __init__(self, group: Values, path: KeyPath, problems: Problems) -> None:
        self._path = path
        self._problems = problems
        self._stated: Values = group.get("resources") or {}
        self._options: Values = group.get("rayStartParams") or {}
        pod: Values = group["template"]["spec"]
        self._container: Values = pod["containers"][0].get("resources") or {}
        self._selector: Values = pod.get("nodeSelector") or {}

    def resources(self) -> dict[str, float]:
        custom = self._custom()
        found: dict[str, float] = {}
        for name, option in _STANDARD.items():
            amount = self._standard(name, option)
            if amount is not None:
                found[name] = amount
        if tpus := self._tpus(custom):
            found["TPU"] = tpus
            if head := self._tpu_head():
                found[head] = 1
        return {**found, **custom}

    def _standard(self, name: str, option: str) -> float | None:
        if name in self._stated:
            return self._read(self._stated[name], rounded_up, "resources", name)
        if option in self._options:
            return self._read(self._options[option], _option, "rayStartParams", option)
        for part, key, amount in self._of_container():
            if key == name.lower() or (name == "GPU" and key.endswith("gpu")):
                read = self._read(amount, rounded_up, *_CONTAINER, part, key)
                if read or name != "GPU":
                    return read
        return None

    def _of_container(self) -> Iterator[tuple[str, str, Any]]:
        for part in ("limits", "requests"):
            for key, amount in (self._container.get(part) or {}).items():
                yield part, key, amount

    def _tpus(self, custom: dict[str, float]) -> float:
        if "TPU" in self._stated:
            return self._read(self._stated["TPU"], rounded_up, "resources", "TPU") or 0
        if "TPU" in custom:
            return custom["TPU"]
        for part, key, amount in self._of_container():
            if key == _TPU and (read := self._read(amount, rounded_up, *_CONTAINER, part, key)):
                return read
        return 0

    def _tpu_head(self) -> str:
        """`TPU-v4-16-head`, which one host of each slice has; empty when it is not known."""
        generation = _GENERATIONS.get(str(self._selector.get(_ACCELERATOR)))
        topology = str(self._selector.get(_TOPOLOGY, "")).lower().split("x")
        if generation is None or not all(side.isdecimal() for side in topology):
            return ""
        name, cores = generation
        return f"TPU-{name}-{prod(map(int, topology)) * cores}-head"

    def _custom(self) -> dict[str, float]:
        """Resources with names of the user's choice."""
        where: KeyPath = ("resources",) if self._stated else ("rayStartParams", "resources")
        if self._stated:
            found: dict[str, float] = {}
            for name, text in self._stated.items():
                if name not in _STANDARD and name != "TPU":
                    found[name] = self._read(text, rounded_up, "resources", name) or 0
        elif "resources" in self._options:
            found = self._read(self._options["resources"], _custom_option, *where) or {}
        else:
            return {}
        for name in found:
            if wrong := wrong_resource_name(name):
                self._problems.add((*self._path, *where), f'"{name}": {wrong}')
        return found

    def _read(self, written: Any, how: Callable[[str], T], *key: str | int) -> T | None:
        """What was written, as `how` reads it; None, with a problem noted, when it cannot."""
        try:
            return how(str(written))
        except ValueError as error:
            self._problems.add((*self._path, *key), str(error))
            return None


def _option(text: str) -> int:
    """A whole number of `ray start`."""
    if not re.fullmatch(r"\s*[0-9]+\s*", text):
        raise ValueError(f"expected a whole number as text, got {quoted(text)}")
    return int(text)


def _custom_option(text: str) -> dict[str, float]:
    r"""`'"{\"one\": 1}"'`: JSON in a pair of quotes for the shell, with its own quotes escaped."""
    inner = text.strip()
    if len(inner) > 1 and inner[0] == inner[-1] and inner[0] in "\"'":
        inner = inner[1:-1].replace("\\", "")
    try:
        found = json.loads(inner)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(amount, int | float) and not isinstance(amount, bool) and amount >= 0
        for amount in found.values()
    ):
        raise ValueError(
            "expected JSON in quotes, with a number for each resource, e.g. "
            '\'"{\\"one\\": 1, \\"two\\": 5}"\''
        )
    return found
