"""Launch templates that node types name: what they say counts where `node_config` is silent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raytui.backends.aws.bootstrap.parts import Draft, Part, State
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError

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
    for config in draft.configs.values():
        named = config.get("LaunchTemplate")
        if not named:
            continue
        which = {k: v for k, v in named.items() if k in ("LaunchTemplateId", "LaunchTemplateName")}
        wanted = str(named.get("Version", "$Default"))
        version = _version(aws, which, wanted)
        data = version["LaunchTemplateData"]
        for key in _LOOKED_AT:
            if key in data:
                config.setdefault(key, data[key])
        number = str(version["VersionNumber"])
        config["LaunchTemplate"] = {**which, "Version": number}
        yield Part("launch template", str(*which.values()), State.GIVEN, f"version {number}")


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
