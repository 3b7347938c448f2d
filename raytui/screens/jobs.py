"""Page 4, Jobs: what was submitted, how it stands, and why it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raytui.client.base import ClientError
from raytui.model.work import FINISHED, Actor, Job, Listing
from raytui.screens.messages import OpenJobLog
from raytui.screens.stopjob import StopJobScreen
from raytui.screens.subject import Subject
from raytui.screens.submitjob import Submission, SubmitJobScreen
from raytui.screens.verb import VerbError
from raytui.screens.verbs import bindings_on
from raytui.screens.waits import waiting_shapes, why_shapes_wait
from raytui.screens.workpage import WorkPage, text_column
from raytui.screens.workwords import since_cell, state_cell, state_word, took_cell
from raytui.widgets.cell import cell, text_of
from raytui.widgets.columns import Column
from raytui.widgets.filter import Fields

_MOST_ASKED = 8
"""Unfinished jobs whose tasks are looked at for what they wait for."""
_ORDER = {"RUNNING": 0, "PENDING": 1}


@dataclass(frozen=True)
class WaitingJob:
    """A job, and what of it waits for room."""

    job: Job
    waits: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """Why it waits, or how it ended; empty for one that simply runs or has succeeded."""
        told = self.job.message if self.job.status not in ("RUNNING", "SUCCEEDED") else ""
        return "; ".join([*filter(None, [told]), *self.waits])


class JobsScreen(WorkPage):
    """Jobs that were submitted, and drivers that connected by themselves."""

    page = "jobs"
    thing = "job"
    BINDINGS = bindings_on("jobs")
    empty = "no job was submitted yet\npress n to submit one, or: raytui job submit -- COMMAND"

    async def ask(self) -> Listing[WaitingJob]:
        """All jobs, and for those that have not ended what waits."""
        listing = await self.session.client.work.jobs()
        snapshot = self.session.snapshot
        waits: dict[str, tuple[str, ...]] = {}
        if snapshot is not None and snapshot.outcomes:
            open_jobs = [job for job in listing.rows if job.status not in FINISHED]
            asked = [job for job in open_jobs if job.ray_job_id][:_MOST_ASKED]
            if asked:
                waits = await self._waits(asked)
        rows = tuple(WaitingJob(job, waits.get(job.job_id, ())) for job in listing.rows)
        return Listing(rows, listing.total, listing.notes)

    async def _waits(self, jobs: Sequence[Job]) -> dict[str, tuple[str, ...]]:
        work, now = self.session.client.work, self.session.now()
        try:
            actors = (await work.actors()).rows
            lists = await asyncio.gather(*(work.tasks(job_id=job.ray_job_id) for job in jobs))
        except ClientError:
            return {}  # jobs can be shown without the reasons
        found = {}
        for job, tasks in zip(jobs, lists, strict=True):
            shapes = waiting_shapes(tasks.rows, _of_job(actors, job))
            found[job.job_id] = tuple(why_shapes_wait(shapes, self.session.snapshot, now))
        return found

    def columns(self) -> Sequence[Column[Any]]:
        """Id and state first; what leaves last is why it waits."""
        return (
            text_column("JOB", self.key_of, 10, most=26, keep_end=True, style="bold"),
            Column(
                "STATUS",
                lambda row, _: state_cell(row.job.status),
                11,
                sort=lambda row: _ORDER.get(row.job.status, 2),
            ),
            Column(
                "AGE",
                lambda row, now: since_cell(row.job.started_at, now),
                6,
                right=True,
                drop=5,
                sort=lambda row: -row.job.started_at or None,
            ),
            Column(
                "TOOK",
                lambda row, now: took_cell(row.job.started_at, row.job.ended_at, now),
                6,
                right=True,
                drop=3,
            ),
            self.node_column(lambda row: row.job.node_id, drop=4),
            text_column("ENTRYPOINT", lambda row: row.job.entrypoint, 12, flex=True, drop=1),
            Column("WHY", lambda row, _: cell((row.why, "$quiet")), 12, flex=True, drop=2),
        )

    def key_of(self, row: WaitingJob) -> str:
        """The id by which Ray is asked."""
        return row.job.job_id

    def found_by(self, row: WaitingJob) -> Fields:
        """Its columns."""
        job = row.job
        return {
            "job": f"{job.job_id} {job.ray_job_id}",
            "status": text_of(state_cell(job.status)),
            "node": self.places.found_by(job.node_id),
            "entrypoint": job.entrypoint,
            "why": row.why,
            **job.metadata,
        }

    def subject_of(self, row: WaitingJob) -> Subject:
        """The job, with what it waits for."""
        job = row.job
        member_id = self.places.member_id(job.node_id)
        told = ("what waits, and why", "\n".join(row.waits))
        return Subject("job", job.job_id, job, member_id, job.node_id, told=(told,))

    def open_row(self, row: WaitingJob) -> None:
        """Follow what it prints; of a driver that was not submitted Ray keeps no output."""
        if row.job.submitted:
            self.post_message(OpenJobLog(row.job.job_id))
        else:
            self.describe(self.subject_of(row))

    def words_for(self, verb_id: str) -> Sequence[str]:
        """Ids of jobs that can be stopped."""
        if verb_id == "stop-job":
            rows = self.listing.rows if self.listing is not None else ()
            return [row.job.job_id for row in rows if row.job.status not in FINISHED]
        return super().words_for(verb_id)

    # Submit and stop

    def verb_submit(self, argument: str) -> None:
        """Submit what was typed, or ask for it."""
        if argument:
            self._submit(Submission(argument))
        else:
            self.app.push_screen(SubmitJobScreen(self.session.client.name), self._submit)

    def _submit(self, submission: Submission | None) -> None:
        if submission is not None:
            self.work(self._give_job(submission), group="submit", exclusive=False)

    async def _give_job(self, submission: Submission) -> None:
        work = self.session.client.work
        job_id = await work.submit(submission.entrypoint, submission.runtime_env)
        self.say(f"submitted {job_id}")
        self.ask_soon()

    def verb_stop_job(self, argument: str) -> None:
        """Ask before stopping a job; bound to the job of this moment."""
        job = self._job(argument.strip())
        if not job.submitted:
            raise VerbError(f"{job.job_id} was not submitted: end the program that connected")
        if job.status in FINISHED:
            raise VerbError(f"{job.job_id} has already ended: {state_word(job.status)}")
        self.app.push_screen(StopJobScreen(self.session, job), self._stop)

    def _job(self, job_id: str) -> Job:
        rows = self.listing.rows if self.listing is not None else ()
        if job_id:
            found: Job | None = next((row.job for row in rows if row.job.job_id == job_id), None)
            if found is None:
                raise VerbError(f"there is no job {job_id}")
            return found
        selected: WaitingJob | None = self.table.selected
        if selected is None:
            raise VerbError("no job is selected")
        return selected.job

    def _stop(self, job_id: str | None) -> None:
        if job_id is not None:
            self.work(self._stop_job(job_id), group="stop", exclusive=False)

    async def _stop_job(self, job_id: str) -> None:
        stopped = await self.session.client.work.stop_job(job_id)
        self.say(f"{job_id} is being stopped" if stopped else f"{job_id} had already ended")
        self.ask_soon()


def _of_job(actors: Sequence[Actor], job: Job) -> list[Actor]:
    return [one for one in actors if one.job_id == job.ray_job_id]
