"""Several real hosts become nodes side by side, and what befalls one is no matter of the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.runner import SshRunner
from raytui.backends.ssh.target import ssh_target
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import AuthSpec
from tests.provisioning.folder_machines import FolderMachines
from tests.provisioning.test_provisioner import cluster, is_a_node, launch, provisioner, worker
from tests.ssh.conftest import LIMITS
from tests.support.hosts import Engine, Host, wait_until

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


@pytest.fixture
def pair(engine: Engine) -> Iterator[tuple[Host, Host]]:
    with engine.hosts("one", "two") as (one, two):
        yield one, two


@pytest.fixture
def machines(
    pair: tuple[Host, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FolderMachines]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    auth = AuthSpec(ssh_user="ray", ssh_private_key=str(pair[0].engine.key))
    keys = HostKeys(tmp_path / "known_hosts")
    with ExitStack() as stack:

        def runner_to(host: str) -> SshRunner:
            target = ssh_target(host, auth, ours=True, config="none")
            return SshRunner(stack.enter_context(SshConnection(target, keys, LIMITS)))

        yield FolderMachines(tmp_path, [host.address for host in pair], runner_to)


def lines(host: Host, name: str) -> int:
    return int(host.run("sh", "-c", f"cat /home/ray/{name} 2>/dev/null | wc -l"))


WAITS = "echo x >> ~/begun; until test -e ~/go_on; do sleep 0.1; done; echo x >> ~/ended"


def test_a_cable_pulled_during_a_launch_holds_up_one_node_only(
    pair: tuple[Host, Host], machines: FolderMachines
):
    one, two = pair
    with provisioner(cluster(WAITS), machines) as provider:
        first, second = launch(provider, count=2)
        wait_until(lambda: all(lines(host, "begun") == 1 for host in pair), "both")
        with two.cut_off():
            one.run("touch", "/home/ray/go_on")
            wait_until(is_a_node(provider, first), "the first")
            wait_until(lambda: "no answer" in worker(provider, second).detail, "the silence")
        wait_until(lambda: lines(two, "begun") == 2, "the second's second begin")
        two.run("touch", "/home/ray/go_on")
        wait_until(is_a_node(provider, second), "the second")
        assert [s.name for s in provider.steps() if s.node == second] == [
            s.name for s in provider.steps() if s.node == first
        ]
    assert [lines(host, "ended") for host in pair] == [1, 1]


def test_a_failed_step_is_mended_on_its_host_and_tried_again_alone(
    pair: tuple[Host, Host], machines: FolderMachines
):
    one, two = pair
    one.run("touch", "/home/ray/config")
    spec = cluster("echo x >> ~/first", "echo x >> ~/tried", "echo need it; test -e ~/config")
    with provisioner(spec, machines) as provider:
        first, second = launch(provider, count=2)
        wait_until(is_a_node(provider, first), "the first")
        wait_until(lambda: "✕ set up 3/3" in worker(provider, second).detail, "the failure")
        assert provider.step_output(second, "set up 3/3", 1) == ["need it"]
        two.run("touch", "/home/ray/config")
        assert provider.retry([first, second]) == [second]
        wait_until(is_a_node(provider, second), "the second")
    assert [lines(host, "tried") for host in pair] == [1, 1]


def test_a_host_that_is_out_of_reach_does_not_hold_up_its_end(
    pair: tuple[Host, Host], machines: FolderMachines
):
    _, two = pair
    with provisioner(cluster(WAITS), machines) as provider:
        names = launch(provider, count=2)
        wait_until(lambda: all(lines(host, "begun") == 1 for host in pair), "both")
        with two.cut_off():
            provider.terminate(names)
            assert all(i.is_head for i in provider.list_instances())
    assert pair[0].run("sh", "-c", "pgrep -x sleep || true") == ""


def test_a_closed_provisioner_ends_what_it_runs_and_the_next_goes_on(
    pair: tuple[Host, Host], machines: FolderMachines
):
    spec = cluster("echo x >> ~/first", WAITS)
    with provisioner(spec, machines) as provider:
        (name,) = launch(provider)
        wait_until(lambda: lines(pair[0], "begun") == 1, "the begin")
    assert pair[0].run("sh", "-c", "pgrep -x sleep || true") == ""
    pair[0].run("touch", "/home/ray/go_on")
    with provisioner(spec, machines) as provider:
        assert worker(provider, name).status is InstanceStatus.SETTING_UP
        wait_until(is_a_node(provider, name), "the node")
    assert [lines(pair[0], one) for one in ("first", "begun", "ended")] == [1, 2, 1]
