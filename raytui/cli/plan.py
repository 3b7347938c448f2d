"""`raytui plan`: what the autoscaler would do now, and why; nothing is acted on."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import Meant, meant_elsewhere, target_of
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed, unreachable

if TYPE_CHECKING:
    from raytui.model.plan import Memory
    from raytui.model.spec import ClusterSpec
    from raytui.model.state import ClusterState, Demand

MOST_BYTES = 128 << 20
"""Largest state file that is read."""
MOST_SHAPES = 1_000
"""Most different requests that are planned for at once; how many of each does not matter."""
MOST_GROUPS = 5_000
_COUNTED = re.compile(r"\s*(\{.*\})\s*(?:[*x×]\s*(\d{1,12})\s*)?", re.DOTALL)


@click.command()
@click.argument("cluster", required=False, metavar="[CLUSTER]")
@click.option("--config", metavar="CLUSTER", help="The same as CLUSTER.")
@click.option("--state", metavar="FILE", help="Plan for this state instead of a live cluster.")
@click.option("--demand", multiple=True, metavar="JSON", help="""Add '{"CPU": 4}*100'.""")
@click.option("--now", type=float, metavar="T", help="Plan as if at T (unix seconds).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as docs/plan.md says.")
def plan(
    cluster: str | None,
    config: str | None,
    state: str | None,
    demand: tuple[str, ...],
    now: float | None,
    as_json: bool,
) -> int:
    """Print what the autoscaler would launch and remove, and why; do nothing.

    Without --state the live cluster is asked. FILE is Ray's ClusterResourceState as protobuf's
    JSON, `-` for stdin; then neither Ray nor a cluster is needed. docs/plan.md tells more.
    """
    from raytui.autoscaler.planning.planner import plan as plan_for
    from raytui.provisioning.registry import unheeded
    from raytui.provisioning.target import cluster_of

    if cluster and config:
        raise click.UsageError("name the cluster once: CLUSTER or --config CLUSTER")
    at = time.time() if now is None else now
    if not 1 <= at <= 1e12:  # so nan is refused, too
        raise click.BadParameter("a moment is at least 1 second after 1970", param_hint="--now")
    added = tuple(_demand(text) for text in demand)
    target = target_of(cluster or config)
    there = None if state else meant_elsewhere(target)
    if there is not None:
        return _plan_there(there, target, demand, now, as_json)
    spec = cluster_of(target)
    for words in unheeded(spec):
        click.echo(f"note: {words}", err=True)
    spec, found, memory = _from_file(state, spec, at) if state else _live(target, spec, at)
    found = _with_demands(found, added)
    _refuse_size(found)

    started = time.perf_counter()
    decided = plan_for(found, spec, memory, at)
    solve_ms = (time.perf_counter() - started) * 1000
    if as_json:
        from raytui.cli.plan_report import report_of
        from raytui.model.codec import encode

        click.echo(encode(report_of(decided, found, at, solve_ms)).decode())
    else:
        from raytui.cli.plan_text import plan_text

        click.echo(plan_text(decided, found, at, solve_ms))
    return ExitCode.OK


def _plan_there(
    found: Meant, target: str, demand: tuple[str, ...], now: float | None, as_json: bool
) -> int:
    """Of a cluster elsewhere the head knows more: its state, and what its machines have."""
    from raytui.cli.on_head import name_there, run_on_head
    from raytui.provisioning.target import cluster_of

    name = found.spec.cluster_name
    if found.launched and cluster_of(target) != found.spec:
        raise CommandFailed(
            ExitCode.USAGE,
            f"{target} is not what {name} was launched as; of a cluster elsewhere only what runs "
            "there can be planned for, or a saved --state",
        )
    words = [
        "plan",
        name_there(found.spec),
        *(word for one in demand for word in ("--demand", one)),
    ]
    words += [] if now is None else ["--now", repr(now)]
    return run_on_head(found, *words, *(["--json"] if as_json else []))


def _from_file(
    name: str, spec: ClusterSpec, now: float
) -> tuple[ClusterSpec, ClusterState, Memory]:
    from raytui.config.problems import shown
    from raytui.model.plan import Memory
    from raytui.provisioning.registry import completed_offline
    from raytui.ray.state_json import read_state

    file = read_state(_bytes_of(name), name, now, spec.head_node_type)
    if file.unknown:
        keys = ", ".join(shown(key)[:60] for key in file.unknown[:10])
        more = "…" if len(file.unknown) > 10 else ""
        click.echo(f"{name}: left out keys that mean nothing here: {keys}{more}", err=True)
    return completed_offline(spec, now), file.state, Memory()


def _bytes_of(name: str) -> bytes:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise click.BadParameter(f"{name}: {reason}", param_hint="--state") from None
    if len(data) > MOST_BYTES:
        raise _refused(f"{name} is larger than {MOST_BYTES >> 20} MiB")
    return data


def _live(target: str, spec: ClusterSpec, now: float) -> tuple[ClusterSpec, ClusterState, Memory]:
    from raytui.autoscaler.loop.current import observe_once
    from raytui.config.launched import recall
    from raytui.config.locations import ClusterPaths
    from raytui.ray.base import RayError

    paths = ClusterPaths(spec.state_name)
    launched = recall(paths)
    if launched is None:
        raise unreachable(f"{spec.cluster_name} is not running; start it: raytui up {target}")
    try:
        return observe_once(launched, spec, paths, now)
    except RayError as error:
        raise unreachable(f"{spec.cluster_name}: {error}") from None


def _demand(text: str) -> Demand:
    """`{"CPU": 4}*100` as a Demand; raises BadParameter."""
    import msgspec

    from raytui.model.resources import Resources
    from raytui.model.state import Demand
    from raytui.ray.message_json import AMOUNT, WrongValueError, mapping

    found = _COUNTED.fullmatch(text)
    wrong = f"{text!r} is no demand"
    try:
        if found is None:
            raise WrongValueError("""write '{"CPU": 4}' or '{"CPU": 4}*100'""")
        tree = msgspec.json.decode(found[1].encode(errors="replace"))
        shape = Resources.of(mapping(AMOUNT).read(tree, set()))
    except WrongValueError as error:
        found_wrong = "; ".join(
            f"{one} in {one.path[0]}" if one.path else str(one) for one in error.all
        )
        raise click.BadParameter(f"{wrong}: {found_wrong}", param_hint="--demand") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise click.BadParameter(f"{wrong}: {error}", param_hint="--demand") from None
    return Demand(shape, int(found[2] or 1))


def _with_demands(state: ClusterState, added: tuple[Demand, ...]) -> ClusterState:
    """The state with more demand; a shape that waits already counts more."""
    from msgspec.structs import replace

    merged = {(demand.resources, demand.selectors): demand for demand in state.demands}
    for demand in added:
        key = (demand.resources, demand.selectors)
        before = merged[key].count if key in merged else 0
        if before + demand.count:
            merged[key] = replace(demand, count=before + demand.count)
    return replace(state, demands=tuple(merged.values()))


def _refuse_size(state: ClusterState) -> None:
    """Refuse what would take minutes: the cost of a plan grows with the number of shapes."""
    bundles = {bundle for constraint in state.constraints for bundle, _ in constraint.bundles}
    in_groups = {bundle for gang in state.gangs for way in gang.ways for bundle in way}
    sizes = {
        "different shapes of pending demand": (len(state.demands), MOST_SHAPES),
        "different bundles of placement groups": (len(in_groups), MOST_SHAPES),
        "different bundles of request_resources": (len(bundles), MOST_SHAPES),
        "placement groups": (len(state.gangs), MOST_GROUPS),
        "calls of request_resources": (len(state.constraints), MOST_SHAPES),
    }
    for what, (count, most) in sizes.items():
        if count > most:
            raise _refused(f"{count:,} {what}; at most {most:,} can be planned for at once")


def _refused(message: str) -> CommandFailed:
    return CommandFailed(ExitCode.USAGE, message)
