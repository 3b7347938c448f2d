"""Tools that tests need: absent on a laptop they skip, under RAYTUI_TEST_STRICT=1 they fail."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

_HOW = {
    "ray": "Ray is not installed: pip install 'raytui[ray]'",
    "tmux": "tmux is not installed: apt-get install tmux",
    "prometheus": "Prometheus is not installed: apt-get install prometheus",
    "openssh": "OpenSSH's client is not installed: apt-get install openssh-client",
    "chromium": "Chromium is not installed: apt-get install chromium",
    "ssh": (
        "Real hosts need root and: apt-get install"
        " docker.io debootstrap openssh-client rsync iproute2"
    ),
    "pods": "Pods that run need root and: apt-get install iproute2 util-linux",
}
_FOR_HOSTS = ("dockerd", "docker", "debootstrap", "ssh", "ssh-keygen", "rsync", "ip")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FOR_PODS = ("ip", "nsenter", "unshare", "setpriv", "setsid", "mount", "chroot")


def missing(tool: str) -> None:
    """Skip or fail when the tool is not there."""
    if is_there(tool):
        return
    if os.environ.get("RAYTUI_TEST_STRICT") == "1":
        pytest.fail(_HOW[tool])
    pytest.skip(_HOW[tool])


def is_there(tool: str) -> bool:
    """Whether this machine has it."""
    if tool == "ray":
        return importlib.util.find_spec("ray") is not None
    if tool == "ssh":
        return os.geteuid() == 0 and all(map(shutil.which, _FOR_HOSTS))
    if tool == "chromium":
        return any(map(shutil.which, BROWSERS))
    if tool == "pods":
        return os.geteuid() == 0 and all(map(shutil.which, _FOR_PODS))
    return shutil.which("ssh" if tool == "openssh" else tool) is not None
