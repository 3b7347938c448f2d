"""Takes the output of a remote call apart: our marks, and the lines of the command."""

from __future__ import annotations

import codecs

from raytui.backends.base import LineSink
from raytui.backends.kept_output import KeptOutput
from raytui.backends.ssh.remote_shell import RemoteCall

_LONGEST_LINE = 16 << 10


class Output:
    r"""The output of one remote call, fed in pieces, in bounded memory.

    Our own marks are taken out: `session` is the leader's pid once known, `exit_code` is set when
    the command has ended. Each line goes to `on_line` without its newline; of a line that a
    progress bar rewrites (with `\r`) only the last state; a line of more than 16 KiB in parts.
    """

    def __init__(self, call: RemoteCall, on_line: LineSink | None = None) -> None:
        self._tag = call.tag
        self._mark = call.mark
        self._on_line = on_line
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._pending = ""
        self._begun = False
        self._preface = KeptOutput()
        self._kept = KeptOutput()
        self.session: int | None = None
        self.exit_code: int | None = None

    @property
    def text(self) -> str:
        """What was kept. Of a command that never began, what its shell said."""
        return self._kept.text() if self._begun else self._preface.text()

    def feed(self, data: bytes) -> None:
        """The next bytes; after the end mark they are ignored."""
        self._pending += self._decode(data)
        *lines, self._pending = self._pending.split("\n")
        for line in lines:
            self._take(line)
        room = len(self._mark) + 32
        while len(self._pending) > _LONGEST_LINE + room:
            part, self._pending = self._pending[:_LONGEST_LINE], self._pending[_LONGEST_LINE:]
            self._keep(part, part)

    def end(self) -> None:
        """There is no more: the last line may lack its newline."""
        rest, self._pending = self._pending, ""
        if rest:
            self._keep(rest, rest)

    def _take(self, line: str) -> None:
        _, tag, pid = line.partition(self._tag)
        if tag and self.session is None and pid.strip().isdigit():
            self.session = int(pid)
            return
        before, mark, after = line.partition(self._mark)
        if not mark:
            self._keep(line + "\n", line)
            return
        if before:
            self._keep(before, before)
        word, _, code = after.strip().partition(" ")
        if word == "begin":
            self._begun = True
        elif word == "end" and code.isdigit():
            self.exit_code = int(code)

    def _keep(self, text: str, line: str) -> None:
        if self.exit_code is not None:
            return
        if not self._begun:
            self._preface.add(text)
            return
        self._kept.add(text)
        if self._on_line:
            self._on_line(line.rstrip("\r").rpartition("\r")[2])
