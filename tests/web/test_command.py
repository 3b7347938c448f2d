"""`raytui web` as a person starts and ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
from aiohttp import ClientSession

from raytui.cli.exit_codes import ExitCode
from raytui.web.gate import Gate
from tests.support.waiting import eventually
from tests.web.conftest import Served, shows, tab

ARGV = (sys.executable, "-m", "raytui", "web")


@pytest.fixture
def running() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program on a simulated cluster, and its link."""
    process = subprocess.Popen(
        [*ARGV, "--demo", "12", "--port", "0", "--no-open"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.communicate()


async def look(link: str) -> tuple[ClientSession, object]:
    """A tab that shows the cluster; still open."""
    port = urlsplit(link).port
    assert port is not None
    served = Served(port, Gate(port))
    served.gate.link = link
    cookie = await served.enter()
    session = ClientSession()
    connection = await tab(session, served, cookie)
    await shows(connection, "simulated-12")
    return session, connection


async def test_ctrl_c_ends_all_programs_and_the_token_was_told_once(running):
    process, link = running
    session, _ = await look(link)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    (token,) = parse_qs(urlsplit(link).query)["token"]
    assert not any(token in " ".join(child.cmdline()) for child in children)
    assert not any(token in str(child.environ()) for child in children)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.OK
    assert token not in out + err
    assert not [child for child in children if child.is_running()]
    await session.close()


async def test_no_program_outlives_a_server_that_is_killed(running):
    process, link = running
    session, _ = await look(link)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    eventually(lambda: not any(child.is_running() for child in children), 30)
    await session.close()


def started(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ARGV, *args], capture_output=True, text=True, timeout=60)


def test_other_addresses_cannot_be_asked_for():
    assert started("--demo", "12", "--host", "0.0.0.0").returncode == ExitCode.USAGE


def test_a_taken_port_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = started("--demo", "12", "--no-open", "--port", port)
    assert done.returncode == ExitCode.FAILED
    assert f"port {port}" in done.stderr


def test_a_cluster_that_does_not_run_is_not_launched():
    done = started("--no-open")
    assert done.returncode == ExitCode.UNREACHABLE
    assert "is not running" in done.stderr
