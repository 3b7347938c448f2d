"""Nodes that are pods: their containers, Kubernetes' events, logs and shells."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace
from textual.widgets import OptionList

from raytui.client.base import ClientError
from raytui.client.pods import PodContainer
from raytui.client.recorded import RecordedClient
from raytui.model.happening import Happening
from raytui.screens.pick import PickScreen
from raytui.screens.podlog import PodLogScreen
from raytui.widgets.tail import Tail
from tests.tui import sample
from tests.tui.driving import go, opened, text, toasts, until

NODE = "i-0a31"

SCHEDULING = Happening(
    sample.NOW - 60,
    "FailedScheduling",
    "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    is_warning=True,
    count=12,
    source="default-scheduler",
)
PULLED = Happening(sample.NOW - 30, "Pulled", 'image "[red]ray" is there', source="kubelet")
MADE = Happening(
    sample.NOW - 5, "FailedCreate", "exceeded quota", True, 1, "kuberay-operator", "RayCluster demo"
)


class WrittenPods:
    """Pods as a test writes them."""

    def __init__(self) -> None:
        self.listed: Sequence[PodContainer] = (
            PodContainer("wait-gcs", "ended: Completed", is_init=True),
            PodContainer("ray-worker", "running", is_running=True, restarts=2),
            PodContainer("sidecar", "waiting: ImagePullBackOff"),
        )
        self.lines: dict[str, asyncio.Queue[Sequence[str] | None]] = defaultdict(asyncio.Queue)
        self.before = ["of the one before"]
        self.refusal = ""
        self.shell = ["true"]

    async def containers(self, instance_id: str) -> Sequence[PodContainer]:
        return self.listed

    async def log(
        self, instance_id: str, container: str, *, previous: bool = False, tail: int = 1000
    ) -> AsyncIterator[Sequence[str]]:
        if self.refusal:
            raise ClientError(self.refusal)
        if previous:
            yield self.before
            return
        while (lines := await self.lines[container].get()) is not None:
            yield lines

    async def shell_argv(self, instance_id: str, container: str = "") -> list[str]:
        return [*self.shell, container]


class OnKubernetes(RecordedClient):
    """A cluster of pods."""

    def __init__(self) -> None:
        super().__init__([sample.snapshot()], pace_s=0)
        self.pods = WrittenPods()
        self.happened: dict[str, Sequence[Happening]] = {NODE: (SCHEDULING, PULLED), "": (MADE,)}

    async def happenings(self, instance_id: str = "") -> Sequence[Happening]:
        return self.happened.get(instance_id, ())


async def test_a_nodes_page_tells_of_its_containers_and_of_kubernetes_events():
    async with opened(OnKubernetes(), size=(160, 50)) as pilot:
        await go(pilot, "colon", *f"node {NODE}", "enter")
        # Laid out anew once the page has its width.
        await until(pilot, lambda: "3 Insufficient nvidia.com/gpu." in text(pilot.app))
        shown = text(pilot.app)
    assert "wait-gcs ✓ ended: Completed" in shown
    assert "ray-worker ● running, restarted 2×" in shown
    assert "sidecar ◐ waiting: ImagePullBackOff" in shown
    assert "! FailedScheduling ×12" in shown
    assert "default-scheduler" in shown
    assert 'image "[red]ray" is there' in shown
    assert "CONTAINERS" in shown
    assert shown.index("Pulled") < shown.index("FailedScheduling")


async def test_the_cluster_page_has_kubernetes_events_among_raytuis_own():
    async with opened(OnKubernetes()) as pilot:
        await until(pilot, lambda: "FailedCreate" in text(pilot.app))
        line = next(line for line in text(pilot.app).splitlines() if "FailedCreate" in line)
    assert "! RayCluster demo: FailedCreate: exceeded quota  by kuberay-operator" in line


async def test_a_clusters_page_says_once_that_events_may_not_be_read():
    class Refused(OnKubernetes):
        async def happenings(self, instance_id: str = "") -> Sequence[Happening]:
            raise ClientError("may not list events: forbidden")

    async with opened(Refused()) as pilot:
        await until(pilot, lambda: toasts(pilot.app))
        assert toasts(pilot.app) == ["may not list events: forbidden"]


async def test_logs_follow_the_container_that_is_chosen():
    client = OnKubernetes()
    client.pods.lines["ray-worker"].put_nowait(["one", "[bold]two"])
    client.pods.lines["sidecar"].put_nowait(["of the sidecar"])
    async with opened(client) as pilot:
        await go(pilot, "colon", *f"node {NODE}", "enter")
        await go(pilot, "l")
        await until(pilot, lambda: "[bold]two" in text(pilot.app))
        assert isinstance(pilot.app.screen, PodLogScreen)
        assert "● following" in text(pilot.app)
        client.pods.lines["ray-worker"].put_nowait(["three"])
        await until(pilot, lambda: "three" in text(pilot.app))
        assert list(pilot.app.screen.query_one(Tail).shown) == ["one", "[bold]two", "three"]
        await go(pilot, "tab")
        await until(pilot, lambda: "of the sidecar" in text(pilot.app))
        assert "three" not in text(pilot.app)
        await go(pilot, "shift+tab", "p")
        await until(pilot, lambda: "of the one before" in text(pilot.app))
        await go(pilot, "escape")
        assert not isinstance(pilot.app.screen, PodLogScreen)


async def test_a_log_that_cannot_be_read_says_why_and_is_tried_again():
    client = OnKubernetes()
    client.pods.refusal = "container “ray-worker” is waiting to start"
    async with opened(client) as pilot:
        await go(pilot, "colon", *f"logs {NODE}", "enter")
        await until(pilot, lambda: "○ container “ray-worker” is waiting" in text(pilot.app))
        client.pods.refusal = ""
        client.pods.lines["ray-worker"].put_nowait(["it runs"])
        await until(pilot, lambda: "it runs" in text(pilot.app))


async def test_a_container_that_was_started_again_is_read_again_from_its_beginning():
    client = OnKubernetes()
    lines = client.pods.lines["ray-worker"]
    lines.put_nowait(["first life"])
    lines.put_nowait(None)
    async with opened(client) as pilot:
        await go(pilot, "colon", *f"logs {NODE}", "enter")
        await until(pilot, lambda: "ended" in text(pilot.app).splitlines()[0])
        assert "first life" in text(pilot.app)
        client.pods.listed = [replace(one, restarts=3) for one in client.pods.listed]
        lines.put_nowait(["second life"])
        await until(pilot, lambda: "second life" in text(pilot.app))
        assert "first life" not in text(pilot.app)


async def test_a_shell_asks_for_a_container_only_where_several_run():
    client = OnKubernetes()
    client.pods.listed = [PodContainer(name, "running", is_running=True) for name in ("a", "b")]
    async with opened(client) as pilot:
        await go(pilot, "2", "s")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
        assert pilot.app.screen.query_one(OptionList).option_count == 2
        await go(pilot, "escape")
        client.pods.listed = [PodContainer("a", "waiting: ContainerCreating")]
        await go(pilot, "s")
        await until(pilot, lambda: toasts(pilot.app))
        assert toasts(pilot.app)[-1].endswith("none of its containers runs")


async def test_a_cluster_that_was_not_launched_from_here_has_no_shell():
    async with opened() as pilot:
        await go(pilot, "2", "s")
        await until(pilot, lambda: toasts(pilot.app))
        assert toasts(pilot.app) == [
            "prod-west was not launched from here: how to log in is not known"
        ]
