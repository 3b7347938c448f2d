"""One log while it is written: follow, search, filter, break lines, copy, save."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input, Rule

from raytui.client.base import ClientError
from raytui.config.saved import save_text
from raytui.model.text import duration_text
from raytui.screens.keyline import verb_parts
from raytui.screens.keys import KeyNames
from raytui.screens.logsource import LogSource, unseen
from raytui.screens.verbs import bindings_on
from raytui.screens.working import WorkingScreen
from raytui.widgets.cell import cell
from raytui.widgets.fitted import FittedLine, Part
from raytui.widgets.logview import LogView

_PAUSES_S = (1.0, 2.0, 5.0)
"""Until a log that broke off is opened again; the last one repeats."""
_SHOWN = ("follow", "log-find", "log-only", "log-times", "wrap", "copy-output", "save", "close")


class LogScreen(WorkingScreen):
    """Follows one source for as long as it is open, however often it breaks off."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_on("log")
    CSS_PATH = "logscreen.tcss"

    def __init__(self, source: LogSource, keys: KeyNames) -> None:
        super().__init__()
        self._source = source
        self._keys = keys
        self._state = "◐ reading…"
        self._typed_for = ""
        self._only = ""

    def compose(self) -> ComposeResult:
        """What it is above, the lines, the line for what is looked for, the keys."""
        yield FittedLine(separator=cell("   "), id="title")
        yield Rule(line_style="solid", classes="frame")
        yield LogView(empty="it has printed nothing", id="output")
        yield Input(id="typed")
        yield FittedLine(separator=cell("  "), id="keys")

    def on_mount(self) -> None:
        """Begin to read."""
        self._view.focus()
        self.query_one("#keys", FittedLine).show(verb_parts(_SHOWN, self._keys))
        self.work(self._follow(), group="log")
        self._draw()

    @property
    def _view(self) -> LogView:
        return self.query_one(LogView)

    # Verbs

    def action_verb(self, verb_id: str) -> None:
        """Do what a key or click asks for."""
        view = self._view
        match verb_id:
            case "close":
                self._close()
            case "follow":
                view.toggle_follow()
            case "wrap":
                view.toggle_wrap()
            case "log-times":
                view.toggle_times()
            case "log-find":
                self._ask("find", view.search.pattern if view.search is not None else "")
            case "log-only":
                self._ask("only", self._only)
            case "log-next" | "log-before":
                if not view.find_next(1 if verb_id == "log-next" else -1):
                    self.app.notify("not found", severity="warning")
            case "copy-output":
                self.app.copy_to_clipboard("\n".join(view.shown))
                self.app.notify(f"copied {len(view.shown):,} lines")
            case "save":
                self._save()
        self._draw()

    @on(FittedLine.Clicked)
    def _clicked(self, event: FittedLine.Clicked) -> None:
        self.action_verb(event.verb)

    def _close(self) -> None:
        """Put the line away, then show all lines again, then go back."""
        if self.query_one("#typed").display:
            self._put_away()
        elif self._only:
            self._only = ""
            self._view.set_only("")
        else:
            self.app.pop_screen()

    def _ask(self, what: str, text: str) -> None:
        self._typed_for = what
        line = self.query_one("#typed", Input)
        line.placeholder = "find an expression" if what == "find" else "only lines with; !: without"
        line.value = text
        line.display = True
        self.set_focus(line)

    def _put_away(self) -> None:
        self.query_one("#typed").display = False
        self._view.focus()

    @on(Input.Submitted, "#typed")
    def _typed(self, event: Input.Submitted) -> None:
        try:
            if self._typed_for == "only":
                self._view.set_only(event.value)
                self._only = event.value
            elif event.value and not self._view.find(event.value):
                self.app.notify(f"not found: {event.value}", severity="warning", markup=False)
        except re.error as error:
            self.app.notify(f"no expression: {error}", severity="warning", markup=False)
            return
        self._put_away()
        self._draw()

    def _save(self) -> None:
        try:
            path = save_text(self._source.title, "log", "\n".join(self._view.shown) + "\n")
        except OSError as error:
            self.app.notify(f"not saved: {error}", severity="error", markup=False)
        else:
            self.app.notify(f"saved {path}", markup=False)

    # Reading

    async def _follow(self) -> None:
        """Read it, and again after a pause when it broke off, until it is over."""
        tries = 0
        while self.is_attached:
            why = ""
            try:
                if await self._read():
                    tries = 0
                if await self._source.is_over():
                    self._tell("ended")
                    return
            except ClientError as error:
                why = str(error)
            pause_s = _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]
            tries += 1
            self._tell(f"○ {why or 'it broke off'}; again in {duration_text(pause_s)}")
            await asyncio.sleep(pause_s)

    async def _read(self) -> bool:
        """Until the lines end; whether there were any."""
        known: Sequence[str] | None = list(self._view.lines[-2_000:])
        async for lines in self._source.lines():
            if not self.is_attached:
                return True
            self._view.add(unseen(known, lines) if known else lines)
            known = None
            self._tell("")
        return known is None

    # Drawing

    def _tell(self, state: str) -> None:
        self._state = state
        self._draw()

    @on(LogView.Changed)
    def _draw(self) -> None:
        if not self.is_attached:
            return
        view = self._view
        state = self._state or ("● following" if view.follows else "⏸ not following")
        style = "$state-failed" if state.startswith("○") else "$quiet"
        count = f"{len(view.lines):,} lines"
        if self._only:
            count = f"{len(view.shown):,} of {count} match “{self._only}”"
        if view.dropped:
            count += f", {view.dropped:,} older ones dropped"
        self.query_one("#title", FittedLine).show(
            [
                Part(cell(("LOG OF ", "bold $heading"), self._source.title)),
                Part(cell((state, style)), drop=1),
                Part(cell((count, "$quiet")), drop=2),
            ]
        )
