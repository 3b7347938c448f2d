"""What Ray is told of an EC2 instance.

Ray's rule (ray/autoscaler/_private/aws/node_provider.py, 2.60): CPUs, 70 % of the memory for
workers, accelerators with their type; what the cluster file states goes before all that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from raytui.backends.aws.catalog import InstanceType, read, save
from raytui.backends.aws.catalog_api import described, from_ec2
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError, ProviderError
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType

MEMORY_SHARE = 1 - 0.3
"""Of a worker's memory, what tasks may ask for: Ray keeps 30 % for objects."""

NEURON_TYPE = "aws-neuron-core"
"""Ray's accelerator_type of every Neuron device."""


def instance_types_of(node_type: NodeType) -> tuple[str, ...]:
    """The instance types that a node of this type may be, in the cluster file's order.

    Those of `metadata.raytui`'s offerings, else `InstanceType`, which may be a list here.
    """
    written: Any = node_type.node_config.get("InstanceType") or ()
    listed = (written,) if isinstance(written, str) else tuple(str(name) for name in written)
    names: list[str] = []
    for offering in node_type.offerings:
        names += (offering.instance_type,) if offering.instance_type else listed
    return tuple(dict.fromkeys(names))


def resources_of(one: InstanceType, *, is_head: bool = False) -> Resources:
    """What a node on this instance type has, under Ray's names; a head's memory is left to Ray."""
    amounts: dict[str, float] = {"CPU": one.vcpus}
    if not is_head:
        amounts["memory"] = int(one.memory * MEMORY_SHARE)
    if one.gpus:
        amounts["GPU"] = one.gpus
        amounts[f"accelerator_type:{one.accelerator}"] = 1
    if one.neuron_cores:
        amounts["neuron_cores"] = one.neuron_cores
        amounts[f"accelerator_type:{NEURON_TYPE}"] = 1
    return Resources.of(amounts)


def fill(spec: ClusterSpec, types: Mapping[str, InstanceType]) -> ClusterSpec:
    """The cluster with the resources that its file leaves out; what it states, 0 too, stays.

    A node type of several instance types has what each of them has. One whose instance type only
    AWS can tell (a launch template, instance requirements) stays as it is. Raises ConfigError for
    an instance type that `types` does not have.
    """
    node_types = {
        name: msgspec.structs.replace(
            node_type,
            resources=_filled(
                node_type,
                [
                    resources_of(_found(one, types, name), is_head=name == spec.head_node_type)
                    for one in instance_types_of(node_type)
                ],
                _stated(spec, name),
            ),
        )
        for name, node_type in spec.node_types.items()
    }
    return msgspec.structs.replace(spec, node_types=node_types)


def types_of_cluster(
    spec: ClusterSpec,
    session: AwsSession,
    catalog: Mapping[str, InstanceType],
    cache: Path | None = None,
) -> Mapping[str, InstanceType]:
    """The instance types that the cluster's node types name, as EC2 has them in its region.

    What was asked once is kept in the directory `cache`: what a type has does not change. The rest
    is asked for in one call; when EC2 cannot be asked, the catalog tells. Raises ConfigError for a
    type that the region does not have, and without a region.
    """
    kept_at = cache / f"types-{session.region}.csv" if cache is not None else None
    wanted = {name for one in spec.node_types.values() for name in instance_types_of(one)}
    known = _kept(kept_at)
    missing = wanted - known.keys()
    if missing:
        try:
            asked = {one.name: one for one in map(from_ec2, described(session, missing))}
        except ConfigError:
            raise
        except ProviderError:
            return {**catalog, **known}
        known = {**known, **asked}
        _keep(kept_at, known.values())
    return {name: known[name] for name in sorted(wanted & known.keys())}


def are_told(spec: ClusterSpec, types: Mapping[str, InstanceType]) -> bool:
    """Whether these are EC2's own words on the cluster's types: the catalog has others, too."""
    return types.keys() == {
        name for one in spec.node_types.values() for name in instance_types_of(one)
    }


def _stated(spec: ClusterSpec, name: str) -> Mapping[str, float]:
    """The resources that the file states for a type; a spec made in code has no zeros."""
    own: Any = spec.written.get("available_node_types", {}).get(name, {}).get("resources")
    return own if own is not None else spec.node_types[name].resources.amounts()


def _filled(
    node_type: NodeType, each: Sequence[Resources], stated: Mapping[str, float]
) -> Resources:
    if not each:
        return node_type.resources
    amounts = [one.amounts() for one in each]
    common = set.intersection(*(set(one) for one in amounts))
    least = {name: min(one[name] for one in amounts) for name in common}
    return Resources.of({**least, **stated})


def _found(name: str, types: Mapping[str, InstanceType], node_type: str) -> InstanceType:
    if name in types:
        return types[name]
    near = get_close_matches(name, types, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"{name}, the instance type of {node_type}, is not known{hint}")


def _kept(cache: Path | None) -> dict[str, InstanceType]:
    """What earlier calls kept, in the catalog's own format; nothing when it cannot be read."""
    if cache is None:
        return {}
    try:
        return read(cache.read_text("utf-8"))
    except (OSError, ValueError, KeyError):
        return {}


def _keep(cache: Path | None, types: Iterable[InstanceType]) -> None:
    """Best effort: a disk that takes nothing costs a call the next time, no more."""
    if cache is not None:
        with suppress(OSError):
            save(types, cache)
