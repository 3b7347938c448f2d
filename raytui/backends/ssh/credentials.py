"""The keys that we may offer to a host: from the agent and from files, never a password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import paramiko
from paramiko.pkey import PublicBlob, UnknownKeyType

from raytui.backends.ssh.target import SshTarget


class Credentials:
    """The keys for one target, and why some of them cannot be used."""

    def __init__(self, target: SshTarget) -> None:
        self._target = target
        self.refused: list[str] = []
        """One sentence for each key file that was of no use."""

    def offers(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """Name and key, best first: the named files, then what else the agent has.

        A file whose public half is with the agent is signed for by the agent, so it may be
        encrypted. sshd closes the door after six keys by default, so few are better.
        """
        held = {key.asbytes(): key for key in _agent_keys()}
        for file in self._target.key_files:
            key = self._from_file(Path(file), held)
            if key:
                held.pop(key.asbytes(), None)
                yield file, key
        if not self._target.only_these_keys:
            yield from (("a key of the agent", key) for key in held.values())

    def _from_file(self, file: Path, held: dict[bytes, paramiko.AgentKey]) -> paramiko.PKey | None:
        public = _public_half(file)
        if public in held:
            return held[public]
        try:
            return paramiko.PKey.from_path(file)
        except FileNotFoundError:
            self.refused.append(f"{file} does not exist")
        except (paramiko.PasswordRequiredException, TypeError):
            self.refused.append(f"{file} is encrypted: give it to the agent with ssh-add")
        except (OSError, ValueError, paramiko.SSHException, UnknownKeyType) as error:
            self.refused.append(f"{file} cannot be read: {error}")
        return None


def _agent_keys() -> tuple[paramiko.AgentKey, ...]:
    """None when no agent runs, or when it does not talk sense."""
    try:
        return paramiko.Agent().get_keys()
    except (OSError, paramiko.SSHException):
        return ()


def _public_half(file: Path) -> bytes:
    """The blob of `file`.pub; empty when there is none."""
    try:
        line = file.with_name(file.name + ".pub").read_text()
        return PublicBlob.from_string(line.strip()).key_blob
    except (OSError, ValueError, IndexError):
        return b""
