"""How the kubelet finds out whether Ray is well in a pod: as KubeRay 1.7 asks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from raytui.backends.kubernetes.objects.ray_start import AGENT_PORT, DASHBOARD_PORT, port_of
from raytui.backends.kubernetes.session import Json

_ONE_ANSWER = (2, 53)
"""Since this Ray one address of the agent tells of all that runs on a node."""
_VERSION = re.compile(r"(\d+)\.(\d+)")
_READINESS = {"initialDelaySeconds": 10, "failureThreshold": 10}
_LIVENESS = {"initialDelaySeconds": 30, "failureThreshold": 120}


def with_probes(
    container: Json, ray_version: str, options: Mapping[str, str], *, is_head: bool
) -> Json:
    """Ray's container with probes, where a person has written none."""
    common = {
        "periodSeconds": 5,
        "successThreshold": 1,
        # The head is asked for two things, its own node and the cluster's.
        "timeoutSeconds": 5 if is_head else 2,
        **_question(ray_version, options, is_head=is_head),
    }
    found = dict(container)
    for name, patience in (("readinessProbe", _READINESS), ("livenessProbe", _LIVENESS)):
        if not found.get(name):
            found[name] = {**common, **patience}
    return found


def _question(ray_version: str, options: Mapping[str, str], *, is_head: bool) -> Json:
    agent = port_of(options, "dashboard-agent-listen-port", AGENT_PORT)
    version = _VERSION.match(ray_version)
    if version and tuple(map(int, version.groups())) >= _ONE_ANSWER:
        return {"httpGet": {"path": "/api/healthz", "port": agent}}
    asked = [_asks(agent, "api/local_raylet_healthz")]
    if is_head:
        dashboard = port_of(options, "dashboard-port", DASHBOARD_PORT)
        asked.append(_asks(dashboard, "api/gcs_healthz"))
    return {"exec": {"command": ["bash", "-c", " && ".join(asked)]}}


def _asks(port: int, path: str) -> str:
    return f"wget --tries 1 -T 2 -q -O- http://localhost:{port}/{path} | grep success"
