"""Rolling a group whose template has changed: its old pods leave one by one, drained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raytui.backends.kubernetes.pods import Pod
from raytui.model.snapshot import Snapshot, TypeRow


def next_to_leave(
    pods: Sequence[Pod], hashes: Mapping[str, str], snapshot: Snapshot
) -> tuple[str, ...]:
    """The pods of the next replica that is to be replaced by one of its group's new template.

    `hashes` are of what the groups say now. Nothing is to be done in a group while one of its pods
    starts or leaves, or while it has fewer than it is to have: so a template of which no pod starts
    costs one replica and not the group.
    """
    rows = {row.name: row for row in snapshot.types}
    if snapshot.trouble or snapshot.paused_by or not all(one.ok for one in snapshot.sources):
        return ()
    for group, new in hashes.items():
        mine = [pod for pod in pods if pod.group == group and not pod.is_head]
        old = [pod for pod in mine if pod.template_hash not in ("", new)]
        if old and _is_calm(rows.get(group), mine):
            first = min(old, key=lambda pod: (pod.instance.launched_at, pod.name))
            return tuple(pod.name for pod in mine if _replica(pod) == _replica(first))
    return ()


def old_pods(pods: Sequence[Pod], hashes: Mapping[str, str]) -> dict[str, int]:
    """How many pods of each group are of an older template."""
    counts: dict[str, int] = {}
    for pod in pods:
        new = hashes.get(pod.group)
        if not pod.is_head and new is not None and pod.template_hash not in ("", new):
            counts[pod.group] = counts.get(pod.group, 0) + 1
    return counts


def _is_calm(row: TypeRow | None, pods: Sequence[Pod]) -> bool:
    """Whether all pods that the group is to have run, and no more happens."""
    if row is None or row.starting or row.draining or row.running < min(row.min, row.max):
        return False
    return row.running == len(pods) and all(pod.is_there for pod in pods)


def _replica(pod: Pod) -> str:
    return pod.replica or pod.name
