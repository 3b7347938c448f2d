"""A command in a container: its streams, its end, and how it is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from msgspec import Struct

from raytui.backends.base import ConfigError, ProviderError, TransientError
from raytui.backends.kubernetes.channels import V4, V5, Channels
from raytui.backends.kubernetes.session import KubeSession

_NOT_FOUND = re.compile(r"executable file not found|no such file or directory|not found in \$PATH")
NOT_FOUND_CODE = 127


class Channel(IntEnum):
    """What messages are of, by Kubernetes' remote command protocol."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    STATUS = 3
    """How the command has ended, in JSON."""
    SIZE = 4
    """Of the terminal."""


class Container(Struct, frozen=True):
    """A container of a pod; an empty name means the pod's first or default one."""

    namespace: str
    pod: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}" + (f" {self.name}" if self.name else "")


class Ended(Struct, frozen=True):
    """How a command has ended."""

    code: int
    words: str = ""
    """Of the runtime, when it could not be run."""


def started(
    session: KubeSession,
    where: Container,
    command: Sequence[str],
    *,
    stdin: bool = True,
    tty: bool = False,
) -> Channels:
    """Start a command; raises a typed ProviderError.

    The arguments are in the address that is asked for, and so in audit logs: no secrets there.
    """
    query = [
        *(("command", word) for word in command),
        *([("container", where.name)] if where.name else []),
        ("stdin", _told(stdin)),
        ("stdout", "true"),
        ("stderr", _told(not tty)),
        ("tty", _told(tty)),
    ]
    path = f"/api/v1/namespaces/{where.namespace}/pods/{where.pod}/exec"
    return session.channels(path, query, V5, V4)


def end_of(status: bytes, where: Container) -> Ended:
    """What a message of Channel.STATUS says; raises a ProviderError when nothing was run."""
    try:
        told: Any = json.loads(status)
    except ValueError:
        told = {"status": "Failure", "message": status.decode(errors="replace")}
    if told.get("status") == "Success":
        return Ended(0)
    words = str(told.get("message") or "")
    for cause in (told.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return Ended(int(cause.get("message") or 1))
    if _NOT_FOUND.search(words):
        return Ended(NOT_FOUND_CODE, words)
    raise _not_run(words, where)


def cut_off(where: Container) -> ProviderError:
    """The error of a command whose end was not told."""
    return TransientError(f"{where}: the connection ended before the command did")


def _told(yes: bool) -> str:
    return "true" if yes else "false"


def _not_run(words: str, where: Container) -> ProviderError:
    kind = ConfigError if "permission denied" in words else TransientError
    return kind(f"{where}: {words or 'the command was not run'}")
