"""Ray's hashes of what a node was made from, so that either of us knows the other's nodes.

As `hash_launch_conf` and `hash_runtime_conf` of `ray/autoscaler/_private/util.py`; Ray keeps them
in the tags `ray-launch-config`, `ray-runtime-config` and `ray-file-mounts-contents`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

_CHUNK_BYTES = 2**20
_KEYS = ("ssh_private_key", "ssh_public_key")


class NodeHashes(Struct, frozen=True, omit_defaults=True):
    """What a node was made from, or is to be made from; empty where it is not known."""

    launch: str = ""
    """Of the machine: node_config and auth. Another one means another machine."""
    runtime: str = ""
    """Of the set-up: mounts with what is in them, and commands. Another one means a new set-up."""
    contents: str = ""
    """Of mounted and synchronised files. Another one alone means another copy."""


def launch_hash(node_config: Mapping[str, Any], auth: Mapping[str, Any]) -> str:
    """The hash of a machine; `auth` as the file has it, keys counting by what is in their files.

    Raises OSError when a key cannot be read.
    """
    read = {name: Path(auth[name]).expanduser().read_text() for name in _KEYS if name in auth}
    return _text(hashlib.sha256(_json([dict(node_config), {**auth, **read}])))


def head_hashes(
    file_mounts: Mapping[str, str], config: Mapping[str, Any], *, launch: str = ""
) -> NodeHashes:
    """The hashes of a head: its mounts and the whole cluster file, filled in.

    Raises OSError when a mounted file cannot be read.
    """
    runtime, contents = _runtime_hashes(file_mounts, (), config)
    return NodeHashes(launch, runtime, contents)


def worker_hashes(
    file_mounts: Mapping[str, str],
    synced_files: Sequence[str],
    setup_commands: Sequence[str],
    start_commands: Sequence[str],
    *,
    launch: str = "",
) -> NodeHashes:
    """The hashes of a worker. Synchronised files count for the contents only, and may be missing.

    The commands are the cluster's, also for types that have their own: so has Ray. Raises OSError
    when a mounted file cannot be read.
    """
    commands = [list(setup_commands), list(start_commands)]
    runtime, contents = _runtime_hashes(file_mounts, synced_files, commands)
    return NodeHashes(launch, runtime, contents)


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


def _runtime_hashes(
    file_mounts: Mapping[str, str], synced_files: Sequence[str], extra: Any
) -> tuple[str, str]:
    contents = hashlib.sha256()
    for path in sorted(file_mounts.values()):
        _add_path(contents, _expanded(path))
    runtime = hashlib.sha256(_json(dict(file_mounts)) + _json(extra) + _text(contents).encode())
    for path in sorted(synced_files):
        if Path(_expanded(path)).exists():
            _add_path(contents, _expanded(path))
    return _text(runtime), _text(contents)


def _expanded(path: str) -> str:
    # Not pathlib's: it drops the slash at the end, and Ray's hash has the path as it is written.
    return os.path.expanduser(path)  # noqa: PTH111


def _add_path(digest: _Digest, path: str) -> None:
    if not Path(path).is_dir():
        _add_file(digest, Path(path))
        return
    found = [(directory, sorted(names)) for directory, _, names in os.walk(path)]
    for directory, names in sorted(found):
        digest.update(directory.encode())
        for name in names:
            digest.update(name.encode())
            _add_file(digest, Path(directory, name))


def _add_file(digest: _Digest, path: Path) -> None:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _text(digest: _Digest) -> str:
    return base64.b32hexencode(digest.digest()).decode().lower().rstrip("=")
