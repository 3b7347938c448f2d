"""Finds and ends what was started with a mark in its environment, on whatever machine; in sh.

Who starts a node's Ray, or a command of its set-up, gives it a mark (`NAME=value`), which
everything that it starts inherits. Linux and GNU grep are needed.
"""

from __future__ import annotations

import shlex

from raytui.backends.shell_script import script_argv

INSTANCE_VARIABLE = "RAY_CLOUD_INSTANCE_ID"
"""Ray's own variable for the provider's id of a node; GCS reports it back in NodeState."""

FUNCTIONS = r"""
fields() {  # state, parent and session of a process
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  set -- ${line##*) }
  state=$1 parent=$2 session=$4
}

spare() {  # ourselves, those who called us, and init
  fields $$ && own=$session
  spared=" 1 $$ "
  pid=$$
  while fields $pid && [ "$parent" -gt 1 ]; do
    pid=$parent
    spared="$spared$pid "
  done
}

bearers() {  # pids of what was started with one of these marks
  for mark; do
    shift
    set -- "$@" -e "$mark"
  done
  [ $# -gt 0 ] || return 0
  for file in $(grep -lzxF "$@" /proc/[0-9]*/environ 2>/dev/null); do
    file=${file#/proc/}
    echo ${file%/environ}
  done
}

take() {
  [ "$state" != Z ] && [ "$session" != "$own" ] || return 0
  case "$spared" in *" $pid "*) return 0 ;; esac
  members="$members$pid "
  [ "$session" -le 1 ] || sessions="$sessions$session "
}

find_members() {  # into $members: those, and all in their sessions, and their children
  members=' ' sessions=' ' before=' '
  for pid in $(bearers "$@"); do
    fields $pid && take
  done
  while [ "$members" != "$before" ]; do
    before=$members
    for stat in /proc/[0-9]*/stat; do
      pid=${stat#/proc/}
      pid=${pid%/stat}
      case "$members" in *" $pid "*) continue ;; esac
      fields $pid || continue
      case "$members/$sessions" in *" $parent "*/* | */*" $session "*) take ;; esac
    done
  done
}

end_marked() {  # how (politely, at-once), then marks; what lives on stays in $members
  signals=KILL
  [ "$1" = at-once ] || signals='TERM KILL'
  shift
  for signal in $signals; do
    rounds=0
    while find_members "$@" && [ "$members" != ' ' ]; do
      if [ $signal = KILL ]; then
        kill -KILL $members 2>/dev/null || sudo -n kill -KILL $members 2>/dev/null
      elif [ $rounds = 0 ]; then
        kill -$signal $members 2>/dev/null
      fi
      [ $rounds -lt 25 ] || break
      rounds=$((rounds + 1))
      sleep 0.2
    done
    [ "$members" != ' ' ] || return 0
  done
  return 1
}

spare
"""
"""Ray's workers write their titles over their environment, and sudo clears it: such are found by
their sessions and parents. Never taken: our own session, our callers, init, and what is dead."""

_FIND = (
    FUNCTIONS
    + """\
name=$1
find_members "$2"
for pid in $members; do
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$name" ] || echo "$pid"
done
"""
)

_END = (
    FUNCTIONS
    + """\
how=$1 mark=$2
find_members "$mark"
[ "$members" != ' ' ] || { echo "nothing runs"; exit 0; }
echo "ending" $members
end_marked "$how" "$mark" && exit 0
echo "still there:" $members
exit 1
"""
)


def instance_mark(instance_id: str) -> str:
    """What every process of a node's Ray has in its environment."""
    return f"{INSTANCE_VARIABLE}={instance_id}"


def end_argv(mark: str, *, at_once: bool = False) -> list[str]:
    """The argv that ends every process that was started with `mark` (`NAME=value`).

    Politely for 5 s first, unless `at_once`. What it ends it prints after `ending`; exit code 1
    means that some live on.
    """
    return script_argv(_END, "at-once" if at_once else "politely", mark)


def end_command(mark: str) -> str:
    """`end_argv` as shell text."""
    return shlex.join(end_argv(mark))


def find_argv(mark: str, name: str) -> list[str]:
    """The argv that prints the pids of processes called `name` that were started with `mark`."""
    return script_argv(_FIND, name, mark)
