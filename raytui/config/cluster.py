"""Cluster YAML → ClusterSpec: Ray's own format, read with all its problems told at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from raytui.config.build import build
from raytui.config.fill import fill
from raytui.config.kinds import Invalid
from raytui.config.problems import Problems
from raytui.config.rules import check
from raytui.config.schema import CLUSTER
from raytui.config.source_file import read_file
from raytui.config.yaml_compose import compose, decode
from raytui.config.yaml_tree import Node, ScalarKind, locate
from raytui.model.spec import ClusterSpec

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def load_cluster(path: str | Path, instead: Mapping[str, Any] = _NOTHING) -> ClusterSpec:
    """Read a cluster file; the spec's `source` is its absolute path.

    `instead` are values of top-level keys that count in place of the file's, before Ray's fill-in.
    Raises ConfigErrors, with every problem and its line, and nothing else.
    """
    name = os.fspath(path)
    problems = Problems(name)
    data = read_file(name, problems)
    problems.raise_if_any()
    spec = parse_cluster(data or b"", name, instead)
    return msgspec.structs.replace(spec, source=str(Path(name).absolute()))


def parse_cluster(
    text: str | bytes, source: str, instead: Mapping[str, Any] = _NOTHING
) -> ClusterSpec:
    """Read the text of a cluster file; `source` is what problems call it.

    Raises ConfigErrors, with every problem and its line, and nothing else.
    """
    problems = Problems(source)
    root = _tree(text, problems)
    if root is None:
        problems.raise_if_any()
        problems.add((), "is empty", "needs at least cluster_name and provider")
    else:
        problems.locate = lambda path: locate(root, path)
        values = CLUSTER.read(root, (), problems)
        if not isinstance(values, Invalid):
            filled = fill({**values, **instead}, problems)
            check(filled, problems)
            if not problems:
                return build(filled, source)
    problems.raise_if_any()
    raise AssertionError("a file without a spec has problems")


def _tree(text: str | bytes, problems: Problems) -> Node | None:
    decoded = decode(text, problems) if isinstance(text, bytes) else text
    root = None if decoded is None else compose(decoded, problems)
    if root is not None and getattr(root, "kind", None) is ScalarKind.NULL:
        return None
    return root
