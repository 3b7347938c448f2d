"""One operator of several leads, as the Lease in the API server says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.backends.base import TransientError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.operator.lease import Leadership, Terms
from tests.kubernetes.waiting import until

pytestmark = pytest.mark.kubernetes

TERMS = Terms(duration_s=2.0, renew_within_s=1.5, try_every_s=0.2)


class _Deaf(KubeSession):
    """Hears nothing from the API server while it is told so."""

    is_deaf = False

    def _once(self, *request: object) -> Json:
        if self.is_deaf:
            raise TransientError("no answer")
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
