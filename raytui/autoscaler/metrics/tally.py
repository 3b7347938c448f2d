"""What has happened since the daemon began, gathered from its snapshots: counts and durations."""

from __future__ import annotations

from collections import Counter, deque

from raytui.autoscaler.metrics.series import Durations
from raytui.model.lifecycle import STARTING, InstanceStatus
from raytui.model.snapshot import Move, Snapshot

RECENTLY_S = 1800.0
"""A failed node counts as recently failed this long."""

_MOST_FAILED = 10_000
"""More failed nodes than this are not told apart; nobody may ever ask for their number."""

_S = InstanceStatus
_ASKED = (_S.QUEUED, _S.REQUESTED)
_FAILED = (_S.LAUNCH_FAILED, _S.SETUP_FAILED, _S.LOST)

# Ray's buckets (ray/autoscaler/_private/prom_metrics.py), so that its boards' quantiles fit.
_NODE_S = (
    *(5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 360, 480, 600, 720, 900),
    *(1200, 1500, 1800),
)
_ROUND_S = (0.01, 0.1, 1, 10, 100, 1000)
_FINE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Tally:
    """Takes every snapshot of one daemon, in order. Nothing is counted from before the first."""

    def __init__(self) -> None:
        self.moves: Counter[tuple[str, InstanceStatus]] = Counter()
        """(node type, status) to how often an instance of the type came to it."""
        self.started: Counter[str] = Counter()
        """Nodes that the provider gave, by type."""
        self.stopped = 0
        self.launch_errors = 0
        """Launch calls that failed, wholly or in part."""
        self.drains_refused = 0
        """Drains that Ray refused, because work had arrived."""
        self.recovered = 0
        """Nodes that were missing from GCS and came back."""
        self.not_recovered = 0
        self.failed_rounds = 0
        self.bad_reloads = 0
        """Changed cluster files that were refused."""
        self.missing: frozenset[str] = frozenset()
        """Running instances whose Ray node is missing from GCS now."""
        self.create_s = Durations(_NODE_S)
        """From the intent to launch until the provider gave the node."""
        self.set_up_s = Durations(_NODE_S)
        """From then until it was a Ray node."""
        self.startup_s = Durations(_NODE_S)
        """Both together."""
        self.round_s = Durations(_ROUND_S)
        self.tick_s = Durations(_FINE_S)
        self.plan_s = Durations(_FINE_S)
        self._failed: deque[tuple[float, str]] = deque(maxlen=_MOST_FAILED)
        self._given_after: dict[str, float] = {}
        self._adopted: set[str] = set()
        """Starting instances that somebody else launched."""

    def take(self, snapshot: Snapshot) -> None:
        """Count what is new in a snapshot."""
        for move in snapshot.moves:
            self._move(move, snapshot.taken_at)
        # One call that failed is many nodes that failed.
        self.launch_errors += len(
            {move.request_id for move in snapshot.moves if move.status is _S.LAUNCH_FAILED}
        )
        self._look_for_missing(snapshot)
        self.failed_rounds += bool(snapshot.trouble)
        self.round_s.observe(snapshot.tick_ms / 1000)
        self.tick_s.observe(snapshot.tick_ms / 1000)
        self.plan_s.observe(snapshot.plan_ms / 1000)

    def recently_failed(self, now: float) -> Counter[str]:
        """Nodes that failed in the last half hour, by type."""
        while self._failed and self._failed[0][0] < now - RECENTLY_S:
            self._failed.popleft()
        return Counter(node_type for _, node_type in self._failed)

    def count(self, *statuses: InstanceStatus) -> int:
        """How many moves there were to any of these statuses."""
        return sum(n for (_, status), n in self.moves.items() if status in statuses)

    def _move(self, move: Move, at: float) -> None:
        self.moves[move.node_type, move.status] += 1
        if move.status in _FAILED:
            self._failed.append((at, move.node_type))
        if move.was in _ASKED and move.status in (_S.ALLOCATED, _S.SETTING_UP, _S.RUNNING):
            self.started[move.node_type] += 1
            self.create_s.observe(move.launched_s)
            self._given_after[move.instance_id] = move.launched_s
        elif move.was is None and move.status in (_S.ALLOCATED, _S.SETTING_UP):
            self._adopted.add(move.instance_id)
        if move.status is _S.RUNNING and move.was in STARTING:
            self._set_up(move)
        if move.status is _S.RUNNING and move.was is _S.DRAINING:
            self.drains_refused += 1
        if move.status is _S.TERMINATED and move.was not in _ASKED:
            self.stopped += 1
        if move.status not in STARTING:
            self._given_after.pop(move.instance_id, None)
            self._adopted.discard(move.instance_id)

    def _set_up(self, move: Move) -> None:
        """It became a Ray node. One given in an earlier life of ours counts with its last step."""
        if move.instance_id in self._adopted:
            return
        given_after = self._given_after.get(move.instance_id, move.launched_s - move.after_s)
        self.set_up_s.observe(max(0.0, move.launched_s - given_after))
        self.startup_s.observe(move.launched_s)

    def _look_for_missing(self, snapshot: Snapshot) -> None:
        """GCS forgets nodes when it restarts; most come back."""
        if not all(source.ok for source in snapshot.sources):
            return
        running = {r.id: r.member for r in snapshot.rows if r.member.status is _S.RUNNING}
        for instance_id in self.missing:
            member = running.get(instance_id)
            if member is None:
                self.not_recovered += 1
            elif member.node is not None:
                self.recovered += 1
        self.missing = frozenset(i for i, member in running.items() if member.node is None)
