"""Ends what was started with a mark in its environment: a node's Ray, whoever started it."""

from __future__ import annotations

import shlex

_MARKED = """\
session_of() {
  session=0
  { read -r line < "/proc/$1/stat"; } 2>/dev/null || return 0
  set -- ${line##*) }
  [ "$1" = Z ] || session=$4
}
session_of $$; own=$session
marked() {
  sessions=' '
  for file in $(grep -lzxF -e "$1" /proc/[0-9]*/environ 2>/dev/null); do
    file=${file#/proc/}; session_of "${file%/environ}"
    case $session in 0 | 1 | "$own") ;; *) sessions="$sessions$session " ;; esac
  done
  [ "$sessions" != ' ' ] || return 0
  for process in /proc/[0-9]*; do
    session_of "${process#/proc/}"
    case $sessions in *" $session "*) echo "${process#/proc/}" ;; esac
  done
}
"""
"""All in the sessions of what bears the mark, since Ray's workers write their titles over their
environment. Not our own session, nor what runs in init's."""

_FIND = (
    _MARKED
    + """\
for pid in $(marked "$1"); do
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$2" ] || echo "$pid"
done
"""
)

_END = (
    _MARKED
    + """\
signal() { for pid in $2; do kill -"$1" "$pid" 2>/dev/null; done; }
wait_for() {  # so many seconds, until nothing is left
  until=$(($(date +%s) + $1))
  while [ -n "$(marked "$mark")" ] && [ "$(date +%s)" -lt "$until" ]; do sleep 0.2; done
}
mark=$1
pids=$(marked "$mark")
[ -n "$pids" ] || { echo "nothing runs"; exit 0; }
echo "ending" $pids
signal TERM "$pids"; wait_for 5
signal KILL "$(marked "$mark")"; wait_for 5
left=$(marked "$mark")
[ -z "$left" ] || { echo "still there:" $left; exit 1; }
"""
)
"""First politely, for 5 s."""


def instance_mark(instance_id: str) -> str:
    """What every process of a node's Ray has in its environment (ray_start.py)."""
    return f"RAY_CLOUD_INSTANCE_ID={instance_id}"


def end_argv(mark: str) -> list[str]:
    """The argv that ends every process that was started with `mark` (`NAME=value`).

    It needs Linux and GNU grep. What it ends it prints; exit code 1 means that some live on.
    """
    return ["/bin/sh", "-c", _END, "raytui", mark]


def end_command(mark: str) -> str:
    """`end_argv` as shell text."""
    return shlex.join(end_argv(mark))


def find_argv(mark: str, name: str) -> list[str]:
    """The argv that prints the pids of processes called `name` that were started with `mark`."""
    return ["/bin/sh", "-c", _FIND, "raytui", mark, name]
