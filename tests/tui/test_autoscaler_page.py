"""Page 3: the journal and an opened decision."""

from __future__ import annotations

import msgspec

from raytui.model.plan import Decision
from raytui.screens.decision import DecisionScreen
from raytui.screens.reading import ReadingScreen
from tests.tui import sample
from tests.tui.driving import go, opened, recorded, table, text, until


def shown_numbers(app):
    return [decision.decision_id for decision in table(app).rows]


async def test_the_journal_is_newest_first_with_outcomes():
    async with opened() as pilot:
        await go(pilot, "3")
        assert shown_numbers(pilot.app) == list(range(1841, 1831, -1))
        first = next(line for line in text(pilot.app).splitlines() if "1841" in line)
        assert "launch 2 × cpu-small because 18 × {CPU: 1}" in first
        assert "2 allocated in 3.1 s" in first


async def test_older_decisions_load_at_the_end_of_the_list():
    old = sample.snapshot(1, decisions=tuple(sample.decision(n) for n in range(1831, 1820, -1)))
    client = recorded(old, sample.snapshot())
    async with opened(client) as pilot:
        await until(pilot, lambda: pilot.app.session.snapshot.seq == 1842)
        await go(pilot, "3")
        assert min(shown_numbers(pilot.app)) == 1832
        await go(pilot, "end")
        await until(pilot, lambda: min(shown_numbers(pilot.app)) == 1821)
        await go(pilot, "end")
        await until(pilot, lambda: "older ones load" not in text(pilot.app))


async def test_decisions_that_fell_out_of_the_snapshot_stay():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "3")
        client.play(sample.snapshot(1843, decisions=(sample.decision(1842),)))
        await until(pilot, lambda: 1842 in shown_numbers(pilot.app))
        assert len(shown_numbers(pilot.app)) == 11
        assert table(pilot.app).selected.decision_id == 1841


async def test_an_opened_decision_tells_why_each_type_won_or_lost():
    async with opened() as pilot:
        await go(pilot, "3", "enter")
        assert isinstance(pilot.app.screen, DecisionScreen)
        shown = text(pilot.app)
        for words in (
            "#1841",
            "✓ cheapest",
            "7.7× dearer",
            "0.0856",
            "44%",
            "+ 2 × cpu-small",
            "18 × {CPU: 1} found no room",
            "− i-0e07",
            "idle 5m04s, limit 5m00s",
            "no node type has TPU",
            "outcome: 2 allocated in 3.1 s",
        ):
            assert words in shown
        await go(pilot, "enter")
        assert isinstance(pilot.app.screen, ReadingScreen)
        await go(pilot, "escape", "escape")
        assert table(pilot.app).selected.decision_id == 1841


async def test_the_outcome_of_an_opened_decision_goes_on():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "3", "down", "enter")
        assert "outcome: under way" in text(pilot.app)
        done = msgspec.structs.replace(
            sample.decision(1840, sample.NOW - 60), outcome="1 launched, 1 refused"
        )
        client.play(sample.snapshot(1843, decisions=(done,)))
        await until(pilot, lambda: "outcome: 1 launched, 1 refused" in text(pilot.app))


async def test_a_decision_with_nothing_in_it_opens_too():
    empty = Decision(7, sample.NOW, sample.decision(1).plan.__class__(), "nothing to do")
    async with opened(recorded(sample.snapshot(decisions=(empty,)))) as pilot:
        await go(pilot, "3", "enter")
        assert "nothing to do" in text(pilot.app)
        await go(pilot, "escape")
        assert shown_numbers(pilot.app) == [7]


async def test_an_empty_journal_says_when_it_will_have_something():
    async with opened(recorded(sample.snapshot(decisions=()))) as pilot:
        await go(pilot, "3", "end", "enter")
        assert "no decision yet" in text(pilot.app)
