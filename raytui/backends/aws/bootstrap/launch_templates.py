"""Launch templates that node types name: what they say counts where `node_config` is silent."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from raytui.backends.aws.bootstrap.parts import Config, Draft, Part, State, is_spot
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError
from raytui.model.spec import Market

_LOOKED_AT = (
    "BlockDeviceMappings",
    "IamInstanceProfile",
    "ImageId",
    "InstanceMarketOptions",
    "InstanceType",
    "KeyName",
    "MetadataOptions",
    "NetworkInterfaces",
    "Placement",
    "SecurityGroupIds",
)
"""What other steps look at. The rest EC2 takes from the template itself, whose version is pinned:
its user data, for one, would be encoded twice."""


def launch_templates(draft: Draft, aws: AwsSession) -> Iterator[Part]:
    """Read the templates of all node types; raises ConfigError for one that is not there."""
    for name, config in draft.configs.items():
        named = config.get("LaunchTemplate")
        if not named:
            continue
        which = {k: v for k, v in named.items() if k in ("LaunchTemplateId", "LaunchTemplateName")}
        wanted = str(named.get("Version", "$Default"))
        version = _version(aws, which, wanted)
        data, number = version["LaunchTemplateData"], str(version["VersionNumber"])
        words = f"version {number}"
        if "InstanceRequirements" in data:
            _spell_out(config, data)
            words += ", said in full since RunInstances takes no requirements"
        elif is_spot(data) and Market.ON_DEMAND in draft.markets_of(name):
            _spell_out(config, data)
            words += ", said in full since it is for spot and on-demand is wanted, too"
        else:
            config.update({k: data[k] for k in _LOOKED_AT if k in data and k not in config})
            config["LaunchTemplate"] = {**which, "Version": number}
        yield Part("launch template", str(*which.values()), State.GIVEN, words)


def _spell_out(config: Config, data: dict[str, Any]) -> None:
    """Say all of a template in its place."""
    del config["LaunchTemplate"]
    told = dict(data)
    if config.get("InstanceType"):
        told.pop("InstanceRequirements", None)
    if "UserData" in told:  # boto3 encodes it when it is asked for
        told["UserData"] = base64.b64decode(told["UserData"]).decode()
    if "MetadataOptions" in told:
        told["MetadataOptions"] = {k: v for k, v in told["MetadataOptions"].items() if k != "State"}
    for key, value in told.items():
        config.setdefault(key, value)


def _version(aws: AwsSession, which: dict[str, str], wanted: str) -> dict[str, Any]:
    if len(which) != 1:
        raise ConfigError(
            "LaunchTemplate needs LaunchTemplateId or LaunchTemplateName, one of both"
        )
    asked: dict[str, Any] = {**which, "Versions": [wanted]}
    answer = aws.call("ec2", "describe_launch_template_versions", **asked)
    versions: list[dict[str, Any]] = answer["LaunchTemplateVersions"]
    if not versions:
        raise ConfigError(f"launch template {', '.join(which.values())} has no version {wanted}")
    return versions[0]
