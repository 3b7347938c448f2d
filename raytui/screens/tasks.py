"""Page 7, Tasks: by name and state; Enter on a name shows its tasks one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from raytui.model.text import first_line
from raytui.model.work import Listing, Task, TaskSummary
from raytui.screens.keys import KeyNames
from raytui.screens.session import Session
from raytui.screens.subject import Subject
from raytui.screens.verbs import bindings_on
from raytui.screens.waits import why_it_waits
from raytui.screens.workpage import OpenedWorkPage, WorkPage, number_column, text_column
from raytui.screens.workwords import since_cell, state_cell, state_word, took_cell
from raytui.widgets.cell import Cell, cell, joined, text_of
from raytui.widgets.columns import Column
from raytui.widgets.filter import Fields

_SHORT = 12
"""Digits of a task's id that are shown: the last ones are those of its job."""


def _count(counts: Mapping[str, int], is_meant: Callable[[str], bool]) -> int:
    return sum(count for state, count in counts.items() if is_meant(state))


def _runs(state: str) -> bool:
    return state.startswith("RUNNING") or state == "SUBMITTED_TO_WORKER"


def _waits(state: str) -> bool:
    return not _runs(state) and state not in ("FINISHED", "FAILED")


def _states(one: TaskSummary) -> Cell:
    """What the waiting ones wait for, the most frequent first."""
    waiting = sorted(
        ((count, state) for state, count in one.counts.items() if _waits(state) and count),
        reverse=True,
    )
    return joined("  ", (cell(f"{count:,} ", *state_cell(state)) for count, state in waiting))


class TasksScreen(WorkPage):
    """A line for each name."""

    page = "tasks"
    thing = "task name"
    BINDINGS = bindings_on("tasks")
    empty = "no task has run yet\nsubmit a job on the Jobs page (4, then n)"

    async def ask(self) -> Listing[TaskSummary]:
        """Counts by name and state."""
        return await self.session.client.work.task_summary()

    def columns(self) -> Sequence[Column[Any]]:
        """The name, and how many of it are in which state."""

        def of(is_meant: Callable[[str], bool]) -> Callable[[TaskSummary], int]:
            return lambda one: _count(one.counts, is_meant)

        failed = "$state-failed"
        return (
            text_column("NAME", lambda one: one.name, 14, most=44, style="bold", keep_end=True),
            text_column("KIND", lambda one: _kind(one.kind), 6, most=14, drop=4),
            number_column("RUNNING", of(_runs), 7, style="$state-running"),
            number_column("WAITING", of(_waits), 7),
            number_column("FAILED", of(lambda state: state == "FAILED"), 7, drop=1, style=failed),
            number_column("FINISHED", of(lambda state: state == "FINISHED"), 9, drop=2),
            number_column("ALL", of(lambda _: True), 8, drop=3),
            Column("WHAT THEY WAIT FOR", lambda one, _: _states(one), 18, flex=True, drop=5),
        )

    def key_of(self, row: TaskSummary) -> str:
        """Its name; an actor and a function may share one."""
        return f"{row.kind} {row.name}"

    def found_by(self, row: TaskSummary) -> Fields:
        """Name, kind, and the states it has tasks in."""
        states = [state for state, count in row.counts.items() if count]
        return {
            "name": row.name,
            "kind": row.kind,
            "state": " ".join([*states, *map(state_word, states)]),
        }

    def subject_of(self, row: TaskSummary) -> Subject:
        """The name with its counts."""
        return Subject("task name", row.name, row)

    def open_row(self, row: TaskSummary) -> None:
        """Its tasks one by one."""
        self.app.push_screen(TaskRowsScreen(self.session, self.keys, row.name))


class TaskRowsScreen(OpenedWorkPage):
    """The tasks of one name, the newest first."""

    page = "taskrows"
    thing = "task"
    BINDINGS = bindings_on("taskrows")
    empty = "Ray remembers no task of this name any more\nEsc goes back"

    def __init__(self, session: Session, keys: KeyNames, name: str) -> None:
        super().__init__(session, keys)
        self._task_name = name

    async def ask(self) -> Listing[Task]:
        """Those of the name."""
        return await self.session.client.work.tasks(name=self._task_name)

    def heading(self) -> str:
        """How many there are, of which name."""
        return f"{super().heading()} · {self._task_name}"

    def columns(self) -> Sequence[Column[Any]]:
        """Id and state first."""
        return (
            text_column("TASK", lambda t: t.task_id[:_SHORT], _SHORT, style="bold"),
            Column("STATE", lambda t, _: state_cell(t.state), 17, sort=lambda t: t.state),
            self.node_column(lambda t: t.node_id, drop=1),
            Column(
                "PID",
                lambda t, _: cell(str(t.pid or "–")),
                7,
                right=True,
                drop=6,
                sort=lambda t: t.pid,
            ),
            number_column("TRY", lambda t: t.attempt + 1, 3, drop=7),
            Column(
                "AGE",
                lambda t, now: since_cell(t.created_at, now),
                6,
                right=True,
                drop=5,
                sort=lambda t: -t.created_at or None,
            ),
            Column(
                "TOOK",
                lambda t, now: took_cell(t.started_at, t.ended_at, now),
                6,
                right=True,
                drop=3,
            ),
            Column("WHY", lambda t, _: cell((self._why(t), "$quiet")), 12, flex=True, drop=2),
        )

    def _why(self, task: Task) -> str:
        if task.error:
            return first_line(task.error)
        return why_it_waits(task, self.session.snapshot, self.session.now())

    def key_of(self, row: Task) -> str:
        """Ray's id, and which attempt it is."""
        return f"{row.task_id} {row.attempt}"

    def found_by(self, row: Task) -> Fields:
        """Its columns, its job and its actor."""
        return {
            "id": row.task_id,
            "state": f"{row.state} {text_of(state_cell(row.state))}",
            "node": self.places.found_by(row.node_id),
            "pid": str(row.pid or ""),
            "job": row.job_id,
            "actor": row.actor_id,
            "why": row.error,
        }

    def subject_of(self, row: Task) -> Subject:
        """The task, with why it waits."""
        return Subject(
            "task",
            row.task_id,
            row,
            self.places.member_id(row.node_id),
            row.node_id,
            f"-{row.pid}.out" if row.pid else "",
            (("why it waits", "" if row.error else self._why(row)),),
        )


def _kind(kind: str) -> str:
    return kind.removesuffix("_TASK").replace("_", " ").lower()
