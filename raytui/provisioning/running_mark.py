"""A mark on a machine while a command of its set-up runs there, for whoever comes after a crash.

The mark is a file that holds a random word; the command and all that it starts have the same word
in their environment. Who finds a mark knows that nobody waits for that command any more, and ends
it before it is run again. What a command has left behind on purpose is never touched: its mark
went away when the command ended.
"""

from __future__ import annotations

import contextlib
import logging
import secrets

from raytui.backends.base import CommandRunner, ProviderError
from raytui.backends.marked_processes import end_argv
from raytui.backends.shell_script import script_argv

VARIABLE = "RAYTUI_STEP"

_log = logging.getLogger(__name__)

_WITHIN_S = 30.0

_NOTE = """\
cd && mkdir -p .cache/raytui/running && cd .cache/raytui/running &&
printf '%s\\n' "$2" >"$1.new" && mv "$1.new" "$1"
"""
_CLEAR = 'rm -f "$HOME/.cache/raytui/running/$1"'
_FIND = 'cat "$HOME/.cache/raytui/running/$1" 2>/dev/null || true'


class RunningMark:
    """The mark of one machine of one cluster. Its methods raise what the runner raises."""

    def __init__(self, host: CommandRunner, name: str) -> None:
        """`name` tells it from the marks of other clusters; it is the name of a file."""
        self._host = host
        self._name = name

    def note(self) -> str:
        """Put the mark there, and return the word that the command's VARIABLE is to have.

        A machine that cannot take it (a full disk) gets none: what runs there can tell that.
        """
        word = secrets.token_hex(8)
        self._ask(_NOTE, self._name, word)
        return word

    def clear(self) -> None:
        """Take it away: the command has ended. With the machine out of reach it stays."""
        with contextlib.suppress(ProviderError):
            self._ask(_CLEAR, self._name)

    def find(self) -> str:
        """The word of a command for which nobody waits; empty when there is none."""
        return self._ask(_FIND, self._name).strip()

    def end(self, word: str, container: CommandRunner | None = None) -> bool:
        """End all that has the word, there and in the container; whether there was anything."""
        argv = end_argv(f"{VARIABLE}={word}", at_once=True)
        ended = [self._host.run(argv, timeout_s=_WITHIN_S)]
        if container is not None:
            ended.append(container.run(argv))
        self.clear()
        return any(result.output.startswith("ending") for result in ended)

    def _ask(self, script: str, *arguments: str) -> str:
        result = self._host.run(script_argv(script, *arguments), timeout_s=_WITHIN_S)
        if result.exit_code:
            _log.debug("mark %s: exit code %d: %s", arguments, result.exit_code, result.output)
        return "" if result.exit_code else result.output
