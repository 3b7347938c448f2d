"""The Launch screen: what will be started, then each step as it happens, then the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum
from queue import SimpleQueue
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Rule, Static

from raytui.client.base import ClientError, ClusterClient
from raytui.model.step import LaunchError, Step, StepSink, StepStatus
from raytui.model.text import duration_text, plain
from raytui.screens.choose import Choice, ChooseScreen
from raytui.screens.keys import KeyNames
from raytui.screens.session import Clock
from raytui.screens.verbs import bindings_on, verb
from raytui.screens.working import WorkingScreen
from raytui.widgets.cell import Cell, cell, to_content
from raytui.widgets.columns import Column
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


_GLYPH: dict[StepStatus, Cell] = {
    StepStatus.WAITING: (("·", "$quiet"),),
    StepStatus.RUNNING: (("◐", "$state-starting"),),
    StepStatus.DONE: (("✓", "$state-running"),),
    StepStatus.FAILED: (("✕", "$state-failed"),),
    StepStatus.SKIPPED: (("–", "$quiet"),),
}


def _took(step: Step, now: float) -> Cell:
    if not step.started_at:
        return ()
    if step.ended_at:
        seconds = step.ended_at - step.started_at
        words = f"{seconds:.1f}s" if seconds < 60 else duration_text(seconds)
        return cell((words, "$quiet"))
    return cell((duration_text(now - step.started_at), "$state-starting"))


def _newest(step: Step, _now: float) -> Cell:
    failed = step.status is StepStatus.FAILED
    lines = step.detail.strip().splitlines()
    return cell((lines[-1], "$state-failed" if failed else "$quiet")) if lines else ()


_COLUMNS: tuple[Column[Step], ...] = (
    Column("", lambda step, _: _GLYPH[step.status], 1),
    Column(
        "NODE",
        lambda step, _: cell((step.node or "–", "bold" if step.node else "$quiet")),
        4,
        most=20,
        measure=lambda step: len(step.node),
        drop=2,
    ),
    Column(
        "STEP", lambda step, _: cell(step.name), 16, most=36, measure=lambda step: len(step.name)
    ),
    Column("TOOK", _took, 6, right=True),
    Column("NEWEST LINE", _newest, 16, flex=True, drop=1),
)


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

    class _Reported(Message):
        """Steps wait to be shown."""

        def can_replace(self, message: Message) -> bool:
            """One is enough for all steps that wait."""
            return isinstance(message, LaunchScreen._Reported)

    def __init__(self, launch: LaunchWork, title: str, keys: KeyNames, clock: Clock) -> None:
        super().__init__()
        self._launch = launch
        self._title = [plain(line) for line in title.splitlines()] or ["a Ray cluster"]
        self._keys = keys
        self._clock = clock
        self._stage = Stage.READY
        self._steps: dict[tuple[str, str], Step] = {}
        self._reported: SimpleQueue[Step] = SimpleQueue()
        self._began = 0.0
        self._newest_time = (0.0, 0.0)
        """The newest time a step told (unix seconds), and our clock when it came."""
        self.error: LaunchError | None = None

    def compose(self) -> ComposeResult:
        """Title, steps, and what went wrong."""
        yield Static("", id="title", markup=False)
        yield Rule(line_style="solid", classes="frame")
        yield Static("", id="question", markup=False)
        yield LineTable(
            _COLUMNS,
            key=lambda step: f"{step.node}\0{step.name}",
            now=self._now,
            id="steps",
            empty="",
        )
        with VerticalScroll(id="trouble"):
            yield Static("", id="error", markup=False)
            yield Static("", id="detail", markup=False)
        yield FittedLine(separator=cell("  "), id="keys")

    def on_mount(self) -> None:
        """Show the question; let durations go on."""
        self.set_interval(0.5, self._tick)
        self._enter(Stage.READY)

    # Verbs

    def action_verb(self, verb_id: str) -> None:
        """Launch, retry or leave, as far as it makes sense now."""
        if verb_id == "leave":
            self._leave()
        elif (verb_id == "launch" and self._stage is Stage.READY) or (
            verb_id in ("retry", "launch") and self._stage is Stage.FAILED
        ):
            self._start()

    @on(FittedLine.Clicked)
    def _clicked(self, event: FittedLine.Clicked) -> None:
        self.action_verb(event.verb)

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
            self.post_message(self.Left())

    def _start(self) -> None:
        self._steps.clear()
        self.error = None
        self._began = self._clock()
        self._enter(Stage.LAUNCHING)
        self.work(self._run(), group="launch")

    async def _run(self) -> None:
        # Steps come from threads and from this loop: the queue keeps their order, the message
        # only says that there is something in it.
        def sink(step: Step) -> None:
            self._reported.put(step)
            self.post_message(self._Reported())

        try:
            client = await self._launch.run(sink)
        except LaunchError as error:
            self._fail(error)
        except ClientError as error:
            self._fail(LaunchError(f"it runs, but cannot be looked at: {error}"))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a launch that breaks must still leave a screen to read
            self._fail(LaunchError(f"raytui failed: {type(error).__name__}: {error}"))
        else:
            self.post_message(self.Launched(client))

    def _fail(self, error: LaunchError) -> None:
        self.error = error
        self._enter(Stage.FAILED)

    # Drawing

    @on(_Reported)
    def _show_steps(self) -> None:
        while not self._reported.empty():
            self._keep(self._reported.get())
        self.query_one("#steps", LineTable).show(list(self._steps.values()))
        self.query_one("#steps", LineTable).action_edge(1)

    def _keep(self, step: Step) -> None:
        self._steps[step.node, step.name] = step
        told = max(step.started_at, step.ended_at)
        if told > self._newest_time[0]:
            self._newest_time = (told, self._clock())

    def _now(self) -> float:
        told, at = self._newest_time
        return told + self._clock() - at

    def _tick(self) -> None:
        self.query_one("#steps", LineTable).tick()
        if self._stage is Stage.LAUNCHING:
            self._show_title()

    def _enter(self, stage: Stage) -> None:
        self._stage = stage
        self._show_title()
        steps, trouble = self.query_one("#steps"), self.query_one("#trouble")
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
            trouble.focus()
        self.query_one("#keys", FittedLine).show(self._key_parts())

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
        shown = {
            Stage.READY: (("launch", "launch"), ("leave", "leave")),
            Stage.LAUNCHING: (("leave", "leave"),),
            Stage.FAILED: (("retry", "try again"), ("leave", "leave")),
        }[self._stage]
        return [
            Part(
                cell(
                    (self._keys.of(verb(name)).split(" ")[0] + " ", "bold $key"), (words, "$quiet")
                ),
                verb=name,
            )
            for name, words in shown
        ]


def _question(first: str, *rest: str) -> list[Cell]:
    return [
        cell("Nothing runs yet. This will be launched:"),
        (),
        cell("  ", (first, "bold")),
        *(cell("  ", (line, "$quiet")) for line in rest),
        (),
        cell(("Enter", "bold $key"), " launches it, ", ("q", "bold $key"), " leaves."),
    ]
