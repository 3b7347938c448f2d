"""Ends what bears a mark in its environment: a node's Ray, found again whoever started it."""

from __future__ import annotations

import shlex

_MARKED = """\
marked() {
  for file in $(grep -lzxF -e "$1" /proc/[0-9]*/environ 2>/dev/null); do
    pid=${file#/proc/}; pid=${pid%/environ}
    [ "$pid" = $$ ] || echo "$pid"
  done
}
"""

_END = (
    _MARKED
    + """\
signal() { for pid in $2; do kill -"$1" "$pid" 2>/dev/null; done; }
wait_for() { n=0; while [ "$n" -lt "$1" ] && [ -n "$(marked "$mark")" ]; do
  sleep 0.2; n=$((n + 1)); done; }
mark=$1
pids=$(marked "$mark")
[ -n "$pids" ] || { echo "nothing runs"; exit 0; }
echo "ending" $pids
signal TERM "$pids"; wait_for 25
signal KILL "$(marked "$mark")"; wait_for 25
left=$(marked "$mark")
[ -z "$left" ] || { echo "still there:" $left; exit 1; }
"""
)
"""First politely, for 5 s."""


def instance_mark(instance_id: str) -> str:
    """What every process of a node's Ray has in its environment (ray_start.py)."""
    return f"RAY_CLOUD_INSTANCE_ID={instance_id}"


def end_argv(mark: str) -> list[str]:
    """The argv that ends every process with `mark` (`NAME=value`) in its environment.

    It needs Linux and GNU grep. What it ends it prints; exit code 1 means that some live on.
    """
    return ["/bin/sh", "-c", _END, "raytui", mark]


def end_command(mark: str) -> str:
    """`end_argv` as shell text."""
    return shlex.join(end_argv(mark))


def find_argv(mark: str) -> list[str]:
    """The argv that prints the pids of processes with `mark` in their environment."""
    return ["/bin/sh", "-c", _MARKED + 'marked "$1"', "raytui", mark]
