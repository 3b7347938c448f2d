"""The columns of the node list, and what a filter finds a node by."""

from __future__ import annotations

from collections.abc import Mapping

from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import Resources
from raytui.model.snapshot import Row
from raytui.model.text import duration_text
from raytui.screens.words import HELD, status_cell, why_text
from raytui.widgets.bars import blocks
from raytui.widgets.cell import Cell, cell, text_of
from raytui.widgets.columns import Column

_NONE: Cell = (("–", "$quiet"),)
_RANK = {status: rank for rank, status in enumerate(InstanceStatus)}


def _share(row: Row, resource: str) -> float | None:
    node = row.member.node
    if node is None or not node.total.units(resource):
        return None
    return node.used.units(resource) / node.total.units(resource)


def _count(row: Row, resource: str) -> str:
    node = row.member.node
    if node is None or not node.total.units(resource):
        return ""
    return f"{_short(node.used, resource)}/{_short(node.total, resource)}"


def _short(amounts: Resources, resource: str) -> str:
    amount = amounts.amount(resource)
    return f"{amount:.1f}".removesuffix(".0")


def _cpu(row: Row, _now: float) -> Cell:
    share = _share(row, "CPU")
    if share is None:
        return _NONE
    return cell(f"{_count(row, 'CPU'):<6} ", *blocks(share, 4))


def _gpu(row: Row, _now: float) -> Cell:
    return cell(_count(row, "GPU")) or _NONE


def _percent(row: Row, resource: str) -> Cell:
    share = _share(row, resource)
    return _NONE if share is None else cell(f"{share:4.0%}")


def _ip(row: Row) -> str:
    member = row.member
    if member.node is not None and member.node.ip:
        return member.node.ip
    return member.instance.ip if member.instance is not None else ""


def launched_at(row: Row) -> float | None:
    """Unix seconds of the node's launch; None when we did not launch it."""
    instance = row.member.instance
    return instance.launched_at or None if instance is not None else None


def _age(row: Row, now: float) -> Cell:
    since = launched_at(row)
    return _NONE if since is None else cell(duration_text(now - since))


def _age_order(row: Row) -> float | None:
    since = launched_at(row)
    return None if since is None else -since


def held_flag(row: Row) -> Cell:
    """`⏸` before the name of a node that somebody holds."""
    return HELD if row.hold is not None else ()


def node_fields(row: Row) -> Mapping[str, str]:
    """What a filter finds a node by: its columns, its zone, its labels."""
    node, instance = row.member.node, row.member.instance
    return {
        **(node.labels if node is not None else {}),
        "name": row.id,
        "type": row.member.node_type,
        "status": text_of(status_cell(row)).partition(" ")[2],
        "ip": _ip(row),
        "zone": instance.zone if instance is not None else "",
        "why": why_text(row, 0.0),
        "held": row.hold.by or "yes" if row.hold is not None else "",
    }


NODE_COLUMNS: tuple[Column[Row], ...] = (
    Column(
        "NAME",
        lambda row, _: cell((row.id, "bold")),
        8,
        most=26,
        keep_end=True,
        measure=lambda row: len(row.id),
        sort=lambda row: row.id,
    ),
    Column(
        "TYPE",
        lambda row, _: cell(row.member.node_type or "–"),
        8,
        most=20,
        drop=4,
        measure=lambda row: len(row.member.node_type),
        sort=lambda row: row.member.node_type,
    ),
    Column(
        "STATUS",
        lambda row, _: status_cell(row),
        12,
        most=15,
        measure=lambda row: len(status_cell(row)[0][0]),
        sort=lambda row: (_RANK[row.member.status], row.member.idle),
    ),
    Column(
        "IP",
        lambda row, _: cell(_ip(row)) or _NONE,
        9,
        most=15,
        drop=7,
        measure=lambda row: len(_ip(row)),
        sort=lambda row: _ip(row) or None,
    ),
    Column("CPU", _cpu, 11, drop=3, sort=lambda row: _share(row, "CPU")),
    Column(
        "GPU",
        _gpu,
        4,
        most=9,
        drop=5,
        measure=lambda row: len(_count(row, "GPU")),
        sort=lambda row: _share(row, "GPU"),
    ),
    Column(
        "MEM",
        lambda row, _: _percent(row, "memory"),
        4,
        right=True,
        drop=8,
        sort=lambda row: _share(row, "memory"),
    ),
    Column(
        "OBJ",
        lambda row, _: _percent(row, "object_store_memory"),
        4,
        right=True,
        drop=9,
        sort=lambda row: _share(row, "object_store_memory"),
    ),
    Column("WHY IT IS HERE", lambda row, now: cell(why_text(row, now)), 28, flex=True),
    Column("AGE", _age, 6, right=True, drop=6, sort=_age_order),
)
