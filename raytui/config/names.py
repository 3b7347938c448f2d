"""Which names the things in a cluster file may have, and what to say about the others."""

from __future__ import annotations

import re

from raytui.config.problems import quoted

CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CLUSTER_NAME_WORDS = (
    "a name of at most 100 letters, digits, '.', '_' and '-' that starts with a letter or digit "
    "(it names a directory)"
)

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_DNS_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
_PLACEMENT_GROUP_RESOURCE = re.compile(r"(.+)_group_([0-9a-zA-Z]+)")


def wrong_type_name(name: str) -> str:
    """What is wrong with the name of a node type; empty when nothing is."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        return "the name of a node type has 1 to 100 printable characters"
    return ""


def wrong_resource_name(name: str) -> str:
    """What is wrong with the name of a resource; empty when nothing is.

    Ray makes `node:<ip>` resources itself (`ray/_private/resource_and_label_spec.py`) and names
    the resources of placement groups `<name>_group_<id>` (`ray/_private/utils.py`).
    """
    if not name.strip() or not name.isprintable():
        return "a resource needs a name of printable characters"
    if name.startswith("node:"):
        return "Ray itself gives each node its node:… resource"
    if name == "bundle" or _PLACEMENT_GROUP_RESOURCE.fullmatch(name):
        return "Ray uses this name for placement groups"
    return ""


def wrong_label_name(name: str) -> str:
    """What is wrong with the key of a label (`ray/_private/label_utils.py`: Kubernetes' rule)."""
    prefix, slash, bare = name.rpartition("/")
    if slash and (
        len(prefix) > 253 or not all(_DNS_NAME.fullmatch(part) for part in prefix.split("."))
    ):
        return f"the prefix of a label is a DNS name, not {quoted(prefix)}"
    if not _LABEL.fullmatch(bare):
        return f"the name of a label is {LABEL_WORDS}"
    return ""


LABEL_WORDS = "1 to 63 letters, digits, '.', '_' and '-' that begin and end with a letter or digit"
LABEL_VALUE = re.compile(rf"({_LABEL.pattern})?")

HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
HOST_WORDS = "the address or name of a host"

_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
TIME_SPAN = re.compile(rf"{_CLOCK}-(?:{_CLOCK}|24:00)")
TIME_SPAN_WORDS = 'a time span, e.g. "22:00-06:00"'
