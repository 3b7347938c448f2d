"""`raytui orphans`: what clusters have left behind on AWS, what it costs, and ending it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click

from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed

if TYPE_CHECKING:
    from raytui.backends.aws.orphans import Orphan, Seen
    from raytui.backends.aws.session import AwsSession

_SURE_UP_TO = 3
"""So many are ended for a `y`; for more the number is to be typed."""
_AT_ONCE = 8
_ANY_REGION = "us-east-1"
"""Where the list of regions is asked for when no region is set."""


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--region", "regions", multiple=True, help="Look here only; may be repeated.")
@click.option("--all-regions", is_flag=True, help="Look in all regions of the account.")
@click.option("--profile", default="", help="Credentials of this AWS profile.")
@click.option(
    "--end", "ends", is_flag=True, help="Terminate the instances and volumes named by ID."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array (docs/aws.md).")
def orphans(
    ids: tuple[str, ...],
    regions: tuple[str, ...],
    all_regions: bool,
    profile: str,
    ends: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """List instances and volumes on AWS with a cluster's tags that no cluster owns, and their cost.

    These are instances whose cluster has no running head, all heads but one, and volumes that no
    instance has. Looks in the regions of known clusters and your default one. Nothing is ended but
    what --end names by ID.
    """
    if regions and all_regions:
        raise click.UsageError("--region and --all-regions exclude each other")
    if ends and not ids:
        raise click.UsageError("say what to end: raytui orphans --end ID…")
    if ends and not yes and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; say -y to end without asking")
    looked, troubles = _look(_sessions(regions, profile, all_regions=all_regions))
    for trouble in troubles:
        click.echo(f"raytui: {trouble}", err=True)
    if ends:
        _end(ids, looked, yes)
        return ExitCode.OK
    found, unpriced = _priced((aws, _named(seen.orphans, ids)) for aws, seen in looked)
    for trouble in unpriced:
        click.echo(trouble, err=True)
    _show(found, as_json)
    if not as_json:
        places = ", ".join(sorted({aws.region for aws, _ in looked}))
        _hint(found, f"no orphans in {places}", profile)
    return ExitCode.FAILED if troubles else ExitCode.OK


# Where to look.


def _sessions(regions: Sequence[str], profile: str, *, all_regions: bool) -> list[AwsSession]:
    """A door for each region in which to look; raises ProviderError."""
    from raytui.backends.aws.session import AwsSession
    from raytui.backends.base import ConfigError

    own = AwsSession({"aws_credentials": {"profile_name": profile}} if profile else {})
    if all_regions:
        anywhere = own.in_region(_region_of(own) or _ANY_REGION)
        regions = [one["RegionName"] for one in anywhere.call("ec2", "describe_regions")["Regions"]]
    if regions:
        return [own.in_region(region) for region in dict.fromkeys(regions)]
    doors = {(region, ()): own.in_region(region) for region in (_region_of(own),) if region}
    for options in () if profile else _known_clusters():
        keys = tuple(sorted((options.get("aws_credentials") or {}).items()))
        doors.setdefault((options["region"], keys), AwsSession(options))
    if not doors:
        raise ConfigError("no AWS region: say --region, or --all-regions")
    return list(doors.values())


def _region_of(aws: AwsSession) -> str:
    from raytui.backends.base import ConfigError

    try:
        return aws.region
    except ConfigError:
        return ""


def _known_clusters() -> list[dict[str, Any]]:
    """The `provider` sections of the clusters on AWS that were launched from here."""
    from raytui.config.launched import launched_clusters, recall
    from raytui.config.locations import ClusterPaths

    specs = [recall(ClusterPaths(name)) for name in launched_clusters()]
    return [
        spec.provider.options
        for spec in specs
        if spec is not None and spec.provider.type == "aws" and spec.provider.options.get("region")
    ]


def _known_heads() -> set[str]:
    """EC2's ids of the heads that this machine goes by."""
    from raytui.backends.aws.described import ec2_id
    from raytui.config.locations import ClusterPaths, known_clusters
    from raytui.launcher.head_place import noted_place

    places = [noted_place(ClusterPaths(name)) for name in known_clusters()]
    return {ec2_id(place.instance_id) for place in places if place is not None}


def _look(doors: Sequence[AwsSession]) -> tuple[list[tuple[AwsSession, Seen]], list[str]]:
    """What each region has, and what those said that could not be asked.

    Raises ProviderError when none could be asked.
    """
    from raytui.backends.aws.orphans import look
    from raytui.backends.base import ProviderError

    heads = _known_heads()

    def ask(aws: AwsSession) -> Seen | ProviderError:
        try:
            return look(aws, heads)
        except ProviderError as error:
            return error

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(zip(doors, pool.map(ask, doors), strict=True))
    failed = [(aws, e) for aws, e in answers if isinstance(e, ProviderError)]
    if len(failed) == len(doors):
        raise failed[0][1]
    seen = [(aws, seen) for aws, seen in answers if not isinstance(seen, ProviderError)]
    return seen, [f"{aws.region} could not be asked: {error}" for aws, error in failed]


# What is there.


def _named(orphans: Iterable[Orphan], ids: Sequence[str]) -> list[Orphan]:
    return [orphan for orphan in orphans if not ids or orphan.id in ids]


def _priced(found: Iterable[tuple[AwsSession, list[Orphan]]]) -> tuple[list[Orphan], list[str]]:
    """All of them once, with prices where somebody tells them, and why some are unknown."""
    known: dict[str, Orphan] = {}
    troubles: list[str] = []
    for aws, orphans in found:
        if orphans:
            with_prices, trouble = _priced_in(aws, orphans)
            known.update((orphan.id, orphan) for orphan in with_prices)
            troubles += [f"prices in {aws.region}: {trouble}"] if trouble else []
    return list(known.values()), troubles


def _priced_in(aws: AwsSession, orphans: Sequence[Orphan]) -> tuple[list[Orphan], str]:
    """Those of one region, by AWS, its answers of before, or the catalog."""
    import time

    from raytui.backends.aws.catalog import load
    from raytui.backends.aws.orphans import priced
    from raytui.backends.aws.prices import PRICING_REGION, PriceList, current_prices
    from raytui.backends.aws.volume_prices import volume_prices
    from raytui.backends.base import ProviderError
    from raytui.config.locations import cache_root
    from raytui.model.text import first_line

    pricing = aws.in_region(PRICING_REGION)
    kinds = {orphan.type for orphan in orphans if not orphan.is_volume}
    volumes = {orphan.type for orphan in orphans if orphan.is_volume}
    prices, usd_per_gib = PriceList(aws.region), {}
    if kinds:
        cache = cache_root() / "prices"
        prices = current_prices(aws, pricing, kinds, load(), time.time(), cache)
    trouble = prices.unknown
    try:
        usd_per_gib = volume_prices(pricing, aws.region, volumes)
    except ProviderError as error:
        trouble = trouble or str(error)
    return [priced(one, prices.usd, usd_per_gib) for one in orphans], first_line(trouble)


def _show(found: Sequence[Orphan], as_json: bool) -> None:
    if as_json:
        import time

        import msgspec

        rows = [_row(orphan, time.time()) for orphan in found]
        click.echo(msgspec.json.encode(rows).decode())
        return
    for line in _lines(found):
        click.echo(line)


def _lines(found: Sequence[Orphan]) -> list[str]:
    import time

    from raytui.cli.report_text import table

    titles = ("cluster", "id", "type", "zone", "state", "age", "$/h", "so far", "why")
    now = time.time()
    return table(titles, [_cells(orphan, now) for orphan in found], right=(5, 6, 7))


def _row(orphan: Orphan, now: float) -> dict[str, Any]:
    return {
        "cluster": orphan.cluster,
        "region": orphan.region,
        "id": orphan.id,
        "kind": "volume" if orphan.is_volume else "instance",
        "type": orphan.type,
        "size_gib": orphan.size_gib or None,
        "node_type": orphan.node_type,
        "market": None if orphan.is_volume else orphan.market.value,
        "zone": orphan.zone,
        "state": orphan.state,
        "why": orphan.why.value,
        "since": orphan.since,
        "age_s": max(0.0, now - orphan.since),
        "price_per_hour": orphan.price_per_hour,
        "usd_since": orphan.usd_since(now),
    }


def _cells(orphan: Orphan, now: float) -> tuple[str, ...]:
    from raytui.model.spec import Market
    from raytui.model.text import duration_text, money_text, plain

    more = f" {orphan.size_gib} GiB" if orphan.is_volume else ""
    more += " spot" if orphan.market is Market.SPOT else ""
    spent = orphan.usd_since(now)
    return (
        plain(orphan.cluster),
        orphan.id,
        f"{orphan.type}{more}",
        orphan.zone,
        orphan.state,
        duration_text(now - orphan.since),
        money_text(orphan.price_per_hour),
        "–" if spent is None else f"${spent:,.2f}",
        orphan.why.value,
    )


def _hint(found: Sequence[Orphan], nothing: str, profile: str) -> None:
    """What they cost together, and how to end those of each cluster."""
    from raytui.model.text import count_text, money_text

    if not found:
        click.echo(nothing, err=True)
        return
    known = [o.price_per_hour for o in found if o.price_per_hour is not None]
    cost = money_text(sum(known)) if known else "of unknown price"
    rest = f" and {len(found) - len(known)} of unknown price" if 0 < len(known) < len(found) else ""
    click.echo(f"{count_text(len(found), 'orphan')}, {cost}{rest}", err=True)
    for line in _ways_to_end(found, profile):
        click.echo(line, err=True)


def _ways_to_end(found: Sequence[Orphan], profile: str) -> Iterator[str]:
    from raytui.backends.aws.orphans import Why
    from raytui.model.text import plain

    options = ["--profile", profile] if profile else []
    for cluster, region in dict.fromkeys((o.cluster, o.region) for o in found):
        members = [o for o in found if (o.cluster, o.region) == (cluster, region)]
        heads = [o.id for o in members if o.why is Why.SEVERAL_HEADS]
        others = [o.id for o in members if o.why is not Why.SEVERAL_HEADS]
        words = ["raytui", "orphans", "--region", region, *options, "--end"]
        if heads:
            yield f"{plain(cluster)} has several heads; all but yours: {shlex.join(words)} ID…"
        if others:
            yield f"{plain(cluster)}: {shlex.join([*words, *others])}"


# Ending them.


def _end(ids: Sequence[str], looked: Sequence[tuple[AwsSession, Seen]], yes: bool) -> None:
    """End these and nothing else: they are looked at again when a person has agreed."""
    from raytui.backends.aws.orphans import end, look
    from raytui.model.text import count_text

    chosen = _chosen(ids, looked)
    if not yes:
        _ask(_priced(chosen)[0])
        heads = _known_heads()
        doors = [aws for aws, orphans in chosen if orphans]
        chosen = _chosen(ids, [(aws, look(aws, heads)) for aws in doors])
    for aws, orphans in chosen:
        end(aws, orphans)
    click.echo(f"ended {count_text(len(set(ids)), 'orphan')}", err=True)


def _chosen(
    ids: Sequence[str], looked: Iterable[tuple[AwsSession, Seen]]
) -> list[tuple[AwsSession, list[Orphan]]]:
    """The orphans with these ids, by the door to them; raises CommandFailed if one is none."""
    chosen = []
    lacking = set(ids)
    for aws, seen in looked:
        found = [orphan for orphan in seen.chosen(ids) if orphan.id in lacking]
        chosen.append((aws, found))
        lacking -= {orphan.id for orphan in found}
    if lacking:
        names = ", ".join(sorted(lacking))
        raise CommandFailed(ExitCode.FAILED, f"no orphan: {names}; nothing was ended")
    return chosen


def _ask(found: Sequence[Orphan]) -> None:
    for line in _lines(found):
        click.echo(line, err=True)
    if len(found) <= _SURE_UP_TO:
        click.confirm(f"End {', '.join(o.id for o in found)} for ever?", abort=True, err=True)
        return
    typed = click.prompt(f"To end all {len(found)} for ever, type how many they are", err=True)
    if typed.strip() != str(len(found)):
        raise click.Abort
