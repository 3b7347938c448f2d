"""Events of the operator that the API server does not take."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.session import KubeSession
from raytui.operator.events import EventBook, Kind
from tests.kubernetes.clusters import World, group
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane

pytestmark = [pytest.mark.kubernetes]


def test_refused_events_fail_nothing_are_logged_once_and_do_not_wait(
    plane: ControlPlane, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = plane.kubeconfig(tmp_path / "nobody.yaml", user=USER, namespace=world.namespace)
    session = KubeSession(Access(kubeconfig=str(path)))
    book = EventBook(world.create(group("cpu")), session, time.time)
    book.say(Kind.NORMAL, "First", "one")
    book.say(Kind.NORMAL, "Second", "two")

    with caplog.at_level(logging.WARNING):
        book.post()

    assert [record.message for record in caplog.records].count("events refused") == 1
    asked = session.calls()
    assert sum(asked.values()) == 2
    book.post()
    assert session.calls() == asked
