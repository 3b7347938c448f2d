"""Ray's documented behaviour (2.60), minus its flaws, one rule a row; the rows are in `rules/`."""

from __future__ import annotations

from collections import Counter

import pytest

from raytui.autoscaler.planning.planner import plan
from raytui.model.plan import Plan
from tests.planner.rules import (
    budget,
    demand,
    gangs,
    limits,
    price,
    removal,
    requests,
    selectors,
    shapes,
    taken_back,
)
from tests.planner.rules.rule import Fate, Rule
from tests.support.clusters import NOW

CHAPTERS = (
    budget, demand, gangs, limits, price, removal, requests, selectors, shapes, taken_back
)  # fmt: skip
RULES = [rule for chapter in CHAPTERS for rule in chapter.RULES]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rule(rule: Rule) -> None:
    made = plan(rule.state, rule.spec, rule.memory, NOW)
    assert _launched(made) == rule.launches, made.launches
    assert tuple(r.instance_id for r in made.removals) == rule.removals, made.removals
    assert _fates(made) == rule.fates, made.outcomes
    here = {k.instance_id: k.reason.why for k in made.kept}
    assert {name: here[name] for name in rule.kept} == rule.kept, made.kept
    if rule.args:
        last = list(rule.fates)[-1]
        found = next(o.reason for o in made.outcomes if (o.wait, o.reason.why) == last)
        assert {name: found.args.get(name) for name in rule.args} == rule.args, found
    if rule.offerings:
        assert tuple(launch.offering.text() for launch in made.launches) == rule.offerings


def test_rules_have_names_of_their_own() -> None:
    names = Counter(rule.name for rule in RULES)
    assert names.most_common(1)[0][1] == 1
    assert len(RULES) >= 60


def _launched(made: Plan) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for launch in made.launches:
        counts[launch.node_type] += launch.count
    return dict(counts)


def _fates(made: Plan) -> dict[Fate, int]:
    fates: Counter[Fate] = Counter()
    for outcome in made.outcomes:
        fates[outcome.wait, outcome.reason.why] += outcome.count
    return dict(fates)
