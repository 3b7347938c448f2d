"""Steps that raytui on the head tells of its own work: run it there, and hand them on here."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from raytui.backends.base import CommandResult, CommandRunner
from raytui.launcher.reach import program_on_head
from raytui.model.step import Step, StepSink, StepStatus


class _Told(Struct):
    """A line of `--json` (docs/json.md)."""

    node: str
    name: str
    status: StepStatus
    started_at: float | None = None
    ended_at: float | None = None
    detail: str = ""


def run_on_head(
    inside: CommandRunner,
    arguments: Sequence[str],
    on_step: StepSink,
    *,
    timeout_s: float | None = None,
) -> CommandResult:
    """Run raytui on the head with `--json`; the output of the answer is what was no step.

    Files of whole outputs are there, not here, so the steps name none. Raises ProviderError.
    """
    words: list[str] = []

    def hear(line: str) -> None:
        try:
            told = msgspec.json.decode(line, type=_Told)
        except (msgspec.DecodeError, UnicodeEncodeError):
            words.append(line)
            return
        on_step(
            Step(
                told.node,
                told.name,
                told.status,
                told.started_at or 0.0,
                told.ended_at or 0.0,
                told.detail,
            )
        )

    argv = program_on_head(*arguments, "--json")
    answer = inside.run(argv, timeout_s=timeout_s, on_line=hear)
    return CommandResult(answer.exit_code, "\n".join(words))
