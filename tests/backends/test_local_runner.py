"""Running commands on this machine."""

import sys
import time

from raytui.backends.local_runner import LocalRunner

RUNNER = LocalRunner()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_comes_line_by_line_and_whole() -> None:
    lines: list[str] = []
    result = RUNNER.run(python("print('one'); print('two')"), on_line=lines.append)
    assert (result.exit_code, result.output) == (0, "one\ntwo\n")
    assert lines == ["one", "two"]


def test_stderr_and_the_exit_code_are_kept() -> None:
    result = RUNNER.run(python("import sys; sys.stderr.write('bad'); sys.exit(3)"))
    assert (result.exit_code, result.output) == (3, "bad")


def test_the_environment_is_added_to_ours() -> None:
    code = "import os; print(os.environ['WORD'], 'PATH' in os.environ)"
    assert RUNNER.run(python(code), env={"WORD": "x"}).output == "x True\n"


def test_a_command_that_takes_too_long_is_killed_with_its_children() -> None:
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    started = time.monotonic()
    assert RUNNER.run(python(code), timeout_s=0.5).exit_code == 124
    assert time.monotonic() - started < 10


def test_a_command_that_is_not_there_says_so() -> None:
    result = RUNNER.run(["no-such-command-anywhere"])
    assert result.exit_code == 127
    assert "no-such-command-anywhere" in result.output


def test_no_shell_reads_the_arguments() -> None:
    result = RUNNER.run(["echo", "$HOME; exit 1"])
    assert (result.exit_code, result.output) == (0, "$HOME; exit 1\n")
