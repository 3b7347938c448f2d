"""How a driver on this machine becomes one of a cluster elsewhere: Ray Client."""

from __future__ import annotations

import re

from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec

_RAYS_PORT = 10001
_CHOSEN = re.compile(r"--ray-client-server-port[= ]+(\d+)")


def ray_client_lines(spec: ClusterSpec, paths: ClusterPaths) -> list[str]:
    """Its address, and how to get there when only SSH leads to the head; none for one here."""
    from raytui.launcher.head_place import known_place
    from raytui.launcher.place import Place, place_of

    place = known_place(spec, paths) if place_of(spec) is Place.HEAD else None
    if place is None:
        return []
    port = ray_client_port(spec)
    forward = f"raytui attach {spec.cluster_name} -p {port}"
    return [
        f"Ray Client ray://{place.address}:{port} · "
        f"through SSH: {forward}, then ray://127.0.0.1:{port}"
    ]


def ray_client_port(spec: ClusterSpec) -> int:
    """Where the head listens for Ray Client, as the commands that start it say."""
    chosen = _CHOSEN.findall(" ".join(spec.head_start_ray_commands))
    return int(chosen[-1]) if chosen else _RAYS_PORT
