"""The first line of every page: which cluster, how it is, since when, at what price."""

from __future__ import annotations

from raytui.client.base import Link
from raytui.model.snapshot import Snapshot
from raytui.model.text import clock_text, count_text, duration_text, money_text
from raytui.screens.safety import begins_at, waiting_ends
from raytui.screens.session import Session
from raytui.widgets.cell import Cell, cell
from raytui.widgets.fitted import Part


def status_parts(session: Session) -> list[Part]:
    """The parts of the line, least important ones marked to be dropped first."""
    snapshot = session.snapshot
    name = snapshot.info.cluster_name if snapshot is not None else session.client.name
    parts = [Part(cell((name, "bold")))]
    if session.own.production:
        parts.append(Part(cell((" PRODUCTION ", "bold reverse $state-failed"))))
    if snapshot is not None:
        parts.append(Part(cell(snapshot.info.provider), drop=6))
    parts.append(Part(_connection(session)))
    if session.client.read_only:
        parts.append(Part(cell(("read-only", "$state-held")), drop=2))
    if snapshot is None:
        return parts
    if waiting := waiting_ends(snapshot):
        left = duration_text(max(0.0, begins_at(waiting) - session.now()))
        words = f"▽ {count_text(len(waiting), 'node')} terminated in {left}"
        parts.append(Part(cell((words, "bold $state-draining"), ("  U: keep", "bold $key"))))
    if not session.stale:
        parts.append(Part(cell(clock_text(session.now())), drop=5))
    parts.append(Part(cell((f"tick {snapshot.tick_ms:.0f} ms", "$quiet")), drop=8))
    parts.append(Part(cell((f"seq {snapshot.seq}", "$quiet")), drop=9))
    parts.append(Part(_cost(snapshot), drop=3, right=True))
    return parts


def banner(session: Session) -> Cell:
    """A second line for what must not be overlooked; empty when all is well."""
    if session.link.link is Link.CLOSED:
        why = f" ({session.link.error})" if session.link.error else ""
        return cell(
            (f"✕ The cluster is down{why}. ", "bold $state-failed"),
            ("Start it again with ", ""),
            ("raytui up FILE", "bold"),
            (", or leave with ", ""),
            ("q", "bold $key"),
        )
    if session.link.link is Link.LOST and session.link.error:
        return cell((f"○ {session.link.error}", "$quiet"))
    if session.snapshot is None:
        return ()
    if session.snapshot.trouble:
        return cell((f"✕ {session.snapshot.trouble}", "$state-failed"))
    if session.snapshot.watch_only:
        return cell((f"◉ Only watching: {session.snapshot.watch_only}", "$state-held"))
    failing = [source for source in session.snapshot.sources if not source.ok]
    if failing:
        source = failing[0]
        since = (
            f" for {duration_text(session.now() - source.last_ok_at)}" if source.last_ok_at else ""
        )
        words = f"! {source.name} cannot be read{since}; nothing is removed meanwhile"
        if source.doubt:
            words = f"! {source.name} is not believed yet; nothing is removed meanwhile"
        return cell((words, "$state-draining"), (f"  {source.doubt or source.error}", "$quiet"))
    warnings = [source for source in session.snapshot.sources if source.warning]
    if warnings:
        return cell((f"! {warnings[0].name}: {warnings[0].warning}", "$state-draining"))
    return ()


def _connection(session: Session) -> Cell:
    match session.link.link:
        case Link.LOST:
            seen = duration_text(session.silence())
            tries = f" (try {session.link.attempt})" if session.link.attempt else ""
            ago = f"last seen {seen} ago, " if session.snapshot is not None else ""
            return cell(f"○ {ago}reconnecting{tries}")
        case Link.CLOSED:
            return cell(("✕ down", "$state-failed"))
        case Link.CONNECTING:
            return cell(("◐ connecting…", "$state-starting"))
    if session.snapshot is None:
        return cell(("◐ waiting for the first picture", "$state-starting"))
    if session.snapshot.trouble:
        return cell(("✕ autoscaler does not act", "$state-failed"))
    if session.snapshot.watch_only:
        return cell(("◉ watching only", "$state-held"))
    if session.snapshot.paused_by:
        return cell((f"⏸ paused by {session.snapshot.paused_by}", "$state-held"))
    return cell(("● autoscaler live", "$state-running"))


def _cost(snapshot: Snapshot) -> Cell:
    if not snapshot.priced:
        return cell(("no prices", "$quiet"))
    idle = f"  (idle {money_text(snapshot.idle_cost_per_hour)})"
    return cell((money_text(snapshot.cost_per_hour), "bold"), (idle, "$quiet"))
