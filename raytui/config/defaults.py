"""What Ray fills in per provider when a file leaves it out (ray/autoscaler/*/defaults.yaml).

Ray merges one level deep: an `auth` section in the file replaces the default one as a whole.
Where Ray's default set-up commands install a nightly wheel, ours get a release.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from raytui.config.getting_ray import GET_RAY

ON_PREMISE_TYPE = "local.cluster.node"
"""The one node type of provider `local` (ray/autoscaler/_private/local/config.py)."""

_STOP = "ray stop"
_CLOUD_HEAD = (
    _STOP,
    "ulimit -n 65536; ray start --head --port=6379 --object-manager-port=8076 "
    "--autoscaling-config=~/ray_bootstrap_config.yaml --dashboard-host=0.0.0.0",
)
_CLOUD_WORKER = (
    _STOP,
    "ulimit -n 65536; ray start --address=$RAY_HEAD_IP:6379 --object-manager-port=8076",
)


class Defaults(Struct, frozen=True):
    """One provider's defaults."""

    max_workers: int | None = 2
    """None: Ray has no default, the file must say it."""
    idle_timeout_minutes: float = 5.0
    upscaling_speed: float = 1.0
    head_node_type: str = "ray.head.default"
    ssh_user: str = ""
    head_start_ray_commands: tuple[str, ...] = ()
    worker_start_ray_commands: tuple[str, ...] = ()
    asks_cloud_for_resources: bool = False
    """The provider knows what its machines have; `resources` may be left out."""
    node_types: dict[str, Any] = {}
    """Those of a file without `available_node_types`; empty: such a file is refused."""
    setup_commands: tuple[str, ...] = ()


_CLOUD = Defaults(
    ssh_user="ubuntu",
    head_start_ray_commands=_CLOUD_HEAD,
    worker_start_ray_commands=_CLOUD_WORKER,
)

_BY_PROVIDER = {
    "aws": Defaults(
        ssh_user="ubuntu",
        head_start_ray_commands=_CLOUD_HEAD,
        worker_start_ray_commands=_CLOUD_WORKER,
        asks_cloud_for_resources=True,
        node_types={
            "ray.head.default": {
                "resources": {},
                "node_config": {
                    "InstanceType": "m5.large",
                    "BlockDeviceMappings": [
                        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 256}}
                    ],
                },
            },
            "ray.worker.default": {
                "resources": {},
                "node_config": {
                    "InstanceType": "m5.large",
                    "InstanceMarketOptions": {"MarketType": "spot"},
                },
            },
        },
        setup_commands=GET_RAY,
    ),
    "gcp": Defaults(
        head_node_type="ray_head_default",
        ssh_user="ubuntu",
        head_start_ray_commands=_CLOUD_HEAD,
        worker_start_ray_commands=_CLOUD_WORKER,
        asks_cloud_for_resources=True,
    ),
    "azure": _CLOUD,
    "vsphere": Defaults(
        max_workers=5,
        ssh_user="ray",
        head_start_ray_commands=(
            _STOP,
            "ulimit -n 65536; ray start --head --port=6379 "
            "--autoscaling-config=~/ray_bootstrap_config.yaml --dashboard-host=0.0.0.0",
        ),
        worker_start_ray_commands=(
            _STOP,
            "ulimit -n 65536; ray start --address=$RAY_HEAD_IP:6379",
        ),
        asks_cloud_for_resources=True,
    ),
    "local": Defaults(
        head_start_ray_commands=(
            _STOP,
            "ulimit -c unlimited; ray start --head --port=6379 "
            "--autoscaling-config=~/ray_bootstrap_config.yaml",
        ),
        worker_start_ray_commands=(_STOP, "ray start --address=$RAY_HEAD_IP:6379"),
    ),
    "fake_multinode": Defaults(max_workers=8, idle_timeout_minutes=0.1),
    "spark": Defaults(max_workers=8, idle_timeout_minutes=1.0),
    "external": Defaults(max_workers=None),
}


def defaults_of(provider: str) -> Defaults:
    """The defaults of a provider type; the common ones when Ray has none of its own."""
    return _BY_PROVIDER.get(provider, _COMMON)


_COMMON = Defaults()
