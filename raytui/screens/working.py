"""Screens whose background work may fail without taking the app down."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from textual import on
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import Worker, WorkerState

from raytui.client.base import ClientError, ReadOnlyError
from raytui.screens.verbs import verb

READ_ONLY = "read-only: this would change the cluster"


class WorkingScreen(Screen[Any]):
    """A screen that runs coroutines of its own; a failed one becomes a toast."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where a line is typed in, a key that opens one is a letter like any other."""
        asks = action == "verb" and verb(str(parameters[0])).asks
        return not (asks and isinstance(self.focused, Input))

    def work(
        self, coroutine: Coroutine[Any, Any, None], group: str, *, exclusive: bool = True
    ) -> None:
        """Run in the background; when `exclusive`, a newer one of the group ends the older."""
        self.run_worker(
            coroutine, group=group, description=group, exclusive=exclusive, exit_on_error=False
        )

    @on(Worker.StateChanged)
    def _tell_of_failed_work(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            event.stop()
            self.app.notify(failure_text(event.worker.error), severity="error", markup=False)


def failure_text(error: BaseException) -> str:
    """An error as one sentence for people."""
    if isinstance(error, ReadOnlyError):
        return READ_ONLY
    if isinstance(error, ClientError):
        return str(error)
    return f"raytui failed: {type(error).__name__}: {error}"
