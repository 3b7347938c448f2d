"""The parts that instances need, looked up before any is made, and the file that they fill."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from raytui.backends.cloud import Part, State
from raytui.model.spec import ClusterSpec, Market, NodeType

__all__ = ["Config", "Draft", "Part", "State"]

Config = dict[str, Any]
"""A `node_config`: RunInstances in EC2's words, and Ray's own `SubnetIds`."""


class Draft:
    """A cluster file while it is filled in. Steps change `configs` and `auth` in place."""

    def __init__(self, spec: ClusterSpec) -> None:
        self.spec = spec
        self.options = spec.provider.options
        self.auth = spec.auth
        self.configs: dict[str, Config] = {
            name: copy.deepcopy(node_type.node_config)
            for name, node_type in spec.node_types.items()
        }
        self.vpc = ""
        """Where the cluster is, known once its subnets are."""

    @property
    def head(self) -> Config:
        """The head's `node_config`."""
        return self.configs[self.spec.head_node_type]

    def without(self, *keys: str) -> Iterator[tuple[str, Config]]:
        """The node types whose `node_config` has none of these keys."""
        for name, config in self.configs.items():
            if not any(config.get(key) for key in keys):
                yield name, config

    def filled(self) -> ClusterSpec:
        """The cluster file with all that was found and made."""
        types = {name: self._filled(node_type) for name, node_type in self.spec.node_types.items()}
        written = copy.deepcopy(self.spec.written)
        for name, config in self.configs.items():
            if name in written.get("available_node_types", {}):
                written["available_node_types"][name]["node_config"] = copy.deepcopy(config)
        if written and self.auth != self.spec.auth:
            written.setdefault("auth", {})["ssh_private_key"] = self.auth.ssh_private_key
        return replace(self.spec, node_types=types, auth=self.auth, written=written)

    def markets_of(self, name: str) -> set[Market]:
        """The markets that `metadata.raytui` names for a type; none where `node_config` decides."""
        ours = self.spec.metadata.get("raytui", {}).get("node_types", {}).get(name, {})
        named = ours.get("offerings") and self.spec.node_types[name].offerings
        return {offering.market for offering in named or ()}

    def log_in_with(self, private_key: str) -> None:
        """Use this key file for all machines."""
        self.auth = replace(self.auth, ssh_private_key=private_key)

    def _filled(self, node_type: NodeType) -> NodeType:
        config = self.configs[node_type.name]
        offerings = node_type.offerings
        by_template = is_spot(config) and not is_spot(node_type.node_config)
        if by_template and not self.markets_of(node_type.name):
            offerings = tuple(replace(offering, market=Market.SPOT) for offering in offerings)
        return replace(node_type, node_config=config, offerings=offerings)


def is_spot(config: Config) -> bool:
    """Whether a `node_config`, or what a launch template says in its place, asks for spot."""
    return (config.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"
