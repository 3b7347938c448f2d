"""One operator of several leads, as the Lease in the API server says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raytui.backends.base import TransientError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.operator.lease import NAME, Leadership, Terms
from tests.kubernetes.waiting import until

pytestmark = pytest.mark.kubernetes

TERMS = Terms(duration_s=2.0, renew_within_s=1.5, try_every_s=0.2)


class _Deaf(KubeSession):
    """Hears nothing from the API server while it is told so."""

    is_deaf = False
    before_patch: Callable[[], object] = staticmethod(lambda: None)
    """What somebody else does between a read and the write that follows it."""

    def _once(self, *request: object) -> Json:
        if self.is_deaf:
            raise TransientError("no answer")
        if request[0] == "PATCH":
            self.before_patch()
        return super()._once(*request)  # type: ignore[arg-type]


class _Candidate:
    """An operator that wants to lead."""

    def __init__(self, kubeconfig: Path, namespace: str, name: str) -> None:
        self.session = _Deaf(Access(kubeconfig=str(kubeconfig)), attempts=1)
        self.lost = threading.Event()
        self.leads = threading.Event()
        self.stopped = threading.Event()
        self.leadership = Leadership(self.session, namespace, name, lost=self.lost.set, terms=TERMS)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if self.leadership.acquire(self.stopped.is_set):
            self.leads.set()

    def end(self) -> None:
        self.stopped.set()
        self._thread.join()
        self.leadership.release()


@pytest.fixture
def pair(kubeconfig: Path, namespace: str) -> Iterator[tuple[_Candidate, _Candidate]]:
    first = _Candidate(kubeconfig, namespace, "first")
    until(first.leads.is_set, "the first leads")
    second = _Candidate(kubeconfig, namespace, "second")
    yield first, second
    first.end()
    second.end()


def test_second_stands_by_while_the_first_renews(pair: tuple[_Candidate, _Candidate]) -> None:
    assert not pair[1].leads.wait(2 * TERMS.duration_s)
    assert not pair[0].lost.is_set()


def test_second_begins_at_once_when_the_first_ends_in_order(
    pair: tuple[_Candidate, _Candidate],
) -> None:
    pair[0].leadership.release()

    until(pair[1].leads.is_set, "the second leads", TERMS.duration_s + 5)


def test_leader_that_is_cut_off_gives_up_before_another_takes_over(
    pair: tuple[_Candidate, _Candidate],
) -> None:
    first, second = pair
    first.session.is_deaf = True

    until(first.lost.is_set, "the first gives up")
    assert not second.leads.is_set()
    gave_up = time.monotonic()
    until(second.leads.is_set, "the second leads")
    assert time.monotonic() - gave_up < TERMS.duration_s + 5


@pytest.fixture
def lease(namespace: str) -> str:
    """Where the lease is."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"


def _between(candidate: _Candidate, work: Callable[[], object]) -> threading.Event:
    """Have something done once in the midst of a renewal; set when it was."""
    done = threading.Event()

    def once() -> None:
        if not done.is_set():
            work()
            done.set()

    candidate.session.before_patch = once
    return done


def test_leader_goes_on_when_somebody_else_writes_to_its_lease(
    pair: tuple[_Candidate, _Candidate], admin: KubeSession, lease: str
) -> None:
    note = [{"op": "add", "path": "/metadata/annotations", "value": {"backup": "yes"}}]
    written = _between(pair[0], lambda: admin.patch(lease, note))
    until(written.is_set, "the note is written")
    before = admin.get(lease)["spec"]["renewTime"]

    until(lambda: admin.get(lease)["spec"]["renewTime"] > before, "it is renewed")

    assert not pair[0].lost.is_set()
    assert admin.get(lease)["spec"]["holderIdentity"] == "first"


def test_leader_ends_when_another_takes_its_lease_in_the_midst_of_a_renewal(
    pair: tuple[_Candidate, _Candidate], admin: KubeSession, lease: str
) -> None:
    theirs = [{"op": "add", "path": "/spec/holderIdentity", "value": "third"}]
    taken = _between(pair[0], lambda: admin.patch(lease, theirs))
    until(taken.is_set, "it is taken")

    # Before it would be too late to renew: it has seen who leads.
    until(pair[0].lost.is_set, "the first ends", TERMS.renew_within_s)

    assert admin.get(lease)["spec"]["holderIdentity"] == "third"
