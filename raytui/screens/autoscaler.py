"""Page 3, Autoscaler: the journal of decisions, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from textual import on
from textual.widget import Widget

from raytui.model.plan import Decision
from raytui.model.snapshot import Snapshot
from raytui.model.text import clock_text, count_text
from raytui.screens.avoided import AvoidedList
from raytui.screens.decision import DecisionScreen
from raytui.screens.keys import KeyNames
from raytui.screens.listpage import ListPage
from raytui.screens.session import Session
from raytui.screens.subject import Subject
from raytui.screens.verbs import bindings_on
from raytui.widgets.cell import Cell, cell
from raytui.widgets.columns import Column
from raytui.widgets.fitted import Part
from raytui.widgets.table import LineTable

_MOST = 5_000
"""Decisions kept in sight; older ones are in the ledger."""


def _glyph(decision: Decision) -> Cell:
    if decision.plan.launches and decision.plan.removals:
        return cell(("±", "bold $state-starting"))
    if decision.plan.launches:
        return cell(("+", "bold $state-running"))
    if decision.plan.removals:
        return cell(("−", "bold $state-draining"))
    return cell(("·", "$quiet"))


_COLUMNS: tuple[Column[Decision], ...] = (
    Column(
        "#",
        lambda d, _: cell((str(d.decision_id), "$quiet")),
        4,
        most=8,
        right=True,
        drop=2,
        measure=lambda d: len(str(d.decision_id)),
        sort=lambda d: d.decision_id,
    ),
    Column("TIME", lambda d, _: cell(clock_text(d.at)), 8, sort=lambda d: d.at),
    Column("", lambda d, _: _glyph(d), 1),
    Column("DECISION", lambda d, _: cell(d.summary), 24, flex=True),
    Column(
        "OUTCOME",
        lambda d, _: cell((d.outcome or "under way", "$quiet")),
        12,
        most=34,
        drop=3,
        measure=lambda d: len(d.outcome),
    ),
    Column(
        "NODES",
        lambda d, _: cell(str(d.nodes_before)),
        6,
        right=True,
        drop=4,
        sort=lambda d: d.nodes_before,
    ),
    Column(
        "SOLVED",
        lambda d, _: cell((f"{d.solved_ms:.1f} ms", "$quiet")),
        8,
        right=True,
        drop=5,
        sort=lambda d: d.solved_ms,
    ),
)


class AutoscalerScreen(ListPage):
    """Every plan that acted or changed its mind; Enter shows why it won."""

    page = "autoscaler"
    BINDINGS = bindings_on("autoscaler")

    def __init__(self, session: Session, keys: KeyNames) -> None:
        super().__init__(session, keys)
        self._known: dict[int, Decision] = {}
        self._complete = False
        """True when the journal has nothing older."""

    def make_list(self) -> LineTable[Any]:
        """The journal."""
        return LineTable(
            _COLUMNS,
            key=lambda decision: str(decision.decision_id),
            now=self.session.now,
            fields=lambda d: {
                "decision": d.summary,
                "outcome": d.outcome,
                "id": str(d.decision_id),
            },
            id="journal",
            empty="no decision yet\nthe autoscaler writes here as soon as it launches, removes, "
            "or cannot place something",
        )

    def compose_body(self) -> Iterable[Widget]:
        """What is avoided now, above the journal."""
        yield AvoidedList()
        yield from super().compose_body()

    def show_time(self) -> None:
        """A pause that is over leaves the list of what is avoided."""
        super().show_time()
        snapshot = self.session.snapshot
        if snapshot is not None:
            self.query_one(AvoidedList).show(snapshot.failures, self.session.now())

    def caption(self) -> Sequence[Part]:
        """How far the journal goes back."""
        words = count_text(len(self._known), "DECISION", "DECISIONS")
        more = "" if self._complete or not self._known else "older ones load at the end"
        return [Part(cell((words, "bold $heading"))), Part(cell((more, "$quiet")), drop=6)]

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Add new decisions, and what became of those already known."""
        self._add(snapshot.decisions)

    def _add(self, decisions: Sequence[Decision]) -> None:
        before = len(self._known)
        changed = False
        for decision in decisions:
            if self._known.get(decision.decision_id) != decision:
                self._known[decision.decision_id] = decision
                changed = True
        if changed:
            newest_first = sorted(self._known.values(), key=lambda d: -d.decision_id)[:_MOST]
            self._known = {d.decision_id: d for d in newest_first}
            self.table.show(newest_first)
        self._complete = self._complete or (before >= _MOST)

    def subject(self) -> Subject | None:
        """The decision under the cursor."""
        row = self.table.selected
        if row is None:
            return None
        return Subject("decision", str(row.decision_id), row, told=(("summary", row.summary),))

    @on(LineTable.ReachedEnd)
    def _load_older(self) -> None:
        if self._known and not self._complete:
            self.work(self._load(), group="history")

    async def _load(self) -> None:
        older = await self.session.client.history(before=min(self._known), limit=100)
        self._complete = not older
        if self.is_attached:
            self._add(older)
            self._show_caption()

    @on(LineTable.Opened)
    def _open(self, event: LineTable.Opened) -> None:
        self.app.push_screen(DecisionScreen(self.session, self.keys, event.row))
