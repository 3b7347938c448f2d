"""The door to one running autoscaler: what the daemon serves and a simulated cluster offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from raytui.model.command import Ack, Command, Impact
from raytui.model.plan import Decision
from raytui.model.snapshot import Level, Snapshot
from raytui.model.spec import ClusterSpec
from raytui.model.step import Step


class Engine(Protocol):
    """Observes, plans, records and acts, one tick after another.

    `due`, `tick`, `command`, `reload`, `note` and `close` belong to one thread. The questions from
    `history` on may be put from others and may take seconds.
    """

    def due(self, watched: bool = True) -> bool:
        """Whether it is time for a tick: the world changed, or a timer ran out (about 1 ms).

        Where a tick is dear and it is not `watched`, those of an unchanged world are rarer.
        """
        ...

    def tick(self) -> Snapshot:
        """One round of observe, plan, record, act. Never raises: trouble is in the snapshot."""
        ...

    def command(self, command: Command, by: str, command_id: str = "") -> Ack:
        """Carry out what a person asked for and journal it; the next tick acts on it.

        A command whose id was answered before is answered the same again and not carried out.
        """
        ...

    def reload(self, spec: ClusterSpec) -> str:
        """Go on with a changed cluster YAML; returns what changed in one line."""
        ...

    def note(self, level: Level, text: str, detail: str = "") -> None:
        """Write a line into the journal: what the daemon around the engine has to say."""
        ...

    def history(self, before: int | None, limit: int) -> Sequence[Decision]:
        """Recorded decisions with ids below `before`, newest first."""
        ...

    def impact(self, instance_ids: Sequence[str]) -> list[Impact]:
        """What dies with these nodes."""
        ...

    def log_tail(self, instance_id: str, lines: int) -> list[str]:
        """The end of an instance's start-up log; empty when there is none."""
        ...

    def setup_steps(self) -> Sequence[Step]:
        """How far the set-up of nodes is; empty when the provider sets none up."""
        ...

    def step_output(self, node: str, name: str, lines: int) -> list[str]:
        """The end of what one set-up step has printed."""
        ...

    def close(self) -> None:
        """Let go of everything; nodes stay."""
        ...
