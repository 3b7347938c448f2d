"""The `ray start` of a pod: what its group says, told to Ray as raytui plans with it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping

from raytui.backends.kubernetes.group_resources import resources_of
from raytui.backends.kubernetes.head_address import dashboard_port, gcs_port
from raytui.backends.kubernetes.raycluster import HEAD_GROUP
from raytui.backends.kubernetes.session import Json
from raytui.config.problems import Problems

GCS_PORT = 6379
DASHBOARD_PORT = 8265
METRICS_PORT = 8080
AGENT_PORT = 52365

_OPTIONS = {"CPU": "num-cpus", "GPU": "num-gpus", "memory": "memory"}
"""By Ray's name of a resource: the option of `ray start` for it; all others are in `resources`."""
_TPU_HEAD = re.compile(r"TPU-.+-head")
"""Ray itself gives this to the first host of a slice."""
_WITH_VALUE = frozenset({"include-dashboard", "include-log-monitor", "log-color"})
"""Options that may be told false; any other one is there or is not."""
_FLAGS = frozenset({"true", "false"})
_BREAKS = ";&|<>\n"
"""What ends a word of the shell and begins another command."""


def options_of(group: Json, *, head: str = "") -> dict[str, str]:
    """The options of `ray start` in a pod of a group, by name and in order; values are words.

    `head` is the `host:port` that a worker joins; empty for the head itself. Resources are those
    that planning reads of the group, whatever else its `rayStartParams` say. Raises ConfigErrors.
    """
    own: dict[str, str] = dict(group.get("rayStartParams") or {})
    found = {
        "metrics-export-port": str(METRICS_PORT),
        "dashboard-agent-listen-port": str(AGENT_PORT),
        **({"address": head} if head else _of_head(group)),
        **{name: value for name, value in own.items() if name != "autoscaling-config"},
        **_told_resources(group, own),
        "block": "true",
    }
    if labels := group.get("labels"):
        found["labels"] = ",".join(f"{name}={labels[name]}" for name in sorted(labels))
    return dict(sorted(found.items()))


def command_line(options: Mapping[str, str], *, is_head: bool) -> str:
    """The command for a shell."""
    return _command(options, is_head, _word)


def unquoted(options: Mapping[str, str], *, is_head: bool) -> str:
    """The command as a variable has to have it that is expanded without quotes.

    `$KUBERAY_GEN_RAY_START_CMD` is split at blanks, and quotes in it are not taken away.
    """
    return _command(options, is_head, str)


def port_of(options: Mapping[str, str], name: str, default: int) -> int:
    """A port among the options."""
    try:
        return int(options.get(name, default))
    except ValueError:
        return default


def _command(options: Mapping[str, str], is_head: bool, word: Callable[[str], str]) -> str:
    words = ["ray", "start", *(["--head"] if is_head else [])]
    for name, value in options.items():
        if value.lower() in _FLAGS and name not in _WITH_VALUE:
            words += [f"--{name}"] if value.lower() == "true" else []
        else:
            words.append(f"--{name}={word(value)}")
    return " ".join(words)


def _of_head(group: Json) -> dict[str, str]:
    return {
        "port": str(gcs_port(group)),
        "dashboard-port": str(dashboard_port(group)),
        "dashboard-host": "0.0.0.0",  # noqa: S104 (of its pod)
        "no-monitor": "true",
    }


def _word(value: str) -> str:
    """A value for the shell, quoted unless it is a word of the shell already.

    Such a word stays as it was written, as KubeRay has it: `$POD_IP` is expanded.
    """
    return value if _is_word(value) and not _is_json(value) else shlex.quote(value)


def _is_word(value: str) -> bool:
    parts = shlex.shlex(value, posix=True, punctuation_chars=_BREAKS)
    parts.whitespace_split = True
    parts.commenters = ""
    try:
        found = list(parts)
    except ValueError:  # a quote without its other one
        return False
    return len(found) == 1 and not set(found[0]) <= set(_BREAKS)


def _is_json(value: str) -> bool:
    try:
        return isinstance(json.loads(value), dict | list)
    except ValueError:
        return False


def _told_resources(group: Json, own: Mapping[str, str]) -> dict[str, str]:
    problems = Problems(str(group.get("groupName") or HEAD_GROUP))
    found = resources_of(group, (), problems)
    problems.raise_if_any()
    told = {option: str(int(found[name])) for name, option in _OPTIONS.items() if name in found}
    said = {*(group.get("resources") or {}), own.get("resources", "")}
    custom = {
        name: amount
        for name, amount in found.items()
        if name not in _OPTIONS
        and (not _TPU_HEAD.fullmatch(name) or any(name in part for part in said))
    }
    if custom or "resources" in own:
        told["resources"] = json.dumps(custom, separators=(",", ":"), sort_keys=True)
    return told
