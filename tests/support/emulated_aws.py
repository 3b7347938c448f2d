"""An AWS account whose instances are real hosts, and a laptop that launches there.

EC2 is moto's over HTTP behind the front of `tests/aws/emulated.py`, and its instances are the hosts
of `hosts.py`. It listens on the hosts' own network, where they reach it as the laptop does. The
laptop (which is this machine) has keys of its own and a home of its own, in whose `~/.ssh` its key
pair is kept; a head has only what its instance profile gives it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from tests.aws.bootstrapping import PARAMETERS
from tests.aws.emulated import CALLERS_ADDRESS, REGION, Emulated, Server
from tests.aws.price_server import PriceServer
from tests.support.emulated_instances import HostInstances
from tests.support.hosts import Engine, Host
from tests.support.instance_metadata import Metadata, metadata_service
from tests.support.laptop import Laptop

KEY_ID = "AKIALAPTOP"
SECRET = "the-laptop-s-secret"
_MOST = 6
_ALIVE = ("pending", "running")


@dataclass(frozen=True)
class EmulatedAws(Laptop):
    """An account, its instances, and who launches there."""

    ec2: Emulated
    instances: HostInstances
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What raytui's processes on the laptop have more than this one."""
        return {
            **super().environment,
            "HOME": str(self.folder / "home"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "AWS_ENDPOINT_URL": self.ec2.url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "RAYTUI_CHECKIP_URL": f"{self.ec2.url}{CALLERS_ADDRESS}",
        }

    def write(self, text: str, name: str = "cluster") -> Path:
        """Write a cluster file."""
        file = self.folder / f"{name}.yaml"
        file.write_text(text)
        return file

    def at_ec2(self, *states: str) -> dict[str, Any]:
        """moto's instances in these states (default: pending and running), by their ids."""
        reservations = ec2_backends[DEFAULT_ACCOUNT_ID][REGION].all_reservations()
        found = [instance for one in reservations for instance in one.instances]
        return {one.id: one for one in found if one.state in (states or _ALIVE)}

    def of_type(self, node_type: str) -> dict[str, Any]:
        """Instances that are pending or running as a node type of a cluster file."""
        named = {"ray-user-node-type": node_type}
        return {
            name: one
            for name, one in self.at_ec2().items()
            if named.items() <= {tag["key"]: tag["value"] for tag in one.get_tags()}.items()
        }

    def volumes(self) -> list[str]:
        """All volumes that somebody pays for."""
        return list(ec2_backends[DEFAULT_ACCOUNT_ID][REGION].volumes)

    def host(self, instance_id: str) -> Host:
        """The host behind an instance that runs; an id in a further life is one, too."""
        return self.instances.hosts[_ec2_id(instance_id)]

    def metadata(self, instance_id: str) -> Metadata:
        """What an instance that runs is told about itself."""
        return self.instances.metadata[_ec2_id(instance_id)]


@contextlib.contextmanager
def emulated_aws(engine: Engine, folder: Path, *, most: int = _MOST) -> Iterator[EmulatedAws]:
    """An account in which nobody has done anything, as long as the context lasts.

    No more than `most` instances run at a time: beyond that EC2 lacks capacity.
    """
    (folder / "home").mkdir(mode=0o700, parents=True)
    (folder / "ssh_config").write_text(
        f"UserKnownHostsFile {folder}/known_hosts\nGlobalKnownHostsFile none\n"
    )
    (folder / "authorized").mkdir()
    server = Server(engine.gateway)
    try:
        with metadata_service(engine.gateway) as service:
            ec2 = server.emptied()
            instances = HostInstances(engine, service, folder / "authorized", ec2.url, most=most)
            ec2.parameters = dict(PARAMETERS)
            ec2.prices = PriceServer()
            ec2.hardware = instances
            try:
                yield EmulatedAws(ec2, instances, folder)
            finally:
                instances.close()
    finally:
        server.close()


def _ec2_id(instance_id: str) -> str:
    return "-".join(instance_id.split("-")[:2])
