"""Which cluster a person means by a word: a file, the name of a known cluster, or an address.

An address is of a RayCluster on Kubernetes (config/kube_address.py), where it is read.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from raytui.config.cluster import load_cluster
from raytui.config.kube_address import is_address
from raytui.config.launched import launched_clusters, recall
from raytui.config.locations import ClusterPaths, packaged
from raytui.model.spec import ClusterSpec

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SUFFIXES = (".yaml", ".yml", ".json")


class UnknownClusterError(Exception):
    """No file and no cluster has this name; `str()` says what there is."""


def default_target() -> str:
    """`$RAYTUI_CLUSTER`, else the only launched cluster, else the packaged laptop cluster."""
    chosen = os.environ.get("RAYTUI_CLUSTER", "")
    if chosen:
        return chosen
    launched = launched_clusters()
    return launched[0] if len(launched) == 1 else str(packaged("examples") / "laptop.yaml")


def cluster_of(target: str) -> ClusterSpec:
    """The cluster that `target` means.

    A path is read, be it a cluster file or a RayCluster manifest; a name is a launched cluster as
    it was launched, or a packaged example; an address is asked for on Kubernetes. Raises
    ConfigErrors for a bad file, UnknownClusterError, and ProviderError for what Kubernetes does
    not tell.
    """
    if is_address(target):
        from raytui.backends.kubernetes.named import cluster_at

        return cluster_at(target)
    if os.sep in target or target.endswith(_SUFFIXES) or Path(target).is_file():
        return load_cluster(target)
    if _NAME.fullmatch(target):
        launched = recall(ClusterPaths(target))
        if launched is not None:
            return launched
        example = packaged("examples") / f"{target}.yaml"
        if example.is_file():
            return load_cluster(str(example))
    known = ", ".join(launched_clusters()) or "none"
    raise UnknownClusterError(
        f"no cluster and no file is called {target!r}; launched clusters: {known}"
    )


def name_of(target: str) -> str:
    """The cluster's name, also when its file is gone but it is up, or has left something here."""
    if _NAME.fullmatch(target) and ClusterPaths(target).dir.is_dir():
        return target
    return cluster_of(target).cluster_name
