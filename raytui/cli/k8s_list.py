"""`raytui k8s list`: all RayClusters in a table, or as JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from raytui.cli.kube_place import Given, context_option, namespace_option

if TYPE_CHECKING:
    from raytui.model.fleet import FleetRow

_TITLES = ("NAMESPACE", "NAME", "STATE", "NODES", "DEMAND", "COST", "AGE", "SCALED BY", "TROUBLE")
_RIGHT = (3, 4, 5, 6)
_UNKNOWN = "—"


@click.command("list")
@context_option
@namespace_option
@click.option("-A", "--all-namespaces", is_flag=True, help="Those of all namespaces.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as docs/json.md says.")
@click.pass_context
def list(  # noqa: A001 - the command's name
    ctx: click.Context,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    as_json: bool,
) -> None:
    """Print all RayClusters of a namespace once.

    NODES are those that run and those that are to be, the head too. DEMAND, what waits for nodes,
    is known where raytui drives a cluster; COST where its annotation raytui.io/config has prices.
    """
    given: Given = ctx.obj if isinstance(ctx.obj, tuple) else ("", "")
    print_list(
        context or given[0], namespace or given[1], everywhere=all_namespaces, as_json=as_json
    )


def print_list(context: str, namespace: str, *, everywhere: bool, as_json: bool) -> None:
    """The list as it is now; raises ProviderError when RayClusters may not be listed."""
    from msgspec.structs import replace

    from raytui.backends.kubernetes.fleet_watch import fleet_now
    from raytui.backends.kubernetes.named import access_to
    from raytui.cli.report_text import table
    from raytui.model.codec import encode

    access = access_to(context, namespace)
    fleet = fleet_now(replace(access, namespace="") if everywhere else access)
    if as_json:
        click.echo(encode(fleet).decode())
        return
    now = time.time()
    for line in table(_TITLES, [_cells(row, now) for row in fleet.rows], _RIGHT):
        click.echo(line.removeprefix("  "))
    for trouble in fleet.troubles:
        click.echo(f"not all can be seen: {trouble}", err=True)
    if not fleet.rows:
        where = "any namespace" if everywhere else f"namespace {access.namespace}"
        hint = "" if everywhere else "; -A lists those of all namespaces"
        click.echo(f"no RayClusters in {where}{hint}", err=True)


def _cells(row: FleetRow, now: float) -> tuple[str, ...]:
    from raytui.model.text import duration_text, money_text, plain

    return (
        row.namespace,
        row.name,
        row.state.value,
        f"{row.running}/{row.desired}",
        _UNKNOWN if row.demand is None else str(row.demand),
        _UNKNOWN if row.cost_per_hour is None else money_text(row.cost_per_hour),
        duration_text(now - row.created_at) if row.created_at else _UNKNOWN,
        row.scaled_by.value,
        plain(row.trouble),
    )
