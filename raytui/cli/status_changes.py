"""What has changed between two pictures of a cluster, one line each, for a log or to be read out.

Ages and use change all the time and are left out: they are in the whole status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from raytui.autoscaler.explain import explain
from raytui.autoscaler.planning.avoided import scope_text
from raytui.autoscaler.reason_codes import code_of
from raytui.cli.report_text import state_text, trouble_lines
from raytui.model.plan import LaunchFailure, Outcome, Wait
from raytui.model.snapshot import Event, Row, Snapshot
from raytui.model.text import clock_text, count_text, plain

_Waiting = Mapping[tuple[str, str], Outcome]


def changes(old: Snapshot, new: Snapshot) -> list[str]:
    """Lines with a time; none when nothing happened."""
    known = {event.event_id for event in old.events}
    events = [event for event in reversed(new.events) if event.event_id not in known]
    now = clock_text(new.taken_at)
    words = [
        *_state(old, new),
        *_types(old, new),
        # What the journal tells of a node need not be told twice.
        *_nodes(old, new, frozenset(event.instance_id for event in events)),
        *_demand(old, new),
        *_failures(old, new),
    ]
    lines = [*map(_event, events), *(f"{now}  {line}" for line in words)]
    return [plain(line) for line in lines]


def _event(event: Event) -> str:
    by = f" (by {event.by})" if event.by else ""
    return f"{clock_text(event.at)}  {event.text}{by}"


def _state(old: Snapshot, new: Snapshot) -> Iterator[str]:
    if state_text(old) != state_text(new):
        yield state_text(new)
    before, now = list(trouble_lines(old)), list(trouble_lines(new))
    yield from (line for line in now if line not in before)
    yield from (f"no longer: {line}" for line in before if line not in now)


def _types(old: Snapshot, new: Snapshot) -> Iterator[str]:
    before = {row.name: row for row in old.types}
    for row in new.types:
        was = before.pop(row.name, None)
        if was is None:
            yield f"node type {row.name}: new, {row.min} to {row.max} nodes"
        elif (was.min, was.max) != (row.min, row.max):
            before_words = f"({was.min} to {was.max} before)"
            yield f"node type {row.name}: {row.min} to {row.max} nodes {before_words}"
    yield from (f"node type {name}: gone" for name in before)


def _nodes(old: Snapshot, new: Snapshot, told: frozenset[str]) -> Iterator[str]:
    before = {row.id: row for row in old.rows}
    for row in new.rows:
        was = before.pop(row.id, None)
        if was is row or row.id in told:
            continue
        if was is None:
            yield f"{_name(row)}: new, {_word(row)}"
        elif _word(was) != _word(row):
            yield f"{_name(row)}: {_word(row)} ({_word(was)} before)"
    yield from (f"{_name(row)}: gone" for row in before.values() if row.id not in told)


def _name(row: Row) -> str:
    return f"{row.member.node_type or 'node'} {row.id}"


def _word(row: Row) -> str:
    word = "idle" if row.member.idle else row.member.status.value
    return f"{word}, held by {row.hold.by}" if row.hold else word


def _demand(old: Snapshot, new: Snapshot) -> Iterator[str]:
    before, now = _waiting(old), _waiting(new)
    for key, outcome in now.items():
        was = before.get(key)
        if was is None:
            yield f"waits: {outcome.count:,} × {key[0]}: {_why(outcome, new.taken_at)}"
        elif was.count != outcome.count:
            yield f"waits: {outcome.count:,} × {key[0]} ({was.count:,} before)"
    still = {shape for shape, _ in now}
    gone = dict.fromkeys(shape for shape, _ in before if shape not in still)
    yield from (f"waits no longer: {shape}" for shape in gone)


def _waiting(snapshot: Snapshot) -> _Waiting:
    """By what it is and why it waits; the words of the reason tell of times, which pass."""
    return {
        (outcome.label or outcome.resources.text(), code_of(outcome.reason.why)): outcome
        for outcome in snapshot.outcomes
    }


def _why(outcome: Outcome, now: float) -> str:
    words = explain(outcome.reason, now)
    return f"infeasible: {words}" if outcome.wait is Wait.INFEASIBLE else words


def _failures(old: Snapshot, new: Snapshot) -> Iterator[str]:
    before, now = _failing(old), _failing(new)
    for scope, failure in now.items():
        if scope not in before or failure.count > before[scope].count:
            times = count_text(failure.count, "time")
            until = clock_text(failure.retry_at)
            facts = f"{failure.kind.value}, {times}, avoided until {until}"
            yield f"launch failed: {scope}: {facts}: {failure.message}"
    yield from (f"no longer avoided: {scope}" for scope in before if scope not in now)


def _failing(snapshot: Snapshot) -> Mapping[str, LaunchFailure]:
    return {scope_text(failure): failure for failure in snapshot.failures}
