"""Hosts are switched on before they are given and off after they came back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raytui.backends.base import CapacityError
from tests.on_premise.conftest import TYPE, Cluster, wish, workers_of
from tests.support.hosts import Host

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


def power(folder: Path, **commands: str) -> dict[str, Any]:
    """Commands that write down for which host they were run, then do something."""
    told = {name: f"echo {name} $RAYTUI_HOST >>{folder}/power; {c}" for name, c in commands.items()}
    return {"raytui": {"power": told}}


def test_a_host_that_sleeps_is_woken_given_and_claimed_before_anything_is_done(
    cluster: Cluster, alpha: Host, tmp_path: Path
) -> None:
    machines = cluster(alpha, metadata=power(tmp_path, on="true"))
    with alpha.cut_off():
        (node,) = machines.launch(wish("r"))
        assert node.ip == alpha.address
        assert (tmp_path / "power").read_text() == f"on {alpha.address}\n"
        assert machines.launch(wish("r"))[0].instance_id == node.instance_id
    runner = machines.runner(node.instance_id)
    assert runner.run(["cat", "/var/tmp/raytui/claim"]).output.split()[1] == node.instance_id
    assert machines.runner(node.instance_id) is runner


def test_nothing_is_done_on_a_woken_host_that_another_cluster_got(
    cluster: Cluster, alpha: Host, tmp_path: Path
) -> None:
    machines = cluster(alpha, metadata=power(tmp_path, on="true"))
    with alpha.cut_off():
        (node,) = machines.launch(wish("r"))
    cluster(alpha, name="other").launch(wish("o"))
    with pytest.raises(CapacityError, match="other@"):
        machines.runner(node.instance_id).run_shell("touch /tmp/done")
    machines.terminate([node.instance_id])
    assert "done" not in alpha.run("ls", "/tmp")
    assert "other@" in alpha.run("cat", "/var/tmp/raytui/claim")


def test_a_host_is_switched_off_after_its_node_and_kept_from_others_meanwhile(
    cluster: Cluster, alpha: Host, tmp_path: Path
) -> None:
    machines = cluster(alpha, metadata=power(tmp_path, off="true"))
    (node,) = machines.launch(wish("r"))
    machines.terminate([node.instance_id])
    assert (tmp_path / "power").read_text() == f"off {alpha.address}\n"
    assert workers_of(machines) == []
    with pytest.raises(CapacityError, match="one@head-of-one"):
        cluster(alpha, name="other").launch(wish("o"))
    assert machines.launch(wish("r2"))[0].ip == alpha.address


def test_a_host_whose_power_command_fails_is_given_back_all_the_same(
    cluster: Cluster, alpha: Host, tmp_path: Path
) -> None:
    machines = cluster(alpha, metadata=power(tmp_path, off="exit 4"))
    (node,) = machines.launch(wish("r"))
    machines.terminate([node.instance_id])
    assert len(cluster(alpha, name="other").launch(wish("o"))) == 1


def test_what_the_power_command_says_reaches_the_user(cluster: Cluster, tmp_path: Path) -> None:
    commands = power(tmp_path, on="echo no such card; exit 1")
    machines = cluster("127.0.0.1", metadata=commands)
    with pytest.raises(CapacityError, match="the power command failed: no such card"):
        machines.launch(wish("r", node_type=TYPE))
    assert workers_of(machines) == []
