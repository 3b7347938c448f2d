"""Makes nodes of bare machines in the background: the provider of an autoscaler on a head."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from raytui.backends.abilities import (
    WorksInBackground,
    cleaned,
    filled,
    listing_age_s,
    look_again,
    notices_of,
)
from raytui.backends.base import (
    ConfigError,
    LaunchRequest,
    Machines,
    PartialLaunchError,
    ProviderError,
    TransientError,
)
from raytui.backends.last_lines import last_lines
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import COUNTED, InstanceStatus
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance
from raytui.model.step import Step
from raytui.provisioning import head_process
from raytui.provisioning.deciding import Restarts
from raytui.provisioning.making import Making, Task
from raytui.provisioning.mounted_files import MountedFiles
from raytui.provisioning.node_setup import NodeSetup, worker_setup
from raytui.provisioning.node_tags import ray_started_in
from raytui.provisioning.old_outputs import clear_old_outputs
from raytui.provisioning.shown_steps import ShownSteps

_log = logging.getLogger(__name__)

AT_ONCE = 50
"""Nodes that are set up side by side; more would only wait for this machine's network."""

_LOOK_EVERY_S = 0.5
_STOP_WITHIN_S = 20.0

_ENDED_KNOWN = 10_000
"""A listing that is older than their end may still have them."""

_TURN = "waits for its turn"
_BY_ITSELF = "sets itself up"


class Provisioner:
    """A HeadProvider over bare machines that also SetsUpNodes.

    Nothing is set up before `start`: who only lists and terminates need not. All methods may be
    called from any thread.
    """

    def __init__(self, spec: ClusterSpec, machines: Machines, paths: ClusterPaths) -> None:
        self._spec = spec
        self._machines = machines
        self._directory = paths.dir / "setup"
        self._edition = 0
        """Of the cluster file: how often it was read anew."""
        self._files = MountedFiles()
        self._shown = ShownSteps()
        self._makings: dict[str, Making] = {}
        self._ended: dict[str, None] = {}
        self._last_head: Instance | None = None
        self._at_work: dict[str, Future[None]] = {}
        self._lock = threading.RLock()
        self._pool: ThreadPoolExecutor | None = None
        self._closing = threading.Event()
        self._compare = threading.Event()
        """Somebody may be out of line with the cluster file."""

    # The life of it.

    def start(self) -> None:
        """Set nodes up from now on; what an earlier process left undone is taken up again."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="set-up")
                self._compare.set()
                threading.Thread(target=self._mind, name="set-ups", daemon=True).start()
        if isinstance(self._machines, WorksInBackground):
            self._machines.start()

    def close(self) -> None:
        """End what is under way, which the next `start` takes up again; nodes stay as they are."""
        self._closing.set()
        with self._lock:
            pool, self._pool = self._pool, None
            makings = list(self._makings.values())
        self._stop(makings)
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(self._machines, WorksInBackground):
            self._machines.close()

    # NodeProvider.

    def list_instances(self) -> list[Instance]:
        """See NodeProvider; workers as far as their set-up is."""
        listed = self._machines.list_instances()
        self._look_after(listed)
        return [self._as_known(instance) for instance in listed]

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """Get machines, and begin to make nodes of them."""
        try:
            launched = self._machines.launch(request)
        except PartialLaunchError as error:
            self._look_after(error.launched)
            raise
        self._look_after(launched)
        return [self._as_known(instance) for instance in launched]

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End what is under way on these machines, then give them back."""
        with self._lock:
            known = [self._makings[i] for i in instance_ids if i in self._makings]
        self._stop(known)
        self._machines.terminate(instance_ids)
        with self._lock:
            for instance_id in instance_ids:
                self._makings.pop(instance_id, None)
                self._at_work.pop(instance_id, None)
                self._ended[instance_id] = None
            for oldest in list(self._ended)[:-_ENDED_KNOWN]:
                del self._ended[oldest]
            alive = {making.folder for making in self._makings.values()}
        failed = {making.instance_id for making in known if making.given_up}
        for instance_id in instance_ids:
            if instance_id in failed:
                self._shown.finish(instance_id)  # so that people can see why for a while
            else:
                self._shown.forget(instance_id)
        clear_old_outputs(self._directory, alive)

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """See NodeProvider."""
        return self._machines.offerings(node_type)

    def reload(self, spec: ClusterSpec) -> None:
        """See NodeProvider."""
        with self._lock:
            self._spec = spec
            self._edition += 1
            for making in self._makings.values():
                making.try_now()
        self._machines.reload(spec)
        self._compare.set()

    def fill(self, spec: ClusterSpec) -> ClusterSpec:
        """See KnowsItsMachines."""
        return filled(self._machines, spec)

    def notices(self) -> list[str]:
        """See KnowsItsMachines."""
        return notices_of(self._machines)

    def clean(self) -> list[str]:
        """See KnowsItsMachines."""
        return cleaned(self._machines)

    def listing_age_s(self) -> float:
        """See KeepsItsListing."""
        return listing_age_s(self._machines)

    def look_again(self, *, at_once: bool = False) -> None:
        """See KeepsItsListing."""
        look_again(self._machines, at_once=at_once)

    # HeadProvider.

    def head_address(self) -> str:
        """See HeadProvider."""
        head = self._head()
        return head_process.gcs_address(head.instance_id) if head is not None else ""

    def dashboard_url(self) -> str:
        """See HeadProvider."""
        head = self._head()
        return head_process.dashboard_url(head.instance_id) if head is not None else ""

    def _head(self) -> Instance | None:
        """The head, which is this machine; as it was when the machines cannot be asked for now."""
        try:
            listed = self._machines.list_instances()
        except ProviderError:
            if self._last_head is None:
                raise
        else:
            self._last_head = next((i for i in listed if i.is_head), None)
        return self._last_head

    # SetsUpNodes.

    def steps(self) -> Sequence[Step]:
        """See SetsUpNodes."""
        return self._shown.all()

    def step_output(self, node: str, name: str, lines: int) -> list[str]:
        """See SetsUpNodes."""
        step = self._shown.find(node, name)
        if step is None or not step.output:
            return []
        try:
            return last_lines(Path(step.output), lines)
        except OSError:
            return []

    def retry(self, instance_ids: Sequence[str]) -> list[str]:
        """See SetsUpNodes."""
        with self._lock:
            tried = [i for i in instance_ids if i in self._makings and self._makings[i].try_now()]
        self._submit_due()
        return tried

    # Behind the doors.

    def _mind(self) -> None:
        """Begin what is due, as long as this lives."""
        while not self._closing.wait(_LOOK_EVERY_S):
            try:
                if self._files.changed(self._spec.files):
                    self._compare.set()
                if self._compare.is_set():
                    self._compare.clear()
                    self._bring_in_line()
                self._submit_due()
            except (ProviderError, OSError) as error:
                _log.warning("set-ups cannot be looked after: %s", error)
            except Exception:  # The next look may do better.
                _log.exception("looking after set-ups failed")

    def _look_after(self, instances: Iterable[Instance]) -> None:
        """Take up workers that nobody works on yet."""
        with self._lock:
            if self._pool is None or self._sets_itself_up:
                return
            for instance in instances:
                name = instance.instance_id
                if instance.is_head or instance.status not in COUNTED:
                    continue
                if not instance.ip:  # just bought; the next listing tells
                    continue
                if name not in self._makings and name not in self._ended:
                    making = Making(instance, self._machines, self._directory, self._shown)
                    self._makings[name] = making
                    self._compare.set()
        self._submit_due()

    def _submit_due(self) -> None:
        with self._lock:
            for name, making in self._makings.items():
                if making.try_at is None:  # as most of a thousand, twice a second
                    continue
                if self._pool is not None and name not in self._at_work and making.is_due:
                    self._at_work[name] = self._pool.submit(self._work, making)

    def _work(self, making: Making) -> None:
        edition = self._edition
        try:
            making.work(lambda: self._task(making))
        finally:
            with self._lock:
                self._at_work.pop(making.instance_id, None)
            if self._edition != edition:
                self._compare.set()

    def _task(self, making: Making) -> Task:
        """What a worker is to become; raises OSError and ProviderError."""
        with self._lock:
            spec, edition = self._spec, self._edition
        return Task(
            self._setup(spec, making.node_type, making.instance_id, making.instance_type),
            spec.cluster_name,
            edition,
            Restarts(no_restart=spec.no_restart),
            is_new=spec.provider.type != "local",
            only_files_move=spec.files.file_mounts_sync_continuously,
        )

    def _setup(
        self, spec: ClusterSpec, node_type: str, instance_id: str = "", instance_type: str = ""
    ) -> NodeSetup:
        head = self._head()
        if head is None:
            raise TransientError("there is no head to join")
        if node_type not in spec.node_types:
            raise ConfigError(f"{node_type} is no node type of {spec.cluster_name} any more")
        kind = spec.node_types[node_type]
        return worker_setup(spec, kind, instance_id, head.ip, instance_type)

    def _bring_in_line(self) -> None:
        """Find the nodes that are not as the cluster file says, to be worked on."""
        self.list_instances()  # at the start nobody else may have asked yet
        with self._lock:
            spec, edition = self._spec, self._edition
            settled = [
                making
                for name, making in self._makings.items()
                if making.is_settled and name not in self._at_work
            ]
        for node_type in {m.node_type for m in settled} & set(spec.node_types):
            wanted = self._setup(spec, node_type).hashes
            for making in settled:
                if making.node_type == node_type:
                    making.compare(wanted, edition)

    def _stop(self, makings: Sequence[Making]) -> None:
        """End what is under way on these, all at once, within a bounded time."""
        for making in makings:
            making.stop()
        deadline = time.monotonic() + _STOP_WITHIN_S
        with self._lock:
            at_work = {
                m: self._at_work[m.instance_id] for m in makings if m.instance_id in self._at_work
            }
        if not at_work:
            return
        closing = ThreadPoolExecutor(len(at_work), thread_name_prefix="stop set-up")
        for making, future in at_work.items():
            closing.submit(making.close_until, future, deadline)
        closing.shutdown()

    def _as_known(self, instance: Instance) -> Instance:
        if instance.is_head or instance.status not in COUNTED:
            return instance
        name = instance.instance_id
        replace = msgspec.structs.replace
        if self._sets_itself_up:
            return replace(instance, status=InstanceStatus.SETTING_UP, detail=_BY_ITSELF)
        with self._lock:
            making = self._makings.get(name)
        if making is None:
            started_at = ray_started_in(self._machines.tags(name))
            return replace(instance, ray_started_at=started_at)
        if making.given_up and making.is_fresh:
            return replace(instance, status=InstanceStatus.LOST, detail=making.given_up)
        return replace(
            instance,
            status=InstanceStatus.SETTING_UP,
            ray_started_at=making.ray_started_at,
            detail=self._shown.newest(name) or (_TURN if making.is_fresh else instance.detail),
        )

    @property
    def _sets_itself_up(self) -> bool:
        return bool(self._spec.provider.options.get("disable_node_updaters"))
