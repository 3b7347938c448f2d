"""Hosts are looked after: who is silent or lost his Ray is told, claims stay fresh."""

from __future__ import annotations

import signal
import time

import pytest

from raytui.backends import tags
from raytui.backends.on_premise import watching
from raytui.backends.on_premise.machines import OnPremMachines
from raytui.model.lifecycle import InstanceStatus
from tests.on_premise.conftest import Cluster, run_for, wish, workers_of
from tests.support.hosts import Host, wait_until

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


def node_on(machines: OnPremMachines, host: Host) -> str:
    """A node whose raylet runs: a program of that name stands for it."""
    (node,) = machines.launch(wish("r"))
    host.run("cp", "/bin/sleep", "/usr/local/bin/raylet")
    run_for(host, node.instance_id, "raylet", "4321")
    machines.tag(node.instance_id, {tags.RUNTIME: "abc", tags.RAY_STARTED: f"{time.time():.3f}"})
    return node.instance_id


def status(machines: OnPremMachines) -> tuple[InstanceStatus, str]:
    (node,) = workers_of(machines)
    return node.status, node.detail


def claimed_s_ago(host: Host) -> int:
    return int(host.run("sh", "-c", "echo $(($(date +%s) - $(stat -c %Y /var/tmp/raytui/claim)))"))


def test_a_node_whose_raylet_is_gone_is_lost_within_seconds(cluster: Cluster, alpha: Host) -> None:
    machines = cluster(alpha)
    node_on(machines, alpha)
    machines.start()
    alpha.run("touch", "-d", "300 seconds ago", "/var/tmp/raytui/claim")
    wait_until(lambda: claimed_s_ago(alpha) < 100, "a look")
    time.sleep(1.5)  # some more looks
    assert status(machines) == (InstanceStatus.ALLOCATED, "")
    alpha.run("pkill", "raylet")
    wait_until(lambda: status(machines)[0] is InstanceStatus.LOST, "the loss")
    assert status(machines)[1] == "its Ray processes are gone"


def test_a_node_that_is_silent_is_lost_after_a_while(
    cluster: Cluster, alpha: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SILENT_S", 3.0)
    machines = cluster(alpha)
    node_on(machines, alpha)
    machines.start()
    with alpha.cut_off():
        wait_until(lambda: status(machines)[0] is InstanceStatus.LOST, "the loss")
        assert status(machines)[1].startswith("no answer for 0m")
        assert alpha.address in status(machines)[1]
    wait_until(lambda: status(machines)[0] is InstanceStatus.ALLOCATED, "its return")


def test_a_node_is_not_lost_because_its_host_lets_us_not_in(
    cluster: Cluster, alpha: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SILENT_S", 0.0)
    machines = cluster(alpha)
    node_on(machines, alpha)
    alpha.change_key()
    alpha.signal(signal.SIGKILL, listener=False)
    machines.start()
    wait_until(lambda: "key has changed" in "".join(machines.notices()), "a look")
    assert status(machines) == (InstanceStatus.ALLOCATED, "")


def test_a_node_whose_host_another_cluster_took_is_lost(cluster: Cluster, alpha: Host) -> None:
    machines = cluster(alpha)
    machines.launch(wish("r"))
    alpha.run("touch", "-d", "6000 seconds ago", "/var/tmp/raytui/claim")
    cluster(alpha, name="other").launch(wish("o"))
    machines.start()
    wait_until(lambda: status(machines)[0] is InstanceStatus.LOST, "the loss")
    assert "other@head-of-other" in status(machines)[1]


def test_a_node_that_is_being_set_up_is_not_judged(cluster: Cluster, alpha: Host) -> None:
    machines = cluster(alpha)
    machines.launch(wish("r"))
    machines.start()
    alpha.run("touch", "-d", "300 seconds ago", "/var/tmp/raytui/claim")
    wait_until(lambda: claimed_s_ago(alpha) < 100, "a look")
    assert status(machines) == (InstanceStatus.ALLOCATED, "")


def test_word_is_left_on_the_host_when_it_answers_again(cluster: Cluster, alpha: Host) -> None:
    machines = cluster(alpha)
    (node,) = machines.launch(wish("r"))
    alpha.signal(signal.SIGKILL, listener=False)
    with alpha.cut_off():
        machines.tag(node.instance_id, {tags.RUNTIME: "abc"})
    machines.start()
    note = "/home/ray/.cache/raytui/set-up"
    wait_until(lambda: "abc" in alpha.run("sh", "-c", f"cat {note} || true"), "the note")
