"""Running commands on this machine."""

import sys
import threading
import time
from pathlib import Path

import pytest

from raytui.backends.base import CommandResult, Filters, TransientError
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


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_shell_command_sees_bashrc_and_rays_settings(home: Path) -> None:
    (home / ".bashrc").write_text("export FROM_BASHRC=yes\n")
    text = 'echo "$FROM_BASHRC $OMP_NUM_THREADS $WORD" # a comment'
    heard: list[str] = []
    result = RUNNER.run_shell(text, env={"WORD": "x y"}, on_line=heard.append)
    assert (result.exit_code, result.output, heard) == (0, "yes 1 x y\n", ["yes 1 x y"])


def test_a_shell_command_tells_its_exit_code(home: Path) -> None:
    assert RUNNER.run_shell("echo no; exit 3") == CommandResult(3, "no\n")


def test_a_directory_is_copied_without_what_the_rules_leave_out(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for name in ("kept.py", "left.pyc", "sub/ignored.log", "sub/kept.txt"):
        (source / name).write_text(name)
    (source / "sub" / ".gitignore").write_text("*.log\n")
    filters = Filters(exclude=("*.pyc",), ignore_files=(".gitignore",))
    RUNNER.put(f"{source}/", "~/deep/target/", filters=filters)
    target = home / "deep" / "target"
    copied = {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
    assert copied == {"kept.py", "sub/.gitignore", "sub/kept.txt"}


def test_a_copy_of_nothing_fails_in_rsyncs_words(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="was not copied") as caught:
        RUNNER.get(str(tmp_path / "missing"), str(tmp_path / "target"))
    assert "No such file" in caught.value.detail


def test_a_copy_can_remove_what_is_no_longer_there(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old").touch()
    RUNNER.put(f"{tmp_path}/source/", f"{tmp_path}/target/", delete=True)
    assert list((tmp_path / "target").iterdir()) == []


def test_much_output_comes_as_lines_and_is_kept_in_part() -> None:
    sizes: list[int] = []
    code = "print('x' * 100_000); [print('line', n) for n in range(100_000)]"
    result = RUNNER.run(python(code), on_line=lambda line: sizes.append(len(line)))
    assert max(sizes) <= 16 << 10
    assert sum(sizes) > 1_000_000
    assert len(result.output) < 500_000
    assert "left out" in result.output
    assert result.output.endswith("line 99999\n")


def test_closing_ends_what_runs() -> None:
    runner = LocalRunner()
    results: list[CommandResult] = []
    begun = threading.Event()

    def work() -> None:
        command = ["sh", "-c", "echo begun; sleep 60"]
        results.append(runner.run(command, on_line=lambda _: begun.set()))

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    runner.close()
    thread.join(10)
    assert [result.exit_code for result in results] == [-9]
