"""The host keys of the workers: known here before the head may log in to them, never learnt."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from raytui.backends.base import ProviderError
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.known_hosts import KnownKey, add_key, fingerprint
from raytui.backends.ssh.target import SshTarget, ssh_target
from raytui.config.launched import recall
from raytui.config.locations import ClusterPaths
from raytui.launcher.options import Question
from raytui.launcher.reach import HeadReach, head_target
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, StepSink
from raytui.model.text import count_text
from raytui.provisioning.progress import Progress, step

_AT_ONCE = 32


class ShownKey(Struct, frozen=True):
    """What an unknown host shows."""

    target: SshTarget
    key_type: str = ""
    blob: bytes = b""
    error: str = ""
    """Why it shows nothing."""

    def text(self) -> str:
        """`10.0.0.7  ssh-ed25519 SHA256:…`."""
        shown = f"{self.key_type} {fingerprint(self.blob)}" if self.blob else self.error
        return f"  {self.target.name}  {shown}"


def known_hosts_for_head(
    spec: ClusterSpec,
    paths: ClusterPaths,
    reach: HeadReach,
    progress: Progress,
    trust: Question | None,
) -> str:
    """The lines of known_hosts that the head needs.

    Unknown keys are read through the head and pinned here when `trust` agrees; without it, or when
    it does not, they are a LaunchError. A host that shows none now is left to its fate: the head
    does not log in to strangers.
    """
    keys = HostKeys(paths.known_hosts)
    unknown = _unknown(spec, keys)
    if unknown:
        progress.say(f"asking {count_text(len(unknown), 'unknown host')}")
        shown = _ask_through(reach, unknown)
        _pin_or_refuse(spec, keys, [key for key in shown if key.blob], trust)
    lines = [
        _line(host, key)
        for host in dict.fromkeys([*worker_hosts(spec), *_hosts_before(paths)])
        for key in keys.known(ssh_target(host, spec.auth))
    ]
    left = [target.name for target in _unknown(spec, keys)]
    known = f"{len(worker_hosts(spec)) - len(left)} of {len(worker_hosts(spec))} workers known"
    progress.say(f"{known}; no answer from {', '.join(left)}" if left else known)
    return "".join(lines)


def trust_workers(
    spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink, trust: Question
) -> None:
    """Pin the keys of the head and its workers that are unknown; raises LaunchError."""
    # Here, since paramiko takes a third of a second to load.
    from raytui.backends.ssh.asked_key import ask_key

    paths.make()
    target, keys = head_target(spec, paths)
    try:
        with step(on_step, "look at the head's key") as progress:
            if keys.known(target):
                progress.say("known")
            else:
                _pin_or_refuse(spec, keys, [ShownKey(target, *ask_key(target))], trust)
        with (
            HeadReach(spec, paths) as reach,
            step(on_step, "look at the workers' keys") as progress,
        ):
            known_hosts_for_head(spec, paths, reach, progress, trust)
    except ProviderError as error:
        raise LaunchError(str(error), error.detail) from error


def worker_hosts(spec: ClusterSpec) -> list[str]:
    """Every host of the cluster file that may become a worker, in its order."""
    return list(dict.fromkeys(host for pool in spec.pools.values() for host in pool.hosts))


def _hosts_before(paths: ClusterPaths) -> list[str]:
    """Hosts that were workers until now: those that the file no longer names are cleaned yet."""
    before = recall(paths)
    return worker_hosts(before) if before else []


def unknown_hosts(spec: ClusterSpec, paths: ClusterPaths) -> list[str]:
    """Workers whose keys nobody has vouched for."""
    return [target.name for target in _unknown(spec, HostKeys(paths.known_hosts))]


def _unknown(spec: ClusterSpec, keys: HostKeys) -> list[SshTarget]:
    targets = (ssh_target(host, spec.auth) for host in worker_hosts(spec))
    return [target for target in targets if not keys.known(target)]


def _ask_through(reach: HeadReach, targets: list[SshTarget]) -> list[ShownKey]:
    from raytui.backends.ssh.asked_key import ask_key_through

    def ask(target: SshTarget) -> ShownKey:
        try:
            return ShownKey(target, *ask_key_through(target, reach.host.connection))
        except ProviderError as error:
            return ShownKey(target, error=str(error))

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ask-key") as pool:
        return list(pool.map(ask, targets))


def _pin_or_refuse(
    spec: ClusterSpec, keys: HostKeys, shown: list[ShownKey], trust: Question | None
) -> None:
    if not shown:
        return
    table = "\n".join(key.text() for key in shown)
    hosts = count_text(len(shown), "host")
    if trust is None or not trust(f"Unknown keys of {hosts}:\n{table}\nThey will be trusted."):
        raise LaunchError(
            f"the keys of {hosts} are unknown; look at them and pin them with "
            f"`raytui trust {spec.source or spec.cluster_name}`",
            table,
        )
    for key in shown:
        add_key(keys.file, key.target.host_key_name, key.key_type, key.blob)


def _line(host: str, key: KnownKey) -> str:
    marker = "@revoked " if key.revoked else ""
    return f"{marker}{host} {key.key_type} {base64.b64encode(key.blob).decode()}\n"
