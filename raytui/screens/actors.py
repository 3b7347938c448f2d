"""Page 6, Actors: where each lives, what it takes, and why it died."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raytui.model.text import first_line
from raytui.model.work import Actor, Listing
from raytui.screens.subject import Subject
from raytui.screens.verbs import bindings_on
from raytui.screens.waits import why_it_waits
from raytui.screens.workpage import WorkPage, number_column, text_column
from raytui.screens.workwords import resources_cell, state_cell
from raytui.widgets.cell import cell, text_of
from raytui.widgets.columns import Column
from raytui.widgets.filter import Fields
from raytui.widgets.fitted import Part

_SAID_BY_ITS_STATE = "The actor is dead because "
"""How Ray begins the reason of most."""


class ActorsScreen(WorkPage):
    """Actors that live or are to live; with `a` those that died as well."""

    page = "actors"
    thing = "actor"
    BINDINGS = bindings_on("actors")
    empty = (
        "no actor lives here\npress a for those that died; a job makes them: 4 is the page of jobs"
    )
    _with_dead = False

    async def ask(self) -> Listing[Actor]:
        """The living, or all that Ray remembers."""
        return await self.session.client.work.actors(dead=self._with_dead)

    def caption(self) -> Sequence[Part]:
        """How many, and whether the dead are among them."""
        words = "with those that died" if self._with_dead else "a: those that died, too"
        return [*super().caption(), Part(cell((words, "$quiet")), drop=6)]

    def columns(self) -> Sequence[Column[Any]]:
        """Class and state first."""
        return (
            text_column("CLASS", lambda a: a.class_name, 10, most=30, style="bold", keep_end=True),
            text_column("NAME", lambda a: a.name or a.repr_name, 6, most=24, drop=4),
            Column("STATE", lambda a, _: state_cell(a.state), 17, sort=lambda a: a.state),
            self.node_column(lambda a: a.node_id, drop=1),
            Column(
                "PID",
                lambda a, _: cell(str(a.pid or "–")),
                7,
                right=True,
                drop=5,
                sort=lambda a: a.pid,
            ),
            Column("TAKES", lambda a, _: resources_cell(a.resources), 10, most=26, drop=3,
                   measure=lambda a: len(text_of(resources_cell(a.resources)))),
            number_column("RESTARTS", lambda a: a.restarts, 8, drop=6),
            Column("WHY", lambda a, _: cell((self._why(a), "$quiet")), 12, flex=True, drop=2),
        )  # fmt: skip

    def _why(self, actor: Actor) -> str:
        if actor.why:
            return first_line(actor.why).removeprefix(_SAID_BY_ITS_STATE)
        return why_it_waits(actor, self.session.snapshot, self.session.now())

    def key_of(self, row: Actor) -> str:
        """Ray's id."""
        return row.actor_id

    def found_by(self, row: Actor) -> Fields:
        """Its columns, its job, its group."""
        return {
            "class": row.class_name,
            "name": f"{row.name} {row.repr_name}",
            "state": f"{row.state} {text_of(state_cell(row.state))}",
            "node": self.places.found_by(row.node_id),
            "job": row.job_id,
            "pid": str(row.pid or ""),
            "id": row.actor_id,
            "group": row.group_id,
            "why": row.why,
        }

    def subject_of(self, row: Actor) -> Subject:
        """The actor, with why it waits or died."""
        return Subject(
            "actor",
            row.actor_id,
            row,
            self.places.member_id(row.node_id),
            row.node_id,
            f"-{row.pid}.out" if row.pid else "",
            (("why it waits", "" if row.why else self._why(row)),),
        )

    def verb_dead(self, _argument: str) -> None:
        """Show those that died as well, or leave them out again."""
        self._with_dead = not self._with_dead
        self.ask_soon()
        self._show_caption()
