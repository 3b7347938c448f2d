"""Network interfaces that node types describe themselves."""

from __future__ import annotations

from collections.abc import Iterator

from raytui.backends.aws.bootstrap.parts import Config, Draft, Part, State
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError


def network_interfaces(draft: Draft, aws: AwsSession) -> Iterator[Part]:
    """Check them as Ray does: with interfaces, EC2 takes subnets and groups from them alone."""
    for name, config in draft.configs.items():
        interfaces = config.get("NetworkInterfaces")
        if not interfaces:
            continue
        doubled = [key for key in ("SubnetIds", "SubnetId", "SecurityGroupIds") if config.get(key)]
        stated = {"SubnetIds": "SubnetId", "SubnetId": "SubnetId", "SecurityGroupIds": "Groups"}
        clash = [key for key in doubled if any(i.get(stated[key]) for i in interfaces)]
        if clash:
            raise ConfigError(
                f"{name}: NetworkInterfaces say it already, so {', '.join(clash)} cannot"
            )
        for index, interface in enumerate(interfaces):
            interface.setdefault("DeviceIndex", index)
        share_groups(config)
        yield Part("network interfaces", name, State.GIVEN, f"{len(interfaces)}")


def share_groups(config: Config) -> None:
    """Move the security groups of a `node_config` to its interfaces, when it describes some."""
    interfaces = config.get("NetworkInterfaces")
    if interfaces and "SecurityGroupIds" in config:
        groups = config.pop("SecurityGroupIds")
        for interface in interfaces:
            interface.setdefault("Groups", list(groups))


def groups_of(config: Config) -> list[str]:
    """The security groups that a `node_config` names, its interfaces' among them."""
    interfaces = config.get("NetworkInterfaces") or ()
    named = [*(config.get("SecurityGroupIds") or ())]
    named += [group for interface in interfaces for group in interface.get("Groups") or ()]
    return list(dict.fromkeys(str(group) for group in named))
