"""State files of local nodes: the intent written before a spawn, and the process after it."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct

from raytui.backends.base import ConfigError
from raytui.config.durable import locked, write_durably
from raytui.model.codec import decode, encode
from raytui.model.spec import Market

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")


class LocalNode(Struct, frozen=True, omit_defaults=True):
    """What is remembered about one local Ray node."""

    instance_id: str
    node_type: str
    request_id: str
    launched_at: float
    ip: str
    temp_dir: str
    is_head: bool = False
    gcs_address: str = ""
    """`ip:port` of GCS: its own if it is the head, else the one that it joins."""
    dashboard_port: int = 0
    """Head only."""
    auth_mode: str = ""
    """Whether the cluster asks for Ray's token: decided for its head, and the same for all."""
    instance_type: str = ""
    zone: str = ""
    market: Market = Market.ON_DEMAND
    price_per_hour: float | None = None
    pid: int = 0
    """Pid, process group and session of `ray start`; 0 while the spawn is only intended."""
    started_at: float = 0.0
    """When the operating system started that process: guards against a reused pid."""
    stopping: bool = False
    """Termination has begun."""


class StateFiles:
    """One JSON file per node in a private directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def locked(self) -> AbstractContextManager[None]:
        """Exclude other launches, in this process and in others.

        Whoever gets the lock after a crash finds a half-made launch either not begun or visible
        in the process table.
        """
        return locked(self.directory / ".lock")

    def create(self, node: LocalNode) -> None:
        """Write the intent; raises FileExistsError when this instance is already known."""
        write_durably(self._path(node.instance_id), encode(node), first=True)

    def save(self, node: LocalNode) -> None:
        """Replace what is known about a node."""
        write_durably(self._path(node.instance_id), encode(node))

    def load(self, instance_id: str) -> LocalNode | None:
        """What is known about a node, or None."""
        try:
            return decode(self._path(instance_id).read_bytes(), LocalNode)
        except FileNotFoundError:
            return None

    def all(self) -> list[LocalNode]:
        """All nodes, oldest first."""
        nodes = []
        for path in self.directory.glob("*.json"):
            try:
                nodes.append(decode(path.read_bytes(), LocalNode))
            except FileNotFoundError:  # terminated meanwhile
                continue
        return sorted(nodes, key=lambda node: (node.launched_at, node.instance_id))

    def remove(self, instance_id: str) -> None:
        """Forget a node."""
        self._path(instance_id).unlink(missing_ok=True)

    def log_path(self, instance_id: str) -> Path:
        """Where the output of its `ray start` goes."""
        return self.directory / f"{instance_id}.log"

    def prune_logs(self, keep: int) -> None:
        """Delete logs of nodes that are gone, except for the newest `keep`."""
        living = {node.instance_id for node in self.all()}
        gone = [path for path in self.directory.glob("*.log") if path.stem not in living]
        gone.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in gone[keep:]:
            path.unlink(missing_ok=True)

    def _path(self, instance_id: str) -> Path:
        if not _SAFE_ID.fullmatch(instance_id):
            raise ConfigError(f"{instance_id!r} cannot be the name of an instance")
        return self.directory / f"{instance_id}.json"
