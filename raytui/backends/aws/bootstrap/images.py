"""The image of node types that name none, looked up when it is needed; all images are checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raytui.backends.aws.bootstrap.parts import Config, Draft, Part, State
from raytui.backends.aws.errors import code_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError

_UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
_WITH_DRIVERS = (
    "/aws/service/deeplearning/ami/{}/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
)
_CANONICAL = {"x86_64": "amd64", "arm64": "arm64"}
_RAYS_WORD = "latest_dlami"
"""Ray's word for its default image."""
_BY_PARAMETER = "resolve:ssm:"
"""EC2's own word for it. It is resolved here, since whoever lets EC2 do it must be allowed to read
parameters: so would the head have to be, and everybody on it, secrets among them."""
_UNKNOWN = ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable")


def images(draft: Draft, aws: AwsSession) -> Iterator[Part]:
    """Look up the newest Ubuntu 24.04 for types without an image: with drivers for GPU types.

    An image that is given as `resolve:ssm:…` is the parameter's of now.

    Volumes are encrypted and the metadata service wants a session (IMDSv2) unless `node_config`
    says otherwise. Raises ConfigError for an image that is not in the region.
    """
    without = {
        name: config
        for name, config in draft.configs.items()
        if config.get("ImageId") in (None, "", _RAYS_WORD)
    }
    parameters = {
        **(_parameters(aws, without) if without else {}),
        **{
            name: str(config["ImageId"]).removeprefix(_BY_PARAMETER)
            for name, config in draft.configs.items()
            if str(config.get("ImageId")).startswith(_BY_PARAMETER)
        },
    }
    looked_up = {one: _value(aws, one) for one in sorted(set(parameters.values()))}
    for name, parameter in parameters.items():
        draft.configs[name]["ImageId"] = looked_up[parameter]
    ids = sorted({str(config["ImageId"]) for config in draft.configs.values()})
    known = _described(aws, ids)
    for parameter, image in looked_up.items():
        yield Part("image", image, State.FOUND, f"{known[image].get('Name', '')} ({parameter})")
    for image in ids:
        if image not in looked_up.values():
            yield Part("image", image, State.GIVEN, str(known[image].get("Name", "")))
    for config in draft.configs.values():
        _protect(config, known[str(config["ImageId"])])


def _parameters(aws: AwsSession, without: dict[str, Config]) -> dict[str, str]:
    """The parameter that has the image of each node type."""
    wanted = {name: _instance_types(name, config) for name, config in without.items()}
    kinds = sorted({kind for those in wanted.values() for kind in those})
    found = {
        one["InstanceType"]: one
        for one in aws.pages("ec2", "describe_instance_types", "InstanceTypes", InstanceTypes=kinds)
    }
    return {name: _parameter(name, [found[k] for k in those]) for name, those in wanted.items()}


def _instance_types(name: str, config: Config) -> list[str]:
    written = config.get("InstanceType") or ""
    kinds = [str(k) for k in written] if isinstance(written, list) else [str(written)]
    if not all(kinds):
        raise ConfigError(f"{name}: node_config needs an InstanceType or an ImageId")
    return kinds


def _parameter(name: str, kinds: list[dict[str, Any]]) -> str:
    common = set(_CANONICAL)
    for kind in kinds:
        common &= set(kind["ProcessorInfo"]["SupportedArchitectures"])
    if not common:
        raise ConfigError(
            f"{name}: no one image fits all its instance types; give them types of their own"
        )
    architecture = sorted(common)[-1]
    if any("GpuInfo" in kind for kind in kinds):
        return _WITH_DRIVERS.format(architecture)
    return _UBUNTU.format(_CANONICAL[architecture])


def _value(aws: AwsSession, parameter: str) -> str:
    try:
        return str(aws.call("ssm", "get_parameter", Name=parameter)["Parameter"]["Value"])
    except ConfigError as error:
        if code_of(error) != "ParameterNotFound":
            raise
        raise ConfigError(
            f"{aws.region} has no {parameter}; name an ImageId in node_config"
        ) from error


def _described(aws: AwsSession, ids: list[str]) -> dict[str, dict[str, Any]]:
    try:
        answer = aws.call("ec2", "describe_images", ImageIds=ids)["Images"]
    except ConfigError as error:
        if code_of(error) not in _UNKNOWN:
            raise
        raise ConfigError(f"{error} (images belong to one region, here {aws.region})") from error
    found = {one["ImageId"]: one for one in answer}
    lacking = [image for image in ids if image not in found]
    if lacking:
        raise ConfigError(f"no image {', '.join(lacking)} in {aws.region} for this account")
    return found


def _protect(config: Config, image: dict[str, Any]) -> None:
    config["MetadataOptions"] = {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 2,  # one more than the default: containers ask, too
        **(config.get("MetadataOptions") or {}),
    }
    root = image.get("RootDeviceName")
    mappings = list(config.get("BlockDeviceMappings") or ())
    if root and all(one.get("DeviceName") != root for one in mappings):
        of_image = {m["DeviceName"]: m.get("Ebs") or {} for m in image["BlockDeviceMappings"]}
        sizes = {k: v for k, v in of_image.get(root, {}).items() if k == "VolumeSize"}
        mappings.append({"DeviceName": root, "Ebs": {**sizes, "Encrypted": True}})
    if mappings:
        config["BlockDeviceMappings"] = [_disk(one, root) for one in mappings]


def _disk(mapping: Config, root: str | None) -> Config:
    """Encrypted, and a root disk goes with its instance, unless the file says otherwise.

    What an image says of its root's end is for who keeps machines, and these come and go.
    """
    if not mapping.get("Ebs"):
        return mapping
    own = {"DeleteOnTermination": True} if mapping.get("DeviceName") == root else {}
    return {**mapping, "Ebs": {"Encrypted": True, **own, **mapping["Ebs"]}}
