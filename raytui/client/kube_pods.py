"""The pods of a cluster for a terminal, seen with the rights of the person who looks."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.answer_lines import AnswerLines
from raytui.backends.kubernetes.logs import container_log
from raytui.backends.kubernetes.pod_runner import PodRunner
from raytui.backends.kubernetes.pods import path_of
from raytui.backends.kubernetes.session import KubeSession
from raytui.client.asking import asked
from raytui.client.base import ClientError
from raytui.client.pods import PodContainer

_TOGETHER_S = 0.1
"""Lines that come within this time are shown together."""
_MOST_LINES = 10_000
"""That wait to be shown; of more the newest."""


class KubePods:
    """See Pods; instance ids are the names of pods."""

    def __init__(self, access: Access) -> None:
        """An access with the namespace of the cluster; nothing is asked yet."""
        self._session = KubeSession(access)
        self._namespace = access.namespace

    async def containers(self, instance_id: str) -> Sequence[PodContainer]:
        """See Pods."""
        path = path_of(self._namespace, instance_id)
        return containers_of(await asked(lambda: self._session.get(path)))

    async def log(
        self, instance_id: str, container: str, *, previous: bool = False, tail: int = 1000
    ) -> AsyncIterator[Sequence[str]]:
        """See Pods."""

        def opened() -> AnswerLines:
            where = (self._session, self._namespace, instance_id, container)
            return container_log(*where, follow=not previous, previous=previous, tail=tail)

        lines = await asked(opened)
        try:
            async for some in _followed(lines):
                yield some
        finally:
            lines.close()

    async def shell_argv(self, instance_id: str, container: str = "") -> list[str]:
        """See Pods."""
        return PodRunner(self._session, self._namespace, instance_id, container).terminal_argv()


async def _followed(lines: AnswerLines) -> AsyncIterator[Sequence[str]]:
    """Lines as they come, those that come together at once."""
    loop = asyncio.get_running_loop()
    coming: deque[str] = deque(maxlen=_MOST_LINES)
    news = asyncio.Event()
    ended: list[ProviderError | None] = []

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(news.set)

    def read() -> None:
        error: ProviderError | None = None
        try:
            for line in lines:
                is_first = not coming
                coming.append(line.decode(errors="replace").rstrip("\r"))
                if is_first:
                    wake()
        except ProviderError as failure:
            error = failure
        ended.append(error)
        wake()

    threading.Thread(target=read, name="log of a container", daemon=True).start()
    while True:
        await news.wait()
        news.clear()
        is_over = bool(ended)
        some = [coming.popleft() for _ in range(len(coming))]
        if some:
            yield some
        if is_over:
            break
        await asyncio.sleep(_TOGETHER_S)
    if ended[0] is not None:
        raise ClientError(str(ended[0])) from ended[0]


def containers_of(pod: Mapping[str, Any]) -> list[PodContainer]:
    """The containers of a pod of the API server's, those that run before the others first."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    found = []
    for kind, told, is_init in (
        ("initContainers", "initContainerStatuses", True),
        ("containers", "containerStatuses", False),
    ):
        by_name = {one.get("name"): one for one in status.get(told) or ()}
        for one in spec.get(kind) or ():
            known = by_name.get(one["name"], {})
            found.append(
                PodContainer(
                    name=one["name"],
                    state=": ".join(_state(known.get("state") or {})),
                    is_running="running" in (known.get("state") or {}),
                    is_init=is_init,
                    restarts=known.get("restartCount") or 0,
                )
            )
    return found


def _state(state: Mapping[str, Any]) -> Iterator[str]:
    """Kubernetes' words for how a container is, the general one first."""
    if "running" in state:
        yield "running"
    elif ended := state.get("terminated"):
        yield "ended"
        code = f", exit code {ended['exitCode']}" if ended.get("exitCode") else ""
        yield f"{ended.get('reason') or 'Completed'}{code}"
    elif waiting := state.get("waiting"):
        yield "waiting"
        if waiting.get("reason"):
            yield waiting["reason"]
    else:
        yield "waiting"
