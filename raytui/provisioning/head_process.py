"""Where Ray's own servers listen on this machine, read from the processes of the head."""

from __future__ import annotations

from collections.abc import Iterator

import psutil

from raytui.backends.marked_processes import INSTANCE_VARIABLE

_GCS = "gcs_server"
_DASHBOARD = "dashboard.py"
_PORTS_TRIED = 50
"""Ray's dashboard takes a port above the one it was told when that is taken (`--port-retries`)."""


def gcs_address(instance_id: str) -> str:
    """`ip:port` of the GCS that was started as this instance; empty when none runs here."""
    for _, words in _of_instance(_GCS, instance_id):
        port, ip = _option(words, "gcs_server_port"), _option(words, "node-ip-address")
        if port.isdecimal() and int(port) and ip:
            return f"{ip}:{port}"
    return ""


def ray_session(instance_id: str) -> str:
    """The name of the Ray session whose GCS runs as this instance; empty when none does.

    Another one after each start of the head's Ray, unless its state outlives it (in Redis).
    """
    names = (_option(words, "session-name") for _, words in _of_instance(_GCS, instance_id))
    return next((name for name in names if name), "")


def dashboard_url(instance_id: str) -> str:
    """`http://host:port` of this instance's dashboard; empty when none runs here."""
    for process, words in _of_instance(_DASHBOARD, instance_id):
        host, told = _option(words, "host"), _option(words, "port")
        if host and told.isdecimal():
            return f"http://{_reachable(host)}:{_listens(process, int(told))}"
    return ""


def _of_instance(program: str, instance_id: str) -> Iterator[tuple[psutil.Process, list[str]]]:
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            named = any(word.rpartition("/")[2] == program for word in words[:3])
            if named and process.environ().get(INSTANCE_VARIABLE) == instance_id:
                yield process, words
        except (psutil.Error, OSError):
            continue


def _option(words: list[str], name: str) -> str:
    """The value of `--name=value`; empty when it is not there."""
    return next((w.partition("=")[2] for w in words if w.startswith(f"--{name}=")), "")


def _reachable(host: str) -> str:
    """An address to ask, where it listens on all of them."""
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - only compared


def _listens(process: psutil.Process, told: int) -> int:
    try:
        found = process.net_connections("tcp")
    except (psutil.Error, OSError):
        return told
    ports = {c.laddr.port for c in found if c.status == psutil.CONN_LISTEN}
    near = [port for port in ports if told <= port <= told + _PORTS_TRIED]
    return min(near, default=told)
