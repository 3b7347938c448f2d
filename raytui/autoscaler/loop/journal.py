"""The journal: events and decisions, written to the ledger and kept at hand for the screens."""

from __future__ import annotations

from collections import deque

import msgspec

from raytui.autoscaler.loop.ledger import Ledger
from raytui.model.plan import Decision, Plan
from raytui.model.snapshot import Event, Level

AT_HAND = 50
"""Events and decisions that every snapshot carries; older ones are asked for."""


class Journal:
    """Newest first. Belongs to the thread that ticks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.events: deque[Event] = deque(ledger.events(AT_HAND), maxlen=AT_HAND)
        self.decisions: deque[Decision] = deque(ledger.decisions(None, AT_HAND), maxlen=AT_HAND)

    def say(
        self,
        at: float,
        level: Level,
        text: str,
        *,
        detail: str = "",
        decision_id: int = 0,
        instance_id: str = "",
        by: str = "",
    ) -> None:
        """Write one event."""
        event = Event(0, at, level, text, detail, decision_id, instance_id, by)
        self.events.appendleft(self._ledger.add_event(event))

    def decide(self, at: float, plan: Plan, nodes_before: int, solved_ms: float) -> Decision:
        """Record a plan that is about to be acted on."""
        decision = self._ledger.add_decision(at, plan, nodes_before, solved_ms)
        self.decisions.appendleft(decision)
        return decision

    def add_outcome(self, decision_id: int, text: str) -> None:
        """Note what came of a decision, or of one more part of it."""
        for index, decision in enumerate(self.decisions):
            if decision.decision_id == decision_id:
                text = f"{decision.outcome}; {text}" if decision.outcome else text
                self.decisions[index] = msgspec.structs.replace(decision, outcome=text)
        self._ledger.set_outcome(decision_id, text)
