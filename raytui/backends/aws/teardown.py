"""Removing what `up` made beside instances that run: only what it marked, and nothing uses."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from raytui.backends.aws import tags
from raytui.backends.aws.bootstrap.instance_profile import NAME as PROFILE
from raytui.backends.aws.bootstrap.instance_profile import POLICY
from raytui.backends.aws.bootstrap.key_pair import file_of
from raytui.backends.aws.described import ALIVE, STOPS, batched, entries
from raytui.backends.aws.errors import code_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import AuthError, ConfigError, ProviderError
from raytui.backends.cloud import MadePart
from raytui.model.text import count_text

LETS_GO_WITHIN_S = 180.0
"""How long instances that end may keep their network interfaces."""

_LOOK_EVERY_S = 3.0
_THERE = (*ALIVE, *STOPS)
_REGIONS_AT_ONCE = 8
_TOLD = 3
_NOT_OURS = "raytui has not made it"
_STILL_USED = "DependencyViolation"
_NO_GROUP = ("InvalidGroup.NotFound", "InvalidGroupId.NotFound")
_NOT_IN_IAM = "NoSuchEntity"
_RAYS_KEY = r"ray-autoscaler_(\d+_)?{}"


def made_parts(
    cluster: str, aws: AwsSession, *, lets_go_within_s: float = LETS_GO_WITHIN_S
) -> list[MadePart]:
    """What there is of what `up` made for this cluster or for all, in the order to remove it in.

    Whether somebody uses a part is found out when it is removed, so instances are to be ended
    before. Raises ProviderError.
    """
    return [
        *_stopped_instances(cluster, aws),
        *_security_groups(cluster, aws, lets_go_within_s),
        *_key_pairs(aws),
        *_instance_profile(aws),
        *_role(aws),
    ]


def _part(kind: str, name: str, *, ours: bool, remove: Callable[[], str]) -> MadePart:
    return MadePart(kind, name, remove if ours else lambda: _NOT_OURS)


def _made_for(whom: str, described: Mapping[str, Any]) -> bool:
    return tags.read(described.get("Tags")).get(tags.MADE_FOR) == whom


def _used_by(instances: Iterable[Mapping[str, Any]]) -> str:
    """Who uses something, by cluster; empty when nobody does."""
    found = list(instances)
    clusters = Counter(tags.read(one.get("Tags")).get(tags.CLUSTER, "") for one in found)
    stopped = sum(one["State"]["Name"] in STOPS for one in found)
    names = [
        f"{count_text(count, 'instance')} of {f'cluster {name}' if name else 'no cluster'}"
        for name, count in sorted(clusters.items())
    ]
    more = [f"{len(names) - _TOLD} more clusters"] if len(names) > _TOLD else []
    how = f" ({stopped} stopped)" if stopped else ""
    return f"used by {', '.join([*names[:_TOLD], *more])}{how}" if found else ""


def _instances(aws: AwsSession, **filters: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The instances that are not gone and pass."""
    wanted = tags.filters(instance_state_name=_THERE, **filters)
    return entries(aws, wanted)


# Instances that wait for the next `up`; it would not get them going without the rest.


def _stopped_instances(cluster: str, aws: AwsSession) -> Iterator[MadePart]:
    names = [
        str(one["InstanceId"])
        for one in _instances(aws, **{f"tag:{tags.CLUSTER}": [cluster]})
        if one["State"]["Name"] in STOPS
    ]
    if names:
        told = ", ".join(names[:_TOLD]) + (", …" if len(names) > _TOLD else "")
        yield MadePart("stopped instances", told, partial(_terminate, aws, names))


def _terminate(aws: AwsSession, names: list[str]) -> str:
    for batch in batched(names):
        aws.call("ec2", "terminate_instances", InstanceIds=batch)
    return ""


# Security groups.


def _security_groups(cluster: str, aws: AwsSession, within_s: float) -> Iterator[MadePart]:
    found = {
        str(group["GroupId"]): group
        for wanted in (
            tags.with_tags({tags.MADE_FOR: cluster}),
            tags.filters(group_name=[f"ray-autoscaler-{cluster}"]),
        )
        for group in aws.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=wanted)
    }
    for name, group in sorted(found.items()):
        yield _part(
            "security group",
            f"{group['GroupName']} ({name})",
            ours=_made_for(cluster, group),
            remove=partial(_remove_group, aws, name, within_s),
        )


def _remove_group(aws: AwsSession, group: str, within_s: float) -> str:
    """Wait for interfaces of instances that end; whatever else uses the group keeps it at once."""
    until = time.monotonic() + within_s
    while True:
        users = _instances(aws, **{"instance.group-id": [group]})
        trouble = _named_by(aws, group) or _used_by(users)
        if trouble:
            return trouble
        interfaces = aws.pages(
            "ec2",
            "describe_network_interfaces",
            "NetworkInterfaces",
            Filters=tags.filters(group_id=[group]),
        )
        found = list(interfaces)
        in_use = [_words_of(interface) for interface in found] or _delete_group(aws, group)
        if not in_use:
            return ""
        # Only the interfaces of instances go by themselves.
        stays = any(interface.get("RequesterManaged") for interface in found)
        if stays or time.monotonic() > until:
            return f"used by {', '.join(in_use[:_TOLD])}"
        time.sleep(_LOOK_EVERY_S)


def _named_by(aws: AwsSession, group: str) -> str:
    """Which other groups have rules for traffic from or to the members of this one."""
    others = {
        str(one["GroupId"])
        for key in ("ip-permission.group-id", "egress.ip-permission.group-id")
        for one in aws.pages(
            "ec2",
            "describe_security_groups",
            "SecurityGroups",
            Filters=tags.filters(**{key: [group]}),
        )
    }
    names = ", ".join(sorted(others - {group}))
    return f"named in the rules of {names}" if names else ""


def _words_of(interface: Mapping[str, Any]) -> str:
    instance = (interface.get("Attachment") or {}).get("InstanceId", "")
    of = instance or interface.get("Description", "")
    return f"{interface['NetworkInterfaceId']} of {of}" if of else interface["NetworkInterfaceId"]


def _delete_group(aws: AwsSession, group: str) -> list[str]:
    """What EC2 says is in the way; it may know of more than it lists."""
    try:
        aws.call("ec2", "delete_security_group", GroupId=group)
    except ProviderError as error:
        if code_of(error) == _STILL_USED:
            return [f"something that EC2 does not name ({error})"]
        if code_of(error) not in _NO_GROUP:
            raise
    return []


# The key pair: EC2's half and ours.


def _key_pairs(aws: AwsSession) -> Iterator[MadePart]:
    """Those that are marked, those of Ray's names, and those of which only our half is left."""
    known = {str(key["KeyName"]): key for key in aws.call("ec2", "describe_key_pairs")["KeyPairs"]}
    of_ray = re.compile(_RAYS_KEY.format(re.escape(aws.region)))
    names = {n for n, key in known.items() if _made_for("all", key) or of_ray.fullmatch(n)}
    for name in sorted(names | _begun(aws.region)):
        ours = name not in known or _made_for("all", known[name])
        yield _part("key pair", name, ours=ours, remove=partial(_remove_key, aws, name))


def _remove_key(aws: AwsSession, name: str) -> str:
    trouble = _used_by(_instances(aws, key_name=[name]))
    if trouble:
        return trouble
    file, aside = file_of(name), _aside(name, aws.region)
    # A name of our own until EC2 has removed its half: by it the next call knows what was begun.
    if file.exists():
        file.replace(aside)
    elif not aside.exists():
        return f"its private half is on the machine that made it, {file} is not here"
    try:
        aws.call("ec2", "delete_key_pair", KeyName=name)
    except AuthError:
        aside.replace(file)
        raise
    aside.unlink()
    return ""


def _aside(name: str, region: str) -> Path:
    file = file_of(name)
    return file.with_name(f"{file.name}.removed-from-{region}")


def _begun(region: str) -> set[str]:
    """Keys that an earlier call has not finished with."""
    example = _aside("*", region)
    ending = example.name.removeprefix("*")
    return {file.name.removesuffix(ending) for file in example.parent.glob(example.name)}


# The head's instance profile and its role.


def _instance_profile(aws: AwsSession) -> Iterator[MadePart]:
    profile = _of_iam(aws, "get_instance_profile", "InstanceProfile", InstanceProfileName=PROFILE)
    if profile is not None:
        remove = partial(_remove_profile, aws, profile)
        yield _part("instance profile", PROFILE, ours=_made_for("all", profile), remove=remove)


def _remove_profile(aws: AwsSession, profile: Mapping[str, Any]) -> str:
    trouble = _used_by(_instances_everywhere(aws, str(profile["Arn"])))
    if trouble:
        return trouble
    for role in profile["Roles"]:
        _of_iam(
            aws,
            "remove_role_from_instance_profile",
            InstanceProfileName=PROFILE,
            RoleName=role["RoleName"],
        )
    _of_iam(aws, "delete_instance_profile", InstanceProfileName=PROFILE)
    return ""


def _instances_everywhere(aws: AwsSession, profile: str) -> list[dict[str, Any]]:
    """Instances of any region with this profile: profiles belong to no region."""
    regions = [one["RegionName"] for one in aws.call("ec2", "describe_regions")["Regions"]]

    def of(region: str) -> list[dict[str, Any]]:
        there = aws if region == aws.region else aws.in_region(region)
        return list(_instances(there, **{"iam-instance-profile.arn": [profile]}))

    with ThreadPoolExecutor(_REGIONS_AT_ONCE) as pool:
        return [instance for found in pool.map(of, regions) for instance in found]


def _role(aws: AwsSession) -> Iterator[MadePart]:
    role = _of_iam(aws, "get_role", "Role", RoleName=PROFILE)
    if role is not None:
        ours = _made_for("all", role)
        yield _part("role", PROFILE, ours=ours, remove=partial(_remove_role, aws))


def _remove_role(aws: AwsSession) -> str:
    profiles = _listed(aws, "list_instance_profiles_for_role", "InstanceProfiles")
    if profiles:
        return f"in instance profile {', '.join(one['InstanceProfileName'] for one in profiles)}"
    own = [name for name in _listed(aws, "list_role_policies", "PolicyNames") if name != POLICY]
    attached = _listed(aws, "list_attached_role_policies", "AttachedPolicies")
    others = [*own, *(one["PolicyName"] for one in attached)]
    if others:
        return f"somebody has given it more policies: {', '.join(others)}; take these from it first"
    _of_iam(aws, "delete_role_policy", RoleName=PROFILE, PolicyName=POLICY)
    _of_iam(aws, "delete_role", RoleName=PROFILE)
    return ""


def _listed(aws: AwsSession, operation: str, key: str) -> list[Any]:
    return list(aws.pages("iam", operation, key, RoleName=PROFILE))


def _of_iam(aws: AwsSession, operation: str, key: str = "", **arguments: Any) -> Any:
    """IAM's answer, or what it has under `key`; None when there is no such thing."""
    try:
        answer = aws.call("iam", operation, **arguments)
    except ConfigError as error:
        if code_of(error) != _NOT_IN_IAM:
            raise
        return None
    return answer[key] if key else answer
