"""What is written on EC2 resources, in Ray's words (`ray/autoscaler/tags.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from raytui.backends import tags as made

CLUSTER = "ray-cluster-name"
KIND = "ray-node-type"
TYPE = "ray-user-node-type"
STATUS = made.STATUS
REQUEST = "ray-launch-request"
"""The ledger's request id."""
NAME = "Name"

LIFE = "raytui-life"
"""On a machine that was stopped and is used again: what tells this life of it from others."""
MADE_FOR = "raytui-made-for"
"""On what `up` made beside instances: for which cluster, or `all` for what clusters share."""

HEAD = "head"
WORKER = "worker"
NEW = "uninitialized"

Tags = dict[str, str]


def written(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as EC2's calls take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def read(tags: Iterable[Mapping[str, str]] | None) -> Tags:
    """Tags as EC2 describes them."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def filters(**wanted: Iterable[str]) -> list[dict[str, Any]]:
    """Filters of a describe call; `_` in a name stands for `-`."""
    return [{"Name": k.replace("_", "-"), "Values": list(v)} for k, v in wanted.items()]


def with_tags(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Filters for what carries all these tags."""
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def specification(kinds: Iterable[str], tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """`TagSpecifications` for each kind of resource that a call makes."""
    return [{"ResourceType": kind, "Tags": written(tags)} for kind in kinds]
