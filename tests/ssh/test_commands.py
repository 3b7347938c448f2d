"""Commands on a real host."""

import logging
import os
import signal
import socket
import subprocess
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import pytest

from raytui.backends.base import ConfigError
from raytui.backends.ssh.errors import ConnectionLostError, HungError, UnreachableError
from raytui.backends.ssh.openssh import terminal_argv
from raytui.backends.ssh.runner import SshRunner
from tests.support.hosts import Host, wait_until

pytestmark = pytest.mark.ssh


def sleepers(host: Host) -> int:
    return len(host.run("sh", "-c", "pgrep -x sleep || true").split())


def test_output_comes_line_by_line_and_whole_with_the_exit_code(runner: SshRunner) -> None:
    lines: list[str] = []
    result = runner.run(["sh", "-c", "echo one; echo bad >&2; exit 3"], on_line=lines.append)
    assert (result.exit_code, result.output) == (3, "one\nbad\n")
    assert lines == ["one", "bad"]


def test_a_last_line_without_newline_is_a_line(runner: SshRunner) -> None:
    lines: list[str] = []
    assert runner.run(["printf", "a\nb"], on_line=lines.append).output == "a\nb"
    assert lines == ["a", "b"]


@pytest.mark.parametrize("word", ["$HOME; exit 1", 'it\'s "so"', "a\\nb", "", "~", "*", "-n\n\n#"])
def test_no_shell_reads_the_arguments(runner: SshRunner, word: str) -> None:
    assert runner.run(["printf", "<%s>", word]).output == f"<{word}>"


def test_a_command_that_is_not_there_says_so(runner: SshRunner) -> None:
    result = runner.run(["no-such-command-anywhere"])
    assert result.exit_code == 127
    assert "no-such-command-anywhere" in result.output


def test_a_command_that_dies_of_a_signal_has_its_number(runner: SshRunner) -> None:
    assert runner.run(["sh", "-c", "kill -TERM $$"]).exit_code == 128 + signal.SIGTERM


def test_variables_arrive_and_nobody_sees_them_in_the_list_of_processes(runner: SshRunner) -> None:
    value = 'p\'w "$HOME"\nline 2'
    script = "printf %s \"$API_TOKEN\"; echo; ps -ef | grep -c 'line 2' || true"
    result = runner.run(["sh", "-c", script], env={"API_TOKEN": value})
    # what is found is the search itself, in `sh -c` and in grep
    assert result.output.startswith(value + "\n")
    assert int(result.output.split("\n")[2]) <= 2
    shown = runner.run_shell("ps -ef", env={"API_TOKEN": "hush-hush"}).output
    assert "ps -ef" in shown
    assert "hush-hush" not in shown


def test_variables_are_there_from_the_first_program_on(runner: SshRunner, host: Host) -> None:
    host.run("sh", "-c", "echo 'FOUND=${FOUND-$WORD}; WORD=from-rc' >> /home/ray/.bashrc")
    show = "tr '\\0' '\\n' </proc/$$/environ | grep ^WORD="
    result = runner.run_shell(f"echo $FOUND $WORD; {show}", env={"WORD": "it's", "LINES_2": "a\nb"})
    assert result.output == "it's it's\nWORD=it's\n"


def test_a_variable_that_would_be_shell_is_refused(runner: SshRunner) -> None:
    with pytest.raises(ConfigError, match="X;reboot"):
        runner.run(["true"], env={"X;reboot": "1"})


def test_a_users_text_runs_in_an_interactive_login_shell_as_with_ray(
    runner: SshRunner, host: Host
) -> None:
    host.run("sh", "-c", "echo 'echo noise; export FROM_RC=rc' >> /home/ray/.bashrc")
    host.run("sh", "-c", "echo 'export FROM_PROFILE=profile' >> /home/ray/.profile")
    text = "echo $FROM_RC $FROM_PROFILE $OMP_NUM_THREADS $PYTHONWARNINGS; shopt -q login_shell"
    result = runner.run_shell(f"{text} && [[ $- == *i* ]] && cd / && pwd; false")
    assert (result.exit_code, result.output) == (1, "rc profile 1 ignore\n/\n")


def test_a_users_text_that_is_no_shell_says_where(runner: SshRunner) -> None:
    result = runner.run_shell('echo "never closed')
    assert result.exit_code == 2
    assert "unexpected EOF" in result.output


def test_a_shell_that_ends_in_the_middle_of_its_login_files_tells_what_it_said(
    runner: SshRunner, host: Host
) -> None:
    host.run("sh", "-c", "echo 'echo no licence; exit 9' > /home/ray/.profile")
    result = runner.run_shell("true")
    assert result.exit_code == 9
    assert "no licence" in result.output


def test_a_command_ends_though_what_it_left_behind_goes_on(runner: SshRunner, host: Host) -> None:
    result = runner.run_shell("nohup sleep 600 & echo started", timeout_s=20)
    assert result.exit_code == 0
    assert "started" in result.output
    assert sleepers(host) == 1


def test_a_command_out_of_time_is_killed_with_all_its_processes(
    runner: SshRunner, host: Host
) -> None:
    text = "sleep 600 & echo began; (sleep 600; true) & sleep 600"
    result = runner.run_shell(text, timeout_s=1.5)
    assert (result.exit_code, result.output.splitlines()[-1]) == (124, "began")
    assert sleepers(host) == 0


def test_a_reader_that_fails_ends_the_command(runner: SshRunner, host: Host) -> None:
    def fail(_: str) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        runner.run(["sh", "-c", "echo x; sleep 600"], on_line=fail)
    assert sleepers(host) == 0


def test_a_runner_that_is_closed_ends_its_commands(runner: SshRunner, host: Host) -> None:
    results: list[int] = []
    began = threading.Event()

    def work() -> None:
        script = ["sh", "-c", "echo began; sleep 600"]
        results.append(runner.run(script, on_line=lambda _: began.set()).exit_code)

    thread = threading.Thread(target=work)
    thread.start()
    assert began.wait(20)
    runner.close()
    thread.join(20)
    assert results == [137]
    assert sleepers(host) == 0
    assert runner.run(["echo", "again"]).output == "again\n"


def test_commands_run_side_by_side_on_one_connection(runner: SshRunner, host: Host) -> None:
    runner.run(["true"])
    before = {process.pid for process in host.sshd(listener=False)}
    results: list[str] = []

    def work(number: int) -> None:
        results.append(runner.run(["sh", "-c", f"sleep 0.5; echo {number}"]).output)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [f"{n}\n" for n in range(6)]
    assert {process.pid for process in host.sshd(listener=False)} == before


@pytest.mark.slow
def test_a_hundred_megabytes_go_by_in_little_memory(runner: SshRunner) -> None:
    seen = 0

    def count(line: str) -> None:
        nonlocal seen
        seen += len(line) + 1

    script = "echo first; head -c 100000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo last"
    tracemalloc.start()
    result = runner.run(["sh", "-c", script], on_line=count)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.exit_code == 0
    assert seen > 101_000_000
    assert result.output.startswith("first\n")
    assert result.output.endswith("last\n")
    assert "characters left out" in result.output
    assert len(result.output) < 500_000
    assert peak < 20_000_000


def test_a_line_without_end_is_kept_in_parts(runner: SshRunner) -> None:
    longest = 0

    def measure(line: str) -> None:
        nonlocal longest
        longest = max(longest, len(line))

    script = "head -c 3000000 /dev/zero | tr '\\0' x"
    result = runner.run(["sh", "-c", script], on_line=measure)
    assert result.exit_code == 0
    assert result.output.endswith("x")
    assert longest < 200_000


def test_sshd_killed_in_the_middle_is_told_and_the_command_ended_before_the_next(
    runner: SshRunner, host: Host
) -> None:
    def kill(_: str) -> None:
        host.signal(signal.SIGKILL, listener=False)

    with pytest.raises(ConnectionLostError, match=f"{host.address}: the connection ended while"):
        runner.run(["sh", "-c", "echo began; sleep 600"], on_line=kill)
    assert sleepers(host) == 1
    assert runner.run(["echo", "again"]).output == "again\n"
    assert sleepers(host) == 0


@pytest.mark.parametrize("befalls", [Host.frozen, Host.cut_off])
def test_a_host_that_falls_silent_in_the_middle_is_given_up_and_used_again_when_it_is_back(
    runner: SshRunner, host: Host, befalls: Callable[[Host], AbstractContextManager[None]]
) -> None:
    with ExitStack() as stack:

        def fall_silent(_: str) -> None:
            stack.enter_context(befalls(host))

        with pytest.raises(HungError, match=r"no answer for 2 s while running sh"):
            runner.run(["sh", "-c", "echo began; sleep 600"], on_line=fall_silent)
        with pytest.raises((HungError, UnreachableError)):
            runner.run(["true"])
    host.wait_for_ssh()
    assert runner.run(["echo", "again"]).output == "again\n"
    assert sleepers(host) == 0


def test_a_short_network_cut_is_survived(runner: SshRunner, host: Host) -> None:
    runner.run(["true"])
    cut = host.cut_off()
    seen: list[str] = []

    def on_line(line: str) -> None:
        seen.append(line)
        if line == "1":
            with cut:
                host.run("sleep", "0.7")

    script = "for n in 1 2 3 4 5; do echo $n; sleep 0.3; done"
    assert runner.run(["sh", "-c", script], on_line=on_line).exit_code == 0
    assert seen == list("12345")


def test_secrets_are_masked_in_logs_and_errors(
    runner: SshRunner, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    def kill(_: str) -> None:
        host.signal(signal.SIGKILL, listener=False)

    caplog.set_level(logging.DEBUG, "raytui")
    text = "export HF_TOKEN=hf_123 WANDB_API_KEY='two words'; echo $DB_PASSWORD; sleep 600"
    with pytest.raises(ConnectionLostError) as caught:
        runner.run_shell(text, env={"DB_PASSWORD": "swordfish"}, on_line=kill)
    runner.run(["echo", "swordfish"], env={"DB_PASSWORD": "swordfish"})
    for said in (caplog.text, str(caught.value)):
        assert "HF_TOKEN=•••" in said
        assert "hf_123" not in said
        assert "two words" not in said
        assert "swordfish" not in said


def test_a_streamed_command_is_a_pipe_both_ways(runner: SshRunner) -> None:
    argv = runner.stream_command(["sh", "-c", 'echo "$0"; exec cat', "it's"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"it's\n"
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == line
        data = os.urandom(1 << 18)
        process.stdin.write(data)
        process.stdin.close()
        assert process.stdout.read() == data
    assert process.returncode == 0


def test_a_shell_for_a_person_has_a_terminal(runner: SshRunner) -> None:
    reached = (runner.connection.target, runner.connection.keys)
    argv = terminal_argv(*reached, ["sh", "-c", "tty; echo it is $((6*7))"])
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "/dev/pts/" in done.stdout
    assert "it is 42" in done.stdout


def test_a_forwarded_port_leads_to_the_hosts_loopback(runner: SshRunner, host: Host) -> None:
    serve = "import socketserver as s\nclass H(s.StreamRequestHandler):\n"
    serve += " def handle(self): self.wfile.write(self.rfile.read()[::-1])\n"
    serve += "s.ThreadingTCPServer(('127.0.0.1', 9000), H).serve_forever()"
    host.engine.docker("exec", "-d", host.container, "python3", "-c", serve)
    wait_until(lambda: ":2328" in host.run("cat", "/proc/net/tcp"), "the server")
    with runner.forward(9000) as port:
        for size in (3, 300_000):
            data = os.urandom(size)
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                got = b"".join(iter(lambda: client.recv(1 << 16), b""))
            assert got == data[::-1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def test_a_forwarded_port_where_nobody_listens_closes(runner: SshRunner) -> None:
    with (
        runner.forward(9) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as client,
    ):
        assert client.recv(1) == b""
