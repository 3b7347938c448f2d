"""One node's set-up: its steps, and all that the selected one has printed, while it prints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Rule, Static

from raytui.client.base import ClientError
from raytui.model.step import Step, StepStatus
from raytui.screens.keyline import verb_parts
from raytui.screens.keys import KeyNames
from raytui.screens.phases import NodeSetup, newest_of, setup_of
from raytui.screens.steptable import STEP_GLYPHS, step_table, took_text
from raytui.screens.verbs import bindings_on
from raytui.screens.working import WorkingScreen
from raytui.widgets.cell import Cell, cell, joined, to_content
from raytui.widgets.fitted import FittedLine, Part
from raytui.widgets.table import LineTable
from raytui.widgets.tail import Tail

_LOOK_EVERY_S = 1.0
_KEYS = ("retry-node", "wrap", "copy-output", "close")


class SetupSource(Protocol):
    """Where set-ups are known, and what can be done about them."""

    async def steps(self) -> Sequence[Step]:
        """All steps of all nodes as they stand. Raises ClientError."""
        ...

    async def output(self, step: Step) -> Sequence[str]:
        """The last lines that a step has printed. Raises ClientError or OSError."""
        ...

    async def retry(self, node: str) -> str:
        """Try a node's failed step again; what is done, in words. Raises ClientError."""
        ...


class StepsScreen(WorkingScreen):
    """The selection goes on with the set-up until somebody selects another step."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_on("steps")
    CSS_PATH = "steps.tcss"

    def __init__(
        self, source: SetupSource, node: str, keys: KeyNames, now: Callable[[], float]
    ) -> None:
        super().__init__()
        self._source = source
        self._node = node
        self._keys = keys
        self._now = now
        self._setup: NodeSetup | None = None
        self._followed = ""
        """The step that was selected because it was the newest."""
        self._read: Step | None = None
        """The step whose output is shown, as it was when that was read."""
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """Steps above, the selected one's output below."""
        yield Static("", id="title", markup=False)
        yield Rule(line_style="solid", classes="frame")
        yield step_table(
            self._now,
            with_node=False,
            always_cursor=True,
            id="steps",
            empty="nothing is known about a set-up of this node",
        )
        yield Rule(line_style="solid", classes="frame")
        yield FittedLine(separator=cell("   "), id="caption")
        yield Tail(empty="it has printed nothing", id="output")
        yield FittedLine(separator=cell("  "), id="keys")

    def on_mount(self) -> None:
        """Look again and again while this is open."""
        self._table.focus()
        self.watch(self._table, "cursor", self._another_selected, init=False)
        self.query_one("#keys", FittedLine).show(verb_parts(_KEYS, self._keys))
        self.set_interval(0.5, self._tick)
        self.work(self._follow(), group="steps")

    @property
    def _table(self) -> LineTable[Step]:
        return self.query_one("#steps", LineTable)

    # Verbs

    def action_verb(self, verb_id: str) -> None:
        """Do what a key or click asks for."""
        match verb_id:
            case "close":
                self.app.pop_screen()
            case "wrap":
                self.query_one(Tail).toggle_wrap()
                self._show_caption()
            case "copy-output":
                self.app.copy_to_clipboard("\n".join(self.query_one(Tail).shown))
                self.app.notify("copied the output")
            case "retry-node":
                self.work(self._retry(), group="retry")

    @on(FittedLine.Clicked)
    def _clicked(self, event: FittedLine.Clicked) -> None:
        self.action_verb(event.verb)

    @on(LineTable.Opened)
    def _opened(self) -> None:
        self.query_one(Tail).focus()

    async def _retry(self) -> None:
        if self._setup is None or self._setup.failed is None:
            self.app.notify(f"{self._node}: no step has failed", severity="warning")
            return
        self.app.notify(await self._source.retry(self._node))

    # Looking

    async def _follow(self) -> None:
        while self.is_attached:
            try:
                steps = await self._source.steps()
                self._show([step for step in steps if step.node == self._node])
                self._trouble = ""
            except ClientError as error:
                self._trouble = str(error)
            await self._read_output()
            self._tick()
            await asyncio.sleep(_LOOK_EVERY_S)

    def _show(self, steps: Sequence[Step]) -> None:
        # What is no longer told stays, to be read.
        if not steps or not self.is_attached:
            return
        self._setup = setup_of(self._node, steps)
        table = self._table
        follows = table.selected is None or table.selected.name == self._followed
        table.show(steps)
        newest = newest_of(steps)
        if follows:
            self._followed = newest.name
            table.select(f"{newest.node}\0{newest.name}")

    def _another_selected(self) -> None:
        self.work(self._read_output(), group="output")

    async def _read_output(self) -> None:
        step = self._table.selected if self.is_attached else None
        if step is None or (self._read is not None and _printed_as_much(step, self._read)):
            return
        try:
            lines = await self._source.output(step)
        except (ClientError, OSError) as error:
            lines = [f"the output cannot be read: {error}"]
        selected = self._table.selected if self.is_attached else None
        if selected is None or selected.name != step.name:
            return
        tail = self.query_one(Tail)
        another = self._read is None or self._read.name != step.name
        self._read = step
        tail.replace(lines) if another else tail.show(lines)
        self._show_caption()

    # Drawing

    def _tick(self) -> None:
        if self.is_attached:
            self._table.tick()
            self.query_one("#title", Static).update(to_content(self._title()))

    def _title(self) -> Cell:
        parts = [cell(("SET-UP OF", "bold $heading"), f" {self._node}")]
        setup = self._setup
        if self._trouble:
            parts.append(cell((f"○ {self._trouble}", "$state-failed")))
        elif setup is not None and setup.is_done:
            parts.append(cell(("✓ done", "$state-running"), f" in {took_text(setup.took_s)}"))
        elif setup is not None and setup.steps:
            step = setup.newest
            ((glyph, style),) = STEP_GLYPHS[step.status]
            parts.append(cell((f"{glyph} {step.name}", style)))
        return joined("   ", parts)

    def _show_caption(self) -> None:
        step = self._read
        if step is None:
            return
        long_lines = "wrapped" if self.query_one(Tail).wrap else ""
        self.query_one("#caption", FittedLine).show(
            [
                Part(cell(("OUTPUT OF ", "bold $heading"), (step.name, "bold"))),
                Part(cell((long_lines, "$quiet")), drop=2),
                Part(cell((step.output, "$quiet")), drop=5),
            ]
        )


def _printed_as_much(step: Step, read: Step) -> bool:
    """Whether nothing was printed since its output was read; one that ended prints no more."""
    if step.status is StepStatus.RUNNING:
        return step == read
    return (step.name, step.status, step.ended_at) == (read.name, read.status, read.ended_at)
