"""What planning remembers of the past, on disk before it counts."""

from __future__ import annotations

import msgspec

from raytui.autoscaler.loop.ledger import Ledger
from raytui.model.plan import DrainUnderWay, Memory, WaitingEnd


class Remembered:
    """The one Memory of a loop. Belongs to the thread that ticks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._memory = ledger.memory()

    @property
    def memory(self) -> Memory:
        """As it is on disk."""
        return self._memory

    def change(self, **changes: object) -> None:
        """Change some of its fields, on disk first; what stays the same is not written."""
        memory = msgspec.structs.replace(self._memory, **changes)
        if memory != self._memory:
            self._ledger.save_memory(memory)
            self._memory = memory

    def shift(self, seconds: float) -> None:
        """Move what is measured from a moment on along with a wall clock that was set.

        Pauses and drains last as long as before. What a person said in wall time (a hold's end)
        stays as it was said.
        """
        memory = self._memory
        self.change(
            failures=tuple(
                msgspec.structs.replace(
                    f, failed_at=f.failed_at + seconds, retry_at=f.retry_at + seconds
                )
                for f in memory.failures
            ),
            drains=tuple(_moved(drain, seconds) for drain in memory.drains),
            ends=tuple(_put_off(end, seconds) for end in memory.ends),
            refusals={name: at + seconds for name, at in memory.refusals.items()},
            orphans={name: at + seconds for name, at in memory.orphans.items()},
        )

    def take_up(self, now: float) -> None:
        """Let nothing have begun in the future: the clock was set back while nobody looked."""
        memory = self._memory
        self.change(
            drains=tuple(_moved(drain, min(0.0, now - drain.since)) for drain in memory.drains),
            ends=tuple(_put_off(end, min(0.0, now - end.since)) for end in memory.ends),
            refusals={name: min(at, now) for name, at in memory.refusals.items()},
            orphans={name: min(at, now) for name, at in memory.orphans.items()},
        )


def _moved(drain: DrainUnderWay, seconds: float) -> DrainUnderWay:
    """The same drain at another time, as long as before."""
    deadline = drain.deadline and drain.deadline + seconds
    return msgspec.structs.replace(drain, since=drain.since + seconds, deadline=deadline)


def _put_off(end: WaitingEnd, seconds: float) -> WaitingEnd:
    """The same order at another time, waiting as long as before."""
    return msgspec.structs.replace(end, since=end.since + seconds, at=end.at + seconds)
