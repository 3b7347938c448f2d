"""What a node leaves on its host is ended, and nothing else."""

from __future__ import annotations

import sys
import time

import pytest

from raytui.backends.base import CapacityError
from tests.on_premise.conftest import Cluster, run_for, runs_on, wish, workers_of
from tests.support.hosts import Host, wait_until

pytestmark = [pytest.mark.ssh, pytest.mark.slow]

STUBBORN = "trap '' TERM; while :; do sleep 5678; done"


def test_only_what_runs_for_the_node_is_ended(cluster: Cluster, alpha: Host) -> None:
    machines = cluster(alpha)
    (node,) = machines.launch(wish("r"))
    run_for(alpha, node.instance_id, "sleep", "1111")
    run_for(alpha, node.instance_id, "sh", "-c", STUBBORN)
    run_for(alpha, node.instance_id + "0", "sleep", "2222")
    run_for(alpha, "another", "sleep", "3333")
    wait_until(lambda: bool(runs_on(alpha, "sleep 3333")), "what runs there")
    machines.terminate([node.instance_id])
    assert not runs_on(alpha, "sleep 1111")
    assert not runs_on(alpha, "sleep 5678")
    assert runs_on(alpha, "sleep 2222") == runs_on(alpha, "sleep 3333") == 1


@pytest.mark.ray
def test_a_rays_whole_tree_is_ended_beside_another_ray(cluster: Cluster, alpha: Host) -> None:
    machines = cluster(alpha)
    (node,) = machines.launch(wish("r"))
    start = (
        f"export PATH={sys.prefix}/bin:$PATH RAY_USAGE_STATS_ENABLED=0; ray start --head "
        "--num-cpus 1 --object-store-memory 80000000 --include-dashboard false "
    )
    runner = machines.runner(node.instance_id)
    for owner, port in ((node.instance_id, 6400), ("strangers", 6500)):
        options = f"--port {port} --temp-dir /tmp/{port} --min-worker-port 0 --max-worker-port 0"
        begun = runner.run_shell(start + options, env={"RAY_CLOUD_INSTANCE_ID": owner})
        assert begun.exit_code == 0, begun.output
    wait_until(lambda: runs_on(alpha, "raylet/raylet ") == 2, "both raylets")
    machines.terminate([node.instance_id])
    assert runs_on(alpha, "6400") == 0
    assert runs_on(alpha, "raylet/raylet ") == 1
    assert runs_on(alpha, "ray::") <= runs_on(alpha, "6500")


def test_a_host_that_is_cut_off_ends_at_once_and_is_cleaned_when_it_answers(
    cluster: Cluster, alpha: Host
) -> None:
    machines = cluster(alpha)
    (node,) = machines.launch(wish("r"))
    run_for(alpha, node.instance_id, "sleep", "1111")
    with alpha.cut_off():
        began = time.monotonic()
        machines.terminate([node.instance_id])
        assert time.monotonic() - began < 22
        assert workers_of(machines) == []
        with pytest.raises(CapacityError, match=alpha.address):
            machines.launch(wish("r2"))
    machines.start()
    wait_until(lambda: not runs_on(alpha, "sleep 1111"), "the cleaning")
    wait_until(lambda: "claim" not in alpha.run("ls", "/var/tmp/raytui"), "the release")


def test_an_unclean_host_is_cleaned_before_it_is_given_again(cluster: Cluster, alpha: Host) -> None:
    now = [1e9]
    machines = cluster(alpha, clock=lambda: now[0])
    (node,) = machines.launch(wish("r"))
    run_for(alpha, node.instance_id, "sleep", "1111")
    with alpha.frozen():
        machines.terminate([node.instance_id])
    (notice,) = machines.notices()
    assert f"{alpha.address} is not cleaned of what ran there ({node.instance_id})" in notice
    with pytest.raises(CapacityError, match=r"tried again in 0m30s"):
        machines.launch(wish("r2"))
    now[0] += 31
    (_again,) = machines.launch(wish("r2"))
    assert not runs_on(alpha, "sleep 1111")
    assert machines.notices() == []
