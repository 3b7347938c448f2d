"""Real Ray nodes as processes on this machine (`provider.type: fake_multinode`)."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from raytui.backends import local_logs, local_start
from raytui.backends import local_processes as processes
from raytui.backends.base import (
    CapacityError,
    ConfigError,
    LaunchRequest,
    PartialLaunchError,
    ProviderError,
    TransientError,
)
from raytui.backends.local_state import LocalNode, StateFiles
from raytui.config import ray_token
from raytui.config.locations import ClusterPaths, private_dir
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance

_STOP_GRACE_S = 5.0
_STOP_GRACE_STARTING_S = 1.0
"""For a node that has nothing to lose yet; in the midst of starting Ray ignores SIGTERM."""
_HEAD_START_S = 120.0
_HEAD_TRIES = 3
_LOGS_KEPT = 20
_SOCKET_LIMIT = 103
"""Bytes in the path of a Unix socket: 103 on macOS, 107 on Linux."""
_SOCKET_SUFFIX = "/session_2000-01-01_00-00-00_000000_4194304/sockets/plasma_store"
_PORT_TAKEN = re.compile(
    "address already in use|already occupied|already running at|failed to bind"
    "|timed out while waiting for GCS",  # its server ended: something else has its port
    re.IGNORECASE,
)
_STARTED = "Ray runtime started"
_NO_ROOM = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC}


class LocalProvider:
    """Starts and stops Ray nodes as process groups, and knows them again after any crash.

    Each node is one session: `ray start --block` and all that it starts. Its state file is
    written before it is spawned and completed with the pid afterwards.
    """

    def __init__(
        self, spec: ClusterSpec, paths: ClusterPaths, clock: Callable[[], float] = time.time
    ) -> None:
        self._spec = spec
        self._paths = paths
        self._clock = clock
        self._files = StateFiles(paths.instances)
        digest = hashlib.sha256(os.fsencode(paths.dir.resolve())).hexdigest()[:10]
        self.marker = f"{spec.cluster_name}@{digest}"
        """Value of RAYTUI_CLUSTER in the environment of every process of this cluster."""
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._raylets: dict[str, tuple[int, float]] = {}
        self._guard = threading.Lock()

    # What is there.

    def list_instances(self) -> list[Instance]:
        """All nodes of this cluster. A node whose `ray start` or raylet died is LOST."""
        marked: dict[int, str] | None = None
        instances = []
        for node in self._files.all():
            seen = node
            if not node.pid:
                if marked is None:
                    marked = processes.marked_processes(self.marker)
                if node.instance_id not in marked.values():
                    continue  # only intended: `launch` will start it when it is asked again
                seen = self._adopted(node) or node
            instances.append(self._instance(seen))
        return instances

    def head_address(self) -> str:
        """`ip:port` of the head's GCS; empty when no head runs."""
        head = self._head()
        return head.gcs_address if head else ""

    def dashboard_url(self) -> str:
        """`http://127.0.0.1:port` of the head's dashboard; empty when no head runs."""
        head = self._head()
        return f"http://127.0.0.1:{head.dashboard_port}" if head else ""

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """What the cluster YAML says; this machine sells nothing."""
        return node_type.offerings

    def reload(self, spec: ClusterSpec) -> None:
        """Start nodes as the changed file says from now on."""
        self._spec = spec

    def _head(self) -> LocalNode | None:
        heads = (node for node in self._files.all() if node.is_head and not node.stopping)
        return next((h for h in heads if h.pid and processes.is_alive(h.pid, h.started_at)), None)

    def _instance(self, node: LocalNode) -> Instance:
        status, detail = self._health(node)
        return Instance(
            instance_id=node.instance_id,
            node_type=node.node_type,
            status=status,
            request_id=node.request_id,
            is_head=node.is_head,
            zone=node.zone,
            instance_type=node.instance_type,
            market=node.market,
            ip=node.ip,
            launched_at=node.launched_at,
            status_since=node.launched_at,
            ray_started_at=node.launched_at,
            price_per_hour=node.price_per_hour,
            detail=detail,
            log_path=str(self._files.log_path(node.instance_id)),
        )

    def _health(self, node: LocalNode) -> tuple[InstanceStatus, str]:
        if node.stopping:
            return InstanceStatus.TERMINATING, ""
        if node.pid and not processes.is_alive(node.pid, node.started_at):
            return InstanceStatus.LOST, self._obituary(node)
        if node.pid and self._raylet_is_gone(node):
            return InstanceStatus.LOST, self._raylet_obituary(node)
        return InstanceStatus.SETTING_UP, ""

    def _raylet_is_gone(self, node: LocalNode) -> bool:
        """True when the raylet has run and ended. `ray start --block` outlives a drained one."""
        known = self._raylets.get(node.instance_id)
        if known and processes.is_alive(*known):
            return False
        raylet = processes.find_member(node.pid, node.started_at, "raylet")
        if raylet:
            self._raylets[node.instance_id] = (raylet, processes.started_at(raylet))
            return False
        return self._has_started(node)

    def _has_started(self, node: LocalNode) -> bool:
        return any(_STARTED in line for line in local_logs.lines(self._log_of(node)))

    def _obituary(self, node: LocalNode) -> str:
        code = self._exit_code(node.pid)
        words = "ray start ended" if code is None else f"ray start ended with {_exit_text(code)}"
        return "\n".join([words, *local_logs.tail(self._log_of(node))])

    def _raylet_obituary(self, node: LocalNode) -> str:
        logs = Path(node.temp_dir) / "session_latest" / "logs"
        last = [*local_logs.tail(logs / "raylet.out"), *local_logs.tail(logs / "raylet.err")]
        return "\n".join(["the raylet ended", *last])

    def _exit_code(self, pid: int) -> int | None:
        with self._guard:
            child = self._children.get(pid)
            return child.poll() if child else None

    def _log_of(self, node: LocalNode) -> Path:
        return self._files.log_path(node.instance_id)

    # Starting.

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """Start the nodes of a request, or find those that an earlier try has started.

        Workers are returned as soon as they are spawned, a head once Ray says that it runs.
        """
        node_type = self._checked(request)
        launched: list[Instance] = []
        for index in range(request.count):
            try:
                node = self._ensure(request, f"{request.request_id}-{index}", node_type)
            except ProviderError as error:
                if launched and request.all_or_nothing:
                    self.terminate([one.instance_id for one in launched])
                elif launched:
                    raise PartialLaunchError(launched, error) from error
                raise
            launched.append(self._instance(node))
        return launched

    def _checked(self, request: LaunchRequest) -> NodeType:
        if importlib.util.find_spec("ray") is None:
            raise ConfigError("Ray is not installed here: run `pip install 'raytui[ray]'`")
        if request.node_type not in self._spec.node_types:
            raise ConfigError(f"{request.node_type} is no node type of {self._spec.cluster_name}")
        if not request.is_head and not request.head_address:
            raise ConfigError("a worker was asked for without the address of a head to join")
        return self._spec.node_types[request.node_type]

    def _ensure(self, request: LaunchRequest, instance_id: str, node_type: NodeType) -> LocalNode:
        with self._files.locked():
            known = self._files.load(instance_id)
            if known is None:
                known = self._intended(request, instance_id)
                self._files.create(known)
            elif known.pid or known.stopping:
                return known
            node = self._adopted(known)
            if node is not None:
                self._files.save(node)
            else:
                node = self._spawn(known, node_type)
        return self._awaited(node, node_type) if node.is_head else node

    def _intended(self, request: LaunchRequest, instance_id: str) -> LocalNode:
        short = hashlib.sha256(instance_id.encode()).hexdigest()[:6]
        temp_dir = private_dir(self._paths.ray_temp) / short
        if len(os.fsencode(temp_dir)) + len(_SOCKET_SUFFIX) > _SOCKET_LIMIT:
            raise ConfigError(
                f"{temp_dir} is too long for Ray's sockets: set TMPDIR to a short path"
            )
        offering = request.offering
        return LocalNode(
            instance_id=instance_id,
            node_type=request.node_type,
            request_id=request.request_id,
            launched_at=self._clock(),
            ip=local_start.node_ip(),
            temp_dir=str(temp_dir),
            is_head=request.is_head,
            gcs_address=request.head_address,
            auth_mode=ray_token.mode() if request.is_head else self._heads_auth_mode(),
            instance_type=offering.instance_type,
            zone=offering.zone,
            market=offering.market,
            price_per_hour=offering.price_per_hour,
        )

    def _heads_auth_mode(self) -> str:
        """A token may have been made or removed since the head was started."""
        head = self._head()
        return head.auth_mode if head is not None else ""

    def _adopted(self, node: LocalNode) -> LocalNode | None:
        """The node with the pid that a crash kept us from writing down, if it was spawned."""
        pid = processes.find_leader(self.marker, node.instance_id)
        if not pid:
            return None
        return msgspec.structs.replace(node, pid=pid, started_at=processes.started_at(pid))

    def _awaited(self, head: LocalNode, node_type: NodeType) -> LocalNode:
        """The head when it is up. If one of its ports was taken meanwhile, others are tried."""
        for attempt in range(1, _HEAD_TRIES + 1):
            if self._comes_up(head):
                return head
            tail = "\n".join(local_logs.tail(self._log_of(head)))
            with self._files.locked():
                if self._files.load(head.instance_id) != head:
                    raise TransientError("the head was terminated while it started", detail=tail)
                self._clear([head])
                if attempt < _HEAD_TRIES and _PORT_TAKEN.search(tail):
                    fresh = msgspec.structs.replace(head, pid=0, started_at=0.0, gcs_address="")
                    self._files.create(fresh)
                    head = self._spawn(fresh, node_type)
                    continue
            raise TransientError(_last_words(tail, "the head did not start"), detail=tail)
        raise AssertionError("unreachable")

    def _comes_up(self, head: LocalNode) -> bool:
        deadline = time.monotonic() + _HEAD_START_S
        while time.monotonic() < deadline and processes.is_alive(head.pid, head.started_at):
            if self._has_started(head):
                return True
            time.sleep(0.1)
        return False

    def _spawn(self, node: LocalNode, node_type: NodeType) -> LocalNode:
        if node.is_head:
            node = local_start.with_ports(node)
            self._files.save(node)
        private_dir(Path(node.temp_dir))
        log = self._files.log_path(node.instance_id)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            child = subprocess.Popen(
                local_start.command(node, node_type, self._spec),
                env=local_start.environment(node, self.marker),
                cwd=Path.home(),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._files.remove(node.instance_id)
            kind = CapacityError if error.errno in _NO_ROOM else TransientError
            raise kind(f"ray start could not be run: {error.strerror}") from error
        finally:
            os.close(descriptor)
        if not node.is_head:
            local_start.make_polite(child.pid)
        with self._guard:
            self._children[child.pid] = child
        started = processes.started_at(child.pid)
        spawned = msgspec.structs.replace(node, pid=child.pid, started_at=started)
        self._files.save(spawned)
        return spawned

    # Stopping.

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """Stop nodes with all their processes, all at once, and remove what they left.

        Takes at most about 8 s. Logs of the last few nodes are kept. Raises TransientError when a
        process survives SIGKILL.
        """
        doomed = []
        with self._files.locked():
            for instance_id in dict.fromkeys(instance_ids):
                node = self._files.load(instance_id)
                if node is None:
                    continue
                node = node if node.pid else self._adopted(node) or node
                node = msgspec.structs.replace(node, stopping=True)
                self._files.save(node)
                doomed.append(node)
        if doomed:
            self._clear(doomed)
            self._files.prune_logs(_LOGS_KEPT)

    def _clear(self, doomed: Sequence[LocalNode]) -> None:
        leaders = {node.instance_id: (node.pid, node.started_at) for node in doomed}
        started = any(self._has_started(node) for node in doomed)
        grace = _STOP_GRACE_S if started else _STOP_GRACE_STARTING_S
        survivors = processes.stop(leaders, self.marker, grace)
        with self._guard:
            for node in doomed:
                child = self._children.pop(node.pid, None)
                if child is not None:
                    child.poll()
        if survivors:
            pids = ", ".join(map(str, survivors))
            raise TransientError(f"processes {pids} do not end even when killed")
        for node in doomed:
            self._raylets.pop(node.instance_id, None)
            shutil.rmtree(node.temp_dir, ignore_errors=True)
            self._files.remove(node.instance_id)


def _last_words(tail: str, otherwise: str) -> str:
    lines = [line for line in tail.splitlines() if line.strip()]
    return lines[-1].strip() if lines else otherwise


def _exit_text(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
