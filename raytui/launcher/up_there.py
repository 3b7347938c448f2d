"""Bring a cluster up whose machines are elsewhere: its head from here, the rest from its head."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec

from raytui.backends.base import ProviderError
from raytui.backends.marked_processes import find_argv, instance_mark
from raytui.config.bootstrap_files import CONFIG
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from raytui.launcher.at_the_head import alone, at_the_head
from raytui.launcher.bought_head import BoughtHead, bought_head
from raytui.launcher.first_nodes import SET_UP_WAIT_S
from raytui.launcher.head_notes import HeadRecord, read_record, write_record
from raytui.launcher.head_place import head_place
from raytui.launcher.options import UpOptions
from raytui.launcher.reach import HeadReach
from raytui.launcher.told_steps import run_on_head
from raytui.launcher.worker_keys import known_hosts_for_head, worker_hosts
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, StepSink
from raytui.model.text import first_line
from raytui.provisioning.bootstrap import bootstrap_files
from raytui.provisioning.deciding import Restarts
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.login import PATIENT, PATIENT_WITH_NEW
from raytui.provisioning.node_setup import head_setup
from raytui.provisioning.node_tags import failed, half_done, made_from
from raytui.provisioning.node_update import NodeUpdate, update_node
from raytui.provisioning.own_install import probe_command
from raytui.provisioning.own_wheel import extras_for, write_wheels
from raytui.provisioning.progress import step
from raytui.provisioning.registry import cloud_for, unheeded

_ASK_S = 60.0
_DAEMON_WAIT_S = 180.0
"""For the autoscaler on the head to greet; its own limit is shorter, and has better words."""


def up_there(spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink, options: UpOptions) -> None:
    """Bring the cluster up, or complete what is half up, telling each step to `on_step`.

    A second call goes on where one ended that failed or was killed. Raises LaunchError.
    """
    paths.make()
    try:
        with alone(paths, "up"):
            _up_there(spec, paths, on_step, options)
    except (ProviderError, OSError) as error:
        raise LaunchError(str(error), getattr(error, "detail", "")) from error


def _up_there(
    spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink, options: UpOptions
) -> None:
    notes = unheeded(spec)
    for number, words in enumerate(notes, 1):
        with step(on_step, f"note {number}/{len(notes)}") as progress:
            progress.skip(words)
    cloud = cloud_for(spec)
    bought = bought_head(spec, paths, cloud, on_step, options) if cloud else None
    if bought and bought.is_new:
        options = msgspec.structs.replace(options, login_within_s=options.boot_within_s)
    patient = PATIENT_WITH_NEW if bought and bought.is_new else PATIENT
    within_s = options.login_within_s
    with at_the_head(spec, paths, "up", on_step, within_s, patient) as reach:
        _Launch(spec, paths, reach, on_step, options, bought).to_the_end()


class _Launch:
    """One `up`, from a head that lets us in to the first nodes."""

    def __init__(
        self,
        written: ClusterSpec,
        paths: ClusterPaths,
        reach: HeadReach,
        on_step: StepSink,
        options: UpOptions,
        bought: BoughtHead | None,
    ) -> None:
        self._written = written
        """As a person wrote it."""
        self._spec = bought.spec if bought else written
        self._bought = bought
        self._head_id = head_place(written, paths).instance_id
        self._paths = paths
        self._reach = reach
        self._on_step = on_step
        self._options = options
        self._known = read_record(reach.host, written.cluster_name)

    def to_the_end(self) -> None:
        """See `up_there`."""
        keys = self._worker_keys() if worker_hosts(self._spec) else ""
        restarts = msgspec.structs.replace(
            self._options.restarts, no_restart=self._ray_runs() and self._leaves_ray()
        )
        if not self._bought:
            remember(self._paths, self._written)
        self._tag(half_done())
        hashes = self._set_head_up(keys, restarts)
        self._note(HeadRecord(hashes))
        self._start_autoscaler()
        self._follow_first_nodes()
        self._note(HeadRecord(hashes, is_up=True))
        self._tag(made_from(hashes, time.time()))

    def _tag(self, written: Mapping[str, str]) -> None:
        """Write down with a machine that was bought, for all who look at the cloud."""
        if self._bought:
            self._bought.tag(written)

    def _worker_keys(self) -> str:
        with step(self._on_step, "check host keys") as progress:
            return known_hosts_for_head(
                self._spec, self._paths, self._reach, progress, self._options.trust
            )

    def _ray_runs(self) -> bool:
        """Whether GCS runs on the head, as this cluster's."""
        argv = find_argv(instance_mark(self._head_id), "gcs_server")
        answer = self._reach.inside.run(argv, timeout_s=_ASK_S)
        return not answer.exit_code and bool(answer.output.strip())

    def _leaves_ray(self) -> bool:
        """Whether a Ray that runs is left as it is; raises LaunchError when nobody agrees.

        Nothing is started twice by an `up` that completes another.
        """
        if self._asks_no_restart() or not self._known.is_up:
            return True
        if self._options.ask is None:
            return True
        name = self._spec.cluster_name
        if not self._options.ask(f"{name} is up. Its Ray is started again, and running jobs end."):
            raise LaunchError(f"{name} was left as it was")
        return False

    def _asks_no_restart(self) -> bool:
        return self._options.restarts.no_restart or self._spec.no_restart

    def _set_head_up(self, known_hosts: str, restarts: Restarts) -> NodeHashes:
        with ExitStack() as stack:
            files = stack.enter_context(
                bootstrap_files(
                    self._spec, known_hosts=known_hosts, no_restart=self._asks_no_restart()
                )
            )
            setup = head_setup(
                self._spec,
                self._head_id,
                bootstrap=files,
                own_program=True,
                wheels=self._wheels(stack),
                rays_autoscaler=self._options.rays_autoscaler,
                as_written=self._written,
            )
            if setup.notices:
                with step(self._on_step, "read the start commands") as progress:
                    progress.say("; ".join(setup.notices))
            update = NodeUpdate(
                setup,
                self._reach.host,
                self._spec.cluster_name,
                # Another launch hash means another machine, and by now this is the one.
                msgspec.structs.replace(self._known.hashes, launch=""),
                is_new=bool(self._bought and self._bought.is_new),
                restarts=restarts,
            )
            updated = update_node(
                update,
                self._paths.dir / "setup",
                self._on_step,
                login_within_s=self._options.login_within_s,
            )
        if updated.error:
            self._tag(failed())
            raise LaunchError(f"the head is not set up: {updated.error}", updated.detail)
        return updated.hashes

    def _wheels(self, stack: ExitStack) -> str:
        """A directory with wheels, or empty when the head needs none."""
        with step(self._on_step, "pack raytui") as progress:
            extras = extras_for(self._spec)
            answer = self._reach.inside.run_shell(probe_command(extras), timeout_s=_ASK_S)
            words = answer.output.split()
            if words[-1:] == ["same"]:
                progress.skip("the head has it")
                return ""
            if words[-1:] == ["index"]:
                progress.skip("the head gets it from its index")
                return ""
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="raytui-wheels-"))
            wheels = write_wheels(Path(directory), extras)
            size = sum(wheel.stat().st_size for wheel in wheels)
            progress.say(f"{len(wheels)} wheels, {size / 1e6:.0f} MB")
            return directory

    def _start_autoscaler(self) -> None:
        words = ["daemon", "start", CONFIG]
        if self._options.rays_autoscaler:
            words.append("--watch-only")
        self._tell(words, _DAEMON_WAIT_S)

    def _follow_first_nodes(self) -> None:
        """A cut now is no failure of the launch: the autoscaler goes on without us."""
        words = ["daemon", "follow-setup", self._spec.cluster_name]
        try:
            self._tell(words, SET_UP_WAIT_S + _ASK_S)
        except ProviderError as error:
            if error.kind not in PATIENT:
                raise
            with step(self._on_step, "wait for the first nodes") as progress:
                progress.skip(f"{first_line(str(error))} The autoscaler goes on")

    def _tell(self, words: list[str], timeout_s: float) -> None:
        """Have raytui on the head do something and tell its steps; raises LaunchError."""
        answer = run_on_head(self._reach.inside, words, self._on_step, timeout_s=timeout_s)
        if answer.exit_code:
            said = answer.output.strip().removeprefix("raytui: ")
            why = first_line(said) or f"exit code {answer.exit_code}"
            raise LaunchError(f"on the head: {why}", said)

    def _note(self, record: HeadRecord) -> None:
        write_record(self._reach.host, self._spec.cluster_name, record)
