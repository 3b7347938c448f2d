"""What we send to a host to run a command: a constant command line, the rest on its stdin.

Variables and commands travel on stdin, so that nobody on the host reads them in `ps`; only the
command's own arguments show, as they would anywhere. The constant part is understood by sh, bash,
zsh, ksh and fish as login shells. Marks with a random word tell apart our lines from the command's.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Mapping, Sequence

from msgspec import Struct

from raytui.backends.base import ConfigError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class RemoteCall(Struct, frozen=True):
    """One command as the host gets it."""

    tag: str
    """A word in the arguments of the shell that leads the command's session. `<tag> <pid>` is the
    first line it prints."""
    mark: str
    """A word that nobody else knows: it stands in no argument. After the login files comes
    `<mark> begin`, then all output, then `<mark> end <exit code>`."""
    line: str
    script: str


def plain_call(command: Sequence[str], env: Mapping[str, str]) -> RemoteCall:
    """An argument list: what a shell might read into it is quoted; no login files are read."""
    tag, mark = _word(), _word()
    # /usr/bin/env runs programs only: dash's own echo would read backslashes
    body = f"/usr/bin/env {shlex.join(command)}"
    exports = _exports(env)
    script = [_first(exports), "exec 3<&-", *exports]
    script += [f"echo {mark} begin", body, f"echo {mark} end $?"]
    return RemoteCall(tag, mark, _line(tag, "/bin/sh -c"), "\n".join(script) + "\n")


def login_call(text: str, env: Mapping[str, str]) -> RemoteCall:
    """A user's own shell text, run as Ray runs it: `bash --login -c -i`, ~/.bashrc, two variables.

    Unlike Ray's there is no terminal, so programs do not draw progress bars or ask questions.
    What login files print is not part of the output.
    """
    tag, mark = _word(), _word()
    exports = _exports(env)
    script = [
        _first(exports),
        "exec 3<&-",
        "[ -f ~/.bashrc ] && . ~/.bashrc",
        "export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore",
        *exports,
        f"echo {mark} begin",
        f"( eval {shlex.quote(text)} )",
        f"echo {mark} end $?",
    ]
    return RemoteCall(tag, mark, _line(tag, "bash --login -c -i"), "\n".join(script) + "\n")


def kill_call(session: int, tag: str) -> RemoteCall:
    """Ends all processes of a session, if its leader still is the one that bears the tag."""
    script = f""":
exec 3<&-
rounds='1 2'  # the second for what was started during the first
grep -q {tag} /proc/{session}/cmdline 2>/dev/null || rounds=
for round in $rounds; do
  for stat in /proc/[0-9]*/stat; do
    {{ read -r fields <"$stat"; }} 2>/dev/null || continue
    set -- ${{fields##*) }}
    pid=${{stat#/proc/}}
    [ "$4" = {session} ] && kill -KILL "${{pid%/stat}}" 2>/dev/null
  done
done
"""
    own, mark = _word(), _word()
    return RemoteCall(own, mark, _line(own, "/bin/sh -c"), script + f"echo {mark} end 0\n")


def _line(tag: str, shell: str) -> str:
    inner = f'eval "$(cat <&3)" # {tag}'
    outer = f'echo {tag} $$; read -r first <&3; eval "$first"; exec {shell} {shlex.quote(inner)}'
    return f"exec /bin/sh -c {shlex.quote(outer)} 3<&0 </dev/null 2>&1"


def _first(exports: Sequence[str]) -> str:
    """The first line of a script: variables that hold from the first program on.

    So the shell itself can be found by its environment, also while it reads its login files.
    Values of several lines come after those only, as all do once more: ours win.
    """
    return "; ".join([":", *(export for export in exports if "\n" not in export)])


def _word() -> str:
    return "raytui-" + secrets.token_hex(8)


def _exports(env: Mapping[str, str]) -> list[str]:
    wrong = [name for name in env if not _VARIABLE.fullmatch(name)]
    if wrong:
        raise ConfigError(f"{wrong[0]!r} cannot be the name of an environment variable")
    return [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
