"""All that a node's set-up takes, read from the cluster file, and the steps that it leads to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from raytui.backends.base import Filters
from raytui.backends.marked_processes import end_command, instance_mark
from raytui.model.spec import ClusterSpec, DockerSpec, NodeType
from raytui.provisioning.deciding import Change, Work
from raytui.provisioning.docker_commands import mounted
from raytui.provisioning.hashes import NodeHashes, head_hashes, launch_hash, worker_hashes
from raytui.provisioning.own_install import install_command
from raytui.provisioning.own_wheel import extras_for
from raytui.provisioning.ray_start import (
    head_environment,
    head_start,
    overrides,
    worker_environment,
)
from raytui.provisioning.spot_watching import watch_command

_WHEELS_THERE = "~/.cache/raytui/wheels"


class RunCommand(Struct, frozen=True, tag=True):
    """Run a command of the cluster file."""

    text: str
    env: dict[str, str] = {}
    on_host: bool = False
    """Outside of the container, too, where there is one."""


class CopyFiles(Struct, frozen=True, tag=True):
    """Copy a file or what is in a directory from here to the node."""

    source: str
    target: str
    optional: bool = False
    """Nothing is wrong when it does not exist here."""


class StartContainer(Struct, frozen=True, tag=True):
    """Start the container, unless it runs as it should."""


Action = RunCommand | CopyFiles | StartContainer


class SetupStep(Struct, frozen=True):
    """One step of a node's set-up."""

    name: str
    action: Action
    lasts: bool = True
    """What it did is still there in a later run, which need not do it again."""


class NodeSetup(Struct, frozen=True):
    """What is done on one node to make it part of the cluster."""

    instance_id: str
    is_head: bool
    hashes: NodeHashes
    file_mounts: dict[str, str] = {}
    """Path on the node → path here."""
    bootstrap: dict[str, str] = {}
    """Further files for the head, as `file_mounts`; copied each time, and never mounted."""
    synced_files: tuple[str, ...] = ()
    filters: Filters = Filters()
    initialization_commands: tuple[str, ...] = ()
    setup_commands: tuple[str, ...] = ()
    start_commands: tuple[str, ...] = ()
    env: dict[str, str] = {}
    """For initialization and set-up commands."""
    start_env: dict[str, str] = {}
    """For the commands that start Ray."""
    old_mark: str = ""
    """In the environment of what an earlier start has left running; it is ended before the next.
    The user's commands may lack a `ray stop`, and that one ends everybody's Ray."""
    spot_watch: bool = False
    """Once Ray runs, notices that the machine will be taken back are passed on to it."""
    docker: DockerSpec | None = None
    own_program: bool = False
    """raytui itself is installed, too (own_install.py)."""
    extras: tuple[str, ...] = ()
    """Of raytui's, which go with it."""
    wheels: str = ""
    """Directory here with raytui and what it needs, for a node that has no index (own_wheel.py)."""
    notices: tuple[str, ...] = ()
    """What was changed in the user's commands, in words."""

    def steps(self, work: Work) -> tuple[SetupStep, ...]:
        """The steps of a piece of work, in Ray's order."""
        found: list[SetupStep] = []
        if work.change in (Change.SET_UP, Change.RESYNC):
            found += self._copies()
        for target, source in self.bootstrap.items():
            found.append(SetupStep(f"copy {target}", CopyFiles(source, target), lasts=False))
        if work.change is Change.SET_UP:
            host = self.initialization_commands
            found += _commands("initialize", host, self.env, on_host=True)
            if self.docker:
                found.append(SetupStep("start the container", StartContainer(), lasts=False))
        if work.setup_commands:
            found += _commands("set up", self.setup_commands, self.env)
        if self.own_program:
            found += self._own_program()
        if work.start_ray:
            if self.old_mark:
                end = RunCommand(end_command(self.old_mark))
                found.append(SetupStep("end the old Ray", end, lasts=False))
            found += _commands("start Ray", self.start_commands, self.start_env, lasts=False)
            if self.spot_watch:
                watch = RunCommand(watch_command(self.instance_id), dict(self.start_env))
                found.append(SetupStep("watch for interruption", watch, lasts=False))
        return tuple(found)

    def keys(self, steps: Iterable[SetupStep]) -> list[str]:
        """A key for each step, by what it does and by all that comes before it.

        Like an image's layers: a step whose key is known to be done need not be done again, and
        another command leaves the steps before it as they are. Where a file comes from does not
        count, what is in it does.
        """
        link = hashlib.sha256(f"{self.instance_id}\0{self.hashes.contents}".encode())
        keys = []
        for step in steps:
            action = step.action
            if isinstance(action, CopyFiles):
                action = msgspec.structs.replace(action, source="")
            link.update(msgspec.json.encode(action, order="sorted"))
            keys.append(link.hexdigest())
        return keys

    def _own_program(self) -> list[SetupStep]:
        """Install raytui, each time: the version here may be another one by now."""
        there = _WHEELS_THERE if self.wheels else ""
        copy = SetupStep("copy raytui", CopyFiles(self.wheels, _WHEELS_THERE), lasts=False)
        install = SetupStep(
            "install raytui", RunCommand(install_command(there, self.extras)), lasts=False
        )
        return [copy, install] if self.wheels else [install]

    def _copies(self) -> list[SetupStep]:
        in_view = mounted(self.file_mounts)
        mounts = [
            # What is not mounted has to be copied into each new container.
            SetupStep(f"copy {target}", CopyFiles(source, target), lasts=target in in_view)
            for target, source in self.file_mounts.items()
        ]
        synced = [
            SetupStep(f"copy {p}", CopyFiles(p, p, optional=True), lasts=self.docker is None)
            for p in self.synced_files
        ]
        return mounts + synced


def head_setup(
    spec: ClusterSpec,
    instance_id: str,
    *,
    bootstrap: Mapping[str, str] | None = None,
    own_program: bool = False,
    wheels: str = "",
    rays_autoscaler: bool = False,
    as_written: ClusterSpec | None = None,
) -> NodeSetup:
    """The set-up of the head, from the machine of the user.

    `bootstrap` are further files (bootstrap.py), which do not count for the hashes: so has Ray.
    With `own_program` raytui is installed from the directory `wheels`, without one from an index
    unless it is there. With `rays_autoscaler` Ray starts its own autoscaler as the file says.
    The hashes are over `as_written`, where a cloud has filled in what the file left open. Raises
    OSError when a mounted file or the SSH key cannot be read.
    """
    start = head_start(spec.head_start_ray_commands)
    mounts = spec.files.file_mounts
    file = as_written or spec
    return NodeSetup(
        instance_id=instance_id,
        is_head=True,
        hashes=head_hashes(mounts, file.written, launch=launch_hash_of(file, file.head)),
        file_mounts=mounts,
        bootstrap=dict(bootstrap or {}),
        filters=_filters(spec),
        initialization_commands=spec.head.initialization_commands,
        setup_commands=spec.head.setup_commands,
        start_commands=spec.head_start_ray_commands if rays_autoscaler else start.commands,
        start_env={
            **head_environment(instance_id, spec.head_node_type),
            **overrides(spec, spec.head),
        },
        old_mark=instance_mark(instance_id),
        docker=spec.head.docker,
        own_program=own_program,
        extras=extras_for(spec),
        wheels=wheels,
        notices=() if rays_autoscaler else start.notices,
    )


def worker_setup(
    spec: ClusterSpec,
    node_type: NodeType,
    instance_id: str,
    head_ip: str,
    instance_type: str = "",
) -> NodeSetup:
    """The set-up of a worker, from the head. Raises OSError as `head_setup` does.

    `instance_type` is what it was bought as, where the file leaves a choice.
    """
    written = spec.written
    return NodeSetup(
        instance_id=instance_id,
        is_head=False,
        hashes=worker_hashes(
            spec.files.file_mounts,
            spec.files.cluster_synced_files,
            written.get("worker_setup_commands", ()),
            spec.worker_start_ray_commands,
            launch=launch_hash_of(spec, node_type),
        ),
        file_mounts=spec.files.file_mounts,
        synced_files=spec.files.cluster_synced_files,
        filters=_filters(spec),
        initialization_commands=node_type.initialization_commands,
        setup_commands=node_type.setup_commands,
        start_commands=spec.worker_start_ray_commands,
        env={"RAY_HEAD_IP": head_ip},
        start_env={
            **worker_environment(
                head_ip,
                instance_id,
                node_type.name,
                instance_type or node_type.offerings[0].instance_type,
            ),
            **overrides(spec, node_type),
        },
        old_mark=instance_mark(instance_id),
        spot_watch=spec.provider.type == "aws",
        docker=node_type.docker,
    )


def launch_hash_of(spec: ClusterSpec, node_type: NodeType) -> str:
    """Ray's hash of what a machine of this type is made from; raises OSError for a missing key."""
    known = spec.launch_hashes.get(node_type.name)
    auth: dict[str, Any] = spec.written.get("auth", {})
    return known or launch_hash(node_type.node_config, auth)


def with_hashes_of(written: ClusterSpec, filled: ClusterSpec) -> ClusterSpec:
    """The cluster file as a cloud has filled it in, with the hashes of what a person wrote.

    Raises OSError as `launch_hash_of`.
    """
    hashes = {name: launch_hash_of(written, kind) for name, kind in written.node_types.items()}
    return msgspec.structs.replace(filled, launch_hashes=hashes)


def _filters(spec: ClusterSpec) -> Filters:
    return Filters(spec.files.rsync_exclude, spec.files.rsync_filter)


def _commands(
    name: str,
    commands: tuple[str, ...],
    env: Mapping[str, str],
    *,
    on_host: bool = False,
    lasts: bool = True,
) -> list[SetupStep]:
    return [
        SetupStep(f"{name} {number}/{len(commands)}", RunCommand(text, dict(env), on_host), lasts)
        for number, text in enumerate(commands, 1)
    ]
