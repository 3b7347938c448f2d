"""A page of a running cluster that is one long list, opened as it was left."""

from __future__ import annotations

import asyncio
import contextlib

from textual import on
from textual.timer import Timer

from raytui.config.views import View
from raytui.screens.listframe import ListFrame
from raytui.screens.page import Page
from raytui.widgets.filter import FilterError
from raytui.widgets.table import LineTable

_SETTLED_S = 1.0
"""A view that has not changed for so long is kept: not every letter of a filter."""


class ListPage(ListFrame, Page):
    """Subclasses make the list and put snapshots into it."""

    _kept: View | None = None
    """The view as the file has it."""
    _seen = View()
    """The view as it is; the list itself is gone when the page is."""
    _waiting: Timer | None = None

    def on_mount(self) -> None:
        """Look at the list as it was looked at last."""
        super().on_mount()
        views = self.session.views
        if views is not None and self._kept is None:
            self._kept = views.of(self.session.client.name, self.page) or View()
            self._look_as(self._kept)

    def _look_as(self, view: View) -> None:
        table = self.table
        if view.sorted_by in {column.title for column in table.columns if column.sort}:
            table.sort_by(view.sorted_by, descending=view.descending)
        try:
            # Not typed: the filter line stays away, the caption tells of the filter.
            table.set_filter(view.filter)
        except FilterError:
            return

    def _view(self) -> View:
        table = self.table
        return View(table.sorted_by, table.descending, filter=table.filter.text)

    @on(LineTable.Changed)
    def _note_view(self) -> None:
        if self._kept is None:
            return
        self._seen = self._view()
        if self._seen != self._kept and self._waiting is None:
            self._waiting = self.set_timer(_SETTLED_S, self._keep_soon)

    def _keep_soon(self) -> None:
        self._waiting = None
        if self._seen != self._kept:
            self._kept = self._seen
            self.work(self._keep(self._seen), group="view")

    async def _keep(self, view: View) -> None:
        if self.session.views is None:
            return
        name = self.session.client.name
        try:
            await asyncio.to_thread(self.session.views.keep, name, self.page, view)
        except OSError as error:
            self.say(f"views cannot be remembered: {error}", severity="warning")

    def on_unmount(self) -> None:
        """What waits to be kept is kept now."""
        if self._waiting is not None and self.session.views is not None:
            self._waiting.stop()
            with contextlib.suppress(OSError):
                self.session.views.keep(self.session.client.name, self.page, self._seen)

    def verb_forget(self, argument: str) -> None:
        """Drop how the lists of this cluster were left, and show this one as it comes."""
        super().verb_forget(argument)
        self._kept = View()
        self.table.sort_by("")
        self.filter_line.clear_filter()
