"""RayCluster manifests → ClusterSpec: KubeRay's resource read as Ray's autoscaler reads it.

A manifest becomes what a cluster file of provider `kuberay` would say, with Ray's own values for
what it leaves out; all else that it says is kept with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from raytui.backends.kubernetes.group_resources import resources_of
from raytui.backends.kubernetes.manifest_schema import ANNOTATION, MANIFEST
from raytui.backends.kubernetes.raycluster import HEAD_GROUP, UNLIMITED
from raytui.config.build import build
from raytui.config.fill import fill
from raytui.config.kinds import Invalid
from raytui.config.names import wrong_type_name
from raytui.config.problems import KeyPath, Mark, Problems, quoted
from raytui.config.rules import check
from raytui.config.schema import RAYTUI
from raytui.config.yaml_compose import compose, decode
from raytui.config.yaml_tree import locate
from raytui.model.spec import ClusterSpec

Values = dict[str, Any]

IDLE_TIMEOUT_S = 60.0
"""Ray's own, where `autoscalerOptions` says nothing."""
_SPEEDS = {"Conservative": 1.0}
"""Other modes do not limit how many pods start at once; Ray takes a thousand times as many."""
_UNLIMITED_SPEED = 1000.0

_DOCUMENT = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_KIND = re.compile(
    r"""(?:^kind|(?:^|[{,])\s*["']kind["'])\s*:\s*["']?RayCluster["']?\s*(?=[,}#]|$)""",
    re.MULTILINE,
)
"""At the top of a YAML document, or anywhere in JSON."""
_LONGEST_NAME = 53
"""KubeRay's own limit: names of services are made of it, and labels of pods carry it."""
_LONGEST_GROUP = 63
"""Of a label's value: by it the pods of a group are known."""
_GROUPS: KeyPath = ("spec", "workerGroupSpecs")
_NOTE: KeyPath = ("metadata", "annotations", ANNOTATION)


def is_manifest(text: str) -> bool:
    """Whether a file has a RayCluster, and so is no cluster file of Ray's own."""
    return _KIND.search(text) is not None


def parse_manifest(text: str | bytes, source: str) -> ClusterSpec:
    """Read the RayCluster of a file that may hold other resources, too.

    Raises ConfigErrors, with every problem and its line, and nothing else.
    """
    problems = Problems(source)
    decoded = decode(text, problems) if isinstance(text, bytes) else text
    problems.raise_if_any()
    return _spec(_only_raycluster(decoded or "", problems), problems, source)


def spec_of(resource: Mapping[str, Any]) -> ClusterSpec:
    """The spec of a RayCluster that the API server has given; raises ConfigErrors."""
    meta = resource.get("metadata") or {}
    source = f"raycluster {meta.get('namespace', '')}/{meta.get('name', '')}"
    problems = Problems(source)
    return _spec(json.dumps(resource), problems, source, has_lines=False)


def _only_raycluster(text: str, problems: Problems) -> str:
    """The document with the RayCluster, on the lines where it is."""
    ends = [*(found.start() for found in _DOCUMENT.finditer(text)), len(text)]
    starts = [0, *ends[:-1]]
    parts = zip(starts, ends, strict=True)
    found = [(start, end) for start, end in parts if _KIND.search(text[start:end])]
    if len(found) != 1:
        says = "has no RayCluster" if not found else "has more than one RayCluster"
        problems.add((), says, "a manifest with one resource of kind RayCluster")
        problems.raise_if_any()
    start, end = found[0]
    return "\n" * text.count("\n", 0, start) + text[start:end]


def _spec(text: str, problems: Problems, source: str, *, has_lines: bool = True) -> ClusterSpec:
    root = compose(text, problems)
    if root is not None:
        if has_lines:
            problems.locate = lambda path: locate(root, path)
        manifest = MANIFEST.read(root, (), problems)
        if not isinstance(manifest, Invalid) and not problems:
            values = _values(manifest, problems)
            if not problems:
                elsewhere = _Elsewhere(problems, _noted)
                filled = fill(values, elsewhere)
                check(filled, elsewhere)
                problems.raise_if_any()
                return msgspec.structs.replace(build(filled, source), written={})
    problems.raise_if_any()
    raise AssertionError("a manifest without a spec has problems")


class _Elsewhere(Problems):
    """Problems with what became of a part of a manifest, told where the manifest has it."""

    def __init__(self, problems: Problems, path_of: Callable[[KeyPath], KeyPath]) -> None:
        super().__init__(problems.source)
        self._told = problems
        self._path_of = path_of

    def add(self, path: KeyPath, message: str, hint: str = "", *, at: Mark | None = None) -> None:
        """Note a problem; a place in that part is none in the manifest."""
        super().add(path, message, hint, at=at)
        self._told.add(self._path_of(path), message, hint)


def _noted(path: KeyPath) -> KeyPath:
    """Where a manifest has what a cluster file has at a path."""
    return (*_NOTE, *path[2:]) if path[:2] == ("metadata", "raytui") else path


def _values(manifest: Values, problems: Problems) -> Values:
    """What a cluster file would say."""
    meta, spec = manifest["metadata"], manifest["spec"]
    options = spec.get("autoscalerOptions") or {}
    if (length := len(meta["name"])) > _LONGEST_NAME:
        words = f"has {length} characters, more than the {_LONGEST_NAME} that KubeRay takes"
        problems.add(("metadata", "name"), words, "a shorter name")
    types = _node_types(spec, problems)
    idle_s = options.get("idleTimeoutSeconds")
    speed = _SPEEDS.get(options.get("upscalingMode", ""), _UNLIMITED_SPEED)
    return {
        "cluster_name": meta["name"],
        "provider": {
            "type": "kuberay",
            "namespace": meta.get("namespace") or "",
            "resource": manifest,
        },
        "available_node_types": types,
        "head_node_type": HEAD_GROUP,
        "max_workers": min(UNLIMITED, sum(kind["max_workers"] for kind in types.values())),
        "idle_timeout_minutes": (IDLE_TIMEOUT_S if idle_s is None else idle_s) / 60,
        "upscaling_speed": speed,
        "metadata": {"raytui": _own(meta, problems)},
    }


def _node_types(spec: Values, problems: Problems) -> dict[str, Values]:
    head = spec["headGroupSpec"]
    types = {HEAD_GROUP: _node_type(head, ("spec", "headGroupSpec"), problems)}
    for index, group in enumerate(spec.get("workerGroupSpecs") or ()):
        path = (*_GROUPS, index)
        name = group["groupName"]
        if name in types:
            problems.add((*path, "groupName"), f"{quoted(name)} is the name of another group")
        elif wrong := wrong_type_name(name):
            problems.add((*path, "groupName"), wrong)
        elif (length := len(name)) > _LONGEST_GROUP:
            words = (
                f"has {length} characters, more than the {_LONGEST_GROUP} of a label of its pods"
            )
            problems.add((*path, "groupName"), words, "a shorter name")
        types[name] = {
            **_node_type(group, path, problems),
            **_limits(group, path, problems, is_suspended=bool(spec.get("suspend"))),
        }
    return types


def _node_type(group: Values, path: KeyPath, problems: Problems) -> Values:
    kind = {
        "min_workers": 0,
        "max_workers": 0,
        "resources": resources_of(group, path, problems),
        "labels": group.get("labels") or {},
        "node_config": {key: group[key] for key in ("rayStartParams", "template") if key in group},
        "idle_timeout_s": group.get("idleTimeoutSeconds"),
        "priority": group.get("priority") or 0,
    }
    return {key: value for key, value in kind.items() if value is not None}


def _limits(group: Values, path: KeyPath, problems: Problems, *, is_suspended: bool) -> Values:
    """How many pods; each replica has as many as it has hosts."""
    least = group.get("minReplicas") or 0
    most = UNLIMITED if group.get("maxReplicas") is None else group["maxReplicas"]
    if least > most:
        problems.add(
            (*path, "minReplicas"),
            f"is {least}, more than maxReplicas of {most}",
            "lower minReplicas or raise maxReplicas",
        )
    if is_suspended or group.get("suspend"):
        return {"min_workers": 0, "max_workers": 0}
    hosts = group.get("numOfHosts") or 1
    return {"min_workers": least * hosts, "max_workers": min(UNLIMITED, most * hosts)}


def _own(meta: Values, problems: Problems) -> Values:
    """The block that cluster files have at `metadata.raytui`, as the annotation has it."""
    text = (meta.get("annotations") or {}).get(ANNOTATION, "")
    inside = _Elsewhere(problems, lambda path: (*_NOTE, *path))
    root = compose(text, inside) if text.strip() else None
    found = {} if root is None else RAYTUI.read(root, (), inside)
    return {} if isinstance(found, Invalid) else found
