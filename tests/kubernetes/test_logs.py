"""What containers print and what Kubernetes says of them, through a real API server."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from raytui.backends.base import AuthError, ConfigError, ProviderError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.events import cluster_events, pod_events
from raytui.backends.kubernetes.logs import PodLog, container_log
from raytui.backends.kubernetes.session import Json, KubeSession
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.running_pods import run_pod
from tests.kubernetes.waiting import until
from tests.support.kube_machine.machine import Machine

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

_SLOWLY = ["sh", "-c", "for n in 1 2 3; do echo line $n; sleep 0.3; done; exec sleep 1000"]


def test_last_lines_of_a_container(machine: Machine, admin: KubeSession, namespace: str) -> None:
    run_pod(admin, namespace, "one", main=["sh", "-c", "seq 100; exec sleep 1000"])

    def lines() -> list[bytes]:
        return list(container_log(admin, namespace, "one", tail=2))

    assert until(lambda: lines()[-1:] == [b"100"] and lines(), "all is printed") == [b"99", b"100"]


def test_followed_log_goes_on_until_it_is_closed(
    machine: Machine, admin: KubeSession, namespace: str
) -> None:
    run_pod(admin, namespace, "one", main=_SLOWLY)
    log = container_log(admin, namespace, "one", follow=True)
    closing = threading.Timer(10, log.close)
    closing.start()

    heard = []
    for line in log:
        heard.append(line)
        if len(heard) == 3:
            log.close()
    closing.cancel()

    assert heard == [b"line 1", b"line 2", b"line 3"]


def test_followed_log_ends_with_its_container(
    machine: Machine, admin: KubeSession, namespace: str
) -> None:
    run_pod(admin, namespace, "one", main=["sh", "-c", "sleep 1; echo last"])

    assert list(container_log(admin, namespace, "one", follow=True)) == [b"last"]


def test_several_containers_are_followed_together(
    machine: Machine, admin: KubeSession, namespace: str
) -> None:
    run_pod(admin, namespace, "two", left=_SLOWLY, right=_SLOWLY)
    heard = []
    with PodLog(admin, namespace, "two", ["left", "right"]) as log:
        for line in log:
            heard.append(line)
            if len(heard) == 6:
                break

    for container in ("left", "right"):
        texts = [line.text for line in heard if line.container == container]
        assert texts == ["line 1", "line 2", "line 3"]


def test_log_of_several_ends_for_who_waits_when_it_is_closed(
    machine: Machine, admin: KubeSession, namespace: str
) -> None:
    run_pod(admin, namespace, "two", left=["sleep", "1000"], right=["sleep", "1000"])
    log = PodLog(admin, namespace, "two", ["left", "right"])
    heard: list[object] = []
    reading = threading.Thread(target=lambda: heard.extend(log), daemon=True)
    reading.start()
    log.close()
    reading.join(timeout=10)

    assert not reading.is_alive()
    assert heard == []


def test_container_before_it_was_restarted(
    machine: Machine, admin: KubeSession, namespace: str
) -> None:
    script = "if [ -e ~/again ]; then exec sleep 1000; fi; touch ~/again; echo first; exit 1"
    run_pod(admin, namespace, "one", main=["sh", "-c", script])

    def before() -> list[bytes]:
        return list(container_log(admin, namespace, "one", previous=True))

    assert until(before, "it was restarted", 30) == [b"first"]


def test_what_is_not_there_is_said(machine: Machine, admin: KubeSession, namespace: str) -> None:
    run_pod(admin, namespace, "one", main=["sleep", "1000"])

    with pytest.raises(NotFoundError, match='pods "none" not found'):
        container_log(admin, namespace, "none")
    with pytest.raises(ConfigError, match="container other is not valid for pod one"):
        container_log(admin, namespace, "one", "other")
    with pytest.raises(ProviderError, match="previous terminated container"):
        container_log(admin, namespace, "one", "main", previous=True)


def test_user_who_may_not_read_logs_is_told_so(
    plane: ControlPlane, admin: KubeSession, namespace: str, tmp_path: Path
) -> None:
    config = plane.kubeconfig(tmp_path / "user", user=USER, namespace=namespace)
    session = KubeSession(Access(kubeconfig=str(config)))

    with pytest.raises(AuthError, match=r'cannot get resource "pods/log"'):
        container_log(session, namespace, "one")


def test_events_of_a_cluster_and_its_pods_are_told_newest_last(
    admin: KubeSession, namespace: str
) -> None:
    _say(admin, namespace, "RayCluster", "demo", "2026-01-01T00:00:02Z", reason="Created")
    _say(admin, namespace, "Pod", "demo-1", "2026-01-01T00:00:01Z", reason="Scheduled")
    _say(admin, namespace, "Pod", "other", "2026-01-01T00:00:01Z", reason="Scheduled")
    _say(
        admin,
        namespace,
        "Pod",
        "demo-1",
        "2026-01-01T00:00:03Z",
        reason="BackOff",
        type="Warning",
        message="Back-off pulling image",
        count=7,
        source={"component": "kubelet"},
    )

    found = cluster_events(admin, namespace, "demo", ["demo-1"])
    assert [(one.reason, one.about) for one in found] == [
        ("Scheduled", "Pod demo-1"),
        ("Created", "RayCluster demo"),
        ("BackOff", "Pod demo-1"),
    ]
    last = found[-1]
    assert (last.is_warning, last.count, last.source) == (True, 7, "kubelet")
    assert last.message == "Back-off pulling image"

    assert [one.reason for one in pod_events(admin, namespace, "demo-1")] == [
        "Scheduled",
        "BackOff",
    ]
    assert [one.reason for one in cluster_events(admin, namespace, "demo")] == ["Created"]


def test_event_of_the_newer_kind_has_its_time_and_who_says_it(
    admin: KubeSession, namespace: str
) -> None:
    _say(
        admin,
        namespace,
        "Pod",
        "demo-1",
        None,
        reason="FailedScheduling",
        eventTime="2026-01-01T00:00:05.500000Z",
        series={"count": 4, "lastObservedTime": "2026-01-01T00:01:00.000000Z"},
        reportingComponent="default-scheduler",
        reportingInstance="one",
        action="Scheduling",
    )

    (found,) = pod_events(admin, namespace, "demo-1")
    assert (found.at, found.count, found.source) == (1767225660.0, 4, "default-scheduler")


def _say(
    session: KubeSession, namespace: str, kind: str, name: str, at: str | None, **fields: object
) -> None:
    body: Json = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "event-", "namespace": namespace},
        "involvedObject": {"kind": kind, "name": name, "namespace": namespace},
        "type": "Normal",
        "lastTimestamp": at,
        **fields,
    }
    session.create(f"/api/v1/namespaces/{namespace}/events", body)
