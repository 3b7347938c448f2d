"""How a local Ray node is started: its addresses, its `ray start` command, its environment."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
from collections.abc import Collection
from pathlib import Path

import msgspec
import psutil

from raytui.backends.local_processes import CLUSTER_VARIABLE
from raytui.backends.local_state import LocalNode
from raytui.backends.marked_processes import INSTANCE_VARIABLE
from raytui.config import ray_token
from raytui.model.spec import ClusterSpec, NodeType

_OBJECT_STORE_BYTES = 128 * 1024**2
"""Per node unless its type says otherwise; Ray's default is 30 % of the machine's memory."""
_MEMORY_SHARE = 0.7
"""Share of the machine's memory that Ray gives to tasks by default; our nodes divide it."""
_PORTS = range(20_000, 30_000)
"""Below the ephemeral ports of Linux and macOS, so that no outgoing connection takes one."""
_SHAPES_REPORTED = 1000
"""Ray tells autoscalers about 100 shapes of demand by default and hides the rest."""
_WORKER_NICENESS = 5
"""So that many nodes starting at once leave the terminal responsive."""


def node_ip() -> str:
    """Address that the nodes of this machine know each other by.

    Ray replaces 127.0.0.1 by the address of a network card, and a cluster dies with that address
    when a laptop changes networks. 127.0.0.2 is loopback as well and Ray leaves it alone. Where
    only 127.0.0.1 is configured (macOS), the address of the default route is used.
    """
    for candidate in ("127.0.0.2", _outgoing_ip()):
        with socket.socket() as probe:
            try:
                probe.bind((candidate, 0))
            except OSError:
                continue
            return candidate
    return "127.0.0.1"


def _outgoing_ip() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation range; UDP connect sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def free_port(avoid: Collection[int] = ()) -> int:
    """A random TCP port that nobody listens on now.

    Never a well-known one, not even the dashboard's 8265: two heads that start at the same time
    would both find it free, and Ray tries for a minute to get it before it gives up.
    """
    # Not for secrets: randomness only keeps two launchers from trying the same ports.
    for port in random.sample(_PORTS, 200):
        if port in avoid:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))  # noqa: S104  # only a probe; nothing listens
            except OSError:
                continue
            return port
    raise OSError("no free TCP port was found")


def with_ports(head: LocalNode) -> LocalNode:
    """The head with free ports for GCS and the dashboard."""
    dashboard = free_port()
    gcs = free_port(avoid=(dashboard,))
    return msgspec.structs.replace(head, gcs_address=f"{head.ip}:{gcs}", dashboard_port=dashboard)


def command(node: LocalNode, node_type: NodeType, spec: ClusterSpec) -> list[str]:
    """The `ray start` argv. Ports given as 0 are bound by Ray itself, so they cannot clash."""
    role = _head_options(node) if node.is_head else [f"--address={node.gcs_address}"]
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", *role, "--block"),
        f"--node-ip-address={node.ip}",
        f"--temp-dir={node.temp_dir}",
        "--object-manager-port=0",
        "--node-manager-port=0",
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--dashboard-agent-listen-port=0",
        "--dashboard-agent-grpc-port=0",
        "--runtime-env-agent-port=0",
        "--metrics-export-port=0",
        "--disable-usage-stats",
        "--log-color=false",
        *_resource_options(node_type, spec),
    ]


def _head_options(node: LocalNode) -> list[str]:
    gcs_port = int(node.gcs_address.rpartition(":")[2])
    return [
        "--head",
        "--no-monitor",
        f"--port={gcs_port}",
        "--include-dashboard=true",  # else Ray goes on without one when its port is taken
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={node.dashboard_port}",
        # Ray cannot be told to leave its client server out.
        f"--ray-client-server-port={free_port(avoid=(gcs_port, node.dashboard_port))}",
    ]


def _resource_options(node_type: NodeType, spec: ClusterSpec) -> list[str]:
    """Every amount is given: what is left out, Ray would guess from the whole machine."""
    amounts = dict(node_type.resources.amounts())
    machine = psutil.virtual_memory().total
    share = int(machine * _MEMORY_SHARE / (spec.max_workers + 1))
    options = [
        f"--num-cpus={int(amounts.pop('CPU', 0))}",
        f"--num-gpus={int(amounts.pop('GPU', 0))}",
        f"--memory={int(amounts.pop('memory', share))}",
        f"--object-store-memory={int(amounts.pop('object_store_memory', _OBJECT_STORE_BYTES))}",
    ]
    if amounts:
        options.append(f"--resources={json.dumps(amounts)}")
    if node_type.labels:
        options.append("--labels=" + ",".join(f"{k}={v}" for k, v in node_type.labels.items()))
    return options


def environment(node: LocalNode, cluster: str) -> dict[str, str]:
    """What the node's processes inherit: ours, less what would point Ray at another cluster."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("RAY_ADDRESS", "RAY_FAKE_CLUSTER", "RAY_JOB_CONFIG_JSON_ENV_VAR")
        and not name.startswith("RAY_OVERRIDE_")
    }
    python = str(Path(sys.executable).parent)
    inherited["PATH"] = os.pathsep.join([python, inherited.get("PATH", os.defpath)])
    # One GCS port per head and one address file per temp dir: nothing is shared with others.
    settings = {
        CLUSTER_VARIABLE: cluster,
        INSTANCE_VARIABLE: node.instance_id,
        "RAY_NODE_TYPE_NAME": node.node_type,
        ray_token.MODE: node.auth_mode,
        "RAY_CLOUD_INSTANCE_TYPE_NAME": node.instance_type,
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",  # draining is the autoscaler's business
        "RAY_max_resource_shapes_per_load_report": str(_SHAPES_REPORTED),
        "RAY_prestart_worker_first_driver": "0",  # one idle Python per CPU of every node
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
        "DASHBOARD_METRIC_PORT": str(free_port()) if node.is_head else "",
    }
    return inherited | {name: value for name, value in settings.items() if value}


def make_polite(pid: int) -> None:
    """Lower the priority of a worker node that was just spawned; its children inherit it."""
    try:
        psutil.Process(pid).nice(_WORKER_NICENESS)
    except psutil.Error:
        return
