"""What opens a shell on a machine of a cluster that was launched from here: raytui itself."""

from __future__ import annotations

import sys

from raytui.config.launched import launched_clusters
from raytui.model.snapshot import ClusterInfo
from raytui.screens.verb import VerbError

_HERE = frozenset({"fake_multinode"})
"""Providers whose nodes are processes of this machine."""
_SHELL = 'exec "${SHELL:-sh}"'


def shell_argv(info: ClusterInfo, member_id: str) -> list[str]:
    """`raytui attach` to the node; here a shell with RAY_ADDRESS set, as `raytui exec` opens it.

    Raises VerbError for a cluster that raytui did not launch: how to log in there is not known.
    """
    name = info.cluster_name
    if name not in launched_clusters():
        raise VerbError(f"{name} was not launched from here: how to log in is not known")
    raytui = [sys.executable, "-m", "raytui"]
    if info.provider in _HERE:
        return [*raytui, "exec", name, _SHELL]
    return [*raytui, "attach", name, member_id]
