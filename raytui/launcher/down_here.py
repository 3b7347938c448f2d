"""Take a cluster down and leave nothing behind, whatever of it is still alive."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from raytui.autoscaler.daemon.actor_lock import ActorLock, LockHeldError
from raytui.autoscaler.loop.ledger import Ledger, LedgerError
from raytui.backends.abilities import HeadProvider, cleaned, notices_of
from raytui.backends.base import ProviderError
from raytui.config.launched import forget
from raytui.config.locations import ClusterPaths
from raytui.launcher.daemon_process import start_daemon, stop_daemon
from raytui.launcher.options import DownOptions
from raytui.model.lifecycle import LEAVING, InstanceStatus
from raytui.model.plan import Memory
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from raytui.model.step import LaunchError, StepSink
from raytui.model.text import count_text
from raytui.provisioning.progress import step
from raytui.provisioning.registry import provider_for

_GOING = (InstanceStatus.TERMINATING, InstanceStatus.TERMINATED)

_TRIES = 3
"""A launch that the provider had begun may finish while we terminate; then look again."""


def down_here(
    spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink, options: DownOptions
) -> None:
    """Stop the daemon, terminate all workers, then the head; raises LaunchError.

    With `workers_only` head and daemon stay (the daemon then starts what its floors ask for), with
    `keep_min_workers` so many workers as the floors of the cluster file say.
    Works with a dead daemon or a dead head, and twice in a row.
    """
    workers_only = options.workers_only
    paths.make()
    try:
        provider = provider_for(spec, paths)
        with step(on_step, "stop the autoscaler") as progress:
            ran = stop_daemon(paths, progress)
            if not ran:
                progress.skip("none runs")
        with ActorLock(paths.lock, "down"):
            floors = _floors(spec) if options.keep_min_workers else {}
            _terminate(provider, on_step, "the workers", lambda: _workers(provider, floors))
            if not workers_only and not options.keep_head:
                _terminate(provider, on_step, "the head", lambda: _heads(provider))
            _close_ledger(paths, provider, workers_only=workers_only)
            if not workers_only:
                _nothing_is_left(spec, provider)
                forget(paths)
    except LockHeldError as error:
        raise LaunchError(f"{error}; try again when it is done") from error
    except ProviderError as error:
        raise LaunchError(f"{spec.cluster_name} is not down: {error}", error.detail) from error
    if workers_only and ran:
        with step(on_step, "start the autoscaler") as progress:
            start_daemon(spec, paths, progress)


def _nothing_is_left(spec: ClusterSpec, provider: HeadProvider) -> None:
    """Raises LaunchError when a machine of an ended node could not be cleaned."""
    if left := cleaned(provider):
        raise LaunchError(
            f"{spec.cluster_name} is down, but {'; '.join(left)} "
            f"When it answers, repeat: raytui down {spec.cluster_name}"
        )


def end_workers(spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink) -> None:
    """Terminate all workers of a cluster whose daemon is stopped; raises as `down_here` does."""
    try:
        provider = provider_for(spec, paths)
        if not _workers(provider, {}):
            return
        with ActorLock(paths.lock, "down"):
            _terminate(provider, on_step, "the workers", lambda: _workers(provider, {}))
            _close_ledger(paths, provider, workers_only=True)
    except LockHeldError as error:
        raise LaunchError(f"{error}; try again when it is done") from error


def _terminate(
    provider: HeadProvider, on_step: StepSink, what: str, find: Callable[[], Sequence[Instance]]
) -> None:
    with step(on_step, f"terminate {what}", "head" if what == "the head" else "") as progress:
        left = find()
        if not left:
            progress.skip("none is there")
        for _ in range(_TRIES):
            if not left:
                return
            said = count_text(len(left), "node")
            progress.say(said)
            provider.terminate([i.instance_id for i in left])
            # A machine that did not answer ends as a node; what runs there is still to be told of.
            progress.say("; ".join([said, *notices_of(provider)]))
            # A machine that was bought takes its time to end.
            left = [i for i in find() if i.status is not InstanceStatus.TERMINATING]
        if left:
            ids = ", ".join(i.instance_id for i in left)
            raise LaunchError(f"still there after {_TRIES} tries: {ids}")


def _heads(provider: HeadProvider) -> Sequence[Instance]:
    return [i for i in provider.list_instances() if i.is_head]


def _workers(provider: HeadProvider, floors: Mapping[str, int]) -> Sequence[Instance]:
    """All but the oldest of each type, as many as its floor says."""
    workers = [i for i in provider.list_instances() if not i.is_head]
    kept: Counter[str] = Counter()
    found = []
    for instance in sorted(workers, key=lambda i: (i.status in LEAVING, i.launched_at)):
        if instance.status not in LEAVING and kept[instance.node_type] < floors.get(
            instance.node_type, 0
        ):
            kept[instance.node_type] += 1
        else:
            found.append(instance)
    return found


def _floors(spec: ClusterSpec) -> dict[str, int]:
    return {t.name: t.min_workers for t in spec.worker_types}


def _close_ledger(paths: ClusterPaths, provider: HeadProvider, *, workers_only: bool) -> None:
    """Note of every instance that is gone, or going, that it is: the next start finds none lost."""
    if not paths.ledger.exists():
        return
    now = time.time()
    try:
        ledger = Ledger(paths.ledger)
    except LedgerError:
        return  # The machines are gone, which is what matters; `up` will tell of the ledger.
    try:
        if workers_only:
            listed = {i.instance_id: i.status for i in provider.list_instances()}
            for instance in ledger.open_instances():
                status = listed.get(instance.instance_id, InstanceStatus.TERMINATED)
                if status in _GOING and status is not instance.status:
                    gone = msgspec.structs.replace(instance, status=status, status_since=now)
                    ledger.put(gone, now, "all workers were taken down")
        else:
            ledger.close_all(now, "the cluster was taken down")
            # Floors, holds and a pause belong to the life that ends here.
            ledger.save_memory(Memory())
    except LedgerError:
        return  # As above: a full disk, or a damaged file.
    finally:
        ledger.close()
