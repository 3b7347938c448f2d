"""The pods' network: a bridge, and a network namespace with an address for each pod."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SLOTS = 16
_NAMESPACES = Path("/run/netns")
_LINKS = Path("/sys/class/net")
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class PodNetwork:
    """A pod's own network."""

    namespace: str
    address: str

    @property
    def path(self) -> Path:
        """The file by which the namespace is entered."""
        return _NAMESPACES / self.namespace

    def connect(self, port: int, timeout_s: float = 5.0) -> socket.socket:
        """A connection to a port as it is seen in the pod, also where only the pod may reach it.

        Raises OSError in the system's words.
        """
        made: list[socket.socket] = []
        failed: list[OSError] = []

        def inside() -> None:
            try:
                _enter(self.path)
                made.append(socket.create_connection(("127.0.0.1", port), timeout_s))
            except OSError as error:
                failed.append(error)

        visitor = threading.Thread(target=inside)  # a thread is in a namespace until it ends
        visitor.start()
        visitor.join()
        if failed:
            raise failed[0]
        return made[0]


class Network:
    """A bridge of one test run, with this machine as the gateway."""

    def __init__(self, slot: int, folder: Path) -> None:
        self.folder = folder
        """For whatever the run keeps; removed with the network."""
        self.gateway = f"10.78.{slot}.1"
        self.bridge = f"raytui-pods{slot}"
        self._prefix = f"raytui-pods-{slot}-"
        self._slot = slot
        self._numbers = itertools.count()
        self._used: set[int] = set()
        self._lock = threading.Lock()

    def attach(self) -> PodNetwork:
        """A new namespace; its address is none that was used lately."""
        with self._lock:
            number = next(n for n in self._numbers if 2 + n % 252 not in self._used)
            host = 2 + number % 252
            self._used.add(host)
        made = PodNetwork(f"{self._prefix}{number}", f"10.78.{self._slot}.{host}")
        cable = f"rp{self._slot}-{number}"
        inside = ("-n", made.namespace)
        _ip("netns", "add", made.namespace)
        _ip(
            *("link", "add", cable, "type", "veth"),
            *("peer", "name", "eth0", "netns", made.namespace),
        )
        _ip("link", "set", cable, "master", self.bridge, "up")
        _ip(*inside, "address", "add", f"{made.address}/24", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "up")
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "route", "add", "default", "via", self.gateway)
        return made

    def detach(self, network: PodNetwork) -> None:
        """Nothing runs there any more."""
        self._cut(f"rp{self._slot}-{network.namespace.removeprefix(self._prefix)}")
        _ip("netns", "delete", network.namespace)
        with self._lock:
            self._used.discard(int(network.address.rpartition(".")[2]))

    def set_up(self) -> None:
        """Clear away what an earlier run left, which is dead since its number is ours now."""
        self.clear()
        self.folder.mkdir(mode=0o700)
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("address", "add", f"{self.gateway}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")

    def clear(self) -> None:
        """Leave nothing."""
        for cable in _LINKS.glob(f"rp{self._slot}-*"):
            self._cut(cable.name)
        for left in _NAMESPACES.glob(f"{self._prefix}*"):
            _ip("netns", "delete", left.name)
        if (_LINKS / self.bridge).exists():
            _ip("link", "delete", self.bridge)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _cut(self, cable: str) -> None:
        """Remove a cable now: with its namespace alone it would go some time later."""
        with contextlib.suppress(RuntimeError):  # it went by itself
            _ip("link", "delete", cable)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """A network that no other test run has."""
    root = Path(tempfile.gettempdir())
    for slot in range(_SLOTS):
        with (root / f"raytui-pods-{slot}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            made = Network(slot, root / f"raytui-pods-{slot}")
            made.set_up()
            try:
                yield made
            finally:
                made.clear()
            return
    raise RuntimeError(f"{_SLOTS} test runs have pods already")


def _enter(namespace: Path) -> None:
    """This thread's network is the namespace's from now on."""
    library = ctypes.CDLL(None, use_errno=True)
    with namespace.open() as opened:
        if library.setns(opened.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
