"""Which clusters were launched from this machine and not taken down since, and as what.

`down`, `status` and a daemon's restart work from this when the YAML has moved or is broken.
"""

from __future__ import annotations

import msgspec

from raytui.config.durable import write_durably
from raytui.config.locations import ClusterPaths, known_clusters
from raytui.model.codec import decode, encode
from raytui.model.spec import ClusterSpec

_FILE = "launched.json"


def remember(paths: ClusterPaths, spec: ClusterSpec) -> None:
    """Note that the cluster is up, or about to be, as `spec` says."""
    paths.make()
    write_durably(paths.dir / _FILE, encode(spec))


def recall(paths: ClusterPaths) -> ClusterSpec | None:
    """What the cluster was launched as; None when it is down or was never up."""
    try:
        return decode((paths.dir / _FILE).read_bytes(), ClusterSpec)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def forget(paths: ClusterPaths) -> None:
    """Note that the cluster is down."""
    (paths.dir / _FILE).unlink(missing_ok=True)


def launched_clusters() -> list[str]:
    """Names of the clusters that are up as far as this machine knows."""
    return [name for name in known_clusters() if recall(ClusterPaths(name)) is not None]
