"""The hosts of one cluster, each with the one connection that everything there goes through."""

from __future__ import annotations

import threading
from collections.abc import Container
from pathlib import Path

import msgspec

from raytui.backends.on_premise.host import Host
from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.runner import SshRunner
from raytui.backends.ssh.target import ssh_target
from raytui.config.bootstrap_files import KNOWN_HOSTS
from raytui.config.locations import ClusterPaths
from raytui.model.spec import AuthSpec


class Reaching:
    """Makes hosts when they are first asked for; nothing is connected before it is used."""

    def __init__(self, cluster: str, auth: AuthSpec, paths: ClusterPaths) -> None:
        self._cluster = cluster
        self._auth = auth
        self._keys = HostKeys(paths.known_hosts)
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()

    def host(self, name: str) -> Host:
        """A host; raises ConfigError when its name could not be one."""
        with self._lock:
            known = self._hosts.get(name)
            if known is None:
                known = self._hosts[name] = Host(name, self._runner(name), self._cluster)
            return known

    def reload(self, auth: AuthSpec, keep: Container[str]) -> None:
        """Log in otherwise from now on, except to the hosts in `keep`, where work may go on."""
        with self._lock:
            if auth == self._auth:
                return
            self._auth = auth
            old = [host for name, host in self._hosts.items() if name not in keep]
            self._hosts = {name: host for name, host in self._hosts.items() if name in keep}
        for host in old:
            host.runner.close()

    def close(self) -> None:
        """End all connections, and what runs on them."""
        with self._lock:
            hosts, self._hosts = self._hosts, {}
        for host in hosts.values():
            host.runner.close()

    def _runner(self, name: str) -> SshRunner:
        target = ssh_target(name, self._auth)
        # What `raytui up` brought along.
        brought = str(Path(KNOWN_HOSTS).expanduser())
        target = msgspec.structs.replace(target, known_hosts=(brought, *target.known_hosts))
        return SshRunner(SshConnection(target, self._keys))
