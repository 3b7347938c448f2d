"""Reads and adds to known_hosts files, in OpenSSH's format (sshd(8), SSH_KNOWN_HOSTS)."""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import hmac
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct


class KnownKey(Struct, frozen=True):
    """One public key that a file has for a host."""

    key_type: str
    blob: bytes
    revoked: bool
    file: Path


def known_keys(file: Path, host: str) -> list[KnownKey]:
    """The keys of a host in one file, which may be absent. Lines without sense are skipped.

    Lines of certificate authorities are skipped as well: host certificates are not supported.
    """
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return []
    return [key for line in text.splitlines() for key in _read(line, host, file)]


def add_key(file: Path, host: str, key_type: str, blob: bytes) -> None:
    """Write down the key of a host, on disk for good; the file is its owner's alone."""
    line = f"{host} {key_type} {base64.b64encode(blob).decode()}\n"
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(opened, "a") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        out.write(line)
        out.flush()
        os.fsync(out.fileno())


def fingerprint(blob: bytes) -> str:
    """`SHA256:…`, as every SSH program shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _read(line: str, host: str, file: Path) -> Iterator[KnownKey]:
    words = line.split()
    marker = words.pop(0) if words and words[0].startswith("@") else ""
    if len(words) < 3 or words[0].startswith("#") or marker not in ("", "@revoked"):
        return
    names, key_type, encoded = words[:3]
    if not _names_host(names, host):
        return
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return
    yield KnownKey(key_type, blob, marker == "@revoked", file)


def _names_host(names: str, host: str) -> bool:
    if names.startswith("|1|"):
        return _is_hash_of(names, host)
    patterns = [name.lower() for name in names.split(",")]
    if any(p.startswith("!") and _fits(host, p[1:]) for p in patterns):
        return False
    return any(_fits(host, p) for p in patterns if not p.startswith("!"))


def _fits(host: str, pattern: str) -> bool:
    """`[` stands for itself here: `[host]:port` is no set of characters."""
    return fnmatchcase(host.lower(), pattern.replace("[", "[[]"))


def _is_hash_of(hashed: str, host: str) -> bool:
    _, _, salt, digest = (*hashed.split("|"), "", "", "")[:4]
    try:
        key, wanted = base64.b64decode(salt), base64.b64decode(digest)
    except binascii.Error:
        return False
    return hmac.compare_digest(hmac.digest(key, host.lower().encode(), "sha1"), wanted)
