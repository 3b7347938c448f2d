"""A page whose list is not in snapshots: it asks for it again and again while it is in sight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from raytui.client.base import ClientError
from raytui.model.snapshot import Snapshot
from raytui.model.text import count_text, duration_text
from raytui.model.work import Listing
from raytui.screens.listpage import ListPage
from raytui.widgets.cell import cell
from raytui.widgets.fitted import Part

_STEP_S = 0.2
"""How soon a page notices that it is in sight again, or that the pace has changed."""


class AskedPage(ListPage):
    """Subclasses make the list, `ask` for its rows, and say what `thing` they are.

    What was shown stays when a question fails, with its age and the reason beside it.
    """

    thing = "row"
    """One of them, for the caption."""

    listing: Listing[Any] | None = None
    """The newest answer; None before the first."""
    _failure = ""
    _asked_at = 0.0
    _asks_at_once = False

    async def ask(self) -> Listing[Any]:
        """The rows as they are now; raises ClientError."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Begin to ask."""
        super().on_mount()
        self.work(self._ask_on(), group="ask")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Rows do not come with snapshots."""

    def ask_soon(self) -> None:
        """Ask now, not when the interval is over: after a command, say."""
        self._asks_at_once = True

    def caption(self) -> Sequence[Part]:
        """How many there are, and what is doubtful about it."""
        parts = [Part(cell((self.heading(), "bold $heading")))]
        if self._failure:
            age = f", as of {duration_text(self._age())} ago" if self.listing is not None else ""
            parts.append(Part(cell((f"! {self._failure}{age}", "$state-failed"))))
        elif self.listing is None:
            parts.append(Part(cell(("asking …", "$quiet"))))
        elif self.session.pace.paused:
            parts.append(Part(cell((f"as of {duration_text(self._age())} ago", "$quiet"))))
        for note in self.listing.notes if self.listing is not None else ():
            parts.append(Part(cell((f"! {note}", "$state-draining")), drop=3))
        return parts

    def heading(self) -> str:
        """The list's title with the number of its rows."""
        total = self.listing.total if self.listing is not None else 0
        return count_text(total, self.thing).upper()

    def _age(self) -> float:
        return self.session.clock() - self._asked_at

    async def _ask_on(self) -> None:
        while self.is_attached:
            if self.is_current or self.app.screen.is_modal:
                await self._ask_once()
            await self._until_next()

    async def _ask_once(self) -> None:
        self._asks_at_once = False
        try:
            listing = await self.ask()
        except ClientError as error:
            self._failure = str(error)
        else:
            self._failure = ""
            self.listing = listing
            self._asked_at = self.session.clock()
            if self.is_attached:
                self.table.show(listing.rows)
        if self.is_attached:
            self._show_caption()

    async def _until_next(self) -> None:
        waited = 0.0
        pace = self.session.pace
        while self.is_attached and not self._asks_at_once:
            is_time = waited >= pace.interval_s and not (pace.paused and self.listing is not None)
            if is_time and self.is_current:
                return
            await asyncio.sleep(_STEP_S)
            waited += _STEP_S
