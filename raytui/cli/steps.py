"""Steps of a launch as they happen: as lines for people, or as JSON for programs."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import TracebackType
from typing import Protocol, TextIO

from msgspec import Struct

from raytui.cli.live_block import LiveBlock
from raytui.cli.step_lines import StepLines
from raytui.model.codec import encode
from raytui.model.step import LaunchError, Step

_DRAW_EVERY_S = 0.5
_DRAW_AT_MOST_EVERY_S = 0.05


class Steps(Protocol):
    """A StepSink that shows steps until it is left. Steps may come from any thread."""

    def __enter__(self) -> Steps: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def __call__(self, step: Step) -> None:
        """Show a step as it stands now."""
        ...

    def aside(self) -> AbstractContextManager[None]:
        """Leaves the terminal to others for as long, e.g. to ask a question."""
        ...


def printer(as_json: bool = False) -> Steps:
    """Where the steps of a command go, while it is entered.

    Lines for people are talk and go to stderr; JSON, one object a line, is data and goes to stdout.
    """
    return StepJson(sys.stdout) if as_json else StepPrinter(sys.stderr)


class StepPrinter:
    """Steps as lines; on a terminal what is under way is drawn again as it goes on."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        live = out.isatty() and os.environ.get("TERM") != "dumb"
        self._block = LiveBlock(out) if live else None
        self._lines = StepLines(live=live)
        self._news = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._draw_again, name="steps", daemon=True)

    def __enter__(self) -> StepPrinter:
        if self._block is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        if self._block is not None:
            self._news.set()
            self._thread.join()
        with self._lock:
            self._draw()
        if isinstance(error, LaunchError) and self._lines.has_told_output:
            # It stands above already, with its step.
            error.detail = ""

    def __call__(self, step: Step) -> None:
        """Show a step as it stands now."""
        with self._lock:
            self._lines.take(step, time.time())
            if self._block is None:
                self._draw()
        self._news.set()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """See Steps."""
        with self._lock:
            if self._block is not None:
                self._block.clear()
            yield

    def _draw_again(self) -> None:
        while not self._ended:
            self._news.wait(_DRAW_EVERY_S)
            self._news.clear()
            with self._lock:
                self._draw()
            time.sleep(_DRAW_AT_MOST_EVERY_S)

    def _draw(self) -> None:
        # A terminal or pipe that is gone must not fail what is told of.
        with suppress(OSError):
            self._draw_now(time.time())

    def _draw_now(self, now: float) -> None:
        if self._block is None:
            for line in self._lines.over(now):
                self._out.write(line + "\n")
            self._out.flush()
            return
        room, self._lines.width = self._block.room()
        over = self._lines.over(now, at_end=self._ended)
        self._block.show(over, () if self._ended else self._lines.under_way(now, room))


class StepReport(Struct, frozen=True):
    """One line of `--json`; docs/json.md describes it."""

    node: str
    name: str
    status: str
    started_at: float | None
    ended_at: float | None
    took_s: float | None
    detail: str
    output: str


class StepJson:
    """Each change of a step as one JSON object on one line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def __enter__(self) -> StepJson:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def __call__(self, step: Step) -> None:
        """Write a step as it stands now."""
        line = encode(report_of(step)).decode()
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """See Steps."""
        with self._lock:
            yield


def report_of(step: Step) -> StepReport:
    """A step as programs read it: what is not known yet is null."""
    return StepReport(
        step.node,
        step.name,
        step.status.value,
        step.started_at or None,
        step.ended_at or None,
        step.ended_at - step.started_at if step.ended_at else None,
        step.detail,
        step.output,
    )
