"""Real hosts on this machine: containers with sshd, each with its own address and processes.

A container engine of our own runs them, with its own data and its own bridge 10.77.N.0/24, so that
no other engine is touched and several test runs go side by side. What an earlier run left behind is
found by those paths and cleared away.
"""

import contextlib
import fcntl
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from tests.support.host_image import BARE, CACHE, HostImage, image_tar

ROOT = Path(__file__).parents[2]
_SLOTS = 16
_START_S = 60.0
_AT_ONCE = 8
_SSHD = """mkdir -p /run/sshd
if mkdir /etc/ssh/ours; then
    rm -f /etc/ssh/ssh_host_*
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
fi
exec /usr/sbin/sshd -D -e -o UsePAM=no -o MaxStartups=100 -o AuthorizedKeysFile=/etc/ssh/authorized
"""
"""Each container has a host key of its own, and keeps it when it is started again."""


@dataclass(frozen=True)
class Engine:
    """A running container engine that is ours alone."""

    folder: Path
    """Sockets, pid file, log, and the key pair that every host lets in."""
    prefix: str
    gateway: str = ""
    """This machine's address on the hosts' network, which nobody else can reach."""

    @property
    def key(self) -> Path:
        """The private key with which one logs in, as root and as `ray`."""
        return self.folder / "id_ed25519"

    def docker(self, *arguments: str) -> str:
        """Run docker; returns what it prints. Raises RuntimeError with its words."""
        argv = [_docker(), "-H", f"unix://{self.folder}/docker.sock", *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"docker {arguments[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    @contextlib.contextmanager
    def host(
        self, name: str, *options: str, image: HostImage = BARE, authorized: Path | None = None
    ) -> Iterator["Host"]:
        """A host that listens on port 22 as long as the context lasts.

        The project, its environment and its Python are there read-only, at the same paths.
        `options` are those of `docker run`; `authorized` has the keys that it lets in, by default
        the engine's.
        """
        self._provide(image)
        container = f"{self.prefix}-{name}"
        mounts = {str(ROOT), sys.prefix, sys.base_prefix}
        argv = ["run", "-d", "--name", container, "--hostname", name, "--shm-size", "256m"]
        for path in sorted(mounts):
            argv += ["-v", f"{path}:{path}:ro"]
        keys = authorized or f"{self.key}.pub"
        argv += ["-v", f"{keys}:/etc/ssh/authorized:ro", *options]
        try:
            self.docker(*argv, image.tag, "/bin/sh", "-c", _SSHD)
            host = self.found(container)
            host.wait_for_ssh()
            yield host
        finally:
            with contextlib.suppress(RuntimeError):
                self.docker("rm", "-f", container)

    @contextlib.contextmanager
    def hosts(
        self, *names: str, options: Sequence[str] = (), image: HostImage = BARE
    ) -> Iterator[list["Host"]]:
        """Several hosts, started side by side."""
        self._provide(image)
        with contextlib.ExitStack() as stack:
            contexts = [self.host(name, *options, image=image) for name in names]
            try:
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    started = list(pool.map(stack.enter_context, contexts))
                yield started
            finally:
                # docker ends them side by side; each context would wait for its own
                self.docker("rm", "-f", *(f"{self.prefix}-{name}" for name in names))

    def found(self, container: str) -> "Host":
        """A host that runs, with the address that it has now."""
        address = self.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", container)
        return Host(self, container, address)

    def _provide(self, image: HostImage) -> None:
        """Have the image in the engine, whose data outlast it."""
        if not self.docker("images", "-q", image.tag):
            self.docker("import", str(image_tar(image)), image.tag)


@dataclass(frozen=True)
class Host:
    """One host, and what may befall it."""

    engine: Engine
    container: str
    address: str

    def run(self, *argv: str) -> str:
        """Run a command in it as root, not through SSH."""
        return self.engine.docker("exec", self.container, *argv)

    def wait_for_ssh(self) -> None:
        """Until sshd says its name."""
        wait_until(lambda: _says_ssh(self.address), f"sshd of {self.container}")

    def reboot(self) -> None:
        """Everything on it is ended at once; its disk, its key and its address are the same."""
        self.engine.docker("restart", "-t", "0", self.container)
        self.wait_for_ssh()

    def stop(self) -> None:
        """Everything on it is ended at once; its disk and its key are kept."""
        self.engine.docker("stop", "-t", "0", self.container)

    def start(self) -> "Host":
        """Start it again after `stop`; returns it with its new address."""
        self.engine.docker("start", self.container)
        started = self.engine.found(self.container)
        started.wait_for_ssh()
        return started

    def known_hosts_line(self, name: str = "") -> str:
        """Its host key as it stands in a known_hosts file."""
        key = self.run("cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()
        return f"{name or self.address} {key[0]} {key[1]}\n"

    def change_key(self) -> None:
        """Set up anew: another host key from now on."""
        self.run("rm", "/etc/ssh/ssh_host_ed25519_key")
        self.run(
            "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key"
        )
        self.signal(signal.SIGHUP, listener=True)
        new = self.known_hosts_line().split()[2]
        wait_until(lambda: new in _keyscan(self.address), "the new key")

    def sshd(self, *, listener: bool) -> list[psutil.Process]:
        """The sshd that listens, or those that serve a connection."""
        if listener:
            return [self._first()]
        return [process for process in self._started() if _name(process) == "sshd"]

    def processes(self) -> list[psutil.Process]:
        """All that runs there beside sshd, also what was left by those who started it."""
        return [process for process in self._started() if _name(process) not in ("sshd", "")]

    def running(self) -> list[str]:
        """The names of `processes`."""
        return [name for process in self.processes() if (name := _name(process))]

    def _first(self) -> psutil.Process:
        """The host's process number 1, to which orphans come: sshd."""
        return psutil.Process(
            int(self.engine.docker("inspect", "-f", "{{.State.Pid}}", self.container))
        )

    def _started(self) -> list[psutil.Process]:
        return self._first().children(recursive=True)

    def signal(self, number: signal.Signals, *, listener: bool) -> None:
        """Send a signal to its sshd."""
        for process in self.sshd(listener=listener):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """All its sshd are stopped: connections are taken by the kernel and nobody answers."""
        self.signal(signal.SIGSTOP, listener=True)
        self.signal(signal.SIGSTOP, listener=False)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT, listener=False)
            self.signal(signal.SIGCONT, listener=True)

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        """Its network cable is pulled."""
        link = self.run("cat", "/sys/class/net/eth0/iflink")
        cable = next(
            folder.name
            for folder in Path("/sys/class/net").iterdir()
            if (folder / "ifindex").read_text().strip() == link
        )
        _ip("link", "set", cable, "down")
        try:
            yield
        finally:
            _ip("link", "set", cable, "up")


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """A container engine as long as the context lasts."""
    with _slot() as slot:
        folder = Path(tempfile.gettempdir()) / f"raytui-hosts-{slot}"
        data = CACHE / f"engine-{slot}"
        bridge = f"raytui-test{slot}"
        _clear(folder, bridge)
        folder.mkdir(mode=0o700)
        _ip("link", "add", bridge, "type", "bridge")
        gateway = f"10.77.{slot}.1"
        _ip("address", "add", f"{gateway}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        try:
            with (folder / "log").open("w") as log:
                process = _start(folder, data, bridge, log)
            running = Engine(folder, f"raytui-test-{slot}", gateway)
            wait_until(lambda: _answers(running), "the container engine", process)
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", running.key], check=True
            )
            for left in running.docker("ps", "-aq").split():
                running.docker("rm", "-f", left)
            yield running
            for left in running.docker("ps", "-aq").split():
                running.docker("rm", "-f", left)
        finally:
            _clear(folder, bridge)


def wait_until(
    holds: Callable[[], bool],
    what: str,
    needs: "subprocess.Popen[bytes] | None" = None,
    within_s: float = _START_S,
) -> None:
    """Wait for a condition; raises TimeoutError, at once when a process that it needs has ended."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline or (needs and needs.poll() is not None):
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.05)


def _start(folder: Path, data: Path, bridge: str, log: IO[str]) -> "subprocess.Popen[bytes]":
    """It sees to its own end when ours is not orderly: the next run clears it away."""
    return subprocess.Popen(
        [
            "dockerd",
            *("--data-root", str(data), "--exec-root", f"{folder}/exec"),
            *("-H", f"unix://{folder}/docker.sock", "--pidfile", f"{folder}/pid"),
            *("--bridge", bridge, "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        ],
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _docker() -> str:
    """The client that came with the engine; another one may be too new to talk to it."""
    beside = Path("/usr/bin/docker")
    return str(beside) if beside.exists() else "docker"


def _answers(running: Engine) -> bool:
    with contextlib.suppress(RuntimeError):
        running.docker("version")
        return True
    return False


@contextlib.contextmanager
def _slot() -> Iterator[int]:
    """A number that no other test run has; who holds it may clear away what bears it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for slot in range(_SLOTS):
        with (CACHE / f"slot-{slot}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield slot
            return
    raise RuntimeError(f"{_SLOTS} test runs have hosts already")


def _clear(folder: Path, bridge: str) -> None:
    """End every process that was started with this folder, then remove it and the bridge."""
    for number, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
        processes = _of(folder)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        psutil.wait_procs(processes, patience)
    shutil.rmtree(folder, ignore_errors=True)
    if (Path("/sys/class/net") / bridge).exists():
        _ip("link", "delete", bridge)


def _of(folder: Path) -> list[psutil.Process]:
    """The engine and its children, the container processes' keepers too: all name its folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            named = any(str(folder) + "/" in word for word in process.cmdline())
            if named and process.name() in ("dockerd", "containerd", "containerd-shim"):
                found.append(process)
    return found


def _name(process: psutil.Process) -> str:
    """Empty when it has just ended."""
    try:
        return str(process.name()) if process.status() != psutil.STATUS_ZOMBIE else ""
    except psutil.NoSuchProcess:
        return ""


def _says_ssh(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1) as opened:
            opened.settimeout(2)
            return opened.recv(4) == b"SSH-"
    except OSError:
        return False


def _keyscan(address: str) -> str:
    argv = ["ssh-keyscan", "-T", "2", "-t", "ed25519", address]
    return subprocess.run(argv, capture_output=True, text=True).stdout


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
