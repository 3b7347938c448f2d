"""`raytui catalog`: EC2 instance types, what they have and cost; and a newer table of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed

if TYPE_CHECKING:
    from raytui.backends.aws.catalog import InstanceType
    from raytui.backends.aws.catalog_search import Order

_ORDERS = ("name", "price", "cpu", "memory", "gpu")


class _Catalog(click.Group):
    """What is no subcommand's name is a filter of the list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, "--help", "-h"}:
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("raytui catalog", "[FILTER]… [--sort KEY] [--json]")
        formatter.write_usage("raytui catalog", "refresh [OPTIONS]")


@click.group(cls=_Catalog)
def catalog() -> None:
    """EC2 instance types: what they have, and what they cost on demand in us-east-1.

    FILTERs must all fit: comparisons (cpu>=16 memory>=64 gpu=1 gpu-memory>=24 neuron>0 network>=25
    nvme>0 price<2), kinds (gpu neuron nvme efa arm64 x86_64 metal burstable current priced, each
    also as no-gpu), the beginning of a name (m7i p5.), a pattern ('*.metal'), a GPU (H100).
    """


@catalog.command("list")
@click.argument("words", nargs=-1, metavar="[FILTER]…")
@click.option(
    "--sort",
    "order",
    type=click.Choice(_ORDERS),
    default="name",
    help="By price, or by price per vCPU, GiB of memory, or GPU.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array (docs/catalog.md).")
def show(words: tuple[str, ...], order: str, as_json: bool) -> int:
    """Print the instance types that all FILTERs fit (the default command)."""
    from raytui.backends.aws.catalog import load
    from raytui.backends.aws.catalog_search import Order, search

    types = load()
    try:
        found = search(types.values(), words, Order(order))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        _print_json(found, types)
        return ExitCode.OK
    if not found:
        raise CommandFailed(ExitCode.FAILED, f"no instance type fits {' '.join(words)}")
    _print_table(found, Order(order))
    return ExitCode.OK


@catalog.command()
@click.option(
    "--offline",
    is_flag=True,
    help="Ask nobody: specifications as moto (an emulator of AWS) brings them, prices stay.",
)
@click.option(
    "--prices",
    "prices_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Prices from a CSV file (instance_type,usd_per_hour,priced_on) instead of AWS.",
)
@click.option("--region", default="us-east-1", show_default=True, help="Whose types are asked for.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the table, instead of your cache.",
)
def refresh(offline: bool, prices_file: Path | None, region: str, output: Path | None) -> None:
    """Write a newer table, from the EC2 API and the Pricing API.

    What cannot be had stays as it was, and is told. Needs the permissions
    ec2:DescribeInstanceTypes and pricing:GetProducts.
    """
    from raytui.backends.aws.catalog import load, refreshed_table, save
    from raytui.backends.aws.catalog_api import described, described_by_moto
    from raytui.backends.aws.catalog_refresh import with_descriptions
    from raytui.backends.aws.session import AwsSession

    old = load()
    descriptions = described_by_moto() if offline else described(AwsSession({"region": region}))
    new = _priced(with_descriptions(old, descriptions), prices_file, offline=offline)
    path = output or refreshed_table()
    save(new.values(), path)
    added = len(new.keys() - old.keys())
    click.echo(f"{path}: {len(new):,} instance types, {added:,} new; {_prices_text(new.values())}")


def _priced(
    types: Mapping[str, InstanceType], file: Path | None, *, offline: bool
) -> Mapping[str, InstanceType]:
    """The types with new prices; without them when they cannot be had, saying why."""
    import time

    from raytui.backends.aws.catalog import PRICED_REGION
    from raytui.backends.aws.catalog_refresh import dated, read_prices, with_prices
    from raytui.backends.aws.prices import on_demand_prices, pricing_session
    from raytui.backends.base import ProviderError

    if file is not None:
        try:
            return with_prices(types, read_prices(file.read_text("utf-8")))
        except ValueError as error:
            raise CommandFailed(ExitCode.USAGE, f"{file}: {error}") from error
    if offline:
        return types
    try:
        told = on_demand_prices(pricing_session({}), PRICED_REGION, time.time())
    except ProviderError as error:
        click.echo(f"prices stay as they were: {error}", err=True)
        return types
    return with_prices(types, dated(told))


def _prices_text(types: Iterable[InstanceType]) -> str:
    from raytui.model.text import count_text

    days = [one.priced_on for one in types if one.priced_on]
    if not days:
        return "no price is known; `raytui catalog refresh` asks AWS"
    span = min(days) if min(days) == max(days) else f"{min(days)} to {max(days)}"
    return f"{count_text(len(days), 'price')}, on demand in us-east-1, of {span}"


def _print_table(found: list[InstanceType], order: Order) -> None:
    from raytui.cli.report_text import table

    titles = (
        "type", "vCPU", "memory", "accelerator", "Gbit/s", "NVMe", "cpu", "$/h", _unit_title(order),
    )  # fmt: skip
    rows = [_cells(one, order) for one in found]
    for line in table(titles, rows, right=(1, 2, 4, 5, 7, 8)):
        click.echo(line)
    click.echo(_prices_text(found), err=True)


def _unit_title(order: Order) -> str:
    return {"cpu": "$/vCPU", "memory": "$/GiB", "gpu": "$/GPU"}.get(order.value, "")


def _cells(one: InstanceType, order: Order) -> tuple[str, ...]:
    from raytui.backends.aws.catalog_search import GIB, per_unit
    from raytui.model.text import bytes_text

    accelerator = ""
    if one.accelerators:
        memory = bytes_text(one.accelerator_memory)
        accelerator = f"{one.accelerators} × {one.accelerator} {memory}"
    burst = one.network_peak_gbps > one.network_gbps
    network = f"{one.network_gbps:g}" + (f" ≤ {one.network_peak_gbps:g}" if burst else "")
    return (
        one.name,
        str(one.vcpus),
        f"{one.memory / GIB:g} GiB",
        accelerator,
        network,
        f"{one.nvme / 1e9:,.0f} GB" if one.nvme else "",
        "arm64" if one.architecture == "arm64" else "x86",
        _usd(one.price_per_hour),
        _usd(per_unit(one, order)) if _unit_title(order) else "",
    )


def _usd(amount: float | None) -> str:
    return "–" if amount is None else f"{amount:.4f}"


def _print_json(found: list[InstanceType], types: Mapping[str, InstanceType]) -> None:
    import msgspec

    from raytui.backends.aws.catalog_lineage import successor

    families = {one.family for one in types.values()}
    after = {family: successor(family, families) for family in {one.family for one in found}}
    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "family": one.family,
            "successor": after[one.family],
            "vcpus": one.vcpus,
            "memory": one.memory,
            "architecture": one.architecture,
            "accelerator": one.accelerator,
            "accelerators": one.accelerators,
            "accelerator_memory": one.accelerator_memory,
            "neuron_cores": one.neuron_cores,
            "network_gbps": one.network_gbps,
            "network_peak_gbps": one.network_peak_gbps,
            "nvme": one.nvme,
            "efa": one.efa,
            "burstable": one.burstable,
            "bare_metal": one.bare_metal,
            "current": one.current,
            "price_per_hour": one.price_per_hour,
            "priced_on": one.priced_on or None,
        }
        for one in found
    ]
    click.echo(msgspec.json.encode(rows).decode())
