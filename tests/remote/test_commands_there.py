"""Commands, scripts and shells on the machines of a cluster, through a real sshd."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.support.away import is_there
from tests.support.hosts import wait_until
from tests.support.on_premise import OnPremise

pytestmark = [pytest.mark.ssh, pytest.mark.slow]

InTerminal = Callable[..., Terminal]


def test_a_command_has_the_login_shell_and_its_exit_code_is_ours(elsewhere: OnPremise):
    done = elsewhere.raytui("exec", "away", "echo $PWD as $USER; command -v ray; exit 7")
    home, program = done.stdout.splitlines()
    assert (done.returncode, home) == (7, "/home/ray as ray")
    assert program.endswith("/bin/ray")
    assert done.stderr == ""


def test_what_people_type_for_ray_is_taken(elsewhere: OnPremise):
    flags = ("--no-config-cache", "--log-style", "pretty", "-v")
    done = elsewhere.raytui("exec", *flags, "away", "echo told")
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr


def test_output_comes_while_the_command_runs_and_ctrl_c_ends_it_there(elsewhere: OnPremise):
    text = "echo begun; exec sleep 4711"
    with elsewhere.start("exec", "away", text) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        assert sleeping(elsewhere)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 130
    wait_until(lambda: not sleeping(elsewhere), "the end of the command there")


def test_it_ends_there_when_we_are_told_to_end(elsewhere: OnPremise):
    with elsewhere.start("exec", "away", "echo begun; exec sleep 4711") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        running.terminate()
        assert running.wait(20) == 128 + signal.SIGTERM
    wait_until(lambda: not sleeping(elsewhere), "the end of the command there")


def test_a_port_is_forwarded_while_the_command_runs(elsewhere: OnPremise):
    serve = (
        "import socket; s = socket.create_server(('127.0.0.1', 19001)); print('up', flush=True);"
        " c, _ = s.accept(); c.sendall(b'from there'); c.close()"
    )
    with elsewhere.start("exec", "away", "-p", "19001", f'python -c "{serve}"') as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        with socket.create_connection(("127.0.0.1", 19001), timeout=10) as connection:
            assert connection.makefile("rb").read() == b"from there"
        assert running.wait(20) == 0


def test_a_host_without_tmux_is_told(elsewhere: OnPremise):
    done = elsewhere.raytui("exec", "away", "--tmux", "true")
    assert done.returncode == 127
    assert done.stderr == "it was not begun: is tmux installed there?\n"


def test_a_script_is_copied_and_gets_its_arguments_as_they_are(
    elsewhere: OnPremise, tmp_path: Path
):
    script = tmp_path / "it's mine.py"
    script.write_text("import sys\nprint(sys.argv[1:])\nsys.exit(len(sys.argv) - 1)\n")
    done = elsewhere.raytui("submit", "away", str(script), "--", "--lr", "$HOME", "a b")
    assert (done.returncode, done.stdout) == (3, "['--lr', '$HOME', 'a b']\n")
    assert is_there(elsewhere.head, f"/home/ray/{script.name}")


@pytest.mark.tmux
def test_a_terminal_is_a_terminal_there_too(in_terminal: InTerminal):
    screen = in_terminal("exec", "away", "tty; stty size; exit 5").wait("exit code 5")
    assert "/dev/pts/" in screen
    assert "40 120" in screen


@pytest.mark.tmux
def test_attach_is_a_shell_on_the_head(in_terminal: InTerminal, elsewhere: OnPremise):
    terminal = in_terminal("attach", "away")
    terminal.wait("ray@away-head")
    terminal.type("echo $((6*7)) in $PWD; exit 4\n")
    screen = terminal.wait("exit code 4")
    assert "42 in /home/ray" in screen


@pytest.mark.tmux
@pytest.mark.parametrize("by", ["address", "id"])
def test_attach_to_a_node_is_a_shell_on_its_machine(
    in_terminal: InTerminal, elsewhere: OnPremise, by: str
):
    address = elsewhere.workers[0].address
    terminal = in_terminal("attach", "away", address if by == "address" else f"{address}-c0ffee")
    terminal.wait("ray@away-1")
    terminal.type("exit\n")
    terminal.wait("exit code 0")


@pytest.mark.tmux
def test_a_worker_out_of_reach_is_reached_through_the_head(
    in_terminal: InTerminal, elsewhere: OnPremise
):
    worker = elsewhere.workers[0].address
    # The head is on the same bridge as the worker, so this is about this machine only.
    subprocess.run(["ip", "route", "add", "unreachable", worker], check=True)
    try:
        terminal = in_terminal("attach", "away", worker)
        terminal.wait("ray@away-1")
        terminal.type("echo from ${SSH_CLIENT%% *}; exit\n")
        screen = terminal.wait("exit code 0")
    finally:
        subprocess.run(["ip", "route", "del", "unreachable", worker], check=True)
    assert f"from {elsewhere.head.address}" in screen


def test_a_node_that_is_not_there_is_told_with_those_that_are(in_terminal: InTerminal):
    screen = in_terminal("attach", "away", "10.1.2.3").wait("exit code 1")
    assert "no node here is called 10.1.2.3; there are: 10." in screen


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("attach", "away"), "no terminal to open a shell on"),
        (("attach", "away", "--new"), "--new is for --tmux and --screen"),
        (("exec", "away", "--run-env", "docker", "true"), "away has no docker section"),
        (("exec", "away", "--tmux", "--screen", "true"), "either --tmux or --screen"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    elsewhere: OnPremise, words: tuple[str, ...], said: str
):
    done = elsewhere.raytui(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.fixture
def in_terminal(elsewhere: OnPremise, tmp_path: Path) -> Iterator[InTerminal]:
    """Runs the program in a real terminal."""
    with contextlib.ExitStack() as stack:

        def run(*words: str) -> Terminal:
            made = Terminal(tmp_path, elsewhere.argv(*words), env=elsewhere.environment)
            stack.callback(made.close)
            return made

        yield run


def sleeping(cluster: OnPremise) -> bool:
    return "sleep 4711" in cluster.head.run("ps", "-eo", "args")
