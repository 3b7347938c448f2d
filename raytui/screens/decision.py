"""One decision opened: every type considered, what was placed where, what was not, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from textual import on
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from raytui.autoscaler.explain import bound_text
from raytui.model.plan import Decision, Kept, Launch, Outcome, Removal, Verdict
from raytui.model.snapshot import Snapshot
from raytui.model.text import clock_text, count_text, money_text
from raytui.screens.keys import KeyNames
from raytui.screens.page import Page
from raytui.screens.reading import ReadingScreen
from raytui.screens.session import Session
from raytui.screens.verbs import bindings_on
from raytui.screens.words import reason_text, wait_cell
from raytui.widgets.cell import Cell, cell, joined, text_of, to_content
from raytui.widgets.columns import Column
from raytui.widgets.table import LineTable

T = TypeVar("T")
Item = Verdict | Launch | Removal | Outcome | Kept


@dataclass(frozen=True)
class _Numbered(Generic[T]):
    """A row of a finished decision; its place is its id."""

    number: int
    item: T


def _column(
    title: str, show: Callable[[Any, float], Cell], width: int, **more: Any
) -> Column[_Numbered[Any]]:
    measure = more.pop("measure", None)
    return Column(
        title,
        lambda row, now: show(row.item, now),
        width,
        measure=(lambda row: measure(row.item)) if measure is not None else None,
        **more,
    )


def _price(amount: float | None) -> Cell:
    return cell(money_text(amount).removesuffix("/h").removeprefix("$"))


def _verdict(verdict: Verdict, now: float) -> Cell:
    words = reason_text(verdict.reason, now)
    return cell(("✓ ", "$state-running"), words) if verdict.chosen else cell("  " + words)


_VERDICTS = (
    _column(
        "TYPE",
        lambda v, _: cell((v.node_type, "bold" if v.chosen else "")),
        10,
        most=28,
        measure=lambda v: len(v.node_type),
    ),
    _column("FITS", lambda v, _: cell(f"{v.fits:,}"), 5, right=True),
    _column("NODES", lambda v, _: cell(str(v.nodes)), 5, right=True),
    _column("$/h", lambda v, _: _price(v.price_per_hour), 7, right=True, drop=3),
    _column("$ PER DEMAND", lambda v, _: _price(v.price_per_request), 12, right=True, drop=4),
    _column("WASTE", lambda v, _: cell(f"{v.waste:.0%}" if v.fits else "–"), 5, right=True, drop=2),
    _column("VERDICT", _verdict, 18, flex=True),
)

_LAUNCHES = (
    _column(
        "LAUNCHED",
        lambda x, _: cell(("+ ", "bold $state-running"), (f"{x.count} × {x.node_type}", "bold")),
        16,
        most=34,
        measure=lambda x: len(x.node_type) + 8,
    ),
    _column(
        "AS",
        lambda x, _: cell((x.offering.text(), "$quiet")),
        4,
        most=30,
        drop=1,
        measure=lambda x: len(x.offering.text()),
    ),
    _column("WHY", lambda x, now: cell(reason_text(x.reason, now)), 18, flex=True),
)

_OUTCOMES = (
    _column(
        "REQUEST",
        lambda x, _: cell(x.label or x.resources.text()),
        16,
        most=42,
        measure=lambda x: len(x.label or x.resources.text()),
    ),
    _column("count", lambda x, _: cell(f"{x.count:,}"), 6, right=True),
    _column("STATE", lambda x, _: wait_cell(x.wait), 12),
    _column(
        "ON",
        lambda x, _: cell(x.node_type or "–"),
        4,
        most=20,
        drop=1,
        measure=lambda x: len(x.node_type),
    ),
    _column("WHY", lambda x, now: cell(reason_text(x.reason, now)), 18, flex=True),
)

_REMOVALS = (
    _column(
        "REMOVED",
        lambda x, _: cell(("− ", "bold $state-draining"), (x.instance_id, "bold")),
        12,
        most=30,
        measure=lambda x: len(x.instance_id) + 2,
    ),
    _column(
        "TYPE",
        lambda x, _: cell(x.node_type),
        8,
        most=20,
        drop=1,
        measure=lambda x: len(x.node_type),
    ),
    _column("WHY", lambda x, now: cell(reason_text(x.reason, now)), 18, flex=True),
)

_KEPT = (
    _column(
        "KEPT", lambda x, _: cell(x.instance_id), 12, most=30, measure=lambda x: len(x.instance_id)
    ),
    _column("WHY", lambda x, now: cell(reason_text(x.reason, now)), 18, flex=True),
)


class DecisionScreen(Page):
    """A decision does not change once it is made; only its outcome does."""

    page = "decision"
    BINDINGS = bindings_on("decision")
    CSS_PATH = ["frame.tcss", "decision.tcss"]  # noqa: RUF012 - Textual's own form

    def __init__(self, session: Session, keys: KeyNames, decision: Decision) -> None:
        super().__init__(session, keys)
        self._decision = decision

    def compose_body(self) -> Iterable[Widget]:
        """A section for each kind of thing that the plan says something about."""
        plan = self._decision.plan
        sections = (
            ("verdicts", _VERDICTS, plan.verdicts),
            ("launches", _LAUNCHES, plan.launches),
            ("removals", _REMOVALS, plan.removals),
            ("outcomes", _OUTCOMES, plan.outcomes),
            ("kept", _KEPT, plan.kept),
        )
        with VerticalScroll(can_focus=False):
            yield Static(to_content(*self._title()), id="title", classes="facts", markup=False)
            for name, columns, items in sections:
                if items:
                    yield self._section(name, columns, items)

    def on_mount(self) -> None:
        """Start at the first section."""
        for table in self.query(LineTable):
            table.focus()
            break

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Follow the outcome while it is under way."""
        for decision in snapshot.decisions:
            if decision.decision_id == self._decision.decision_id and decision != self._decision:
                self._decision = decision
                self.query_one("#title", Static).update(to_content(*self._title()))

    def verb_back(self, _argument: str) -> None:
        """Back to the journal."""
        self.app.pop_screen()

    def verb_copy(self, _argument: str) -> None:
        """Copy the decision as text."""
        self.app.copy_to_clipboard("\n".join(self._text()))
        self.say("copied the decision")

    def _section(
        self, name: str, columns: Sequence[Column[_Numbered[Any]]], items: Sequence[Any]
    ) -> LineTable[Any]:
        # Reasons speak of the moment of the decision, not of now.
        table: LineTable[Any] = LineTable(
            columns, key=lambda row: str(row.number), now=lambda: self._decision.at, id=name
        )
        table.show([_Numbered(number, item) for number, item in enumerate(items)])
        return table

    def _title(self) -> list[Cell]:
        decision = self._decision
        head = cell(
            (f"#{decision.decision_id} ", "$quiet"),
            (f"{clock_text(decision.at)}  ", "$quiet"),
            (decision.summary, "bold"),
        )
        facts = joined(
            " · ",
            (
                cell((f"{count_text(decision.nodes_before, 'node')} before", "$quiet")),
                cell((f"solved in {decision.solved_ms:.1f} ms", "$quiet")),
                cell(("outcome: ", "$quiet"), decision.outcome or "under way"),
            ),
        )
        bound = bound_text(decision.plan)
        return [head, facts, cell((bound, "$quiet"))] if bound else [head, facts]

    @on(LineTable.Opened)
    def _open(self, event: LineTable.Opened) -> None:
        item = event.row.item
        title, words = _in_full(item, self._decision.at)
        self.app.push_screen(ReadingScreen(title, words))

    def _text(self) -> list[str]:
        lines = [text_of(line) for line in self._title()]
        plan = self._decision.plan
        items: tuple[Item, ...] = (
            *plan.verdicts,
            *plan.launches,
            *plan.removals,
            *plan.outcomes,
            *plan.kept,
        )
        for item in items:
            title, words = _in_full(item, self._decision.at)
            lines.append(f"{title}: {words}")
        return lines


def _in_full(item: Item, at: float) -> tuple[str, str]:
    words = reason_text(item.reason, at)
    match item:
        case Verdict():
            return item.node_type, words
        case Launch():
            return f"{item.count} × {item.node_type}", words
        case Outcome():
            return f"{item.count:,} × {item.label or item.resources.text()}", words
    return item.instance_id, words
