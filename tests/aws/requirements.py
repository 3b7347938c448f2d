"""GetInstanceTypesFromInstanceRequirements, which moto lacks: types by what they must have.

By moto's own data of EC2's types. Attributes that no test asks for count as fulfilled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

_STEM = "InstanceRequirements."


def answer(fields: Mapping[str, str]) -> str:
    """EC2's answer to a call, all in one page."""
    items = "".join(
        f"<item><instanceType>{name}</instanceType></item>"
        for name, kind in sorted(INSTANCE_TYPES.items())
        if all(_fulfils(name, kind, fields))
    )
    call = "GetInstanceTypesFromInstanceRequirementsResponse"
    return f"<{call}><instanceTypeSet>{items}</instanceTypeSet></{call}>"


def _fulfils(name: str, kind: Mapping[str, Any], fields: Mapping[str, str]) -> Iterator[bool]:
    gpus = kind.get("GpuInfo", {}).get("Gpus", [])
    architectures = kind["ProcessorInfo"]["SupportedArchitectures"]
    yield any(one in architectures for one in _listed(fields, "ArchitectureType", stem=""))
    yield _within(fields, "VCpuCount", kind["VCpuInfo"]["DefaultVCpus"])
    yield _within(fields, "MemoryMiB", kind["MemoryInfo"]["SizeInMiB"])
    yield _within(fields, "AcceleratorCount", sum(gpu["Count"] for gpu in gpus))
    yield _allows(fields, "BareMetal", "excluded", has=kind["BareMetal"])
    yield _allows(
        fields, "BurstablePerformance", "excluded", has=kind["BurstablePerformanceSupported"]
    )
    yield _allows(fields, "LocalStorage", "included", has=kind["InstanceStorageSupported"])
    makers = {"Intel": "intel", "AMD": "amd", "AWS": "amazon-web-services"}
    maker = makers.get(kind["ProcessorInfo"].get("Manufacturer", ""), "")
    yield maker in (_listed(fields, "CpuManufacturer") or [maker])
    names = [gpu["Name"].lower() for gpu in gpus]
    wanted = _listed(fields, "AcceleratorName")
    yield not wanted or any(name in wanted for name in names)
    yield not any(fnmatchcase(name, one) for one in _listed(fields, "ExcludedInstanceType"))
    allowed = _listed(fields, "AllowedInstanceType")
    yield not allowed or any(fnmatchcase(name, one) for one in allowed)


def _listed(fields: Mapping[str, str], key: str, stem: str = _STEM) -> list[str]:
    return [value for name, value in fields.items() if name.startswith(f"{stem}{key}.")]


def _within(fields: Mapping[str, str], key: str, amount: int) -> bool:
    least = int(fields.get(f"{_STEM}{key}.Min", 0))
    most = fields.get(f"{_STEM}{key}.Max")
    return least <= amount and (most is None or amount <= int(most))


def _allows(fields: Mapping[str, str], key: str, default: str, *, has: bool) -> bool:
    word = fields.get(_STEM + key, default)
    return {"excluded": not has, "required": has, "included": True}[word]
