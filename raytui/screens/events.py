"""Page E, Events: all that happened, newest first, raytui's own and the provider's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on

from raytui.model.snapshot import Event, Snapshot
from raytui.model.text import clock_text
from raytui.model.work import Listing
from raytui.screens.askedpage import AskedPage
from raytui.screens.decision import DecisionScreen
from raytui.screens.podfacts import as_event
from raytui.screens.reading import ReadingScreen
from raytui.screens.subject import Subject
from raytui.screens.verbs import bindings_on
from raytui.screens.words import level_cell
from raytui.screens.workpage import text_column
from raytui.widgets.cell import cell
from raytui.widgets.columns import Column
from raytui.widgets.filter import Fields
from raytui.widgets.newest import NewestTable
from raytui.widgets.table import LineTable


class EventsScreen(AskedPage):
    """The journal of events; the provider is asked for its own among them."""

    page = "events"
    thing = "event"
    BINDINGS = bindings_on("events")
    _told: Sequence[Event] = ()

    async def ask(self) -> Listing[Event]:
        """What the provider tells, among what the newest snapshot has."""
        self._told = [as_event(one) for one in await self.session.client.happenings()]
        rows = self._merged()
        return Listing(rows, len(rows))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """New events, whether or not the provider answers."""
        self.table.show(self._merged())

    def heading(self) -> str:
        """How many are known."""
        total = self.table.total
        return f"{total:,} {'EVENT' if total == 1 else 'EVENTS'}"

    def _merged(self) -> tuple[Event, ...]:
        own = self.session.snapshot.events if self.session.snapshot is not None else ()
        return tuple(sorted((*own, *self._told), key=lambda event: -event.at))

    def make_list(self) -> LineTable[Any]:
        """The journal."""
        return NewestTable(
            (
                Column("TIME", lambda e, _: cell((clock_text(e.at), "$quiet")), 8,
                       sort=lambda e: e.at),
                Column("", lambda e, _: cell(*level_cell(e.level)), 1),
                text_column("NODE", lambda e: e.instance_id, 8, most=26, drop=2, keep_end=True),
                text_column("BY", lambda e: e.by, 4, most=16, drop=3, style="$quiet"),
                Column("EVENT", lambda e, _: cell(e.text), 20, flex=True, sort=lambda e: e.text),
            ),
            key=lambda event: str(event.event_id),
            now=self.session.now,
            fields=_found_by,
            id="events",
            empty="nothing has happened yet",
        )  # fmt: skip

    def subject(self) -> Subject | None:
        """The event under the cursor, and the node it tells of."""
        event: Event | None = self.table.selected
        if event is None:
            return None
        snapshot = self.session.snapshot
        row = snapshot.row(event.instance_id) if snapshot is not None else None
        node = row.member.node if row is not None else None
        ray_id = node.node_id if node is not None else ""
        return Subject("event", str(event.event_id), event, event.instance_id, ray_id)

    @on(LineTable.Opened)
    def _open(self, opened: LineTable.Opened) -> None:
        event: Event = opened.row
        snapshot = self.session.snapshot
        decisions = snapshot.decisions if snapshot is not None else ()
        decision = next((d for d in decisions if d.decision_id == event.decision_id), None)
        if decision is not None and not event.detail:
            self.app.push_screen(DecisionScreen(self.session, self.keys, decision))
            return
        who = f"by {event.by}" if event.by else ""
        words = "\n\n".join(part for part in (event.text, event.detail, who) if part)
        title = f"{clock_text(event.at)}  event {event.event_id}"
        self.app.push_screen(ReadingScreen(title, words))


def _found_by(event: Event) -> Fields:
    return {
        "level": event.level.value,
        "node": event.instance_id,
        "by": event.by,
        "text": f"{event.text} {event.detail}",
    }
