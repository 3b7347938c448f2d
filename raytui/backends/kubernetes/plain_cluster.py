"""A RayCluster of a head and one group of workers, from a few words."""

from __future__ import annotations

from msgspec import Struct

from raytui.backends.base import ConfigError
from raytui.backends.kubernetes.quantity import quantity
from raytui.backends.kubernetes.session import Json

_PORTS = {"gcs-server": 6379, "dashboard": 8265, "client": 10001}
_GPU = "nvidia.com/gpu"


class Size(Struct, frozen=True):
    """What a pod asks for, and is held to; quantities of Kubernetes."""

    cpu: str = "2"
    memory: str = "4Gi"
    gpu: str = "0"


class Workers(Struct, frozen=True):
    """The group of workers."""

    name: str = "default-group"
    replicas: int = 1
    least: int | None = None
    """None: as many as there are replicas, or none when it is autoscaled."""
    most: int | None = None
    size: Size = Size()


def plain_cluster(
    name: str,
    image: str,
    head: Size,
    workers: Workers,
    *,
    ray_version: str = "",
    is_autoscaled: bool = False,
) -> Json:
    """The manifest; raises ConfigError for quantities that are none, and limits without sense."""
    least = workers.least if workers.least is not None else 0 if is_autoscaled else workers.replicas
    most = workers.most if workers.most is not None else max(workers.replicas, least, 1)
    if not least <= workers.replicas <= most:
        raise ConfigError(
            f"{workers.replicas} worker replicas are not between the least, {least}, "
            f"and the most, {most}"
        )
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": name},
        "spec": {
            **({"rayVersion": ray_version} if ray_version else {}),
            **({"enableInTreeAutoscaling": True} if is_autoscaled else {}),
            "headGroupSpec": {
                "rayStartParams": {"dashboard-host": "0.0.0.0"},  # noqa: S104 (inside its pod)
                "template": _template("ray-head", image, head, _PORTS),
            },
            "workerGroupSpecs": [
                {
                    "groupName": workers.name,
                    "replicas": workers.replicas,
                    "minReplicas": least,
                    "maxReplicas": most,
                    "rayStartParams": {},
                    "template": _template("ray-worker", image, workers.size, {}),
                }
            ],
        },
    }


def _template(name: str, image: str, size: Size, ports: dict[str, int]) -> Json:
    amounts = {"cpu": size.cpu, "memory": size.memory}
    for what, text in (*amounts.items(), ("gpu", size.gpu)):
        try:
            quantity(text)
        except ValueError as error:
            raise ConfigError(f"{what}: {error}") from error
    if quantity(size.gpu):
        amounts[_GPU] = size.gpu
    container: Json = {
        "name": name,
        "image": image,
        "resources": {"requests": dict(amounts), "limits": dict(amounts)},
    }
    if ports:
        container["ports"] = [{"name": key, "containerPort": port} for key, port in ports.items()]
    return {"spec": {"containers": [container]}}
