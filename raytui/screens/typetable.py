"""The table of node types: floor, now and limit, what comes and goes, cost and use."""

from __future__ import annotations

from raytui.model.snapshot import TypeRow
from raytui.model.text import MEMORY_RESOURCES, amount_text
from raytui.widgets.bars import sparkline
from raytui.widgets.cell import Cell, cell
from raytui.widgets.columns import Column
from raytui.widgets.resource_bars import resource_order

_SPARKLINE = 14


def _number(value: int) -> Cell:
    return cell(str(value))


def _floor(row: TypeRow, _now: float) -> Cell:
    # A person's floor stands in place of min_workers: an asterisk tells, help explains.
    return cell((f"*{row.min}", "$state-held")) if row.user_floor else _number(row.min)


def _limit(row: TypeRow, _now: float) -> Cell:
    return cell((f"*{row.max}", "$state-held")) if row.user_ceiling else _number(row.max)


def _counted(glyph: str, count: int, style: str) -> Cell:
    return cell((f"{glyph} {count}", style)) if count else ()


def _cost(row: TypeRow, _now: float) -> Cell:
    if row.price_per_hour is None:
        return cell(("–", "$quiet"))
    return cell(f"{row.cost_per_hour:,.2f}")


def _idle(row: TypeRow, _now: float) -> Cell:
    return () if row.is_head else _counted("◌", row.idle, "$state-idle")


def _used(row: TypeRow, _now: float) -> Cell:
    parts: list[str | tuple[str, str]] = []
    for name in resource_order(row.total):
        if name in MEMORY_RESOURCES or not row.total[name]:
            continue
        used = amount_text(name, round(row.used.get(name, 0), 2))
        gap = "  " if parts else ""
        parts.append((f"{gap}{name} ", "$quiet"))
        parts.append(f"{used:>3}/{amount_text(name, row.total[name]):<3}")
    return cell(*parts) if parts else cell(("–", "$quiet"))


TYPE_COLUMNS: tuple[Column[TypeRow], ...] = (
    Column(
        "NODE TYPES",
        lambda row, _: cell((row.name, "bold")),
        11,
        most=28,
        measure=lambda row: len(row.name),
    ),
    Column("min", _floor, 4, right=True),
    Column("now", lambda row, _: cell((str(row.running), "bold")), 4, right=True),
    Column("max", _limit, 4, right=True),
    Column("idle", _idle, 4, drop=8),
    Column("starting", lambda row, _: _counted("◐", row.starting, "$state-starting"), 8, drop=3),
    Column("draining", lambda row, _: _counted("▽", row.draining, "$state-draining"), 8, drop=5),
    Column("failed", lambda row, _: _counted("✕", row.failed, "$state-failed"), 6, drop=4),
    Column("$/h", _cost, 8, right=True, drop=6),
    Column("USED", _used, 12, flex=True, most=44, drop=2),
    Column(
        "LAST MINUTE",
        lambda row, _: cell((sparkline(row.history, _SPARKLINE).rjust(_SPARKLINE), "$trend")),
        _SPARKLINE,
        drop=7,
    ),
)
