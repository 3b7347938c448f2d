"""Finding Ray's servers on this machine: processes with the same names, words and variables."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from raytui.provisioning.head_process import dashboard_url, gcs_address

LISTENS = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[-1]))):
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def server(folder: Path, name: str, *words: str, instance: str, port: int = 0) -> Iterator[None]:
    """A process of that name and with these words, which listens on a port."""
    program = folder / name
    program.write_text(LISTENS)
    with subprocess.Popen(
        [sys.executable, program, *words, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RAY_CLOUD_INSTANCE_ID": instance},
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline()
            yield
        finally:
            process.kill()


def free_port() -> int:
    """One that is free, as is the next."""
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = int(one.getsockname()[1])
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port
    raise AssertionError("no two ports are free")


@pytest.fixture
def mine() -> str:
    return f"i-{os.getpid()}"


def test_gcs_is_found_by_whose_it_is(tmp_path: Path, mine: str):
    words = "--log_dir=/x", "--gcs_server_port=6379", "--node-ip-address=10.0.0.1"
    with server(tmp_path, "gcs_server", *words, instance=mine):
        assert gcs_address(mine) == "10.0.0.1:6379"
        assert gcs_address(f"{mine}0") == ""
    assert gcs_address(mine) == ""


def test_a_dashboard_whose_port_was_taken_is_found_where_it_listens(tmp_path: Path, mine: str):
    told = free_port()
    words = "--host=0.0.0.0", f"--port={told}"
    with server(tmp_path, "dashboard.py", *words, instance=mine, port=told + 1):
        assert dashboard_url(mine) == f"http://127.0.0.1:{told + 1}"
    assert dashboard_url(mine) == ""
