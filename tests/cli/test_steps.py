"""Steps as people read them: lines that stay, and lines drawn again in a terminal."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from raytui.cli.columns import columns_of, cut
from raytui.cli.step_lines import StepLines
from raytui.cli.steps import StepPrinter
from raytui.model.step import LaunchError, Step, StepStatus
from tests.e2e.terminal import Terminal, lines_with

W, R, D, F, S = (
    StepStatus.WAITING,
    StepStatus.RUNNING,
    StepStatus.DONE,
    StepStatus.FAILED,
    StepStatus.SKIPPED,
)


def done(node: str, name: str, began: float = 10.0, took: float = 2.0, detail: str = "") -> Step:
    return Step(node, name, D, began, began + took, detail)


def running(node: str, name: str, began: float = 10.0, detail: str = "") -> Step:
    return Step(node, name, R, began, detail=detail)


def told(*steps: Step, live: bool = False, at: float = 20.0) -> StepLines:
    lines = StepLines(live=live, width=60)
    for step in steps:
        lines.take(step, at)
    return lines


def test_an_ended_step_is_one_line_once():
    lines = told(running("head", "start Ray 1/2"))
    assert lines.over(20.0) == []
    lines.take(done("head", "start Ray 1/2", detail="Local node IP: 10.0.0.1"), 21.0)
    assert lines.over(21.0) == ["✓ start Ray 1/2                 2.0s  Local node IP: 10.0.0.1"]
    assert lines.over(22.0) == []


def test_the_node_is_named_where_there_are_several():
    lines = told(done("10.77.0.3-a", "set up 2/5", took=41.0), done("10.77.0.12-b", "copy /data"))
    first, second = lines.over(20.0)
    assert first.split("  ")[0] == "10.77.0.3-a"
    assert first.index("✓") == second.index("✓")
    assert "✓ set up 2/5" in first
    assert "41.0s" in first


def test_what_is_about_the_whole_cluster_has_no_node_before_it():
    lines = told(running("a", "copy /x"), running("b", "copy /x"), done("", "check Ray"))
    assert lines.over(20.0) == ["✓ check Ray                     2.0s"]


def test_a_failed_step_comes_with_the_end_of_its_output_and_the_file(tmp_path: Path):
    file = tmp_path / "02-set-up-2-3.log"
    file.write_text("".join(f"line {n}\n" for n in range(40)))
    words = "set up 2/3: exit code 100: E: Unable to locate package libfoo"
    lines = told(Step("head", "set up 2/3", F, 10.0, 12.0, words, str(file))).over(20.0)
    assert lines[0].startswith("✕ set up 2/3  ")
    assert lines[0].endswith("  2.0s  exit code 100: E: Unable to locate package libfoo")
    assert lines[1] == "    line 30"
    assert lines[-2:] == ["    line 39", f"    all of its output: {file}"]


def test_output_that_is_kept_on_the_head_is_said_to_be_there():
    lines = told(Step("10.77.0.3-a", "set up 2/3", F, 10.0, 12.0, "exit code 1", "/there/x.log"))
    assert lines.over(20.0)[1:] == ["    all of its output, on the head: /there/x.log"]


def test_a_failure_that_is_tried_again_later_is_told_once():
    lines = told(Step("n", "set up 1/1", F, 10.0, 12.0, "exit code 1, trying again in 0m05s"))
    assert len(lines.over(20.0)) == 1
    lines.take(Step("n", "set up 1/1", F, 10.0, 12.0, "exit code 1, trying again in 0m04s"), 21.0)
    assert lines.over(21.0) == []
    lines.take(running("n", "set up 1/1", 30.0), 30.0)
    lines.take(Step("n", "set up 1/1", F, 30.0, 31.0, "exit code 1"), 31.0)
    assert len(lines.over(31.0)) == 1


def test_on_a_terminal_each_of_several_nodes_is_one_line_until_its_end_is_told():
    lines = told(
        done("a", "wait for login"), running("a", "set up 1/2", 12.0, "Collecting torch"),
        Step("a", "set up 2/2", W), running("b", "wait for login", 11.0), live=True,
    )  # fmt: skip
    assert lines.over(20.0) == []
    first, second, summary = lines.under_way(20.0, 10)
    assert "a  ◐ set up 1/2" in first
    assert first.endswith("0m08s  Collecting torch")
    assert "b  ◐ wait for login" in second
    assert summary == "0 of 2 nodes set up"
    for name, began in (("set up 1/2", 12.0), ("set up 2/2", 14.0)):
        lines.take(done("a", name, began), began + 2.0)
    assert lines.over(16.1) == []
    (line,) = lines.over(18.1)
    assert line.split() == ["a", "✓", "set", "up", "6.0s"]
    assert lines.under_way(18.1, 10)[-1] == "1 of 2 nodes set up"


def test_a_node_that_failed_is_no_longer_under_way():
    lines = told(
        Step("a", "set up 1/2", F, 10.0, 12.0, "exit code 1"), Step("a", "set up 2/2", W),
        running("b", "set up 1/2"), live=True,
    )  # fmt: skip
    assert len(lines.over(20.0)) == 1
    block = lines.under_way(20.0, 10)
    assert not lines_with("\n".join(block), "a  ")
    assert block[-1] == "0 of 2 nodes set up, 1 failed"


@given(st.integers(1, 60), st.integers(1, 30), st.text(), st.text())
def test_what_is_drawn_again_never_outgrows_the_terminal(count, room, name, detail):
    lines = told(
        *(running(f"10.77.0.{n}", name, detail=detail) for n in range(count)), live=True
    )  # fmt: skip
    block = lines.under_way(20.0, room)
    assert 1 <= len(block) <= room
    assert all(columns_of(line) <= 60 and line.isprintable() for line in block)
    if count > room:
        assert block[-1].endswith(f"{count - room + 1} more under way")


@given(st.text(), st.integers(1, 40))
def test_a_cut_line_fits(line, width):
    assert columns_of(cut(line, width)) <= width


@pytest.mark.parametrize("text", ["plain", "日本語", "e\u0301te\u0301", "✓ ◐ ✕ – …", "🚀 한국어"])
def test_columns_are_counted_as_terminals_do(text):
    assert columns_of(text) == cell_len(text)


def test_without_a_terminal_lines_come_as_steps_end_and_hold_no_control_characters():
    out = io.StringIO()
    with StepPrinter(out) as steps:
        steps(running("head", "set up 1/1", detail="\x1b[31mred\x1b[0m"))
        assert out.getvalue() == ""
        steps(done("head", "set up 1/1", detail="\x1b[31mred"))
        assert out.getvalue() == "✓ set up 1/1                    2.0s  red\n"


@pytest.mark.parametrize("is_kept", [True, False])
def test_the_output_of_a_failed_step_is_not_told_again_with_the_error(tmp_path: Path, is_kept):
    file = tmp_path / "01.log"
    file.write_text("E: no\n")
    out = io.StringIO()
    with pytest.raises(LaunchError) as failure, StepPrinter(out) as steps:
        steps(Step("head", "set up 1/1", F, 1.0, 2.0, "exit code 1", str(file) if is_kept else ""))
        raise LaunchError("the head is not set up", "E: no\n")
    assert ("E: no" in out.getvalue(), failure.value.detail == "") == (is_kept, is_kept)


PROGRAM = """
import sys, time
from raytui.cli.steps import printer
from raytui.model.step import Step, StepStatus

try:
    with printer() as steps:
        now = time.time()
        steps(Step("", "check Ray", StepStatus.DONE, now, now, "日本語" * 40))
        for n in range(60):
            steps(Step(f"10.77.0.{n}", "set up 2/5", StepStatus.RUNNING, now, detail="日本語" * n))
        if "ask" in sys.argv:
            time.sleep(0.5)
            with steps.aside():
                input("trust these hosts? ")
        time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
    time.sleep(60)
"""


@pytest.fixture
def terminal(tmp_path: Path):
    opened: list[Terminal] = []

    def open_(*words: str) -> Terminal:
        root = Path(__file__).parents[2]
        env = {**os.environ, "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", PROGRAM, *words]
        opened.append(Terminal(tmp_path, command, env=env, width=80, height=20))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@pytest.mark.tmux
def test_ctrl_c_leaves_a_clean_terminal(terminal):
    screen = terminal()
    shown = screen.wait("more under way").splitlines()
    assert len(lines_with("\n".join(shown), "◐ set up 2/5")) == 17
    assert shown[0].startswith("✓ check Ray")
    # Drawn again, it stays where it is.
    assert screen.wait("0m02s").splitlines()[0] == shown[0]
    screen.press("C-c")
    left = screen.wait("interrupted").splitlines()
    assert left[0] == shown[0]
    assert not lines_with("\n".join(left), "◐")


@pytest.mark.tmux
def test_a_question_has_the_terminal_to_itself(terminal):
    screen = terminal("ask")
    asked = screen.wait("trust these hosts?")
    assert not lines_with(asked, "◐")
    screen.type("y")
    screen.press("Enter")
    screen.wait("more under way")
