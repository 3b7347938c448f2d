"""Instance types as EC2 describes them (DescribeInstanceTypes), in the catalog's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from raytui.backends.aws.catalog import GB, MIB, InstanceType
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError

Description = Mapping[str, Any]
"""One element of `InstanceTypes` in EC2's answer."""

_AT_ONCE = 100
"""EC2's limit of names in one call."""

_BANDWIDTH = re.compile(r"(?P<burst>Up to )?(?:(?P<cards>\d+)x )?(?P<gbps>[\d.]+) Gigabit")


def described(session: AwsSession, names: Iterable[str] = ()) -> Iterator[Description]:
    """What EC2 says of these instance types in the session's region, or of all that it has.

    Raises ProviderError; ConfigError when the region does not have one of them.
    """
    wanted = sorted(set(names))
    if not wanted:
        yield from session.pages("ec2", "describe_instance_types", "InstanceTypes")
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        answer = session.call("ec2", "describe_instance_types", InstanceTypes=some)
        yield from answer["InstanceTypes"]


def described_by_moto() -> list[Description]:
    """What EC2 said when moto's authors last asked; for a table made without AWS.

    Raises ConfigError when moto is not installed.
    """
    try:
        from moto.ec2.models.instance_types import INSTANCE_TYPES
    except ModuleNotFoundError as error:
        words = "--offline reads the EC2 data that moto brings: pip install 'raytui[catalog]'"
        raise ConfigError(words) from error
    return list(INSTANCE_TYPES.values())


def runs_ray(description: Description) -> bool:
    """Whether Linux runs there: everything but Macs."""
    return not any(arch.endswith("_mac") for arch in _architectures(description))


def from_ec2(description: Description) -> InstanceType:
    """One of EC2's descriptions in our words, without a price."""
    sustained, peak = _network(description.get("NetworkInfo", {}))
    return InstanceType(
        name=description["InstanceType"],
        vcpus=description["VCpuInfo"]["DefaultVCpus"],
        memory=description["MemoryInfo"]["SizeInMiB"] * MIB,
        architecture="arm64" if "arm64" in _architectures(description) else "x86_64",
        network_gbps=sustained,
        network_peak_gbps=peak,
        nvme=_nvme(description.get("InstanceStorageInfo", {})),
        efa=description.get("NetworkInfo", {}).get("EfaSupported", False),
        burstable=description.get("BurstablePerformanceSupported", False),
        bare_metal=description.get("BareMetal", False),
        current=description.get("CurrentGeneration", True),
        **(_gpus(description) or _neuron(description)),
    )


def _architectures(description: Description) -> list[str]:
    found: list[str] = description.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    return found


def _gpus(description: Description) -> dict[str, Any]:
    gpus = description.get("GpuInfo", {}).get("Gpus", ())
    if not gpus:
        return {}
    # EC2 counts a share of a GPU (g6f) as none; the machine, and Ray there, sees one.
    return {
        "accelerator": _as_ray_names(gpus[0]["Name"]),
        "accelerators": sum(gpu.get("LogicalGpuCount") or gpu.get("Count", 0) for gpu in gpus),
        "accelerator_memory": gpus[0].get("MemoryInfo", {}).get("SizeInMiB", 0) * MIB,
    }


def _as_ray_names(name: str) -> str:
    """A GPU as Ray finds it on the machine: `RTX PRO Server 6000` is its `RTX-PRO-6000`."""
    return name.replace(" Server ", " ").replace(" ", "-")


def _neuron(description: Description) -> dict[str, Any]:
    devices = description.get("NeuronInfo", {}).get("NeuronDevices", ())
    if not devices:
        return {}
    return {
        "accelerator": devices[0]["Name"],
        "accelerators": sum(device["Count"] for device in devices),
        "accelerator_memory": devices[0].get("MemoryInfo", {}).get("SizeInMiB", 0) * MIB,
        "neuron_cores": sum(d["Count"] * d["CoreInfo"]["Count"] for d in devices),
    }


def _network(info: Mapping[str, Any]) -> tuple[float, float]:
    """Gbit/s that last, and in bursts."""
    cards = info.get("NetworkCards", ())
    sustained = sum(card.get("BaselineBandwidthInGbps", 0.0) for card in cards)
    stated = _BANDWIDTH.fullmatch(info.get("NetworkPerformance", ""))
    if stated is None:  # `Moderate` and the like, of old types.
        return sustained, sum(card.get("PeakBandwidthInGbps", 0.0) for card in cards)
    peak = float(stated["gbps"]) * int(stated["cards"] or 1)
    # Cards of EFA carry more than what is listed of each for IP, and the whole is what is stated.
    return (sustained if stated["burst"] else peak), peak


def _nvme(storage: Mapping[str, Any]) -> int:
    """Bytes of local disks that are NVMe; old types' spinning and SATA disks are none."""
    has_nvme = storage.get("NvmeSupport", "unsupported") != "unsupported"
    return int(storage["TotalSizeInGB"]) * GB if has_nvme else 0
