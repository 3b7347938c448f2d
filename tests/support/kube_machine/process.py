"""A container's process: started in namespaces of its own, its lines kept, ended with its tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.support.kube_machine.network import PodNetwork

PATH = f"{sys.prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROJECT = Path(__file__).parents[3]

_SET_UP = """
layers=$1 name=$2 mode=$3; shift 3
mount -t tmpfs tmpfs "$layers"
root=$layers/root
mkdir "$root" "$layers/upper" "$layers/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
for own in tmp run dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$root/$own"; done
make_targets() {
    while [ "$1" != -- ]; do
        if [ -d "$1" ]; then
            mkdir -p "$root$2"
        else
            mkdir -p "$(dirname "$root$2")"
            rm -f "$root$2"
            : > "$root$2"
        fi
        shift 3
    done
}
make_targets "$@"
if [ "$mode" = ro ]; then
    for own in "" /tmp /run; do mount -o remount,bind,ro "$root$own"; done
fi
while [ "$1" != -- ]; do
    # A volume mounted before may hide the target that was made below it.
    [ -e "$root$2" ] || mkdir -p "$root$2"
    mount --rbind -o "$3" "$1" "$root$2"
    shift 3
done
shift
hostname "$name"
exec chroot "$root" env -C "$@"
"""
"""Run as the first process of new namespaces. Arguments: a folder, the host name, rw or ro; source,
target and rw or ro of each mount; `--`; the working directory, and the command."""


@dataclass(frozen=True)
class Mount:
    """Something of this machine in a container."""

    source: Path
    target: str
    mode: str = "rw"

    def words(self) -> tuple[str, str, str]:
        """As the set-up takes them; targets that are links here are the same in the container."""
        return str(self.source), os.path.realpath(self.target), self.mode


@dataclass(frozen=True)
class Start:
    """All that a container is started with."""

    command: Sequence[str]
    env: Mapping[str, str]
    hostname: str
    folder: Path
    """Empty, and this container's own."""
    log: Path
    mounts: Sequence[Mount] = ()
    working_dir: str = "/"
    read_only: bool = False


class ContainerProcess:
    """A container that has been started.

    Call it from a thread that lives as long: the kernel ends the container with its thread.
    """

    def __init__(self, network: PodNetwork, start: Start) -> None:
        self._network = network
        self._env = dict(start.env)
        self.log = start.log
        self.started_at = datetime.now(UTC)
        start.folder.mkdir(parents=True)
        words = [word for mount in (*start.mounts, *_elsewhere()) for word in mount.words()]
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={network.path}"),
                *("unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"),
                *("sh", "-euc", _SET_UP, "sh", str(start.folder), start.hostname),
                *("ro" if start.read_only else "rw", *words, "--"),
                *(start.working_dir, *start.command),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._env,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + the signal that ended it."""
        code = self._process.poll()
        if code is None:
            return None
        self._reader.join(timeout=5)
        return code if code >= 0 else 128 - code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the container's process number 1."""
        with contextlib.suppress(ProcessLookupError):
            if first := self._first():
                os.kill(first, number)

    def kill(self) -> None:
        """End it and all that it has started, at once."""
        self._process.kill()
        self._process.wait()

    def exec_argv(self, command: Sequence[str]) -> list[str]:
        """What runs a command inside; raises ProcessLookupError when nothing runs there."""
        if not (first := self._first()):
            raise ProcessLookupError("container not running")
        inside = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
        return ["nsenter", f"--target={first}", *inside, "--", *command]

    @property
    def env(self) -> dict[str, str]:
        """Its environment; a command that is run inside has it, too."""
        return dict(self._env)

    def _first(self) -> int:
        """Process number 1 of the container by its number here; 0 when it is not there."""
        if self._process.poll() is not None:
            return 0
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for _ in range(100):
            try:
                found = children.read_text().split()
                if found and _is_set_up(int(found[0])):
                    return int(found[0])
            except (FileNotFoundError, ProcessLookupError):
                return 0
            time.sleep(0.02)
        return 0

    def _read(self) -> None:
        assert self._process.stdout
        with self.log.open("ab", buffering=0) as log:
            for line in self._process.stdout:
                now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
                log.write(now.encode() + b" " + (line if line.endswith(b"\n") else line + b"\n"))


def program_in_path(command: Sequence[str]) -> bool:
    """Whether a container finds the program that it is to run."""
    return bool(command) and shutil.which(command[0], path=PATH) is not None


def _is_set_up(pid: int) -> bool:
    """Whether a container's first process has its own root already."""
    return Path(f"/proc/{pid}/root").readlink() != Path("/")


def _elsewhere() -> list[Mount]:
    """The project and its Python, where they are not on the root's own disk or in /tmp."""
    root = Path("/").stat().st_dev
    paths = sorted({str(_PROJECT), sys.prefix, sys.base_prefix})
    return [
        Mount(Path(path), path, "ro")
        for path in paths
        if Path(path).stat().st_dev != root or path.startswith(("/tmp/", "/run/"))
    ]
