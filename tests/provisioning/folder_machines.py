"""Machines of a test: each is a runner, and all that is known of them is in one file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from raytui.backends.base import CommandRunner, LaunchRequest, TransientError
from raytui.backends.local_runner import LocalRunner
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance


class FolderMachines:
    """Gives the hosts of a list in turn; a host that came back is given again, with its hashes."""

    def __init__(
        self,
        folder: Path,
        hosts: Iterable[str] = (),
        runner_to: Callable[[str], CommandRunner] = lambda host: LocalRunner(),
    ) -> None:
        self._file = folder / "machines.json"
        self._hosts = list(hosts) or [f"m{number}" for number in range(100)]
        self._runner_to = runner_to
        self._runners: dict[str, CommandRunner] = {}
        self._lock = threading.Lock()
        if not self._file.exists():
            self._write({})

    def list_instances(self) -> list[Instance]:
        head = Instance("head", "head", InstanceStatus.ALLOCATED, is_head=True, ip="127.0.0.1")
        known = self._read()
        return [head, *(_instance(name, known[name]) for name in known if known[name]["given"])]

    def launch(self, request: LaunchRequest) -> list[Instance]:
        with self._lock:
            known = self._read()
            taken = {one["host"] for one in known.values() if one["given"]}
            names = []
            for index in range(request.count):
                host = next(host for host in self._hosts if host not in taken)
                taken.add(host)
                name = f"{host}-{request.request_id}-{index}"
                tags = {}
                for before in known.values():
                    if before["host"] == host:
                        tags = {k: v for k, v in before["tags"].items() if k.startswith("ray-")}
                known.setdefault(
                    name,
                    {"host": host, "type": request.node_type, "given": True, "tags": tags},
                )
                names.append(name)
            self._write(known)
        return [_instance(name, known[name]) for name in names]

    def terminate(self, instance_ids: Sequence[str]) -> None:
        with self._lock:
            known = self._read()
            for name in instance_ids:
                if name in known:
                    known[name]["given"] = False
            self._write(known)

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        return node_type.offerings

    def reload(self, spec: ClusterSpec) -> None:
        pass

    def runner(self, instance_id: str) -> CommandRunner:
        known = self._read()
        if not known.get(instance_id, {"given": False})["given"]:
            raise TransientError(f"no machine {instance_id}")
        host = known[instance_id]["host"]
        return self._runners.setdefault(host, self._runner_to(host))

    def tags(self, instance_id: str) -> dict[str, str]:
        return dict(self._read().get(instance_id, {"tags": {}})["tags"])

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        with self._lock:
            known = self._read()
            known[instance_id]["tags"] |= tags
            self._write(known)

    def _read(self) -> dict[str, dict]:
        return json.loads(self._file.read_text())

    def _write(self, known: dict[str, dict]) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(known))
        new.replace(self._file)


def _instance(name: str, known: dict) -> Instance:
    return Instance(name, known["type"], InstanceStatus.ALLOCATED, ip=known["host"])
