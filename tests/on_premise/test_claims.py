"""Hosts are claimed on the hosts themselves, so that clusters share them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from raytui.backends.base import CapacityError, PartialLaunchError
from raytui.model.lifecycle import InstanceStatus
from tests.on_premise.conftest import Cluster, wish, workers_of
from tests.support.hosts import Host

pytestmark = [pytest.mark.ssh, pytest.mark.slow]

CLAIM = "/var/tmp/raytui/claim"


def test_a_request_gets_a_host_once_and_gives_it_back(cluster: Cluster, alpha: Host) -> None:
    machines = cluster(alpha)
    (given,) = machines.launch(wish("r1"))
    assert (given.status, given.ip) == (InstanceStatus.ALLOCATED, alpha.address)
    assert machines.launch(wish("r1")) == [given]
    assert workers_of(machines) == [given]
    assert machines.runner(given.instance_id).run(["hostname"]).output.strip() == "alpha"
    assert alpha.run("head", "-2", CLAIM).split() == [machines.cluster, given.instance_id]
    machines.terminate([given.instance_id])
    assert workers_of(machines) == []
    assert alpha.run("ls", "/var/tmp/raytui") == ""


def test_what_there_is_comes_and_the_error_says_who_has_the_rest(
    cluster: Cluster, alpha: Host, beta: Host
) -> None:
    one, other = cluster(alpha, beta), cluster(alpha, name="other")
    other.launch(wish("o1"))
    with pytest.raises(PartialLaunchError) as partly:
        one.launch(wish("r1", 2))
    assert [instance.ip for instance in partly.value.launched] == [beta.address]
    with pytest.raises(CapacityError, match=f"1 of 2 are nodes already; {alpha.address} is other@"):
        one.launch(wish("r2"))


def test_two_clusters_that_race_for_a_pool_get_each_host_once(
    cluster: Cluster, alpha: Host, beta: Host
) -> None:
    machines = [cluster(alpha, beta, name=f"c{number}") for number in range(4)]

    def launch(number: int) -> list[str]:
        try:
            return [i.ip for i in machines[number].launch(wish("r", 2))]
        except PartialLaunchError as error:
            return [i.ip for i in error.launched]
        except CapacityError:
            return []

    with ThreadPoolExecutor(4) as pool:
        given = [ip for ips in pool.map(launch, range(4)) for ip in ips]
    assert sorted(given) == sorted([alpha.address, beta.address])
