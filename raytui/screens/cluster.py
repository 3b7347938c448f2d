"""Page 1, Cluster: node types, resources, what waits and why, and what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from textual import on
from textual.widget import Widget
from textual.widgets import Rule

from raytui.client.base import ClientError
from raytui.model.command import SetFloor
from raytui.model.happening import Happening
from raytui.model.plan import Outcome
from raytui.model.snapshot import Event, Snapshot, TypeRow
from raytui.model.text import clock_text
from raytui.screens.ask import AskScreen
from raytui.screens.keys import KeyNames
from raytui.screens.page import Page, floor_error
from raytui.screens.podfacts import as_event
from raytui.screens.reading import ReadingScreen
from raytui.screens.session import Session
from raytui.screens.subject import Subject
from raytui.screens.typetable import TYPE_COLUMNS
from raytui.screens.verb import VerbError
from raytui.screens.verbs import bindings_on
from raytui.screens.words import level_cell, reason_text, wait_cell
from raytui.widgets.cell import Cell, cell
from raytui.widgets.columns import Column
from raytui.widgets.newest import NewestTable
from raytui.widgets.resource_bars import ResourceBars
from raytui.widgets.table import LineTable

_HAPPENINGS_EVERY_S = 5.0

Waiting = tuple[str, Outcome]
"""A key that tells equal-looking requests apart, and the request."""

_DEMAND_COLUMNS: tuple[Column[Waiting], ...] = (
    Column(
        "PENDING DEMAND",
        lambda row, _: cell(row[1].label or row[1].resources.text()),
        16,
        most=42,
        measure=lambda row: len(row[1].label or row[1].resources.text()),
    ),
    Column("count", lambda row, _: cell(f"{row[1].count:,}"), 6, right=True),
    Column("STATE", lambda row, _: wait_cell(row[1].wait), 12),
    Column("WHY IT WAITS", lambda row, now: cell(reason_text(row[1].reason, now)), 20, flex=True),
)


def _event_words(event: Event, _now: float) -> Cell:
    by = ((f"  by {event.by}", "$quiet"),) if event.by else ()
    return (*cell(*level_cell(event.level), f" {event.text}"), *cell(*by))


_EVENT_COLUMNS: tuple[Column[Event], ...] = (
    Column("EVENTS", lambda event, _: cell((clock_text(event.at), "$quiet")), 8),
    Column("", _event_words, 20, flex=True),
    Column(" ", lambda event, _: cell(("⏎ details", "$quiet")) if event.detail else (), 9, drop=1),
)


class ClusterScreen(Page):
    """What `ray status` says, live, with a reason for everything that waits."""

    page = "cluster"
    BINDINGS = bindings_on("cluster")
    CSS_PATH = ["frame.tcss", "cluster.tcss"]  # noqa: RUF012 - Textual's own form

    def __init__(self, session: Session, keys: KeyNames) -> None:
        super().__init__(session, keys)
        self._asked: dict[str, int] = {}
        """Floors asked for that the newest snapshot does not show yet."""
        self._happenings: Sequence[Happening] = ()

    def compose_body(self) -> Iterable[Widget]:
        """Four parts, one below the other."""
        now = self.session.now
        yield LineTable(
            TYPE_COLUMNS,
            key=lambda row: row.name,
            now=now,
            id="types",
            always_cursor=True,
            empty="no node types yet: waiting for the first picture of the cluster",
        )
        yield ResourceBars(heading="RESOURCES", id="resources")
        yield Rule(line_style="solid", classes="frame")
        yield LineTable(
            _DEMAND_COLUMNS,
            key=lambda row: row[0],
            now=now,
            id="demand",
            empty="nothing waits: submit work, or press r to request resources",
        )
        yield NewestTable(
            _EVENT_COLUMNS,
            key=lambda event: str(event.event_id),
            now=now,
            id="events",
            empty="nothing has happened yet",
        )

    def on_mount(self) -> None:
        """Start with the node types selected."""
        self._types.focus()
        self.work(self._follow_happenings(), group="happenings")

    @property
    def _types(self) -> LineTable[TypeRow]:
        return self.query_one("#types", LineTable)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Fill all four parts."""
        self._asked = {
            row.name: self._asked[row.name]
            for row in snapshot.types
            if self._asked.get(row.name, row.min) != row.min
        }
        self._types.show(snapshot.types)
        resources = self.query_one("#resources", ResourceBars)
        resources.show(snapshot.used, snapshot.total, snapshot.history)
        self.query_one("#demand", LineTable).show(_keyed(snapshot.outcomes))
        self._show_events()

    def _show_events(self) -> None:
        own = self.session.snapshot.events if self.session.snapshot is not None else ()
        told = [as_event(one) for one in self._happenings]
        merged = sorted((*own, *told), key=lambda event: -event.at) if told else own
        self.query_one("#events", LineTable).show(merged)

    async def _follow_happenings(self) -> None:
        """What the provider's control plane tells of the cluster, among raytui's own events."""
        said = ""
        while self.is_attached:
            try:
                newest = await self.session.client.happenings()
            except ClientError as error:
                newest = self._happenings
                if said != str(error) and not self.session.stale:
                    said = str(error)
                    self.say(said, severity="warning")
            if newest != self._happenings and self.is_attached:
                self._happenings = newest
                self._show_events()
            await asyncio.sleep(_HAPPENINGS_EVERY_S)

    def show_time(self) -> None:
        """Waiting times go on between snapshots."""
        self.query_one("#demand", LineTable).tick()

    @on(LineTable.Opened, "#events")
    def _open_event(self, event: LineTable.Opened) -> None:
        happened: Event = event.row
        title = f"{clock_text(happened.at)}  event {happened.event_id}"
        who = f"by {happened.by}" if happened.by else ""
        text = "\n\n".join(part for part in (happened.text, happened.detail, who) if part)
        self.app.push_screen(ReadingScreen(title, text))

    @on(LineTable.Opened, "#demand")
    def _open_demand(self, event: LineTable.Opened) -> None:
        outcome: Outcome = event.row[1]
        lines = [
            f"{outcome.count:,} × {outcome.resources.text()}",
            reason_text(outcome.reason, self.session.now()),
            f"node type: {outcome.node_type}" if outcome.node_type else "",
        ]
        title = outcome.label or outcome.resources.text()
        self.app.push_screen(ReadingScreen(title, "\n\n".join(line for line in lines if line)))

    @on(LineTable.Opened, "#types")
    def _open_type(self, event: LineTable.Opened) -> None:
        self.go_to("nodes", f"type={event.row.name}")

    def subject(self) -> Subject | None:
        """The row selected in the part that has the focus; else the node type."""
        focused = self.focused
        row = focused.selected if isinstance(focused, LineTable) else self._types.selected
        match row:
            case TypeRow():
                return Subject("node type", row.name, row)
            case Event():
                return Subject("event", str(row.event_id), row)
            case (_, Outcome() as outcome):
                why = reason_text(outcome.reason, self.session.now())
                name = outcome.label or outcome.resources.text()
                return Subject("request", name, outcome, told=(("why it waits", why),))
        return None

    def verb_floor_up(self, _argument: str) -> None:
        """Raise the floor of the selected type by one."""
        self._step_floor(1)

    def verb_floor_down(self, _argument: str) -> None:
        """Lower the floor of the selected type by one."""
        self._step_floor(-1)

    def verb_floor_set(self, argument: str) -> None:
        """Ask for the floor of the selected type, or take it as typed: `TYPE N`."""
        if argument:
            super().verb_floor_set(argument)
            return
        row = self._scalable()
        screen = AskScreen(
            f"Floor of {row.name}",
            f"Keep at least this many nodes, 0 to {row.max}; empty gives back min_workers.",
            lambda text: floor_error(text, row.max),
            placeholder=str(row.min),
        )
        self.app.push_screen(screen, lambda text: self._set_floor(row.name, text))

    def _set_floor(self, node_type: str, text: str | None) -> None:
        if text is not None:
            self.give(SetFloor(node_type, int(text) if text else None))

    def _step_floor(self, step: int) -> None:
        row = self._scalable()
        # Pressed twice before the next snapshot, the key means two steps.
        floor = self._asked.get(row.name, row.min)
        new = max(0, min(row.max, floor + step))
        if new == floor:
            limit = f"its max_workers is {row.max}" if step > 0 else "it cannot be below 0"
            raise VerbError(f"the floor of {row.name} stays {floor}: {limit}")
        self._asked[row.name] = new
        self.give(SetFloor(row.name, new))

    def _scalable(self) -> TypeRow:
        row = self._types.selected
        if row is None:
            raise VerbError("no node type is known yet")
        if row.is_head:
            raise VerbError("the head is always exactly one node: select another type")
        return row


def _keyed(outcomes: Sequence[Outcome]) -> list[Waiting]:
    seen: dict[str, int] = {}
    rows = []
    for outcome in outcomes:
        key = f"{outcome.kind} {outcome.label or outcome.resources.text()} {outcome.wait}"
        seen[key] = seen.get(key, 0) + 1
        rows.append((f"{key} {seen[key]}", outcome))
    return rows
