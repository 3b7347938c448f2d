"""Set up many nodes at once: each on its own, results as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path

from raytui.model.step import StepSink
from raytui.provisioning.deciding import Change
from raytui.provisioning.node_update import LOGIN_WITHIN_S, NodeUpdate, Updated, update_node

AT_ONCE = 50
"""Nodes that are set up side by side; more would only wait for this machine's network."""

_CLOSE_EVERY_S = 0.2


def update_nodes(
    updates: Sequence[NodeUpdate],
    directory: Path,
    on_step: StepSink,
    *,
    at_once: int = AT_ONCE,
    login_within_s: float = LOGIN_WITHIN_S,
) -> Iterator[Updated]:
    """Set nodes up, at most `at_once` side by side; steps are told from several threads.

    A node that fails is an answer with its error, and the others go on. When the caller is
    interrupted or stops asking, commands under way are ended, nothing new begins, and all threads
    have ended before this does.
    """
    stopping = threading.Event()
    pool = ThreadPoolExecutor(min(at_once, len(updates)) or 1, thread_name_prefix="set-up")

    def work(update: NodeUpdate) -> Updated:
        try:
            return update_node(update, directory, on_step, stopping, login_within_s=login_within_s)
        except Exception as error:
            # Whatever is wrong with one node is that node's answer.
            words = f"{type(error).__name__}: {error}"
            return Updated(update.setup.instance_id, Change.NOTHING, error=words)

    tasks = [pool.submit(work, update) for update in updates]
    try:
        for task in as_completed(tasks):
            yield task.result()
    finally:
        stopping.set()
        pool.shutdown(wait=False, cancel_futures=True)
        _end(tasks, updates)
        pool.shutdown()


def _end(tasks: Sequence[Future[Updated]], updates: Sequence[NodeUpdate]) -> None:
    """Close machines until nobody works on them: a command may begin just after a close."""
    while under_way := [task for task in tasks if not task.done()]:
        for update in updates:
            update.host.close()
        wait(under_way, timeout=_CLOSE_EVERY_S)
