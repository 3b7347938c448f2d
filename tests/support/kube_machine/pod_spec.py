"""What a pod's specification means for who runs it: environment, commands, volumes, requests."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raytui.backends.kubernetes.quantity import quantity
from raytui.backends.kubernetes.session import KubeSession
from tests.support.kube_machine.process import PATH, Mount

Json = dict[str, Any]

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_FIELD_OF_MAP = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
_BASE = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "RAY_USAGE_STATS_ENABLED": "0"}


class ContainerConfigError(Exception):
    """A container cannot be made of this; Kubernetes' words."""


def environment(
    session: KubeSession, pod: Json, container: Json, address: str, host: str
) -> dict[str, str]:
    """The container's environment; `address` is the pod's, `host` the machine's.

    Raises ContainerConfigError, for example for a secret that is not there.
    """
    fields = _fields(pod, address, host)
    found = dict(_BASE, HOSTNAME=pod["metadata"]["name"])
    for source in container.get("envFrom") or ():
        for key, value in _whole_source(session, pod, source).items():
            found[source.get("prefix", "") + key] = value
    for row in container.get("env") or ():
        if source := row.get("valueFrom"):
            found[row["name"]] = _value_from(session, pod, container, source, fields)
        else:
            found[row["name"]] = expanded(row.get("value") or "", found)
    return found


def command_of(container: Json, env: Mapping[str, str]) -> list[str]:
    """What runs; the entry point of raytui's own image is `raytui`, other images have none."""
    entry = ["raytui"] if "raytui" in container["image"] else []
    words = (container.get("command") or entry) + (container.get("args") or [])
    if not words:
        raise ContainerConfigError("Error response from daemon: No command specified")
    return [expanded(word, env) for word in words]


def expanded(text: str, env: Mapping[str, str]) -> str:
    """Text with `$(NAME)` replaced, as Kubernetes does it; an unknown name stays as it is."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else env.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def requests(pod: Json) -> dict[str, float]:
    """Resource → amount that the scheduler sets apart for the pod."""
    found: dict[str, float] = {}
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        for name, amount in {
            **resources.get("limits", {}),
            **resources.get("requests", {}),
        }.items():
            found[name] = found.get(name, 0.0) + float(quantity(str(amount)))
    for container in pod["spec"].get("initContainers") or ():
        for name, amount in ((container.get("resources") or {}).get("requests") or {}).items():
            found[name] = max(found.get(name, 0.0), float(quantity(str(amount))))
    return found


def mounts_of(container: Json, volumes: Mapping[str, Path]) -> list[Mount]:
    """A container's mounts of the pod's volumes; what is on /dev/shm is the container's own."""
    return [
        Mount(
            volumes[row["name"]] / row.get("subPath", ""),
            row["mountPath"],
            "ro" if row.get("readOnly") else "rw",
        )
        for row in container.get("volumeMounts") or ()
        if row["mountPath"] != "/dev/shm"
    ]


def volumes_of(
    session: KubeSession, pod: Json, folder: Path, account: Path | None
) -> dict[str, Path]:
    """Folders of the pod's volumes by name; `account` has the service account's token."""
    found: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or ():
        own = folder / volume["name"]
        own.mkdir(parents=True)
        if "projected" in volume and account:
            own = account
        for kind, key in (("configMap", "name"), ("secret", "secretName")):
            if source := volume.get(kind):
                data = _data(session, pod, kind, source[key], bool(source.get("optional")))
                for name, value in data.items():
                    (own / name).write_text(value)
        found[volume["name"]] = own
    return found


def _fields(pod: Json, address: str, host: str) -> dict[str, str]:
    meta, spec = pod["metadata"], pod["spec"]
    return {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": host,
    }


def _value_from(
    session: KubeSession, pod: Json, container: Json, source: Json, fields: Mapping[str, str]
) -> str:
    if field := source.get("fieldRef"):
        path = field["fieldPath"]
        if of_map := _FIELD_OF_MAP.fullmatch(path):
            return str((pod["metadata"].get(of_map[1]) or {}).get(of_map[2], ""))
        return fields[path]
    if field := source.get("resourceFieldRef"):
        kind, _, name = field["resource"].partition(".")
        amount = float(quantity(str(container.get("resources", {}).get(kind, {}).get(name, 0))))
        return str(math.ceil(amount / float(quantity(str(field.get("divisor") or "1")))))
    kind = "configMap" if "configMapKeyRef" in source else "secret"
    wanted = source[f"{kind}KeyRef"]
    data = _data(session, pod, kind, wanted["name"], bool(wanted.get("optional")))
    if wanted["key"] not in data and not wanted.get("optional"):
        raise ContainerConfigError(f"couldn't find key {wanted['key']} in {kind} {wanted['name']}")
    return data.get(wanted["key"], "")


def _whole_source(session: KubeSession, pod: Json, source: Json) -> dict[str, str]:
    kind = "configMap" if "configMapRef" in source else "secret"
    wanted = source[f"{kind}Ref"]
    return _data(session, pod, kind, wanted["name"], bool(wanted.get("optional")))


def _data(session: KubeSession, pod: Json, kind: str, name: str, optional: bool) -> dict[str, str]:
    from raytui.backends.kubernetes.errors import NotFoundError

    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/{kind.lower()}s/{name}"
    try:
        found = session.get(path).get("data") or {}
    except NotFoundError as error:
        if optional:
            return {}
        raise ContainerConfigError(f'{kind.lower()} "{name}" not found') from error
    if kind == "secret":
        return {key: base64.b64decode(value).decode() for key, value in found.items()}
    return dict(found)
