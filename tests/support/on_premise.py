"""A cluster's bare hosts, its cluster file, and a laptop from which raytui launches it.

The hosts are those of `hosts.py`, with Ray in the PATH of the user `ray`. The file is written as
the on-premise example in Ray's documentation has it. On the laptop (which is this machine) raytui
has directories of its own and an ssh_config of its own, in which the hosts' keys are known.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.host_image import BARE, HostImage
from tests.support.hosts import Engine, Host
from tests.support.laptop import Laptop

OBJECT_STORE_BYTES = 80_000_000
"""Per node, the least that Ray takes; what Ray takes by itself is a share of the machine."""

BASHRC = f"""\
export PATH={sys.prefix}/bin:$PATH
export RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES={OBJECT_STORE_BYTES}
export RAY_prestart_worker_first_driver=0 RAY_USAGE_STATS_ENABLED=0
"""
"""What Ray's users have in their shell's start file."""

_PREPEND = """printf %s "$2" | cat - "$1" > "$1.new"
chown --reference="$1" "$1.new" && mv "$1.new" "$1"
"""


@dataclass(frozen=True)
class OnPremise(Laptop):
    """Hosts, a file that makes them a cluster, and who launches it."""

    engine: Engine
    head: Host
    workers: tuple[Host, ...]
    name: str
    folder: Path
    """The laptop's: state, settings and the cluster file."""

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All, the head first."""
        return (self.head, *self.workers)

    @property
    def file(self) -> Path:
        """The cluster file."""
        return self.folder / f"{self.name}.yaml"

    @property
    def state(self) -> Path:
        """What raytui keeps of this cluster on the laptop."""
        return self.folder / "state" / "raytui" / self.name

    def write(self, **sections: Any) -> Path:
        """Write the cluster file anew; `sections` replace those of `cluster_file`."""
        content = cluster_file(self.name, self.head, self.workers, self.engine.key)
        self.file.write_text(json.dumps({**content, **sections}, indent=2))
        return self.file

    def know_hosts(self, lines: Sequence[str] | None = None) -> None:
        """Write the laptop's known_hosts: by default the keys that the hosts have now."""
        if lines is None:
            lines = [host.known_hosts_line() for host in self.hosts]
        (self.folder / "known_hosts").write_text("".join(lines))


@contextlib.contextmanager
def cluster_of_hosts(
    engine: Engine,
    folder: Path,
    *,
    workers: int = 2,
    name: str = "onprem",
    options: Sequence[str] = (),
    image: HostImage = BARE,
    **sections: Any,
) -> Iterator[OnPremise]:
    """A head and workers, all bare, as long as the context lasts.

    `options` are those of `docker run` for each host, `sections` replace those of the cluster
    file. Nothing is taken down at the end but the hosts with all that runs on them.
    """
    names = [f"{name}-head", *(f"{name}-{number}" for number in range(1, workers + 1))]
    with engine.hosts(*names, options=options, image=image) as hosts:
        cluster = OnPremise(engine, hosts[0], tuple(hosts[1:]), name, folder)
        for host in hosts:
            # before Debian's own, which ends where nobody types
            prepend(host, "/home/ray/.bashrc", BASHRC)
        folder.mkdir(exist_ok=True)
        (folder / "ssh_config").write_text(
            f"UserKnownHostsFile {folder}/known_hosts\nGlobalKnownHostsFile none\n"
        )
        cluster.know_hosts()
        cluster.write(**sections)
        yield cluster


def cluster_file(name: str, head: Host, workers: Sequence[Host], key: Path) -> dict[str, Any]:
    """A cluster file with what Ray's on-premise example says, and short times."""
    return {
        "cluster_name": name,
        "provider": {
            "type": "local",
            "head_ip": head.address,
            "worker_ips": [host.address for host in workers],
        },
        "auth": {"ssh_user": "ray", "ssh_private_key": str(key)},
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 5,
        "head_start_ray_commands": [
            "ray stop",
            "ulimit -c unlimited; ray start --head --port=6379"
            " --autoscaling-config=~/ray_bootstrap_config.yaml",
        ],
        "worker_start_ray_commands": [
            "ray stop",
            "ulimit -c unlimited; ray start --address=$RAY_HEAD_IP:6379",
        ],
    }


def prepend(host: Host, path: str, text: str) -> None:
    """Put text before what is in a file of the host; the file stays its owner's."""
    host.run("sh", "-c", _PREPEND, "sh", path, text)
