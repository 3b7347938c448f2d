"""Which host comes next, and what is said when there is none."""

from __future__ import annotations

import itertools

from raytui.backends.on_premise.choosing import in_order, pause_after, why_none
from raytui.backends.on_premise.hosts_file import Claim, HostRecord

NODE = Claim("a-1", "gpu", "r", 0.0)


def test_failed_hosts_come_last_and_sleeping_ones_after_those_that_run() -> None:
    known = {
        "failed": HostRecord(failures=1),
        "asleep": HostRecord(off=True),
        "node": HostRecord(claim=NODE),
        "often": HostRecord(failures=3),
    }
    hosts = ["often", "failed", "asleep", "node", "new", "known"]
    assert in_order(hosts, known, 100.0) == ["new", "known", "asleep", "failed", "often"]


def test_a_host_is_not_tried_in_its_pause_and_a_clock_set_back_ends_it() -> None:
    known = {"a": HostRecord(failures=1, avoid_until=130.0)}
    assert in_order(["a"], known, 100.0) == []
    assert in_order(["a"], known, 130.0) == ["a"]
    assert in_order(["a"], known, -86_400.0) == ["a"]


def test_pauses_grow_to_half_an_hour() -> None:
    pauses = [pause_after(failures) for failures in range(1, 10)]
    assert pauses[:3] == [30, 60, 120]
    assert all(before <= after for before, after in itertools.pairwise(pauses))
    assert pauses[-1] == pause_after(10**6) == 1800


def test_the_words_say_who_has_what_in_one_line() -> None:
    known = {
        "a": HostRecord(claim=NODE),
        "b": HostRecord(failures=2, error="b: no answer", avoid_until=145.0),
    }
    words = why_none("gpu", ["a", "b", "c"], known, {"c": "c is other@x's"}, 100.0)
    assert words == (
        "no host is free for gpu: 1 of 3 are nodes already; "
        "b: no answer (tried again in 0m45s); c is other@x's"
    )
    many = {f"h{number}": f"h{number} is taken" for number in range(50)}
    assert why_none("gpu", list(many), {}, many, 0.0).endswith("h3 is taken; and 46 more")
    assert why_none("gpu", [], {}, {}, 0.0).endswith("the cluster file names none")
