"""Commands, terminals and copies in containers, through a real API server."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.backends.base import AuthError, ConfigError, Filters, ProviderError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.errors import NotFoundError, NotRunningError
from raytui.backends.kubernetes.pod_runner import PodRunner
from raytui.backends.kubernetes.session import KubeSession
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.running_pods import run_pod
from tests.kubernetes.waiting import until
from tests.support.kube_machine.machine import Machine

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]


@pytest.fixture
def runner(machine: Machine, admin: KubeSession, namespace: str) -> Iterator[PodRunner]:
    """The way into a pod that sleeps."""
    run_pod(admin, namespace, "one", main=["sleep", "1000"])
    runner = PodRunner(admin, namespace, "one", "main")
    yield runner
    runner.close()


def test_command_gives_its_output_in_order_and_its_exit_code(runner: PodRunner) -> None:
    lines: list[str] = []
    result = runner.run(
        ["sh", "-c", "hostname; echo two >&2; printf '%s' \"$1\"; exit 3", "x", "a b'c"],
        on_line=lines.append,
    )

    assert (result.exit_code, result.output) == (3, "one\ntwo\na b'c")
    assert lines == ["one", "two", "a b'c"]


def test_environment_is_given_but_not_in_the_address(
    runner: PodRunner, plane: ControlPlane
) -> None:
    secret = "it's $HOME `secret`\nof two lines"
    result = runner.run(["sh", "-c", 'printf %s "$MY_TOKEN"'], env={"MY_TOKEN": secret})

    assert result.output == secret
    assert "of two lines" not in (plane.folder / "kube-apiserver.log").read_text()


def test_shell_is_ray_s_and_says_nothing_of_its_own(runner: PodRunner) -> None:
    result = runner.run_shell("echo $OMP_NUM_THREADS # and no more")

    assert (result.exit_code, result.output) == (0, "1\n")


def test_command_that_is_not_there_has_exit_code_127(runner: PodRunner) -> None:
    result = runner.run(["no-such-command"])

    assert result.exit_code == 127
    assert "no-such-command" in result.output


def test_command_out_of_time_is_ended_with_what_it_started(
    runner: PodRunner,
) -> None:
    script = 'sleep 1234.5 & echo "$$ $!"; wait'
    result = runner.run(["sh", "-c", script], timeout_s=1)

    assert result.exit_code == 124
    for number in result.output.split():
        until(lambda number=number: not _runs(runner, number), f"process {number} has ended")


def test_closing_ends_what_is_under_way(runner: PodRunner) -> None:
    said = threading.Event()
    results: list[int] = []

    def work() -> None:
        script = "echo begun; exec sleep 1000"
        got = runner.run(["sh", "-c", script], on_line=lambda _: said.set())
        results.append(got.exit_code)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert said.wait(20)
    runner.close()
    thread.join(timeout=10)

    assert results == [137]


def test_much_output_comes_through_whole(runner: PodRunner) -> None:
    lines: list[str] = []
    result = runner.run(["seq", "200000"], on_line=lines.append)

    assert result.exit_code == 0
    assert lines == [str(number) for number in range(1, 200001)]


def test_folders_are_copied_there_and_back_with_filters_and_deletions(
    runner: PodRunner, tmp_path: Path
) -> None:
    there = "~/that machine's/deep"
    home = runner.run(["sh", "-c", 'printf %s "$HOME"']).output
    full = f"{home}/that machine's/deep"
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "kept.txt").write_text("kept")
    (source / "left.log").write_text("left out")

    runner.put(f"{source}/", there, filters=Filters(exclude=("*.log",)))
    assert _names(runner, full) == ["sub", "sub/kept.txt"]

    (source / "sub" / "kept.txt").unlink()
    (source / "new.txt").write_text("new")
    runner.put(f"{source}/", there, delete=True)
    assert _names(runner, full) == ["left.log", "new.txt", "sub"]

    back = tmp_path / "back"
    runner.get(f"{there}/", str(back))
    assert (back / "new.txt").read_text() == "new"


def test_copy_of_what_is_not_there_is_an_error_in_rsync_s_words(
    runner: PodRunner, tmp_path: Path
) -> None:
    with pytest.raises(ProviderError, match="was not copied"):
        runner.get(str(tmp_path / "none"), str(tmp_path / "back"))


@pytest.fixture(params=["v5.channel.k8s.io", "v4.channel.k8s.io"], ids=["v5", "v4"])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the machine speaks: the second has no word for the end of stdin."""
    monkeypatch.setattr("tests.support.kube_machine.node_api.PROTOCOLS", (request.param,))
    return str(request.param)


def test_stream_joins_stdin_and_stdout_and_ends_with_stdin(
    runner: PodRunner, protocol: str
) -> None:
    argv = runner.stream_command(["cat"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(f"{number}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline() == f"{number}\n".encode()
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_stream_carries_any_bytes_both_ways(runner: PodRunner) -> None:
    data = os.urandom(3 << 20)
    argv = runner.stream_command(["sh", "-c", f"head -c {len(data)} | cat"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        sending = threading.Thread(target=process.stdin.write, args=(data,))
        sending.start()
        assert process.stdout.read(len(data)) == data
        sending.join()
        assert process.wait(timeout=20) == 0


def test_stream_ends_the_command_that_reads_when_its_own_process_is_killed(
    runner: PodRunner, protocol: str
) -> None:
    argv = runner.stream_command(["sh", "-c", "echo $$; exec cat"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        number = process.stdout.readline().decode().strip()
        assert _runs(runner, number)
        process.kill()
    until(lambda: not _runs(runner, number), "the command has ended")


def test_what_comes_after_the_end_of_stdin_is_heard_where_the_server_can_tell_of_it(
    runner: PodRunner,
) -> None:
    argv = runner.stream_command(["sort"])
    done = subprocess.run(argv, input=b"b\na\n", capture_output=True, timeout=60)

    assert (done.returncode, done.stdout) == (0, b"a\nb\n")


def test_stream_without_input_hears_the_command_to_its_end(
    runner: PodRunner, protocol: str
) -> None:
    argv = runner.stream_command(["sh", "-c", "sleep 0.5; echo out; echo err >&2; exit 7", "--"])
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_stream_into_a_pod_that_is_not_there_says_so(runner: PodRunner, namespace: str) -> None:
    argv = [word if word != "one" else "none" for word in runner.stream_command(["true"])]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    assert done.returncode == 255
    assert b'pods "none" not found' in done.stderr
    assert b"Traceback" not in done.stderr


def test_terminal_has_the_size_of_the_person_s_and_follows_it(runner: PodRunner) -> None:
    ours, theirs = pty.openpty()
    _resize(theirs, 33, 101)
    argv = runner.terminal_argv(["sh", "-c", "while read go; do stty size; done; exit 5"])
    process = subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    try:
        heard = bytearray()
        threading.Thread(target=_listen, args=(ours, heard), daemon=True).start()
        _ask_until(ours, heard, b"go\n", b"33 101")
        _resize(theirs, 40, 120)
        process.send_signal(28)  # SIGWINCH: it is not the session that this terminal belongs to
        _ask_until(ours, heard, b"go\n", b"40 120")
        os.write(ours, b"\x04")
        assert process.wait(timeout=20) == 5, bytes(heard)
    finally:
        process.kill()
        process.wait()
        os.close(theirs)


def test_pod_that_is_not_there_is_an_error(runner: PodRunner, namespace: str) -> None:
    with pytest.raises(NotFoundError, match='pods "none" not found'):
        PodRunner(_session_of(runner), namespace, "none").run(["true"])


def test_container_that_is_not_there_is_an_error(runner: PodRunner, namespace: str) -> None:
    with pytest.raises(ConfigError, match="container other is not valid for pod one"):
        PodRunner(_session_of(runner), namespace, "one", "other").run(["true"])


def test_pod_that_is_on_no_machine_yet_is_not_running(admin: KubeSession, namespace: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "waits"},
        "spec": {"containers": [{"name": "main", "image": "any"}]},
    }
    admin.create(f"/api/v1/namespaces/{namespace}/pods", body)

    with pytest.raises(NotRunningError, match="does not have a host assigned"):
        PodRunner(admin, namespace, "waits").run(["true"])


def test_machine_that_is_not_there_is_named(
    kubelet: Kubelet, admin: KubeSession, namespace: str
) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lost"},
        "spec": {"containers": [{"name": "main", "image": "any"}]},
    }
    admin.create(f"/api/v1/namespaces/{namespace}/pods", body)
    kubelet.run("lost")

    with pytest.raises(
        NotRunningError, match=r'"machine" not found \(it is the machine of pod lost'
    ):
        PodRunner(admin, namespace, "lost").run(["true"])


def test_user_who_may_not_is_told_which_verbs_it_takes(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    config = plane.kubeconfig(tmp_path / "user", user=USER, namespace=namespace)
    session = KubeSession(Access(kubeconfig=str(config)))

    with pytest.raises(AuthError, match=r"both get and create on pods/exec"):
        PodRunner(session, namespace, "one").run(["true"])


def _session_of(runner: PodRunner) -> KubeSession:
    return runner._session


def _runs(runner: PodRunner, number: str) -> bool:
    """Whether a process is there and is not just waiting for its parent to hear of its end."""
    said = runner.run(["grep", "^State:", f"/proc/{number}/status"])
    return said.exit_code == 0 and "Z" not in said.output


def _names(runner: PodRunner, folder: str) -> list[str]:
    said = runner.run(["find", folder, "-mindepth", "1", "-printf", "%P\n"])
    return sorted(said.output.splitlines())


def _listen(terminal: int, heard: bytearray) -> None:
    try:
        while data := os.read(terminal, 1 << 12):
            heard.extend(data)
    except OSError:
        return


def _ask_until(terminal: int, heard: bytearray, question: bytes, answer: bytes) -> None:
    end = time.monotonic() + 20
    while answer not in heard:
        assert time.monotonic() < end, bytes(heard)
        os.write(terminal, question)
        time.sleep(0.3)


def _resize(terminal: int, rows: int, columns: int) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
