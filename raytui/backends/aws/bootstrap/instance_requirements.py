"""Node types that say what their instances must have, and not which they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raytui.backends.aws import catalog
from raytui.backends.aws.bootstrap.parts import Config, Draft, Part, State
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError

MOST = 20
"""Types that are tried: the cheapest. With more, a launch that finds no room would try for ever."""
_SHOWN = 4
_GRAVITON = ["amazon-web-services"]


def instance_requirements(draft: Draft, aws: AwsSession) -> Iterator[Part]:
    """Put the instance types that fulfil `InstanceRequirements` in its place, the cheapest first.

    From then on a type is a list as any other: each is a way to buy, with its own price, failures
    and client token. RunInstances itself takes no requirements. Raises ConfigError where none fits.
    """
    for name, config in draft.configs.items():
        wanted = config.pop("InstanceRequirements", None)
        if wanted is None:
            continue
        if config.get("InstanceType"):
            raise ConfigError(
                f"{name}: node_config says both InstanceType and InstanceRequirements; leave one"
            )
        found = _fulfilling(aws, wanted, _architecture(aws, config, wanted))
        if not found:
            raise ConfigError(
                f"{name}: no instance type in {aws.region} fulfils its InstanceRequirements"
            )
        chosen = _cheapest(found)
        config["InstanceType"] = chosen
        yield Part("instance types", name, State.FOUND, _words(chosen, len(found)))


def _fulfilling(aws: AwsSession, wanted: dict[str, Any], architecture: str) -> list[str]:
    found = aws.pages(
        "ec2",
        "get_instance_types_from_instance_requirements",
        "InstanceTypes",
        ArchitectureTypes=[architecture],
        VirtualizationTypes=["hvm"],
        InstanceRequirements=wanted,
    )
    return [str(one["InstanceType"]) for one in found]


def _architecture(aws: AwsSession, config: Config, wanted: dict[str, Any]) -> str:
    """Of its image where it names one, for nothing else starts there."""
    image = str(config.get("ImageId") or "")
    if image.startswith("ami-"):
        known = aws.call("ec2", "describe_images", ImageIds=[image])["Images"]
        if known and known[0].get("Architecture"):
            return str(known[0]["Architecture"])
    return "arm64" if wanted.get("CpuManufacturers") == _GRAVITON else "x86_64"


def _cheapest(names: list[str]) -> list[str]:
    """By the catalog's prices, which rank types of any region; what it does not know comes last."""
    types = catalog.load()

    def price(name: str) -> float:
        known = types[name].price_per_hour if name in types else None
        return float("inf") if known is None else known

    return sorted(sorted(names), key=price)[:MOST]


def _words(chosen: list[str], fulfilling: int) -> str:
    shown = ", ".join(chosen[:_SHOWN])
    more = len(chosen) - _SHOWN
    text = f"{shown} and {more} more" if more > 0 else shown
    return f"{text}; the cheapest of {fulfilling}" if fulfilling > len(chosen) else text
