"""The cluster's security group: everything among its members, SSH from the caller's address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from raytui.backends.aws import tags
from raytui.backends.aws.bootstrap.network_interfaces import groups_of, share_groups
from raytui.backends.aws.bootstrap.parts import Config, Draft, Part, State
from raytui.backends.aws.errors import code_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError

Rule = dict[str, Any]

_SSH = 22
_ALL = "-1"
_AMONG: Rule = {"IpProtocol": _ALL, "UserIdGroupPairs": []}
"""Everything among the group's members: the group itself is filled in when its id is known."""
_THERE = ("InvalidPermission.Duplicate",)


class SecurityGroup:
    """The step that finds the group; `callers_range` tells the caller's address as a CIDR range."""

    def __init__(self, callers_range: Callable[[], str]) -> None:
        self._callers_range = callers_range

    def __call__(self, draft: Draft, aws: AwsSession) -> Iterator[Part]:
        """Find the group and what it lacks.

        A group that we did not make and that has rules is its owner's: it stays as it is, as Ray
        leaves it.
        """
        given = list(dict.fromkeys(g for c in draft.configs.values() for g in groups_of(c)))
        if given:
            yield Part("security group", ", ".join(given), State.GIVEN)
        without = [config for config in draft.configs.values() if not groups_of(config)]
        if not without:
            return
        options = draft.options.get("security_group") or {}
        name = str(options.get("GroupName") or f"ray-autoscaler-{draft.spec.cluster_name}")
        found = list(
            aws.pages(
                "ec2",
                "describe_security_groups",
                "SecurityGroups",
                Filters=tags.filters(group_name=[name], vpc_id=[draft.vpc]),
            )
        )
        group = found[0] if found else None
        if group is not None:
            _fill(without, str(group["GroupId"]))
            if group["IpPermissions"] and tags.MADE_FOR not in tags.read(group.get("Tags")):
                yield Part("security group", name, State.FOUND, group["GroupId"])
                return
        wanted = self._wanted(list(options.get("IpPermissions") or ()))
        has = group["IpPermissions"] if group else []
        own = str(group["GroupId"]) if group else ""
        lacking = [rule for rule in wanted if not _has(has, rule, own)]
        if not lacking:
            yield Part("security group", name, State.FOUND, own)
            return
        words = ", ".join(_words(rule) for rule in lacking)
        yield Part(
            "security group",
            name,
            State.TO_MAKE,
            f"{words}, in {draft.vpc}" if group is None else f"{words}, added to {own}",
            lambda: _make(draft, aws, name, own, lacking, without),
        )

    def _wanted(self, given: list[Rule]) -> list[Rule]:
        ssh = [] if any(_covers_ssh(rule) for rule in given) else [_ssh_from(self._callers_range())]
        return [_AMONG, *ssh, *given]


def _make(
    draft: Draft, aws: AwsSession, name: str, own: str, rules: list[Rule], configs: list[Config]
) -> None:
    cluster = draft.spec.cluster_name
    group = own
    if not group:
        made = {tags.MADE_FOR: cluster, tags.CLUSTER: cluster, "ray-autoscaler": "true"}
        group = aws.call(
            "ec2",
            "create_security_group",
            GroupName=name,
            Description=f"Nodes of the Ray cluster {cluster}",
            VpcId=draft.vpc,
            TagSpecifications=tags.specification(["security-group"], made),
        )["GroupId"]
    for rule in rules:
        complete = {**rule, "UserIdGroupPairs": [{"GroupId": group}]} if rule == _AMONG else rule
        try:
            aws.call(
                "ec2",
                "authorize_security_group_ingress",
                GroupId=group,
                IpPermissions=[complete],
            )
        except ConfigError as error:
            if code_of(error) not in _THERE:
                raise
    _fill(configs, group)


def _fill(configs: list[Config], group: str) -> None:
    for config in configs:
        config["SecurityGroupIds"] = [group]
        share_groups(config)


def _ssh_from(addresses: str) -> Rule:
    ranges = (
        {"Ipv6Ranges": [{"CidrIpv6": addresses}]}
        if ":" in addresses
        else {"IpRanges": [{"CidrIp": addresses}]}
    )
    return {"IpProtocol": "tcp", "FromPort": _SSH, "ToPort": _SSH, **ranges}


def _covers_ssh(rule: Rule) -> bool:
    if rule.get("IpProtocol") == _ALL:
        return True
    first, last = int(rule.get("FromPort", 0)), int(rule.get("ToPort", 65535))
    return rule.get("IpProtocol") in ("tcp", "6") and first <= _SSH <= last


def _has(there: list[Rule], wanted: Rule, own: str) -> bool:
    """Whether the group's rules let in what a rule does, from the same places."""
    places = {own} if wanted == _AMONG else _places(wanted)
    return places <= {
        place
        for rule in there
        if all(rule.get(key) == wanted.get(key) for key in ("IpProtocol", "FromPort", "ToPort"))
        for place in _places(rule)
    }


def _places(rule: Rule) -> set[str]:
    """Address ranges, groups and prefix lists that a rule lets in."""
    keys = (
        ("IpRanges", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6"),
        ("UserIdGroupPairs", "GroupId"),
        ("PrefixListIds", "PrefixListId"),
    )
    return {str(one.get(name)) for key, name in keys for one in rule.get(key) or ()}


def _words(rule: Rule) -> str:
    if rule == _AMONG:
        return "all among its members"
    first, last = rule.get("FromPort"), rule.get("ToPort")
    ports = "all" if first is None else str(first) if first == last else f"{first}-{last}"
    what = "SSH" if ports == str(_SSH) else f"ports {ports}"
    return f"{what} from {', '.join(sorted(_places(rule)))}"
