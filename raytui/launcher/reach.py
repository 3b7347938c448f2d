"""Ways from this machine to those of a cluster elsewhere, above all to its head."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from raytui.backends.base import CommandRunner, ConfigError
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.openssh import stream_argv, terminal_argv
from raytui.backends.ssh.target import SshTarget, ssh_target
from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec, DockerSpec
from raytui.provisioning.docker_commands import execute
from raytui.provisioning.docker_runner import DockerRunner
from raytui.provisioning.own_wheel import PROGRAM

_HERE = "fake_multinode"


def is_remote(spec: ClusterSpec) -> bool:
    """Whether the cluster's daemon runs on another machine, its head, and is reached by SSH."""
    return spec.provider.type != _HERE and not spec.on_head


class Reach:
    """A machine of a cluster as reached from here; nothing is connected before it is used.

    `host` is the machine, `inside` where Ray runs on it: the same, or its container.
    """

    def __init__(
        self, target: SshTarget, keys: HostKeys, docker: DockerSpec | None, spec: ClusterSpec
    ) -> None:
        # Here, since paramiko takes a third of a second to load.
        from raytui.backends.ssh.connection import SshConnection
        from raytui.backends.ssh.runner import SshRunner

        self.address = target.name
        self.host = SshRunner(SshConnection(target, keys))
        self.inside: CommandRunner = (
            DockerRunner(self.host, docker, spec.cluster_name, spec.files.file_mounts)
            if docker
            else self.host
        )
        self._docker = docker

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def terminal_argv(self, command: Sequence[str] = (), *, on_host: bool = False) -> list[str]:
        """An argv for a person at a terminal: `command`, or a login shell, where Ray runs.

        `on_host` leaves the container out.
        """
        if self._docker and not on_host:
            command = execute(self._docker, command or ("/bin/bash", "--login"), terminal=True)
        connection = self.host.connection
        return terminal_argv(connection.target, connection.keys, command)

    def close(self) -> None:
        """End the connection and what runs on it."""
        self.inside.close()


class HeadReach(Reach):
    """The head; raytui is installed there, beside Ray."""

    def __init__(self, spec: ClusterSpec, paths: ClusterPaths) -> None:
        """Raises ConfigError when nothing says where the head is."""
        super().__init__(*head_target(spec, paths), spec.head.docker, spec)


def head_host(spec: ClusterSpec) -> str:
    """Name or address of the head as this machine reaches it; raises ConfigError."""
    options = spec.provider.options
    if spec.provider.type == "local" and "head_ip" in options:
        return str(options.get("external_head_ip") or options["head_ip"])
    raise ConfigError(
        f"raytui {spec.cluster_name}: provider type {spec.provider.type} cannot be launched yet; "
        "local (hosts reached by SSH) and fake_multinode (real Ray nodes on this machine) can"
    )


def head_id(spec: ClusterSpec) -> str:
    """The provider's id of the head's instance; raises ConfigError."""
    head_host(spec)
    return str(spec.provider.options["head_ip"])


def head_target(spec: ClusterSpec, paths: ClusterPaths) -> tuple[SshTarget, HostKeys]:
    """Where the head is by SSH, and which keys it may show; raises ConfigError."""
    return ssh_target(head_host(spec), spec.auth), HostKeys(paths.known_hosts)


def stream_to_head(spec: ClusterSpec, paths: ClusterPaths, *arguments: str) -> list[str]:
    """The argv whose stdin and stdout are those of raytui on the head, with these arguments.

    As `HeadReach.inside.stream_command`, but quick: no connection of our own is prepared. Raises
    ConfigError.
    """
    command = program_on_head(*arguments)
    if spec.head.docker:
        command = execute(spec.head.docker, command)
    return stream_argv(*head_target(spec, paths), command)


def program_on_head(*arguments: str) -> list[str]:
    """The argv that runs raytui on the head, where its set-up has put it (own_wheel.py).

    No login shell is needed, so it starts quickly and prints nothing that it should not.
    """
    # ~ and $HOME are for the shell there; every argument is quoted for it.
    return ["/bin/sh", "-c", f'exec "$HOME/{PROGRAM}" {shlex.join(arguments)}']
