"""Runs a command in a container so that it ends with the connection of who asked for it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from raytui.backends.shell_script import script_argv

_SCRIPT = r"""
eval "$(head -c "$1")"; shift
exec 3<&0
apart=; command -v setsid >/dev/null 2>&1 && apart=setsid
$apart "$@" </dev/null 2>&1 3<&- & child=$!
{ while read -r _ <&3; do :; done
  kill -s KILL -- "-$child" || kill -s KILL "$child"
} </dev/null >/dev/null 2>&1 & watcher=$!
wait "$child"; code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"""


def bound_script(command: Sequence[str], env: Mapping[str, str]) -> tuple[list[str], bytes]:
    """The argv for the container, and what to send to its stdin first.

    The values of `env` go there, since arguments end up in audit logs. When stdin ends, all that
    runs in the command's session is killed: closing the connection alone kills nothing in a
    container. stdout and stderr come as one, in order.
    """
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in env.items()]
    head = "".join(lines).encode()
    return script_argv(_SCRIPT, str(len(head)), *command), head
