"""Instances of the emulated EC2 that are real hosts, with SSH, metadata and an end."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import StateReason

from tests.aws.emulated import REGION
from tests.support.hosts import Engine, Host
from tests.support.instance_metadata import Metadata, MetadataService
from tests.support.on_premise import BASHRC, prepend

USER = "ubuntu"
"""As on Ubuntu's images."""

_PENDING, _RUNNING, _ENDING, _ENDED = (
    ("pending", 0), ("running", 16), ("shutting-down", 32), ("terminated", 48)
)  # fmt: skip
_STOPPING, _STOPPED = ("stopping", 64), ("stopped", 80)

_FIRST_BOOT = """useradd -m -s /bin/bash -p '*' "$1"
echo "$1 ALL=(ALL) NOPASSWD: ALL" > "/etc/sudoers.d/$1"
mkdir "/home/$1/.aws" && printf %s "$2" > "/home/$1/.aws/config"
chown -R "$1:" "/home/$1/.aws"
"""


class HostInstances:
    """The hosts behind instances. As EC2 does it: an instance is pending until it lets one in.

    An instance has one address, as its private and its public one. Another one after it was
    stopped: real ones keep the private one.
    """

    def __init__(
        self, engine: Engine, service: MetadataService, folder: Path, endpoint: str, *, most: int
    ) -> None:
        """`endpoint` is EC2's, as hosts reach it; no more than `most` run at a time."""
        self._engine = engine
        self._service = service
        self._folder = folder
        self._endpoint = endpoint
        self._most = most
        self._wanted: dict[str, tuple[str, int]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._contexts: dict[str, contextlib.ExitStack] = {}
        self._public: dict[str, bool] = {}
        self._work: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(most)
        self.hosts: dict[str, Host] = {}
        """Of each instance that has begun to run and is not gone."""
        self.metadata: dict[str, Metadata] = {}
        """What instances are told about themselves."""

    # Hardware.

    def room(self) -> int:
        """See Hardware."""
        return self._most - sum(wanted == _RUNNING for wanted in self._wanted.values())

    def start(self, instance_ids: list[str]) -> None:
        """See Hardware."""
        for name in instance_ids:
            instance = at_ec2(name)
            self._public.setdefault(name, instance.nics[0].public_ip is not None)
            self._want(name, _PENDING, _RUNNING)

    def stop(self, instance_ids: list[str]) -> None:
        """See Hardware."""
        for name in instance_ids:
            self._want(name, _STOPPING, _STOPPED)

    def end(self, instance_ids: list[str]) -> None:
        """See Hardware."""
        for name in instance_ids:
            self._want(name, _ENDING, _ENDED)

    # What befalls them.

    def close(self) -> None:
        """End all hosts; raises what went wrong with any of them."""
        for name in list(self._wanted):
            self._wanted[name] = _ENDED
            self._begin(name)
        self._pool.shutdown()
        for done in self._work:
            done.result()

    def _want(self, name: str, now: tuple[str, int], then: tuple[str, int]) -> None:
        self._wanted[name] = then
        _set(name, now, "", public=False)
        self._begin(name)

    def _begin(self, name: str) -> None:
        self._work.append(self._pool.submit(self._settle, name))

    def _settle(self, name: str) -> None:
        """Bring the host to where it is wanted by now."""
        with self._locks[name]:
            wanted = self._wanted[name]
            try:
                if wanted == _RUNNING:
                    self._run(name)
                elif wanted == _STOPPED:
                    self._halt(name)
                else:
                    self._remove(name)
            except Exception:
                self._wanted[name] = _ENDED
                self._remove(name)
                _reason(name, "Server.InternalError", "Internal error on launch")
                raise
            if self._wanted[name] == wanted:
                address = self.hosts[name].address if wanted == _RUNNING else ""
                _set(name, wanted, address, public=self._public[name])

    def _run(self, name: str) -> None:
        if name not in self.hosts:
            self._contexts[name] = contextlib.ExitStack()
            context = self._engine.host(name, authorized=self._authorized(name))
            self.hosts[name] = self._contexts[name].enter_context(context)
            self._boot_first(self.hosts[name])
        else:
            self.hosts[name] = self.hosts[name].start()
        known = self.metadata.setdefault(name, _metadata(name))
        self._service.instances[self.hosts[name].address] = known

    def _halt(self, name: str) -> None:
        if name in self.hosts:
            self._service.instances.pop(self.hosts[name].address, None)
            self.hosts[name].stop()

    def _remove(self, name: str) -> None:
        host = self.hosts.pop(name, None)
        if host is not None:
            self._service.instances.pop(host.address, None)
        if name in self._contexts:
            self._contexts.pop(name).close()

    def _authorized(self, name: str) -> Path:
        """A file with the public half of the key pair with which it was launched."""
        keys = ec2_backends[DEFAULT_ACCOUNT_ID][REGION].key_pairs
        key_name = at_ec2(name).key_name
        file = self._folder / f"{name}.pub"
        file.write_bytes(keys[key_name].material_public if key_name else b"")
        return file

    def _boot_first(self, host: Host) -> None:
        """What cloud-init does on Ubuntu's images; and where this EC2 is, which needs no words."""
        config = "\n".join(
            (
                "[default]",
                f"endpoint_url = {self._endpoint}",
                f"ec2_metadata_service_endpoint = {self._service.url}",
                "",
            )
        )
        host.run("sh", "-ec", _FIRST_BOOT, "sh", USER, config)
        setting = f"export AWS_EC2_METADATA_SERVICE_ENDPOINT={self._service.url}\n"
        prepend(host, f"/home/{USER}/.bashrc", BASHRC + setting)


def at_ec2(name: str) -> Any:
    """An instance as moto has it."""
    (found,) = ec2_backends[DEFAULT_ACCOUNT_ID][REGION].get_multi_instances_by_id([name])
    return found


def _set(name: str, state: tuple[str, int], address: str, *, public: bool) -> None:
    """What DescribeInstances tells from now on."""
    instance = at_ec2(name)
    card = instance.nics[0]
    card.private_ip_address = address
    card.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}] if address else []
    card.public_ip = address if address and public else None
    instance._state.name, instance._state.code = state


def _reason(name: str, code: str, message: str) -> None:
    at_ec2(name).state_reason = StateReason(message, code)


def _metadata(name: str) -> Metadata:
    instance = at_ec2(name)
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][REGION]
    associated = backend.iam_instance_profile_associations.get(name)
    roles = associated.iam_instance_profile.roles if associated else []
    return Metadata(
        name,
        instance.instance_type,
        instance.placement.zone,
        role=roles[0].name if roles else "",
        spot=instance.lifecycle == "spot",
    )
