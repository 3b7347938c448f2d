"""The Launch screen: what will be started, then each step as it happens, then the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from queue import SimpleQueue
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Rule, Static

from raytui.client.base import ClientError, ClusterClient
from raytui.model.step import LaunchError, Step, StepSink
from raytui.model.text import duration_text, plain
from raytui.screens.choose import Choice, ChooseScreen
from raytui.screens.keys import KeyNames
from raytui.screens.phases import NodeSetup, setup_of
from raytui.screens.session import Clock
from raytui.screens.setupgrid import census, setup_table
from raytui.screens.steps import StepsScreen
from raytui.screens.steptable import step_table
from raytui.screens.verbs import bindings_on, verb
from raytui.screens.working import WorkingScreen
from raytui.widgets.cell import Cell, cell, to_content
from raytui.widgets.filterline import FilterLine
from raytui.widgets.fitted import FittedLine, Part
from raytui.widgets.table import LineTable


class LaunchWork(Protocol):
    """A launch: what starts it, and what can be seen of and done about its steps."""

    async def run(self, sink: StepSink) -> ClusterClient:
        """Bring the cluster up; steps may be told from any thread.

        Raises LaunchError when it cannot be brought up, ClientError when it cannot be looked at.
        """
        ...

    async def output(self, step: Step) -> Sequence[str]:
        """The last lines that a step has printed. Raises ClientError or OSError."""
        ...

    async def retry(self, node: str) -> str:
        """Try a node's failed step again while the rest goes on; what is done, in words.

        Raises ClientError when that cannot be.
        """
        ...


_TAKE_EVERY_S = 0.1
"""A hundred nodes tell more than a person can read."""


class Stage(Enum):
    """Where the launch is."""

    READY = "ready"
    LAUNCHING = "launching"
    FAILED = "failed"


class LaunchScreen(WorkingScreen):
    """Asks, launches, shows; tells the app of the client when it succeeded."""

    # Enter launches: no list may have the focus and take the key.
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = bindings_on("launch")
    CSS_PATH = "launch.tcss"

    class Launched(Message):
        """The cluster runs and can be looked at through `client`."""

        def __init__(self, client: ClusterClient) -> None:
            super().__init__()
            self.client = client

    class Left(Message):
        """The person does not want to launch, or not to go on."""

    def __init__(self, launch: LaunchWork, title: str, keys: KeyNames, clock: Clock) -> None:
        super().__init__()
        self._launch = launch
        self._title = [plain(line) for line in title.splitlines()] or ["a Ray cluster"]
        self._keys = keys
        self._clock = clock
        self._stage = Stage.READY
        self._steps: dict[tuple[str, str], Step] = {}
        self._setups: dict[str, NodeSetup] = {}
        self._reported: SimpleQueue[Step] = SimpleQueue()
        self._began = 0.0
        self._newest_time = (0.0, 0.0)
        """The newest time a step told (unix seconds), and our clock when it came."""
        self._looks: tuple[Timer, ...] = ()
        self._client: ClusterClient | None = None
        """Of the cluster that runs now."""
        self.error: LaunchError | None = None

    def compose(self) -> ComposeResult:
        """Title, steps, a row for each node that is set up, and what went wrong."""
        yield Static("", id="title", markup=False)
        yield Rule(line_style="solid", classes="frame")
        yield Static("", id="question", markup=False)
        yield step_table(self._now, with_node=True, id="steps")
        yield FittedLine(separator=cell("   "), id="caption")
        grid = setup_table(self._now, empty="none passes the filter: Esc clears it")
        yield grid
        with VerticalScroll(id="trouble"):
            yield Static("", id="error", markup=False)
            yield Static("", id="detail", markup=False)
        yield FilterLine(grid)
        yield FittedLine(separator=cell("  "), id="keys")

    def on_mount(self) -> None:
        """Show the question; let steps come and durations go on."""
        self._looks = (
            self.set_interval(_TAKE_EVERY_S, self._take_steps),
            self.set_interval(0.5, self._tick),
        )
        self._enter(Stage.READY)

    # Verbs

    def action_verb(self, verb_id: str) -> None:
        """Launch, retry or leave, as far as it makes sense now."""
        if verb_id == "leave":
            line = self.query_one(FilterLine)
            line.clear_filter() if line.is_used else self._leave()
        elif verb_id == "filter" and self._setups:
            self.query_one(FilterLine).begin()
        elif verb_id == "retry-node":
            self.work(self._retry_selected(), group="retry")
        elif (verb_id == "launch" and self._stage is Stage.READY) or (
            verb_id in ("retry", "launch") and self._stage is Stage.FAILED
        ):
            self._start()

    @on(FittedLine.Clicked)
    def _clicked(self, event: FittedLine.Clicked) -> None:
        self.action_verb(event.verb)

    @on(LineTable.Opened, "#setups")
    def _open_steps(self, event: LineTable.Opened) -> None:
        source = _LaunchSetups(self._steps, self._launch, self.retry)
        self.app.push_screen(StepsScreen(source, event.row.node, self._keys, self._now))

    async def _retry_selected(self) -> None:
        setup = self.query_one("#setups", LineTable).selected
        if setup is not None and setup.failed is not None:
            self.app.notify(await self.retry(setup.node))

    async def retry(self, node: str) -> str:
        """Try a node's failed step again; what is done, in words. Raises ClientError."""
        if self._stage is Stage.FAILED:
            # What was done is not done again, so the launch goes on where it failed.
            self._start()
            return "launching again from the step that failed"
        return await self._launch.retry(node)

    def _leave(self) -> None:
        if self._stage is not Stage.LAUNCHING:
            self.post_message(self.Left())
            return
        question = ChooseScreen(
            "The launch is under way. What has started stays until `raytui down`.",
            [Choice("Go on", "stay"), Choice("Stop launching and leave", "leave", harm=True)],
            title="Leave?",
        )
        self.app.push_screen(question, self._left)

    def _left(self, answer: str | None) -> None:
        if answer == "leave":
            self.workers.cancel_node(self)
            if self._client is not None:
                self._hand_over(self._client)
            self.post_message(self.Left())

    def _start(self) -> None:
        self._steps.clear()
        self._setups.clear()
        self.error = None
        self._began = self._clock()
        self._enter(Stage.LAUNCHING)
        self.work(self._run(), group="launch")

    async def _run(self) -> None:
        try:
            # Steps come from threads and from this loop; the queue keeps their order.
            client = await self._launch.run(self._reported.put)
        except LaunchError as error:
            self._fail(error)
        except ClientError as error:
            self._fail(LaunchError(f"it runs, but cannot be looked at: {error}"))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a launch that breaks must still leave a screen to read
            self._fail(LaunchError(f"raytui failed: {type(error).__name__}: {error}"))
        else:
            self._client = client
            self._go_on()

    def on_screen_resume(self) -> None:
        """Go on if the launch has ended meanwhile."""
        self._go_on()

    def _go_on(self) -> None:
        if self._client is None:
            return
        if self.app.screen is not self:
            # Nobody is taken away from what they read.
            self.app.notify("the cluster runs: Esc leads to it")
            return
        self._hand_over(self._client)

    def _hand_over(self, client: ClusterClient) -> None:
        for timer in self._looks:
            timer.stop()
        self.post_message(self.Launched(client))

    def _fail(self, error: LaunchError) -> None:
        self.error = error
        self._take_steps()
        self._enter(Stage.FAILED)

    # Drawing

    def _take_steps(self) -> None:
        changed: dict[str, None] = {}  # a set that keeps the order
        while not self._reported.empty():
            step = self._reported.get()
            self._keep(step)
            changed[step.node] = None
        if not changed:
            return
        for node in filter(None, changed):
            setup = setup_of(node, (s for s in self._steps.values() if s.node == node))
            if setup.phases:
                self._setups[node] = setup
        self._show_own_steps([s for s in self._steps.values() if s.node not in self._setups])
        self._show_setups()

    def _show_own_steps(self, steps: Sequence[Step]) -> None:
        table = self.query_one("#steps", LineTable)
        follows = table.cursor >= len(table.rows) - 1
        table.show(steps)
        if follows:
            table.action_edge(1)

    def _show_setups(self) -> None:
        setups = list(self._setups.values())
        grid = self.query_one("#setups", LineTable)
        grid.show(setups)
        appears = bool(setups) and not grid.display
        grid.display = self.query_one("#caption").display = bool(setups)
        self._show_caption()
        self.query_one("#keys", FittedLine).show(self._key_parts())
        if appears:
            grid.focus()

    @on(LineTable.Changed, "#setups")
    def _show_caption(self) -> None:
        parts = [*census(list(self._setups.values())), self.query_one(FilterLine).part]
        self.query_one("#caption", FittedLine).show(parts)

    def _keep(self, step: Step) -> None:
        self._steps[step.node, step.name] = step
        told = max(step.started_at, step.ended_at)
        if told > self._newest_time[0]:
            self._newest_time = (told, self._clock())

    def _now(self) -> float:
        told, at = self._newest_time
        return told + self._clock() - at

    def _tick(self) -> None:
        for table in self.query(LineTable):
            table.tick()
        if self._stage is Stage.LAUNCHING:
            self._show_title()

    def _enter(self, stage: Stage) -> None:
        self._stage = stage
        self.set_class(stage is Stage.FAILED, "-failed")
        self._show_title()
        steps, trouble = self.query_one("#steps"), self.query_one("#trouble")
        self._show_setups()
        question = self.query_one("#question", Static)
        question.display = stage is Stage.READY
        steps.display = stage is not Stage.READY
        trouble.display = stage is Stage.FAILED
        if stage is Stage.READY:
            question.update(to_content(*_question(*self._title)))
        if self.error is not None:
            lines = [plain(line) for line in self.error.detail.splitlines()]
            words = cell((f"✕ {self.error}", "bold $state-failed"))
            self.query_one("#error", Static).update(to_content(words))
            self.query_one("#detail", Static).update("\n".join(lines))
            if not self._setups:
                trouble.focus()

    def _show_title(self) -> None:
        took = duration_text(self._clock() - self._began) if self._began else ""
        state = {
            Stage.READY: cell(("raytui", "bold $primary")),
            Stage.LAUNCHING: cell(("◐ launching", "bold $state-starting"), f"  {took}"),
            Stage.FAILED: cell(("✕ launch failed", "bold $state-failed"), f"  after {took}"),
        }[self._stage]
        name = cell("   ", (self._title[0], "bold"))
        self.query_one("#title", Static).update(to_content((*state, *name)))

    def _key_parts(self) -> list[Part]:
        failed = any(setup.failed for setup in self._setups.values())
        grid = [("filter", "filter")] if self._setups else []
        shown = {
            Stage.READY: [("launch", "launch")],
            Stage.LAUNCHING: [*([("retry-node", "try step again")] if failed else []), *grid],
            Stage.FAILED: [("retry", "try again"), *grid],
        }[self._stage]
        opens = Part(cell(("Enter ", "bold $key"), ("steps", "$quiet")))
        return [
            *([opens] if self._setups else []),
            *(self._key_part(name, words) for name, words in (*shown, ("leave", "leave"))),
        ]

    def _key_part(self, name: str, words: str) -> Part:
        key = self._keys.of(verb(name)).split(" ")[0]
        return Part(cell((f"{key} ", "bold $key"), (words, "$quiet")), verb=name)


class _LaunchSetups:
    """A SetupSource: what a launch has told so far."""

    def __init__(
        self,
        steps: Mapping[tuple[str, str], Step],
        work: LaunchWork,
        retry: Callable[[str], Awaitable[str]],
    ) -> None:
        self._steps = steps
        self._work = work
        self._retry = retry

    async def steps(self) -> Sequence[Step]:
        """See SetupSource."""
        return list(self._steps.values())

    async def output(self, step: Step) -> Sequence[str]:
        """See SetupSource."""
        return await self._work.output(step)

    async def retry(self, node: str) -> str:
        """See SetupSource."""
        return await self._retry(node)


def _question(first: str, *rest: str) -> list[Cell]:
    return [
        cell("Nothing runs yet. This will be launched:"),
        (),
        cell("  ", (first, "bold")),
        *(cell("  ", (line, "$quiet")) for line in rest),
        (),
        cell(("Enter", "bold $key"), " launches it, ", ("q", "bold $key"), " leaves."),
    ]
