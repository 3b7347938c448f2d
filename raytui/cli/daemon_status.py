"""`raytui daemon status` in words and as JSON."""

from __future__ import annotations

import time

from raytui.autoscaler.daemon.status import DaemonStatus
from raytui.cli.exit_codes import ExitCode
from raytui.model.codec import encode
from raytui.model.state import SourceHealth
from raytui.model.text import duration_text


def as_json(status: DaemonStatus) -> str:
    """One object; its keys are those of docs/operating.md."""
    return encode(status).decode()


def as_text(status: DaemonStatus) -> str:
    """A line for each fact that there is."""
    now = time.time()
    state = "running" if status.running else "not running"
    rows = [
        ("cluster", status.cluster),
        ("daemon", f"{state}: {status.problem}" if status.problem else state),
        ("pid", str(status.pid or "")),
        ("since", _moment(status.since, now)),
        ("version", status.version),
        ("last tick", _ago(status.last_tick_age_s)),
        *((source.name, _health(source, now)) for source in status.sources),
        ("paused by", status.paused_by),
        ("metrics", f"{status.metrics_url}/metrics" if status.metrics_url else ""),
        ("log", status.log),
    ]
    return "\n".join(f"{name:<10} {value}" for name, value in rows if value)


def exit_code(status: DaemonStatus) -> ExitCode:
    """What the command ends with."""
    if not status.answers:
        return ExitCode.UNREACHABLE
    return ExitCode.OK if status.well else ExitCode.FAILED


def _moment(at: float | None, now: float) -> str:
    if at is None:
        return ""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    return f"{stamp} ({duration_text(now - at)})"


def _ago(age_s: float | None) -> str:
    return f"{duration_text(age_s)} ago" if age_s is not None else ""


def _health(source: SourceHealth, now: float) -> str:
    if source.ok:
        return "ok"
    since = f" since {duration_text(now - source.last_ok_at)}" if source.last_ok_at else ""
    if source.doubt:
        return f"is not believed yet: {source.doubt}"
    return f"does not answer{since}: {source.error}"
