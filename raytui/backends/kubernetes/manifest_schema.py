"""The fields of a RayCluster manifest that raytui reads; all others are KubeRay's business."""

from __future__ import annotations

import re

from raytui.config import names
from raytui.config.kinds import (
    Anything,
    Choice,
    Flag,
    Key,
    Kind,
    ListOf,
    MapOf,
    Nullable,
    Number,
    Table,
    Text,
    Whole,
)

ANNOTATION = "raytui.io/config"
"""Holds, as YAML, the block that cluster files have at `metadata.raytui`."""

_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_WORDS = "lower-case letters, digits and '-', as Kubernetes names things"
_API_VERSIONS = ("ray.io/v1", "ray.io/v1alpha1")


def _key(name: str, kind: Kind, doc: str, *, required: bool = False) -> Key:
    """A field; what Kubernetes may leave out, it may also say null for."""
    return Key(name, kind if required else Nullable(kind), doc, required=required)


_TEXTS = MapOf(Text(), "a mapping of text to text")
_AMOUNTS = MapOf(Anything(), "a mapping of resource to amount")

_CONTAINER = Table(
    (
        _key(
            "resources",
            Table(
                (
                    _key("limits", _AMOUNTS, "Most that it may use."),
                    _key("requests", _AMOUNTS, "What it is sure to have."),
                ),
                others=True,
            ),
            "What Kubernetes gives the container.",
        ),
    ),
    others=True,
)

_TEMPLATE = Table(
    (
        _key(
            "spec",
            Table(
                (
                    _key(
                        "containers",
                        ListOf(_CONTAINER, "a list of containers, Ray's first", least=1),
                        "The containers.",
                        required=True,
                    ),
                    _key("nodeSelector", _TEXTS, "Labels of the machines it may run on."),
                ),
                others=True,
            ),
            "The pod.",
            required=True,
        ),
    ),
    others=True,
)

_OF_A_GROUP = (
    _key("template", _TEMPLATE, "The pod of a node.", required=True),
    _key("rayStartParams", _TEXTS, "Options of `ray start`."),
    _key("resources", _AMOUNTS, "What Ray is told that a node has."),
    _key(
        "labels",
        MapOf(
            Text(names.LABEL_VALUE, f"a label: empty, or {names.LABEL_WORDS}"),
            "a mapping of label to text",
            names.wrong_label_name,
        ),
        "Labels of the Ray nodes.",
    ),
)

_WORKER_GROUP = Table(
    (
        *_OF_A_GROUP,
        _key("groupName", Text(), "Names the group and its node type.", required=True),
        _key("replicas", Whole(), "How many there are to be now."),
        _key("minReplicas", Whole(), "How many are kept even when idle."),
        _key("maxReplicas", Whole(), "How many there may be."),
        _key("numOfHosts", Whole(1), "Pods of one replica."),
        _key("idleTimeoutSeconds", Number(unit="seconds"), "Idle time before one is removed."),
        _key("priority", Whole(least=-(2**31)), "Of groups that serve alike, the highest wins."),
        _key("suspend", Flag(), "Whether its pods are taken away."),
    ),
    others=True,
)

_AUTOSCALER_OPTIONS = Table(
    (
        _key("idleTimeoutSeconds", Number(unit="seconds"), "Idle time before a pod is removed."),
        _key(
            "upscalingMode",
            Choice(("Default", "Aggressive", "Conservative")),
            "Whether it is limited how many pods start at once.",
        ),
    ),
    others=True,
)

MANIFEST = Table(
    (
        _key("apiVersion", Choice(_API_VERSIONS), "Of the resource.", required=True),
        _key("kind", Choice(("RayCluster",)), "Of the resource.", required=True),
        _key(
            "metadata",
            Table(
                (
                    _key("name", Text(_DNS_NAME, _DNS_WORDS), "Of the cluster.", required=True),
                    _key("namespace", Text(_DNS_NAME, _DNS_WORDS), "Where it is."),
                    _key("annotations", _TEXTS, "Notes."),
                ),
                others=True,
            ),
            "Which cluster it is.",
            required=True,
        ),
        _key(
            "spec",
            Table(
                (
                    _key(
                        "headGroupSpec",
                        Table(_OF_A_GROUP, others=True),
                        "The head.",
                        required=True,
                    ),
                    _key(
                        "workerGroupSpecs",
                        ListOf(_WORKER_GROUP, "a list of worker groups"),
                        "The workers.",
                    ),
                    _key("autoscalerOptions", _AUTOSCALER_OPTIONS, "For the autoscaler."),
                    _key("enableInTreeAutoscaling", Flag(), "Whether Ray's own one runs."),
                    _key("suspend", Flag(), "Whether all pods are taken away."),
                ),
                others=True,
            ),
            "What it is to be.",
            required=True,
        ),
    ),
    others=True,
)
