"""The columns of the list of clusters, and what a filter finds a cluster by."""

from __future__ import annotations

from collections.abc import Mapping

from raytui.model.fleet import FleetRow, FleetState
from raytui.model.text import amount_text, duration_text, first_line, money_text
from raytui.widgets.cell import Cell, cell
from raytui.widgets.columns import Column

_NONE: Cell = (("–", "$quiet"),)

STATES: Mapping[FleetState, tuple[str, str]] = {
    FleetState.READY: ("●", "$state-running"),
    FleetState.STARTING: ("◐", "$state-starting"),
    FleetState.SUSPENDED: ("⏸", "$state-held"),
    FleetState.FAILED: ("✕", "$state-failed"),
    FleetState.LEAVING: ("▽", "$state-draining"),
}
"""Glyph and colour of each state, in the order in which they are sorted."""

_RANK = {state: rank for rank, state in enumerate(STATES)}


def state_cell(row: FleetRow) -> Cell:
    """How a cluster is: `● ready`, `◐ starting`."""
    glyph, style = STATES[row.state]
    return cell((f"{glyph} {row.state.value}", style))


def _nodes(row: FleetRow, _now: float) -> Cell:
    style = "" if row.running == row.desired else "$state-starting"
    return cell((nodes_text(row), style))


def nodes_text(row: FleetRow) -> str:
    """Running and desired nodes: `7/10`."""
    return f"{row.running:,}/{row.desired:,}"


def _amount(row: FleetRow, resource: str) -> Cell:
    amount = row.total.amount(resource)
    return cell(amount_text(resource, amount)) if amount else _NONE


def _demand(row: FleetRow, _now: float) -> Cell:
    if not row.demand:
        return _NONE if row.demand is None else cell(("0", "$quiet"))
    return cell((f"{row.demand:,}", "bold"))


def _age(row: FleetRow, now: float) -> Cell:
    return cell(duration_text(now - row.created_at)) if row.created_at else _NONE


def _trouble(row: FleetRow, _now: float) -> Cell:
    return cell((f"! {first_line(row.trouble)}", "$state-draining")) if row.trouble else ()


def fleet_fields(row: FleetRow) -> Mapping[str, str]:
    """What a filter finds a cluster by: its columns."""
    return {
        "namespace": row.namespace,
        "ns": row.namespace,
        "name": row.name,
        "state": row.state.value,
        "scaled": row.scaled_by.value,
        "trouble": row.trouble,
    }


FLEET_COLUMNS: tuple[Column[FleetRow], ...] = (
    Column(
        "NAMESPACE",
        lambda row, _: cell((row.namespace, "$quiet")),
        9,
        most=20,
        drop=3,
        measure=lambda row: len(row.namespace),
        sort=lambda row: row.namespace,
    ),
    Column(
        "NAME",
        lambda row, _: cell((row.name, "bold")),
        8,
        most=32,
        keep_end=True,
        measure=lambda row: len(row.name),
        sort=lambda row: row.name,
    ),
    Column(
        "STATE",
        lambda row, _: state_cell(row),
        10,
        most=11,
        measure=lambda row: len(row.state.value) + 2,
        sort=lambda row: _RANK[row.state],
    ),
    Column(
        "NODES",
        _nodes,
        5,
        most=11,
        right=True,
        measure=lambda row: len(nodes_text(row)),
        sort=lambda row: -row.running,
    ),
    Column(
        "CPU",
        lambda row, _: _amount(row, "CPU"),
        6,
        right=True,
        drop=6,
        sort=lambda row: -row.total.units("CPU"),
    ),
    Column(
        "GPU",
        lambda row, _: _amount(row, "GPU"),
        5,
        right=True,
        drop=7,
        sort=lambda row: -row.total.units("GPU"),
    ),
    Column(
        "DEMAND",
        _demand,
        6,
        right=True,
        sort=lambda row: None if row.demand is None else -row.demand,
    ),
    Column(
        "COST",
        lambda row, _: cell(money_text(row.cost_per_hour)),
        8,
        most=12,
        right=True,
        drop=4,
        measure=lambda row: len(money_text(row.cost_per_hour)),
        sort=lambda row: None if row.cost_per_hour is None else -row.cost_per_hour,
    ),
    Column(
        "AGE",
        _age,
        6,
        right=True,
        drop=2,
        sort=lambda row: -row.created_at if row.created_at else None,
    ),
    Column(
        "SCALED BY",
        lambda row, _: cell(row.scaled_by.value),
        9,
        most=15,
        drop=5,
        measure=lambda row: len(row.scaled_by.value),
        sort=lambda row: row.scaled_by.value,
    ),
    Column("TROUBLE", _trouble, 24, flex=True, sort=lambda row: row.trouble or None),
)
