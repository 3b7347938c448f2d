"""What is added to containers: variables and mounts, unless a person has written them."""

from __future__ import annotations

from collections.abc import Iterable

from raytui.backends.kubernetes.session import Json


def variable(name: str, value: str) -> Json:
    """An environment variable."""
    return {"name": name, "value": value}


def field(name: str, path: str) -> Json:
    """An environment variable that tells of the pod itself."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def with_variables(container: Json, *, ours: Iterable[Json] = (), missing: Iterable[Json]) -> Json:
    """The container with variables: `ours` go before a person's, `missing` only where none is."""
    fixed = list(ours)
    names = {one["name"] for one in fixed}
    kept = [one for one in container.get("env") or () if one["name"] not in names]
    written = {one["name"] for one in kept}
    added = [one for one in missing if one["name"] not in written | names]
    # Ours come last: a variable may cite those before it, and ours cite none.
    return {**container, "env": [*kept, *added, *fixed]}


def with_mount(container: Json, mount: Json) -> Json:
    """The container with a volume mounted, unless something is mounted there."""
    mounts = container.get("volumeMounts") or []
    if any(one.get("mountPath") == mount["mountPath"] for one in mounts):
        return container
    return {**container, "volumeMounts": [*mounts, mount]}


def with_volume(spec: Json, volume: Json) -> Json:
    """The pod's spec with a volume, unless it has one of this name."""
    volumes = spec.get("volumes") or []
    if any(one.get("name") == volume["name"] for one in volumes):
        return spec
    return {**spec, "volumes": [*volumes, volume]}


def with_port(container: Json, name: str, port: int) -> Json:
    """The container with a named port, unless it has one of this name."""
    ports = container.get("ports") or []
    if any(one.get("name") == name for one in ports):
        return container
    return {**container, "ports": [*ports, {"name": name, "containerPort": port}]}
