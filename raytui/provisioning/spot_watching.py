"""Shell text that starts the watching for spot notices on a node whose Ray has been started."""

from __future__ import annotations

import shlex
from pathlib import Path

from raytui.backends.aws import spot_watch
from raytui.backends.marked_processes import FUNCTIONS, instance_mark
from raytui.backends.shell_script import script_argv
from raytui.ray import tell_notice

_START = (
    FUNCTIONS
    + """\
instance=$1 mark=$2 watch=$3 tell=$4
raylet=
find_members "$mark"
for pid in $members; do
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != raylet ] || raylet=$pid
done
[ -n "$raylet" ] || { echo "no notices of interruption: no Ray of this node runs here"; exit 0; }
python=$(tr '\\0' '\\n' <"/proc/$raylet/cmdline" | sed -n 's/^--python_worker_command=//p')
case $python in
  '"'*) python=${python#?} python=${python%%'"'*} ;;
  *) python=${python%% *} ;;
esac
end_marked politely "RAYTUI_SPOT_WATCH=$instance"
put() {
  mkdir -p "$HOME/.cache/raytui" && printf '%s' "$2" >"$1.$$" && mv "$1.$$" "$1"
}
watcher=$HOME/.cache/raytui/spot_watch.py
put "$watcher" "$watch" && put "$HOME/.cache/raytui/tell_notice.py" "$tell" &&
  RAYTUI_SPOT_WATCH=$instance "$python" "$watcher" "$instance" "$raylet" ||
  echo "no notices of interruption: they cannot be watched here"
"""
)
"""Ray's own Python is the one with which the raylet starts its workers. Whatever goes wrong is
told and is no failure: the node is as good as any without notices."""


def watch_command(instance_id: str) -> str:
    """Watch for notices of interruption of this instance, as long as its Ray runs; one watcher.

    To be run with the environment that Ray was started with. It exits at once, with code 0.
    """
    programs = [Path(str(one.__file__)).read_text() for one in (spot_watch, tell_notice)]
    return shlex.join(script_argv(_START, instance_id, instance_mark(instance_id), *programs))
