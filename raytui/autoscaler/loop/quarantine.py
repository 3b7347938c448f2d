"""One instance whose handling fails is set aside, with the cause; the loop goes on."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.ledger import LEDGER_FAILURES
from raytui.model.snapshot import Level
from raytui.model.text import first_line


class Quarantine:
    """Who is in it is left alone, over restarts, until a person orders its end."""

    def __init__(self, fleet: Fleet, journal: Journal) -> None:
        self._fleet = fleet
        self._journal = journal

    @contextmanager
    def guard(self, instance_id: str, now: float) -> Iterator[None]:
        """Whatever goes wrong inside puts the instance into quarantine and goes no further.

        Only a ledger that cannot be read or written is nobody's fault, and is passed on.
        """
        try:
            yield
        except LEDGER_FAILURES:
            raise
        except Exception as error:
            kind = type(error).__name__.removesuffix("Error")
            cause = f"{kind}: {first_line(str(error)) or 'no message'}"
            self._fleet.set_quarantine(instance_id, cause, now)
            self._journal.say(
                now,
                Level.ERROR,
                f"quarantined {instance_id}: {cause}",
                detail="".join(traceback.format_exception(error)),
                instance_id=instance_id,
            )

    def release(self, instance_id: str, now: float) -> bool:
        """Take an instance out again; False when it was not in it."""
        instance = self._fleet.get(instance_id)
        if instance is None or not instance.quarantined:
            return False
        self._fleet.set_quarantine(instance_id, "", now)
        return True
