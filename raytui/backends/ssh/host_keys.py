"""Whether a host is the one we mean: its key is checked on every connection, without exception."""

from __future__ import annotations

import shlex
import threading
from pathlib import Path

from raytui.backends.ssh.errors import ChangedHostKeyError, UnknownHostKeyError
from raytui.backends.ssh.known_hosts import KnownKey, add_key, fingerprint, known_keys
from raytui.backends.ssh.target import SshTarget


class HostKeys:
    """The host keys of one cluster: those its hosts were given by us, then the user's own files.

    `file` is the cluster's known_hosts, made when the first key is learnt. All hosts of a cluster
    share one object.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._learning = threading.Lock()

    def known(self, target: SshTarget) -> list[KnownKey]:
        """All that is known of a host, from all files."""
        files = (self.file, *map(Path, target.known_hosts))
        return [key for file in files for key in known_keys(file, target.host_key_name)]

    def check(self, target: SshTarget, key_type: str, blob: bytes) -> None:
        """Return if this is the host's key; one that is ours teaches us its key the first time.

        Raises UnknownHostKeyError for a stranger that is seen for the first time, and
        ChangedHostKeyError whenever another key is known, also one of another type: a host that
        suddenly has only that is as suspect.
        """
        with self._learning:
            known = self.known(target)
            if not known and target.ours:
                add_key(self.file, target.host_key_name, key_type, blob)
                return
        if any(k.blob == blob and k.revoked for k in known):
            raise ChangedHostKeyError(
                target.name,
                f"its key {fingerprint(blob)} is marked as revoked",
                "Do not use this host until its owner has given it a new key.",
            )
        trusted = [key for key in known if not key.revoked]
        if any(key.blob == blob for key in trusted):
            return
        if trusted:
            raise _changed(target, key_type, blob, trusted[0])
        raise _unknown(target, key_type, blob)


def _unknown(target: SshTarget, key_type: str, blob: bytes) -> UnknownHostKeyError:
    accept = ["ssh", "-p", str(target.port)]
    if target.proxy_command:
        accept += ["-o", f"ProxyCommand={target.proxy_command}"]
    if target.host_key_name != target.default_key_name:
        accept += ["-o", f"HostKeyAlias={target.host_key_name}"]
    accept += [f"{target.user}@{target.address}", "true"]
    return UnknownHostKeyError(
        target.name,
        f"unknown host key {key_type} {fingerprint(blob)}",
        f"If this is the host's fingerprint, accept it once with: {shlex.join(accept)}",
    )


def _changed(target: SshTarget, key_type: str, blob: bytes, known: KnownKey) -> ChangedHostKeyError:
    forget = ["ssh-keygen", "-R", target.host_key_name, "-f", str(known.file)]
    return ChangedHostKeyError(
        target.name,
        f"its host key has changed: it shows {key_type} {fingerprint(blob)}, known is "
        f"{known.key_type} {fingerprint(known.blob)}; somebody may be listening in",
        f"Only if you know that the host was set up anew: {shlex.join(forget)}",
    )
