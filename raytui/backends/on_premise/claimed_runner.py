"""A runner that claims its host before anything is done there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from raytui.backends.base import CommandResult, CommandRunner, Filters, LineSink


class ClaimedRunner:
    """For a host that was given before it answered: `claim` raises when it turns out not ours."""

    def __init__(self, runner: CommandRunner, claim: Callable[[], None]) -> None:
        self._runner = runner
        self._claim = claim

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """See CommandRunner."""
        self._claim()
        return self._runner.run(command, env=env, timeout_s=timeout_s, on_line=on_line)

    def run_shell(
        self,
        text: str,
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """See CommandRunner."""
        self._claim()
        return self._runner.run_shell(text, env=env, timeout_s=timeout_s, on_line=on_line)

    def put(
        self,
        source: str,
        to: str,
        *,
        filters: Filters | None = None,
        delete: bool = False,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> None:
        """See CommandRunner."""
        self._claim()
        self._runner.put(
            source, to, filters=filters, delete=delete, timeout_s=timeout_s, on_line=on_line
        )

    def get(
        self,
        source: str,
        to: str,
        *,
        filters: Filters | None = None,
        delete: bool = False,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> None:
        """See CommandRunner."""
        self._claim()
        self._runner.get(
            source, to, filters=filters, delete=delete, timeout_s=timeout_s, on_line=on_line
        )

    def stream_command(self, command: Sequence[str]) -> list[str]:
        """See CommandRunner."""
        return self._runner.stream_command(command)

    def close(self) -> None:
        """See CommandRunner."""
        self._runner.close()
