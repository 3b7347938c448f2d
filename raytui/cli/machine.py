"""Which machine of a cluster elsewhere a command is about: its head, a worker, all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raytui.cli.cluster import Meant, converse, first_snapshot, reachable
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed

if TYPE_CHECKING:
    from raytui.launcher.pod_reach import PodReach
    from raytui.launcher.reach import Reach
    from raytui.model.snapshot import Row

    AnyReach = Reach | PodReach


def elsewhere(cluster: str | None, why: str) -> Meant:
    """The cluster, which has to be on other machines; `why` is said of one that is not."""
    from raytui.launcher.place import Place, place_of

    found = reachable(cluster)
    if place_of(found.spec) is Place.HERE:
        name = found.spec.cluster_name
        raise CommandFailed(ExitCode.USAGE, f"{name} runs on this machine: {why}")
    return found


def head_of(found: Meant) -> AnyReach:
    """The head, and a look whether it lets us in; raises SshError and ProviderError."""
    from raytui.launcher.place import Place, place_of
    from raytui.launcher.reach import head_that_answers

    if place_of(found.spec) is Place.KUBERNETES:
        from raytui.launcher.pod_reach import reach_head

        return reach_head(found.spec)
    return head_that_answers(found.spec, found.paths)


def machine_of(cluster: str | None, found: Meant, node: str | None) -> AnyReach:
    """The head, or the machine of a node that is named by its id or address.

    Raises CommandFailed when there is none of that name, SshError when it cannot be reached.
    """
    from raytui.launcher.head_place import head_place
    from raytui.launcher.place import Place, place_of

    spec, paths, _ = found
    if place_of(spec) is Place.KUBERNETES:
        from raytui.launcher.pod_reach import reach_node

        return head_of(found) if node is None else reach_node(spec, node)
    if node is None or node == head_place(spec, paths).address:
        return head_of(found)
    row = _row(cluster, node)
    worker = row.member.instance
    if worker is None or not worker.ip:
        raise CommandFailed(ExitCode.FAILED, f"nothing is known of the machine of {node}")
    return head_of(found) if worker.is_head else worker_of(found, row)


def worker_of(found: Meant, row: Row) -> AnyReach:
    """The machine of a worker, which is known; raises SshError when it cannot be reached."""
    from raytui.launcher.place import Place, place_of
    from raytui.launcher.worker_reach import reach_worker

    spec, paths, _ = found
    worker = row.member.instance
    assert worker is not None, "who has no machine is not asked for"
    if place_of(spec) is Place.KUBERNETES:
        from raytui.launcher.pod_reach import reach_node

        return reach_node(spec, worker.instance_id)
    return reach_worker(spec, paths, worker, spec.node_types.get(row.member.node_type))


def workers_of(cluster: str | None) -> list[Row]:
    """The workers that are there and not leaving, whether Ray runs on them already or not."""
    from raytui.model.lifecycle import LEAVING

    rows = converse(cluster, first_snapshot).rows
    staying = (row for row in rows if row.member.status not in LEAVING)
    return [row for row in staying if not _is_head(row) and address_of(row)]


def address_of(row: Row) -> str:
    """Where its machine is; empty when that is not known yet."""
    instance = row.member.instance
    return instance.ip if instance is not None else ""


def _row(cluster: str | None, node: str) -> Row:
    rows = converse(cluster, first_snapshot).rows
    for row in rows:
        ray_node = row.member.node
        ids = {row.id, address_of(row), ray_node.node_id if ray_node else ""}
        if node in ids - {""}:
            return row
    known = ", ".join(sorted(address_of(row) for row in rows if address_of(row))) or "none"
    raise CommandFailed(ExitCode.FAILED, f"no node here is called {node}; there are: {known}")


def _is_head(row: Row) -> bool:
    instance = row.member.instance
    return instance is not None and instance.is_head
