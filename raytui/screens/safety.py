"""What stands between a key and harm, as a person has set it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raytui.config.settings import ClusterSettings
from raytui.model.reason import Why
from raytui.model.snapshot import Row, Snapshot


@dataclass(frozen=True)
class Safety:
    """The same for all clusters of a program, unless the settings say otherwise for one."""

    type_above: int = 3
    """How many things may be destroyed without typing their number."""
    undo_s: float = 10.0
    """How long an order to terminate waits, to be taken back; 0: it begins at once."""

    @classmethod
    def of(cls, own: ClusterSettings) -> Safety:
        """As it is set for a cluster."""
        return cls(
            cls.type_above if own.confirm_above is None else own.confirm_above,
            cls.undo_s if own.undo_s is None else own.undo_s,
        )


def begins_at(rows: Iterable[Row]) -> float:
    """When the first of these ends begins, unix seconds."""
    return min(float(row.reason.args.get("at", 0)) for row in rows if row.reason is not None)


def waiting_ends(snapshot: Snapshot | None) -> list[Row]:
    """Nodes whose ordered end has not begun."""
    rows = snapshot.rows if snapshot is not None else ()
    return [row for row in rows if row.reason is not None and row.reason.why is Why.ORDERED_SOON]
