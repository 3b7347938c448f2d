"""The dialog before a job is stopped: what dies with it, Cancel first."""

from __future__ import annotations

import asyncio
import shlex

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from raytui.client.base import ClientError
from raytui.model.text import count_text
from raytui.model.work import Job
from raytui.screens.dialog import HarmDialog, titled
from raytui.screens.session import Session
from raytui.widgets.cell import Cell, cell, to_content

_PATIENCE_S = 10.0
"""How long to wait for what would die before one may go on without knowing."""
_DONE = frozenset({"FINISHED", "FAILED"})


class StopJobScreen(HarmDialog[str]):
    """Dismissed with the id of the job it was opened for, or with None."""

    DEFAULT_CSS = """
    StopJobScreen .impact { height: auto; max-height: 12; }
    StopJobScreen .impact > Static { height: auto; }
    StopJobScreen .after { height: auto; margin-top: 1; }
    """

    def __init__(self, session: Session, job: Job) -> None:
        super().__init__(job.job_id)
        self._is_told = False
        self._session = session
        self._job = job

    def compose(self) -> ComposeResult:
        """The job, what dies with it, the same as a shell command, and the two answers."""
        job, cluster = self._job, self._session.client.name
        command = f"raytui job stop {shlex.quote(job.job_id)} -c {shlex.quote(cluster)}"
        with Vertical(classes="box") as box:
            titled(box, f"Stop a job of {cluster}")
            with VerticalScroll(classes="impact", can_focus=False):
                yield Static(to_content(cell((job.job_id, "bold")), cell(job.entrypoint)))
                yield Static("asking what runs for it …", id="impact", markup=False)
            after = cell(("In a shell: ", "$quiet"), command)
            yield Static(to_content(after), classes="after", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Stop it", id="go", classes="-harm", compact=True, disabled=True)

    def on_mount(self) -> None:
        """Focus Cancel and ask what would die."""
        super().on_mount()
        self.run_worker(self._ask(), group="impact", exclusive=True, exit_on_error=False)

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                line = await self._impact()
        except (ClientError, TimeoutError) as error:
            why = str(error) or "no answer"
            line = cell((f"! What runs for it is not known: {why}", "$state-draining"))
        if self.is_attached:
            self.query_one("#impact", Static).update(to_content(line))
            self._is_told = True
            self.allow_if_sure()

    async def _impact(self) -> Cell:
        ray_id = self._job.ray_job_id
        if not ray_id:
            return cell("Its driver has not connected: no actors and no tasks die.")
        work = self._session.client.work
        actors, tasks = await asyncio.gather(work.actors(), work.tasks(job_id=ray_id))
        living = sum(one.job_id == ray_id for one in actors.rows)
        open_tasks = sum(one.state not in _DONE for one in tasks.rows)
        words = f"{count_text(living, 'actor')} and {count_text(open_tasks, 'task')}"
        if tasks.total > len(tasks.rows):
            words += " or more"
        return cell(("What dies with its driver: ", "$quiet"), words)
