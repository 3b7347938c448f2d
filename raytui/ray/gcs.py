"""A running Ray cluster through its GCS: one connection that is made anew when it breaks."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NoReturn, TypeVar

import msgspec

from raytui.model.command import Impact
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec
from raytui.ray import protobuf, state_api
from raytui.ray.authentication import agree_with_ray
from raytui.ray.base import AutoscalerReport, DrainAnswer, RayError, RayView
from raytui.ray.notices import NoticeReader
from raytui.ray.view_reader import ViewReader

OLDEST_RAY = "2.41"

_CALL_S = 3.0
_PROBE_S = 1.0
_AUTOSCALER = b"__autoscaler"
_V2_FLAG = b"__autoscaler_v2_enabled"
_V1_STATUS = b"__autoscaling_status"
_MONITOR_ADDRESS = b"AutoscalerMetricsAddress"
_OUR_METRICS = b"raytui_metrics_address"
_DASHBOARD = b"dashboard"
_WEBUI_URL = b"webui:url"
_V1_FRESH_S = 30.0
"""Ray's v1 monitor writes its status every 5 s."""
_MONITOR_WATCH_S = 12.0
"""Ray's monitors report every 5 s, the first time some seconds after they started."""
_IDLE_TERMINATION, _PREEMPTION = 1, 2
_DEADLINE_EXCEEDED = 4
"""gRPC's code."""
_READ_ONLY_TYPE = "node_"
"""Ray's monitor without an autoscaling config names a type `node_<node id>` for every node."""

T = TypeVar("T")


class GcsRay:
    """Implements RayCluster for the GCS of one cluster. Calls may come from several threads.

    Nothing is connected before the first call. A call that fails lets go of the connection, and
    the next one makes it anew, so a restarted head is found again without anybody's help.
    """

    def __init__(
        self, address: str | Callable[[], str], clock: Callable[[], float] = time.time
    ) -> None:
        """`address` is `ip:port`, or who tells it at each connection, since heads may move.

        What is told may be empty while there is no head.
        """
        self._where = address if callable(address) else lambda: address
        self._address = self._where()
        self._clock = clock
        self._client: Any = None
        self._opening: Future[Any] | None = None
        self._connecting = threading.Lock()
        self._reader = ViewReader()
        self._notices = NoticeReader()
        self._reading = threading.Lock()
        self._view = RayView(version=0)
        self._report_version = 0

    @property
    def gcs_address(self) -> str:
        """`ip:port` of GCS."""
        return self._address

    def observe(self) -> RayView:
        """Nodes and demand now."""
        reply = self._call(lambda gcs: gcs.get_cluster_resource_state(timeout_s=_CALL_S))
        with self._reading:
            view = self._reader.read(reply, self._clock())
            notices = self._call(lambda gcs: self._notices.read(gcs, view.nodes, _CALL_S))
            self._view = msgspec.structs.replace(view, notices=notices)
        return self._view

    def wait_ready(self, timeout_s: float) -> RayView:
        """Wait until the head has registered; raises RayError when it has not in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                view = self.observe()
                error = RayError(f"the head at {self._address} has not registered with GCS")
                if any(node.is_head for node in view.nodes):
                    return view
            except RayError as failed:
                error = failed
            if time.monotonic() >= deadline:
                raise error
            time.sleep(0.1)

    def report(self, report: AutoscalerReport) -> None:
        """Tell Ray what the autoscaler does."""
        now = self._clock()
        self._report_version = max(self._report_version + 1, int(now * 1e9))
        state = protobuf.write_state(report, self._report_version, now)
        self._call(lambda gcs: gcs.report_autoscaling_state(state, timeout_s=_CALL_S))

    def take_over(self, spec: ClusterSpec) -> None:
        """Switch the head to autoscaler v2 state and tell Ray the limits of the node types.

        Takes up to 12 s when a monitor was started that may still live, else milliseconds.
        """
        if self._monitor_scales():
            raise RayError(
                f"Ray's own autoscaler scales the cluster at {self._address}: "
                "start its head with `ray start --head --no-monitor`"
            )
        config = protobuf.write_config(spec)
        self._call(lambda gcs: gcs.report_cluster_config(config))
        self._put(_V2_FLAG, b"1", _AUTOSCALER)

    def drain(self, node_id: str, *, idle_only: bool, message: str, deadline: float) -> DrainAnswer:
        """Ask a node to take no new work and to leave when its work is done."""
        why = _IDLE_TERMINATION if idle_only else _PREEMPTION
        at_ms = int(deadline * 1000)

        def drain(gcs: Any) -> tuple[Any, Any]:
            answer: tuple[Any, Any]
            try:
                answer = gcs.drain_node(node_id, why, message, at_ms, timeout=_CALL_S)
            except TypeError:  # before Ray 2.49 it knew no timeout and wanted bytes
                answer = gcs.drain_node(node_id.encode(), why, message, at_ms)
            return answer

        accepted, words = self._call(drain)
        return DrainAnswer(bool(accepted), str(words))

    def request_resources(self, bundles: Sequence[tuple[Resources, int]]) -> None:
        """Replace the cluster's resource constraint; empty takes it away."""
        shapes = [{n.encode(): a for n, a in shape.amounts().items()} for shape, _ in bundles]
        counts = [count for _, count in bundles]
        labels: list[dict[str, str]] = [{} for _ in bundles]

        def request(gcs: Any) -> None:
            try:
                gcs.request_cluster_resource_constraint(shapes, labels, counts, timeout_s=_CALL_S)
            except TypeError:  # before Ray 2.49 there was no place for labels
                gcs.request_cluster_resource_constraint(shapes, counts, timeout_s=_CALL_S)

        self._call(request)

    def impact(self, node_ids: Sequence[str]) -> dict[str, Impact]:
        """What runs on the given nodes, by node id; best effort, never raises."""
        try:
            self.observe()
            url = self.dashboard_url()
        except RayError:
            url = ""
        known = {node.node_id: node for node in self._view.nodes}
        return state_api.impact(url, node_ids, known)

    def announce_metrics(self, address: str) -> None:
        """Have Ray list `host:port` for Prometheus, as it does with its own autoscaler's metrics.

        Ray's nodes write the key into `prom_metrics_service_discovery.json`
        (ray/_private/metrics_agent.py). A note of ours beside it tells later that no monitor of
        Ray's put it there. Raises RayError, too, while the head has not registered with GCS.
        """
        # The head that was seen last may be gone, and a new one be starting at its address.
        self.wait_ready(0)
        ours = self._our_metrics(address.encode())
        self._put(_OUR_METRICS, ours, _AUTOSCALER)
        self._put(_MONITOR_ADDRESS, address.encode(), None)

    def dashboard_url(self) -> str:
        """`http://host:port` of the dashboard, or empty when there is none."""
        address = self._read(_WEBUI_URL, _DASHBOARD).decode()
        if not address:
            return ""
        host, _, port = address.rpartition(":")
        if host in ("0.0.0.0", "::", "[::]"):  # noqa: S104  # what it binds, not where to find it
            host = self._address.rpartition(":")[0]
        return f"http://{host}:{port}"

    def close(self) -> None:
        """Let go of the connection."""
        self._client = None

    # Whether Ray's own monitor scales.

    def _monitor_scales(self) -> bool:
        """True when a live monitor of Ray's acts on this cluster.

        The monitor's address stays in GCS when it dies, so its heartbeat decides: the time in
        v1's status, or a v2 state that changes while we watch.
        """
        address = self._read(_MONITOR_ADDRESS, None)
        if not address or self._read(_OUR_METRICS, _AUTOSCALER) == self._our_metrics(address):
            return False
        first = self._reported_state()
        ends = time.monotonic() + _MONITOR_WATCH_S
        while time.monotonic() < ends:
            status = self._read(_V1_STATUS, None)
            if status and _is_fresh_v1(status, self._clock()):
                return not _is_read_only_v1(status)
            if self._reported_state() != first:
                return True
            time.sleep(0.25)
        return False

    def _reported_state(self) -> tuple[int, int]:
        from ray.core.generated import autoscaler_pb2

        reply = self._call(lambda gcs: gcs.get_cluster_status(timeout_s=_CALL_S))
        state = autoscaler_pb2.GetClusterStatusReply.FromString(reply).autoscaling_state
        return state.autoscaler_state_version, state.last_seen_cluster_resource_state_version

    def _our_metrics(self, address: bytes) -> bytes:
        """Our note beside an address. It names the head, with which a monitor of Ray's starts."""
        heads = [node.node_id for node in self._view.nodes or self.observe().nodes if node.is_head]
        return b" ".join((address, *(head.encode() for head in heads)))

    def _put(self, key: bytes, value: bytes, namespace: bytes | None) -> None:
        self._call(
            lambda gcs: gcs.internal_kv_put(
                key, value, overwrite=True, namespace=namespace, timeout=_CALL_S
            )
        )

    def _read(self, key: bytes, namespace: bytes | None) -> bytes:
        value = self._call(lambda gcs: gcs.internal_kv_get(key, namespace, timeout=_CALL_S))
        return value or b""

    # The connection.

    def _call(self, call: Callable[[Any], T]) -> T:
        """Do one call; one that fails on an old connection is tried once more on a new one."""
        old = self._client
        try:
            return self._attempt(call)
        except RayError:
            if old is None or self._client is old:
                raise
            return self._attempt(call)

    def _attempt(self, call: Callable[[Any], T]) -> T:
        client = self._connected()
        try:
            return call(client)
        except (AttributeError, TypeError) as error:
            _unknown_ray(error)
        except Exception as error:
            # One that listens but is slow is asked again on the same connection: a new one
            # would have to wait for it as well.
            slow = getattr(error, "rpc_code", None) == _DEADLINE_EXCEEDED and self._listens()
            if self._client is client and not slow:
                self._client = None
            raise RayError(f"GCS at {self._address} does not answer: {_words(error)}") from error

    def _connected(self) -> Any:
        """The connection, made when there is none.

        Ray waits 30 s for a GCS that listens but says nothing. We wait as long as for any call,
        and use what comes of it later.
        """
        with self._connecting:
            if self._client is None:
                if self._opening is None:
                    self._address = self._where()
                    if not self._address:
                        raise RayError("there is no head: nothing says where its GCS is")
                    self._probe()
                    self._opening = _in_background(self._new_client)
                try:
                    self._client = self._opening.result(timeout=_CALL_S)
                except TimeoutError as error:
                    words = f"GCS at {self._address} listens but does not answer"
                    raise RayError(words) from error
                except BaseException:
                    self._opening = None
                    raise
                self._opening = None
            return self._client

    def _probe(self) -> None:
        """Fail at once when nobody listens: Ray's own client would block for 40 s."""
        host, _, port = self._address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_PROBE_S).close()
        except (OSError, ValueError) as error:
            raise RayError(f"nothing answers at {self._address}, where GCS was: {error}") from error

    def _listens(self) -> bool:
        try:
            self._probe()
        except RayError:
            return False
        return True

    def _new_client(self) -> Any:
        try:
            from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
            from ray.core.generated import autoscaler_pb2
        except ModuleNotFoundError as error:
            if error.name and error.name.split(".")[0] != "ray":
                raise
            if error.name == "ray":
                hint = "Ray is not installed here: run `pip install 'raytui[ray]'`"
                raise RayError(hint) from error
            _unknown_ray(error)
        if "ClusterResourceState" not in autoscaler_pb2.DESCRIPTOR.message_types_by_name:
            _unknown_ray(None)
        agree_with_ray()
        try:
            return GcsClient(address=self._address)
        except Exception as error:
            raise RayError(f"GCS at {self._address} does not answer: {_words(error)}") from error


def _in_background(work: Callable[[], T]) -> Future[T]:
    """Start work in a thread that does not keep the program from ending."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="gcs-connect", daemon=True).start()
    return done


def _unknown_ray(error: Exception | None) -> NoReturn:
    from importlib.metadata import version

    words = f"Ray {version('ray')} lacks what raytui calls: it needs Ray {OLDEST_RAY} or newer"
    raise RayError(f"{words} ({error})" if error else words) from error


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _is_fresh_v1(status: bytes, now: float) -> bool:
    try:
        return now - float(json.loads(status)["time"]) < _V1_FRESH_S
    except (ValueError, KeyError, TypeError):
        return False


def _is_read_only_v1(status: bytes) -> bool:
    """True for the monitor of a plain `ray start --head`: it reports, but has nothing to scale."""
    try:
        report = json.loads(status)["autoscaler_report"]
        types = {*report["active_nodes"], *(report.get("idle_nodes") or ())}
    except (ValueError, KeyError, TypeError):
        return False
    return bool(types) and all(name.startswith(_READ_ONLY_TYPE) for name in types)
