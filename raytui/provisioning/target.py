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
_MANIFEST = b"RayCluster"
"""Without this word a file is none; to look at more of it takes a library's time."""


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
        return _in_file(target)
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
    """What its files are kept under, also when its file is gone but it is up, or has left some."""
    if _NAME.fullmatch(target) and ClusterPaths(target).dir.is_dir():
        return target
    return cluster_of(target).state_name


def _in_file(path: str) -> ClusterSpec:
    """The cluster of a file of either kind."""
    try:
        text = Path(path).read_bytes()
    except OSError:
        return load_cluster(path)  # which says what is wrong with it
    if _MANIFEST not in text:
        return load_cluster(path)
    from raytui.backends.kubernetes.manifest import is_manifest
    from raytui.backends.kubernetes.named import cluster_in

    if not is_manifest(text.decode(errors="replace")):
        return load_cluster(path)
    return cluster_in(path, text)
