"""A container engine inside a test host, with an image in which Ray can run.

Nothing is pulled: the image is the bare host's own, imported from its tar.
"""

from __future__ import annotations

import sys
from typing import Any

from tests.support.host_image import BARE, image_tar
from tests.support.hosts import ROOT, Host, wait_until

IMAGE = "raytui-test/ray:1"
"""What engines inside of hosts call the image."""

_TAR = "/image.tar"


def options() -> list[str]:
    """What `docker run` needs for hosts that are to run containers themselves."""
    unconfined = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")
    return [
        *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"),
        *(word for kind in unconfined for word in ("--security-opt", kind)),
        *("--device-cgroup-rule", "a *:* rwm"),
        *("--cgroupns=host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw"),
        # an engine's layers cannot lie on layers of another one
        *("-v", "/var/lib/docker", "-v", "/var/lib/containers"),
        *("-v", f"{image_tar(BARE)}:{_TAR}:ro"),
    ]


def start_docker(host: Host) -> None:
    """Have docker run in the host, for the user `ray` too, with the image."""
    host.run("usermod", "-aG", "docker", "ray")
    host.run("sh", "-c", _DOCKERD)
    wait_until(lambda: "Server" in host.run("sh", "-c", "docker version || true"), "docker")
    host.run("docker", "import", *_AS_RAYS_IMAGES, _TAR, IMAGE)


def start_podman(host: Host) -> None:
    """Have podman, which needs no daemon, find the image; for root."""
    # the other one that it has knows no mixture of both kinds of cgroups, which engines leave us
    host.run(
        "sh", "-c", "printf '[engine]\\nruntime=\"runc\"\\n' > /etc/containers/containers.conf"
    )
    host.run("podman", "import", *_AS_RAYS_IMAGES, _TAR, IMAGE)


def docker_section(*, use_podman: bool = False) -> dict[str, Any]:
    """The cluster file's section that has Ray run in containers of the image."""
    # A container cannot have more than the one around it; podman would give it more.
    limits = ["--ulimit nofile=4096:4096", "--ulimit nproc=4096:4096"]
    ours = sorted({str(ROOT), sys.prefix, sys.base_prefix})
    return {
        "image": IMAGE,
        "container_name": "ray_container",
        "pull_before_run": False,
        "run_options": [*limits, *(f"-v {path}:{path}:ro" for path in ours)],
        "use_podman": use_podman,
    }


_DOCKERD = (
    "exec setsid dockerd --bridge=none --iptables=false --ip6tables=false --ip-forward=false"
    " > /var/log/dockerd.log 2>&1 < /dev/null &"
)
_AS_RAYS_IMAGES = ("--change", "ENV HOME=/root", "--change", "CMD bash")
