"""What `up` would do, told without doing any of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from raytui.backends.base import ProviderError
from raytui.config.bootstrap_files import BOOTSTRAP_FILES
from raytui.config.locations import ClusterPaths
from raytui.launcher.dry_run_bought import (
    Market,
    cost_lines,
    head_line,
    look_around,
    needs_lines,
    shortage_lines,
    ways_lines,
)
from raytui.launcher.head_notes import HeadRecord, read_record
from raytui.launcher.head_place import HeadPlace, head_place
from raytui.launcher.options import UpOptions
from raytui.launcher.place import Place, place_of
from raytui.launcher.reach import HeadReach
from raytui.launcher.worker_keys import unknown_hosts
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError
from raytui.model.text import count_text
from raytui.provisioning.bootstrap import bootstrap_files
from raytui.provisioning.deciding import Change, Work, decide
from raytui.provisioning.login import wait_for_login
from raytui.provisioning.node_setup import (
    CopyFiles,
    RunCommand,
    SetupStep,
    head_setup,
    worker_setup,
)
from raytui.provisioning.progress import step
from raytui.provisioning.registry import cloud_for, unheeded

_WHY = {
    Change.SET_UP: "it was never set up, or the file, a mount or a command has changed",
    Change.RESYNC: "only what is in the mounted files has changed",
    Change.NOTHING: "it is as the file says",
}

_OUR_OWN = ("install raytui", "end the old Ray", "watch for interruption")
"""Steps whose commands are long scripts of ours."""
_FROM_BARE = Work(Change.SET_UP, setup_commands=True, start_ray=True)


def what_up_would_do(spec: ClusterSpec, options: UpOptions) -> Iterator[str]:
    """Lines for a person. The head is asked what it was made from, if it lets us in.

    Raises LaunchError when a file that is to be copied cannot be read, or a cloud not be asked.
    """
    yield f"{spec.cluster_name}: provider {spec.provider.type}, at most {spec.max_workers} workers"
    yield from (f"note: {words}" for words in unheeded(spec))
    if place_of(spec) is Place.HERE:
        yield f"head: {spec.head_node_type}, on this machine"
        yield from _workers(spec)
        return
    paths = ClusterPaths(spec.state_name)
    cloud = cloud_for(spec)
    try:
        if cloud:
            yield from _bought(look_around(spec, paths, cloud), paths, options)
        else:
            place = head_place(spec, paths)
            record, state = _ask(spec, paths, place)
            yield f"head {place.address}: {state}"
            yield from _head_steps(spec, record, options, place.instance_id, spec)
            if unknown := unknown_hosts(spec, paths):
                keys = count_text(len(unknown), "host key")
                yield f"{keys} unknown: {', '.join(unknown)} (raytui trust)"
            yield from _workers(spec, place.instance_id)
    except (OSError, ProviderError) as error:
        raise LaunchError(str(error), getattr(error, "detail", "")) from error


def _bought(market: Market, paths: ClusterPaths, options: UpOptions) -> Iterator[str]:
    yield from needs_lines(market)
    spec = _without_key_to_be_made(market.filled)
    record, state = HeadRecord(), "it has no address yet" if market.head else ""
    if market.place:
        record, state = _ask(spec, paths, market.place)
    yield "; ".join(filter(None, (head_line(market), state)))
    yield from ways_lines(market, spec.node_types[spec.head_node_type])
    head_id = market.place.instance_id if market.place else ""
    yield from _head_steps(spec, record, options, head_id, market.written)
    for kind in spec.worker_types:
        yield f"workers {kind.name}: {kind.min_workers} to {kind.max_workers}"
        yield from ways_lines(market, kind)
        yield from map(_line, worker_setup(spec, kind, "", "").steps(_FROM_BARE))
    yield from cost_lines(market)
    yield from shortage_lines(market)


def _without_key_to_be_made(spec: ClusterSpec) -> ClusterSpec:
    key = spec.auth.ssh_private_key
    if not key or Path(key).expanduser().exists():
        return spec
    return msgspec.structs.replace(
        spec, auth=msgspec.structs.replace(spec.auth, ssh_private_key="")
    )


def _workers(spec: ClusterSpec, head: str = "") -> Iterator[str]:
    for kind in spec.worker_types:
        pool = spec.pools.get(kind.name)
        where = f" on {', '.join(pool.hosts)}" if pool else ""
        yield f"workers {kind.name}: {kind.min_workers} to {kind.max_workers}{where}"
        if head:
            yield from map(_line, worker_setup(spec, kind, "", head).steps(_FROM_BARE))


def _head_steps(
    spec: ClusterSpec, record: HeadRecord, options: UpOptions, head_id: str, written: ClusterSpec
) -> Iterator[str]:
    with bootstrap_files(spec) as files:
        setup = head_setup(
            spec,
            head_id,
            bootstrap=files,
            own_program=True,
            rays_autoscaler=options.rays_autoscaler,
            as_written=written,
        )
    known = msgspec.structs.replace(record.hashes, launch="")
    work = decide(known, setup.hashes, is_head=True, restarts=options.restarts)
    yield f"  {work.change}: {_WHY[work.change]}"
    yield from (f"  note: {notice}" for notice in setup.notices)
    yield from map(_line, setup.steps(work))
    yield "  start the autoscaler"


def _ask(spec: ClusterSpec, paths: ClusterPaths, place: HeadPlace) -> tuple[HeadRecord, str]:
    """What the head has written down, and how it is, or why it could not be asked."""
    try:
        with HeadReach(spec, paths, place) as reach:
            with step(lambda _: None, "reach the head") as progress:
                wait_for_login(reach.host, progress, threading.Event(), within_s=0.0)
            record = read_record(reach.host, spec.cluster_name)
            return record, "it is up" if record.is_up else "it is not up"
    except (LaunchError, ProviderError) as error:
        return HeadRecord(), f"it could not be asked ({error})"


def _line(one: SetupStep) -> str:
    match one.action:
        case RunCommand(text) if one.name in _OUR_OWN:
            return f"  {one.name}"
        case RunCommand(text):
            return f"  {one.name}: {' '.join(text.split())}"
        case CopyFiles(source, target):
            # The bootstrap files are made for the moment.
            made = target in BOOTSTRAP_FILES
            return f"  {one.name}" if made else f"  {one.name} from {source}"
        case _:
            return f"  {one.name}"
