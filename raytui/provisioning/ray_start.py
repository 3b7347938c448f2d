"""The commands that start Ray: what they find in their environment, and who scales the cluster."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from raytui.backends.marked_processes import INSTANCE_VARIABLE
from raytui.model.resources import EMPTY
from raytui.model.spec import ClusterSpec, NodeType

_NO_MONITOR = "--no-monitor"
_AUTOSCALING_CONFIG = "--autoscaling-config"

_TOKEN = re.compile(
    r"""(?P<blank>(?:[^\S\n]|\\\n)+)
      | (?P<operator>[;&|()<>\n]+)
      | (?P<word>(?:\\. | '[^']*' | "(?:\\.|[^"\\])*" | [^\s;&|()<>'"\\])+)
      | (?P<stray>.)""",
    re.VERBOSE | re.DOTALL,
)


class _Word(Struct, frozen=True):
    """One word of a command: where it stands in the text, and what the shell makes of it."""

    start: int
    end: int
    value: str


class HeadStart(Struct, frozen=True):
    """The commands that start the head, and what was changed in them, in words."""

    commands: tuple[str, ...]
    notices: tuple[str, ...] = ()


def head_start(commands: Sequence[str]) -> HeadStart:
    """The user's commands with Ray's own autoscaler off: ours takes its place.

    `ray start --head` gets `--no-monitor` instead of `--autoscaling-config`, wherever it stands in
    a compound command; not a letter of the rest changes.
    """
    rewritten = tuple(map(_without_monitor, commands))
    notices = [
        f"{_AUTOSCALING_CONFIG} became {_NO_MONITOR}, because raytui scales the cluster "
        f"(--ray-autoscaler leaves it to Ray): {new.strip()}"
        for old, new in zip(commands, rewritten, strict=True)
        if _AUTOSCALING_CONFIG in old and _AUTOSCALING_CONFIG not in new
    ]
    if commands and not any(_heads_in(command) for command in commands):
        notices.append(
            "no `ray start --head` was found in head_start_ray_commands; if a script runs it, give "
            f"it {_NO_MONITOR}, or use --ray-autoscaler"
        )
    return HeadStart(rewritten, tuple(notices))


def head_environment(instance_id: str, node_type: str) -> dict[str, str]:
    """What `ray start` on the head is told (Ray 2.60 `get_or_create_head_node`)."""
    return {
        "RAY_enable_autoscaler_v2": "1",
        INSTANCE_VARIABLE: instance_id,
        "RAY_NODE_TYPE_NAME": node_type,
    }


def worker_environment(
    head_ip: str, instance_id: str, node_type: str, instance_type: str
) -> dict[str, str]:
    """What `ray start` on a worker is told (Ray 2.60 `v2/instance_manager/ray_installer.py`).

    The raylet reports id and types to GCS, where the autoscaler finds its instances again.
    """
    return {
        "RAY_HEAD_IP": head_ip,
        INSTANCE_VARIABLE: instance_id,
        "RAY_NODE_TYPE_NAME": node_type,
        "RAY_CLOUD_INSTANCE_TYPE_NAME": instance_type,
    }


def overrides(spec: ClusterSpec, node_type: NodeType) -> dict[str, str]:
    """Resources and labels that hold whatever the machine has.

    Provider `local` is told what the file states and no more: its types stand for machines that
    differ (Ray 2.60 updater.py tells it nothing).
    """
    if spec.provider.type == "local":
        pool = spec.pools.get(node_type.name)
        resources = (pool.resources if pool is not None else EMPTY).amounts()
    else:
        resources = {**_denied(spec, node_type.name), **node_type.resources.amounts()}
    given = {
        "RAY_OVERRIDE_RESOURCES": resources,
        "RAY_OVERRIDE_LABELS": node_type.labels,
    }
    return {name: json.dumps(v, separators=(",", ":")) for name, v in given.items() if v}


def _denied(spec: ClusterSpec, node_type: str) -> dict[str, float]:
    """What the file says a type has none of, whatever the machine has: a head's `{CPU: 0}`."""
    written: Any = spec.written.get("available_node_types", {}).get(node_type, {})
    return {name: 0 for name, amount in (written.get("resources") or {}).items() if not amount}


def _without_monitor(command: str) -> str:
    for words in reversed(_heads_in(command)):
        command = _edited(command, words)
    return command


def _edited(command: str, words: Sequence[_Word]) -> str:
    """The command with one `ray start --head` in it changed, from its end to its begin."""
    values = [word.value for word in words]
    told = _NO_MONITOR in values
    for number in reversed(range(len(words))):
        name, equals, _ = values[number].partition("=")
        if name != _AUTOSCALING_CONFIG:
            continue
        last = words[number] if equals else words[min(number + 1, len(words) - 1)]
        start = words[number - 1].end if told else words[number].start
        command = command[:start] + ("" if told else _NO_MONITOR) + command[last.end :]
        told = True
    if told:
        return command
    at = words[values.index("--head")].end
    return f"{command[:at]} {_NO_MONITOR}{command[at:]}"


def _heads_in(command: str) -> list[list[_Word]]:
    """The words of each `ray start --head` in a command, from `ray` on."""
    found = []
    for words in _simple_commands(command):
        values = [word.value for word in words]
        rays = [i for i, v in enumerate(values) if v.rpartition("/")[2] == "ray"]
        if rays and "start" in values[rays[0] :] and "--head" in values[rays[0] :]:
            found.append(words[rays[0] :])
    return found


def _simple_commands(command: str) -> list[list[_Word]]:
    """The words of each command between the operators of a compound one.

    Quoting is heeded; what the shell would only know when it runs (aliases, `eval`, variables) is
    taken as it stands.
    """
    commands: list[list[_Word]] = [[]]
    for token in _TOKEN.finditer(command):
        if token.lastgroup == "operator":
            commands.append([])
        elif token.lastgroup == "word":
            commands[-1].append(_Word(token.start(), token.end(), "".join(shlex.split(token[0]))))
    return [words for words in commands if words]
