"""The way from here to a worker: its own, or through the head where workers have no other."""

from __future__ import annotations

import msgspec

from raytui.backends.ssh.errors import HungError, UnreachableError
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.openssh import jump_command
from raytui.backends.ssh.target import SshTarget, ssh_target
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_place import head_place
from raytui.launcher.reach import Reach, head_target
from raytui.model.spec import ClusterSpec, NodeType
from raytui.model.state import Instance
from raytui.provisioning.registry import cloud_for

_DIRECT_S = 3.0
"""How long a worker may take to answer directly before it is tried through the head."""


def reach_worker(
    spec: ClusterSpec,
    paths: ClusterPaths,
    worker: Instance,
    node_type: NodeType | None,
) -> Reach:
    """A worker's machine, with the same login as the head's.

    Looks at once whether the worker answers: directly, else through the head. Its key has to be
    known in both cases. One of a cloud is only reached through the head, within their network,
    where its address is its own; its key is learnt there. Raises SshError.
    """
    docker = node_type.docker if node_type else spec.docker
    keys = HostKeys(paths.known_hosts)
    cloud = cloud_for(spec)
    if cloud is None:
        direct = ssh_target(worker.ip, spec.auth)
        if spec.auth.ssh_proxy_command or _answers(direct, keys):
            return Reach(direct, keys, docker, spec)
    auth = msgspec.structs.replace(
        head_place(spec, paths).auth(spec),
        ssh_proxy_command=jump_command(*head_target(spec, paths)),
        ssh_proxy_use_node_id=False,
    )
    machine = cloud.machine_of(worker.instance_id) if cloud else ""
    target = ssh_target(worker.ip, auth, node_id=machine, ours=bool(machine))
    return Reach(target, keys, docker, spec)


def _answers(target: SshTarget, keys: HostKeys) -> bool:
    """Whether there is a way; a host that refuses us will not do otherwise through the head."""
    from raytui.backends.ssh.connection import Limits, SshConnection

    limits = Limits(connect_s=_DIRECT_S, handshake_s=_DIRECT_S)
    try:
        with SshConnection(target, keys, limits) as connection:
            connection.open_session().close()
    except (UnreachableError, HungError):
        return False
    return True
