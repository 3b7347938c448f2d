"""The state of the hosts survives a crash at any write, and its own loss."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import pytest

from raytui.backends import tags
from raytui.backends.on_premise.machines import OnPremMachines
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import InstanceStatus
from tests.on_premise.conftest import Cluster, wish, workers_of
from tests.support.hosts import Host

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


class Crash(BaseException):
    """The process ends here."""


@contextlib.contextmanager
def crash_at(number: int, patch: pytest.MonkeyPatch) -> Iterator[Callable[[], bool]]:
    """The disk is never reached again from the n-th time on; tells whether it came to that."""
    synced = os.fsync
    count = 0

    def fsync(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count >= number:
            raise Crash
        synced(descriptor)

    with patch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        with contextlib.suppress(Crash):
            yield lambda: count >= number


def claims(*hosts: Host) -> list[str]:
    return [
        host.run("sed", "-n", "2p", "/var/tmp/raytui/claim")
        for host in hosts
        if "claim" in host.run("sh", "-c", "ls /var/tmp/raytui 2>/dev/null || true").split()
    ]


def test_a_crash_at_any_write_neither_doubles_nor_forgets(
    cluster: Cluster, alpha: Host, beta: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def life(machines: OnPremMachines, number: int) -> None:
        (node,) = machines.launch(wish(f"r{number}"))
        machines.tag(node.instance_id, {tags.RUNTIME: "abc"})
        machines.terminate([node.instance_id])

    number, crashed = 0, True
    while crashed:
        number += 1
        with crash_at(number, monkeypatch) as has_crashed:
            life(cluster(alpha, beta), number)
        crashed = has_crashed()
        after = cluster(alpha, beta)
        assert after.notices() == []
        listed = workers_of(after)
        ids = [instance.instance_id for instance in listed]
        if not any(instance.status is InstanceStatus.TERMINATING for instance in listed):
            assert set(ids) <= set(claims(alpha, beta))
            (node,) = after.launch(wish(f"r{number}"))
            assert ids in ([], [node.instance_id])
            assert claims(alpha, beta) == [node.instance_id]
            ids = [node.instance_id]
        after.terminate(ids)
        assert (workers_of(after), claims(alpha, beta)) == ([], [])
    assert number > 10


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 99}', b"\xff\xfe"])
def test_an_unreadable_file_is_moved_aside_and_rebuilt_from_the_hosts(
    cluster: Cluster, alpha: Host, content: bytes
) -> None:
    before = cluster(alpha)
    (node,) = before.launch(wish("r"))
    made = {tags.RUNTIME: "abc", tags.RAY_STARTED: "5.0"}
    before.tag(node.instance_id, made)
    file = ClusterPaths("one").dir / "hosts.json"
    file.write_bytes(content)
    after = cluster(alpha)
    (found,) = workers_of(after)
    assert (found.instance_id, found.request_id) == (node.instance_id, "r")
    assert after.tags(node.instance_id) == made
    (notice,) = after.notices()
    (aside,) = file.parent.glob("hosts.json.unreadable-*")
    assert str(aside) in notice
    assert aside.read_bytes() == content


def test_a_file_that_vanishes_from_under_a_daemon_is_rebuilt_at_once(
    cluster: Cluster, alpha: Host
) -> None:
    machines = cluster(alpha)
    (node,) = machines.launch(wish("r"))
    (ClusterPaths("one").dir / "hosts.json").unlink()
    assert [instance.instance_id for instance in workers_of(machines)] == [node.instance_id]
    machines.terminate([node.instance_id])
    assert (workers_of(machines), claims(alpha)) == ([], [])


def test_a_head_that_is_made_anew_finds_its_nodes_by_their_claims(
    cluster: Cluster, alpha: Host
) -> None:
    before = cluster(alpha)
    (node,) = before.launch(wish("r"))
    before.close()
    (ClusterPaths("one").dir / "hosts.json").unlink()
    after = cluster(alpha)
    after.fill(after.spec)
    assert [instance.instance_id for instance in workers_of(after)] == [node.instance_id]
