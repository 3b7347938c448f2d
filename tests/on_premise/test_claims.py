"""Hosts are claimed on the hosts themselves, so that clusters share them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from raytui.backends import tags
from raytui.backends.base import CapacityError, PartialLaunchError
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import InstanceStatus
from tests.on_premise.conftest import Cluster, run_for, runs_on, wish, workers_of
from tests.support.hosts import Engine, Host

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


def test_a_request_for_all_or_nothing_gives_back_the_part_that_it_could_have(
    cluster: Cluster, alpha: Host, beta: Host
) -> None:
    one, other = cluster(alpha, beta), cluster(alpha, name="other")
    other.launch(wish("o1"))
    with pytest.raises(CapacityError, match=f"{alpha.address} is other@"):
        one.launch(replace(wish("r1", 2), all_or_nothing=True))
    assert workers_of(one) == []
    assert [instance.ip for instance in one.launch(wish("r2"))] == [beta.address]


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


def test_a_request_that_is_repeated_before_its_answer_gets_no_more(
    cluster: Cluster, alpha: Host, beta: Host
) -> None:
    machines = cluster(alpha, beta)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: machines.launch(wish("r")), range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert workers_of(machines) == answers[0]


def age(host: Host, seconds: int) -> None:
    host.run("touch", "-d", f"{seconds} seconds ago", CLAIM)


def test_a_claim_that_nobody_renews_is_taken_over_by_exactly_one(
    cluster: Cluster, alpha: Host
) -> None:
    cluster(alpha, name="gone").launch(wish("g"))
    heirs = [cluster(alpha, name=f"heir{number}") for number in range(4)]
    with pytest.raises(CapacityError, match=f"{alpha.address} is gone@head-of-gone's"):
        heirs[0].launch(wish("r"))
    age(alpha, 601)

    def takes(number: int) -> bool:
        try:
            return bool(heirs[number].launch(wish("r")))
        except CapacityError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(takes, range(4))) == 1


def test_a_claim_that_nobody_renews_is_respected_while_its_node_runs(
    cluster: Cluster, alpha: Host
) -> None:
    (node,) = cluster(alpha, name="asleep").launch(wish("g"))
    run_for(alpha, node.instance_id, "sleep", "1234")
    age(alpha, 6000)
    with pytest.raises(CapacityError, match="asleep@"):
        cluster(alpha).launch(wish("r"))


def test_our_own_old_claim_is_taken_over_and_what_it_left_is_ended(
    cluster: Cluster, alpha: Host
) -> None:
    before = cluster(alpha)
    (old,) = before.launch(wish("r1"))
    run_for(alpha, old.instance_id, "sleep", "1234")
    before.close()
    (ClusterPaths("one").dir / "hosts.json").unlink()
    after = cluster(alpha)
    (new,) = after.launch(wish("r2"))
    assert new.instance_id != old.instance_id
    assert not runs_on(alpha, "sleep 1234")
    assert alpha.run("head", "-2", CLAIM).split()[1] == new.instance_id


def test_what_we_made_of_a_host_is_known_until_another_cluster_had_it(
    cluster: Cluster, alpha: Host
) -> None:
    one, other = cluster(alpha), cluster(alpha, name="other")
    (first,) = one.launch(wish("r1"))
    assert one.tags(first.instance_id) == {}
    made = {tags.RUNTIME: "abc", tags.CONTENTS: "def", tags.RAY_STARTED: "1.0"}
    one.tag(first.instance_id, made)
    assert one.tags(first.instance_id) == made
    one.terminate([first.instance_id])
    (again,) = one.launch(wish("r2"))
    assert one.tags(again.instance_id) == {tags.RUNTIME: "abc", tags.CONTENTS: "def"}
    one.terminate([again.instance_id])
    (theirs,) = other.launch(wish("o"))
    assert other.tags(theirs.instance_id) == {}
    other.terminate([theirs.instance_id])
    (last,) = one.launch(wish("r3"))
    assert one.tags(last.instance_id) == {}


def test_a_host_that_is_the_head_of_some_cluster_is_left_alone(
    cluster: Cluster, alpha: Host
) -> None:
    alpha.run("cp", "/bin/sleep", "/usr/local/bin/gcs_server")
    alpha.engine.docker("exec", "-d", alpha.container, "gcs_server", "4321")
    machines = cluster(alpha)
    with pytest.raises(CapacityError, match=r"is the head of a Ray cluster \(process \d+\)"):
        machines.launch(wish("r"))
    assert alpha.run("ls", "-A", "/var/tmp/raytui") == ""
    alpha.run("pkill", "gcs_server")
    assert len(machines.launch(wish("r"))) == 1


def test_a_host_whose_disk_is_full_is_left_alone_and_says_so(
    cluster: Cluster, engine: Engine
) -> None:
    with engine.host("full", "--tmpfs", "/var/tmp:size=8k,mode=1777") as host:
        host.run("sh", "-c", "head -c 20k /dev/zero >/var/tmp/much || true")
        with pytest.raises(CapacityError, match="is the disk full"):
            cluster(host).launch(wish("r"))
        host.run("rm", "/var/tmp/much")
        assert host.run("ls", "-A", "/var/tmp/raytui") == ""


def test_a_claim_of_another_user_that_ran_out_is_told_with_the_way_out(
    cluster: Cluster, alpha: Host
) -> None:
    alpha.run("install", "-d", "-m", "1777", "/var/tmp/raytui")
    alpha.run("sh", "-c", f"printf 'x@y\\nx-1\\n0\\n\\n\\nr\\nt\\n' >{CLAIM}")
    age(alpha, 6000)
    with pytest.raises(CapacityError, match=f"only root or root may remove it: rm {CLAIM}"):
        cluster(alpha).launch(wish("r"))
