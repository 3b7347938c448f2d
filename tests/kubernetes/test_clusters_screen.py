"""The list of clusters on a real API server: watched, opened, moved, refused."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from textual.pilot import Pilot
from textual.widgets import Input

from raytui.app import RaytuiApp
from raytui.backends.kubernetes.session import KubeSession
from raytui.client.kube_fleet import KubeFleetClient
from raytui.screens.cluster import ClusterScreen
from raytui.screens.clusters import ClustersScreen
from raytui.screens.pick import PickScreen
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.many import Many
from tests.tui.driving import command, go, table, text, until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]


@pytest.fixture
def many(admin: KubeSession, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Many:
    """Clusters can be made in the test's namespace, and a terminal sees them."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    return Many(admin)


@asynccontextmanager
async def listed(namespace: str, size: tuple[int, int] = (160, 40)) -> AsyncIterator[Pilot]:
    app = RaytuiApp(None, fleet=KubeFleetClient("", namespace))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ClustersScreen))
        yield pilot


def line_of(pilot: Pilot, name: str) -> str:
    lines = text(pilot.app).splitlines()
    return next((line for line in lines if name in line), "")


async def test_the_list_follows_what_happens(many: Many, admin: KubeSession, namespace: str):
    many.make([namespace], clusters=2, pods=3)
    async with listed(namespace) as pilot:
        await until(pilot, lambda: "3/3" in line_of(pilot, "demo-001"))
        assert "● ready" in line_of(pilot, "demo-000")
        assert "nobody" in line_of(pilot, "demo-000")
        assert "12" in line_of(pilot, "demo-000"), "three times 4 CPUs"
        assert "● watching" in text(pilot.app)
        many.tell(namespace, "demo-001-worker-cpu-001", ready=False)
        await until(pilot, lambda: "2/3" in line_of(pilot, "demo-001"))
        many.cluster(namespace, "later", workers=1)
        await until(pilot, lambda: "◐ starting" in line_of(pilot, "later"))
        admin.delete(f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters/later")
        await until(pilot, lambda: not line_of(pilot, "later"))


async def test_a_cluster_without_an_autoscaler_is_opened_to_be_watched(many: Many, namespace: str):
    many.make([namespace], clusters=2, pods=2)
    async with listed(namespace) as pilot:
        await until(pilot, lambda: "2/2" in line_of(pilot, "demo-001"))
        await go(pilot, "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ClusterScreen))
        await until(pilot, lambda: "◉ watching only" in text(pilot.app))
        assert "demo-001" in text(pilot.app)
        await go(pilot, "2")
        await until(pilot, lambda: "demo-001-worker-cpu-001" in text(pilot.app))
        await go(pilot, "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, ClustersScreen))
        assert table(pilot.app).selected.name == "demo-001"
        assert "2/2" in line_of(pilot, "demo-000")


async def test_another_namespace_and_all_of_them(many: Many, namespace: str):
    many.make([namespace], clusters=1, pods=1)
    async with listed("default") as pilot:
        await until(pilot, lambda: "no RayCluster in namespace default" in text(pilot.app))
        await go(pilot, "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
        pilot.app.screen.query_one(Input).value = namespace
        await go(pilot, "enter")
        await until(pilot, lambda: "demo-000" in text(pilot.app))
        await command(pilot, "ns all")
        await until(pilot, lambda: "all namespaces · ● watching" in text(pilot.app))
        # Other tests have left theirs there, more than the screen has lines for.
        await go(pilot, "slash", *namespace.replace("-", " ").split()[-1], "enter")
        await until(pilot, lambda: line_of(pilot, f" {namespace} "))


async def test_who_may_see_nothing_is_told_which_verb_is_missing(
    many: Many, plane: ControlPlane, namespace: str, kubeconfig: Path
):
    plane.kubeconfig(kubeconfig, user=USER, namespace=namespace)
    async with listed(namespace) as pilot:
        await until(pilot, lambda: 'cannot list resource "rayclusters"' in text(pilot.app))
        assert USER in text(pilot.app)


async def test_a_server_that_is_not_there_is_told_and_another_context_can_be_chosen(
    many: Many, namespace: str, kubeconfig: Path
):
    many.make([namespace], clusters=1, pods=1)
    config = yaml.safe_load(kubeconfig.read_text())
    here = config["contexts"][0]
    gone = {"name": "gone", "cluster": {"server": "https://127.0.0.1:9"}}
    away = {**here, "name": "away", "context": {**here["context"], "cluster": "gone"}}
    config |= {"clusters": [*config["clusters"], gone], "contexts": [here, away]}
    kubeconfig.write_text(yaml.safe_dump({**config, "current-context": "away"}))
    async with listed(namespace) as pilot:
        await until(pilot, lambda: "127.0.0.1" in text(pilot.app))
        await command(pilot, f"context {here['name']}")
        await command(pilot, f"namespace {namespace}")
        await until(pilot, lambda: "1/1" in line_of(pilot, "demo-000"))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[list[str]]:
    """tmux on a server of the test's own; what to put before its commands."""
    program = shutil.which("tmux")
    if program is None:
        pytest.skip("no tmux here")
    tmux = [program, "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    yield tmux
    subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)


def test_in_a_terminal_a_cluster_is_opened_and_left_again(
    many: Many, namespace: str, kubeconfig: Path, terminal: list[str]
):
    many.make([namespace], clusters=3, pods=2)
    words = [sys.executable, "-m", "raytui", "k8s", "-n", namespace]
    env = ["env", f"KUBECONFIG={kubeconfig}", f"XDG_STATE_HOME={kubeconfig.parent / 'state'}"]
    run = shlex.join([*env, *words])
    size = ["-x", "120", "-y", "30"]
    subprocess.run([*terminal, "new-session", "-d", *size, run], check=True, env=os.environ)

    def shown() -> str:
        got = subprocess.run([*terminal, "capture-pane", "-p"], capture_output=True, text=True)
        return got.stdout

    def wait_for(words: str) -> None:
        deadline = time.monotonic() + 40
        while words not in shown():
            assert time.monotonic() < deadline, f"{words} never came:\n{shown()}"
            time.sleep(0.1)

    def press(key: str) -> None:
        subprocess.run([*terminal, "send-keys", key], check=True)

    wait_for("3 CLUSTERS")
    wait_for("2/2")
    press("Down")
    press("Enter")
    wait_for("watching only")
    press("2")
    wait_for("demo-001-head")
    press("Escape")
    wait_for("3 CLUSTERS")
    press("q")
    deadline = time.monotonic() + 20
    alive = [*terminal, "has-session"]
    while subprocess.run(alive, capture_output=True, check=False).returncode == 0:
        assert time.monotonic() < deadline, shown()
        time.sleep(0.1)
