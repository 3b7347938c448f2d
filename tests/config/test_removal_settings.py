"""`metadata.raytui.removal` and `.orphans`: what is allowed, what it means, when it is quiet."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from raytui.config.problems import ConfigErrors
from raytui.model.leaving import OrphanPolicy, QuietHours, RebalancePolicy, RemovalRules, Share
from tests.config.files import spec_of

FILE = """
cluster_name: c
provider: {{type: fake_multinode}}
head_node_type: head
available_node_types:
  head: {{node_config: {{}}, resources: {{CPU: 0}}}}
metadata:
  raytui: {}
"""
BERLIN = ZoneInfo("Europe/Berlin")


def rules_of(text: str) -> RemovalRules:
    return spec_of(FILE.format(f"{{removal: {text}}}")).removal


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def test_nothing_said_is_no_limit_and_no_quiet() -> None:
    spec = spec_of(FILE.format("{}"))
    assert spec.removal == RemovalRules()
    assert spec.orphans is OrphanPolicy.KEEP
    assert spec.rebalance is RebalancePolicy.KEEP
    assert spec.removal.quiet_until(at("2026-03-01 00:00")) == 0


def test_everything_that_may_be_said() -> None:
    rules = rules_of(
        "{drain_deadline: 90, max_draining: 10%, idle: {max_draining: 5}, "
        "over_limit: {max_draining: 0%}, quiet_hours: ['22:00-06:30'], timezone: Europe/Berlin}"
    )
    assert rules == RemovalRules(
        drain_deadline_s=90.0,
        max_draining=Share(10, percent=True),
        max_draining_idle=Share(5),
        max_draining_over_limit=Share(0, percent=True),
        quiet_hours=(QuietHours(22 * 60, 6 * 60 + 30),),
        timezone="Europe/Berlin",
    )
    assert spec_of(FILE.format("{orphans: terminate}")).orphans is OrphanPolicy.TERMINATE
    replaces = spec_of(FILE.format("{rebalance: replace}"))
    assert replaces.rebalance is RebalancePolicy.REPLACE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{drain_deadline: 0}", "from 1 to"),
        ("{max_draining: -1}", "a whole number, or a percentage"),
        ("{max_draining: 101%}", 'got "101%"'),
        ("{max_draining: some}", 'got "some"'),
        ("{max_draining: 1.5}", "a whole number, or a percentage"),
        ("{idle: {max_draning: 1}}", "did you mean max_draining?"),
        ("{quiet_hours: ['25:00-06:00']}", "a time span"),
        ("{quiet_hours: ['06:00-06:00']}", "has no length"),
        ("{timezone: Mars/Base}", "is not a time zone"),
        ("{timezone: ../UTC}", "is not a time zone"),
        ("{timezone: ''}", "is not a time zone"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ConfigErrors) as refused:
        rules_of(text)
    assert words in str(refused.value)
    assert all(problem.line == 8 for problem in refused.value.problems)


def test_a_percentage_is_rounded_up() -> None:
    assert [Share(10, percent=True).of(n) for n in (0, 1, 10, 11)] == [0, 1, 1, 2]
    assert Share(3).of(1000) == 3


QUIET = "{quiet_hours: ['22:00-06:00', '05:30-08:00', '13:00-14:00'], timezone: Europe/Berlin}"


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-05 21:59:59", None),
        ("2026-01-05 22:00:00", "2026-01-06 08:00"),  # one span leads into the next
        ("2026-01-06 00:00:00", "2026-01-06 08:00"),
        ("2026-01-06 07:59:59", "2026-01-06 08:00"),
        ("2026-01-06 08:00:00", None),
        ("2026-01-06 13:30:00", "2026-01-06 14:00"),
        ("2026-03-28 23:00:00", "2026-03-29 08:00"),  # the clock goes forward that night
        ("2026-10-24 23:00:00", "2026-10-25 08:00"),  # and back that night
    ],
)
def test_quiet_hours_are_local_time(now: str, until: str | None) -> None:
    assert rules_of(QUIET).quiet_until(at(now)) == (at(until) if until else 0)


def test_the_repeated_hour_of_a_night_in_autumn_ends_too() -> None:
    rules = rules_of("{quiet_hours: ['02:00-02:30'], timezone: Europe/Berlin}")
    second = at("2026-10-25 02:10", fold=1)
    assert rules.quiet_until(second) == at("2026-10-25 02:30", fold=1) == second + 1200


def test_a_day_that_is_all_quiet_has_an_end_in_the_future() -> None:
    rules = rules_of("{quiet_hours: ['00:00-24:00']}")
    noon = at("2026-01-05 12:00", ZoneInfo("UTC"))
    assert rules.quiet_until(noon) == noon + 12 * 3600
