"""A daemon that dies in the middle of a launch or a termination, and one that takes over."""

from __future__ import annotations

from typing import Any

import pytest

from raytui.backends.base import TransientError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.session import Json, KubeSession
from tests.kubernetes.clusters import World, group, wish
from tests.kubernetes.kuberay import KubeRay
from tests.kubernetes.waiting import until

pytestmark = pytest.mark.kubernetes

_REQUESTS = 5
"""More than a launch or a termination needs when nothing has to be waited for."""


class Killed(BaseException):
    """The end of a process: nothing catches it."""


class Mortal(KubeSession):
    """Dies at one request: before it is sent, or before its answer is heard."""

    def __init__(self, access: Access, at: int, *, sent: bool) -> None:
        super().__init__(access)
        self._left = at
        self._sent = sent

    def _once(self, *request: Any) -> Json:
        self._left -= 1
        if self._left > 0:
            return super()._once(*request)
        if self._left == 0 and self._sent:
            super()._once(*request)
        raise Killed


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, _REQUESTS + 1))
def test_killed_launch_is_repeated_without_more_pods(
    world: World, kuberay: KubeRay, at: int, sent: bool
) -> None:
    world.create(group("cpu", replicas=1))
    until(world.workers, "the first worker")
    with pytest.raises(Killed):
        world.provider(Mortal(world.admin._access, at, sent=sent)).launch(wish("r1", 2))

    came = world.provider().launch(wish("r1", 2))

    assert len(came) == 2
    assert world.group()["replicas"] == 3
    assert len(world.workers()) == 3


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 4))
def test_killed_launch_whose_pods_came_meanwhile_is_repeated_without_more(
    world: World, kuberay: KubeRay, at: int, sent: bool
) -> None:
    world.create(group("cpu"))
    with pytest.raises(Killed):
        world.provider(Mortal(world.admin._access, at, sent=sent)).launch(wish("r1", 2))
    wanted = world.group()["replicas"]
    until(lambda: len(world.workers()) == wanted, "what was asked for")

    came = world.provider().launch(wish("r1", 2))

    assert sorted(i.instance_id for i in came) == world.workers()
    assert world.group()["replicas"] == 2


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 4))
def test_killed_termination_is_repeated_without_more_pods(
    world: World, kuberay: KubeRay, at: int, sent: bool
) -> None:
    world.create(group("cpu", replicas=3))
    until(lambda: len(world.workers()) == 3, "all workers")
    leaving, *staying = world.workers()
    with pytest.raises(Killed):
        world.provider(Mortal(world.admin._access, at, sent=sent)).terminate([leaving])

    world.provider().terminate([leaving])

    until(lambda: world.workers() == staying, "the worker is gone")
    assert world.group()["replicas"] == 2
    assert kuberay.any_deleted == []


def test_launch_whose_patch_was_done_but_not_answered_is_repeated_without_more(
    world: World, kuberay: KubeRay
) -> None:
    class Deaf(KubeSession):
        """Hears no answer to its patch."""

        def patch(self, path: str, operations: list[Json], **query: str | int) -> Json:
            super().patch(path, operations, **query)
            raise TransientError("no answer")

    world.create(group("cpu"))
    with pytest.raises(TransientError, match="no answer"):
        world.provider(Deaf(world.admin._access)).launch(wish("r1", 2))

    assert len(world.provider().launch(wish("r1", 2))) == 2
    assert world.group()["replicas"] == 2
