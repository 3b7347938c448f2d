"""The host keys of the workers: known here before the head may log in to them, never learnt."""

from __future__ import annotations

import base64
import os

from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.known_hosts import KnownKey
from raytui.backends.ssh.target import SshTarget, ssh_target
from raytui.config.locations import ClusterPaths
from raytui.launcher.options import Question
from raytui.launcher.reach import SSH_CONFIG, HeadReach
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError
from raytui.model.text import count_text
from raytui.provisioning.progress import Progress


def known_hosts_for_head(
    spec: ClusterSpec,
    paths: ClusterPaths,
    reach: HeadReach,
    progress: Progress,
    trust: Question | None,
) -> str:
    """The lines of known_hosts that the head needs; raises LaunchError when some are unknown."""
    keys = HostKeys(paths.known_hosts)
    lines, unknown = [], []
    for host in worker_hosts(spec):
        known = keys.known(_target(spec, host))
        lines += [_line(host, key) for key in known]
        if not any(not key.revoked for key in known):
            unknown.append(host)
    if unknown:
        raise LaunchError(f"unknown host keys: {', '.join(unknown)}")
    progress.say(f"{count_text(len(lines), 'key')} known")
    return "".join(lines)


def worker_hosts(spec: ClusterSpec) -> list[str]:
    """Every host of the cluster file that may become a worker, in its order."""
    listed = spec.provider.options.get("worker_ips", ())
    pools = spec.metadata.get("raytui", {}).get("pools", {})
    pooled = [host for pool in pools.values() for host in pool.get("hosts", ())]
    return list(dict.fromkeys(map(str, [*listed, *pooled])))


def _target(spec: ClusterSpec, host: str) -> SshTarget:
    return ssh_target(host, spec.auth, config=os.environ.get(SSH_CONFIG, ""))


def _line(host: str, key: KnownKey) -> str:
    marker = "@revoked " if key.revoked else ""
    return f"{marker}{host} {key.key_type} {base64.b64encode(key.blob).decode()}\n"
