"""Ways from this machine to those of a cluster elsewhere, above all to its head."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Self

from raytui.backends.base import CommandRunner
from raytui.backends.ssh.errors import (
    HostKeyError,
    HungError,
    NoAnswerError,
    UnreachableError,
)
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.openssh import stream_argv, terminal_argv
from raytui.backends.ssh.target import SshTarget, ssh_target
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_place import HeadPlace, has_moved, head_place
from raytui.model.spec import ClusterSpec, DockerSpec
from raytui.provisioning.docker_commands import execute
from raytui.provisioning.docker_runner import DockerRunner
from raytui.provisioning.own_wheel import PROGRAM

MAY_HAVE_MOVED = (UnreachableError, HungError, HostKeyError)
"""What a machine that was stopped leaves at its address: nothing, or by now a stranger."""


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

    def __exit__(self, *_: object) -> None:
        self.close()

    def terminal_argv(self, command: Sequence[str] = (), *, on_host: bool = False) -> list[str]:
        """An argv for a person at a terminal: `command`, or a login shell, where Ray runs.

        `on_host` leaves the container out.
        """
        if self._docker and not on_host:
            command = execute(self._docker, command or ("/bin/bash", "--login"), terminal=True)
        connection = self.host.connection
        return terminal_argv(connection.target, connection.keys, command)

    def forward(self, port: int, local_port: int = 0) -> AbstractContextManager[int]:
        """A port of this machine that leads to one of that host, as `SshRunner.forward`."""
        return self.host.forward(port, local_port)

    @property
    def dashboard_port(self) -> int:
        """Where Ray's dashboard listens there; 0: its daemon has to tell."""
        return 0

    def close(self) -> None:
        """End the connection and what runs on it."""
        self.inside.close()


class HeadReach(Reach):
    """The head; raytui is installed there, beside Ray."""

    def __init__(
        self, spec: ClusterSpec, paths: ClusterPaths, place: HeadPlace | None = None
    ) -> None:
        """Raises as `head_place`, which says where it is when nobody else does."""
        super().__init__(*head_target(spec, paths, place), spec.head.docker, spec)


def head_that_answers(spec: ClusterSpec, paths: ClusterPaths) -> HeadReach:
    """The head, after a look whether it lets us in; where it has moved, it is found again.

    Raises SshError, and as `head_place`.
    """
    reach = HeadReach(spec, paths)
    try:
        reach.host.run(["true"])
    except MAY_HAVE_MOVED as error:
        reach.close()
        if not has_moved(spec, paths):
            if reach.host.connection.target.ours and isinstance(error, NoAnswerError):
                raise _from_another_network(error) from error
            raise
        reach = HeadReach(spec, paths)
        reach.host.run(["true"])
    return reach


def _from_another_network(error: NoAnswerError) -> NoAnswerError:
    """A cloud drops what comes from an address that it was not told to let in."""
    hint = "If you come from another network than before, `raytui up` lets this one in."
    return NoAnswerError(error.host, error.what, f"{error.fix} {hint}", detail=error.detail)


def head_target(
    spec: ClusterSpec, paths: ClusterPaths, place: HeadPlace | None = None
) -> tuple[SshTarget, HostKeys]:
    """Where the head is by SSH, and which keys it may show; raises as `head_place`."""
    place = place or head_place(spec, paths)
    target = ssh_target(
        place.address, place.auth(spec), node_id=place.machine, ours=bool(place.machine)
    )
    return target, HostKeys(paths.known_hosts)


def stream_to_head(spec: ClusterSpec, paths: ClusterPaths, *arguments: str) -> list[str]:
    """The argv whose stdin and stdout are those of raytui on the head, with these arguments.

    As `HeadReach.inside.stream_command`, but quick: no connection of our own is prepared. Raises
    as `head_place`.
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
