"""`raytui job` and `raytui dashboard` from a laptop, on real Ray behind a real sshd."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.on_premise import OnPremise

pytestmark = [pytest.mark.ssh, pytest.mark.ray, pytest.mark.slow]

PROJECT = {
    "main.py": "import pathlib\nprint(sorted(p.name for p in pathlib.Path().iterdir()))\n",
    "kept.txt": "",
    "ignored.txt": "",
    "excluded.bin": "",
    ".gitignore": "ignored.txt\n",
}


def printed(process: subprocess.Popen[str]) -> Iterator[str]:
    """Its lines as they come, without those that Ray writes among them."""
    assert process.stdout is not None
    own = ("job_manager.py", "Running entrypoint for job")
    return (line for line in process.stdout if not any(words in line for words in own))


def test_a_job_with_files_runs_there_and_its_output_is_followed(
    with_ray: OnPremise, tmp_path: Path
):
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    environment = json.dumps({"excludes": ["*.bin"], "env_vars": {"COLOUR": "green"}})
    done = with_ray.raytui(
        *("job", "submit", "-c", "away", "--working-dir", str(tmp_path)),
        *("--runtime-env-json", environment, "--submission-id", "with-files"),
        *("--", "python", "main.py"),
    )
    assert done.returncode == 0, done.stderr
    assert "'kept.txt', 'main.py'" in done.stdout
    assert "ignored" not in done.stdout
    assert "excluded" not in done.stdout
    assert "with-files succeeded" in done.stderr


def test_a_job_that_fails_is_a_failure_in_one_sentence(with_ray: OnPremise):
    done = with_ray.raytui("job", "submit", "-c", "away", "--", "echo told; exit 3")
    assert done.returncode == 1
    assert "told" in done.stdout.splitlines()
    assert "is FAILED: Job entrypoint command failed with exit code 3" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_output_is_followed_while_it_comes_and_stop_ends_the_job(with_ray: OnPremise):
    argv = ("job", "submit", "-c", "away", "--no-wait", "--submission-id", "endless")
    text = "for n in 1 2 3; do echo line $n; done; sleep 600"
    submitted = with_ray.raytui(*argv, "--", text)
    assert (submitted.returncode, submitted.stdout) == (0, "endless\n"), submitted.stderr
    with with_ray.start("job", "logs", "-c", "away", "--follow", "endless") as following:
        lines = printed(following)
        assert [next(lines) for _ in range(3)] == ["line 1\n", "line 2\n", "line 3\n"]
        assert with_ray.raytui("job", "status", "-c", "away", "endless").stdout == "RUNNING\n"
        stopped = with_ray.raytui("job", "stop", "-c", "away", "endless")
        assert stopped.stderr == "endless is stopped\n"
        assert following.wait(30) == 0
    listed = with_ray.raytui("job", "list", "-c", "away", "--json")
    found = {one["job_id"]: one["status"] for one in json.loads(listed.stdout)}
    assert found["endless"] == "STOPPED"
    rows = [
        line.split() for line in with_ray.raytui("job", "list", "-c", "away").stdout.splitlines()
    ]
    assert ["endless", "STOPPED"] in [row[:2] for row in rows]


def test_each_line_comes_once_also_when_the_connection_is_lost(with_ray: OnPremise):
    text = "for n in 1 2 3; do echo line $n; done; while [ ! -e ~/go-on ]; do sleep 0.1; done; "
    argv = ("job", "submit", "-c", "away", "--", text + "echo line 4; echo line 5")
    with with_ray.start(*argv) as following:
        lines = printed(following)
        assert [next(lines) for _ in range(3)] == ["line 1\n", "line 2\n", "line 3\n"]
        for connection in with_ray.head.sshd(listener=False):
            connection.kill()
        with_ray.head.run("touch", "/home/ray/go-on")
        assert list(lines) == ["line 4\n", "line 5\n"]
        assert following.wait(30) == 0


def test_ctrl_c_leaves_the_job_running_and_says_how_to_end_it(with_ray: OnPremise):
    argv = ("job", "submit", "-c", "away", "--submission-id", "left", "--", "echo on; sleep 600")
    with with_ray.start(*argv) as following:
        assert next(printed(following)) == "on\n"
        following.send_signal(signal.SIGINT)
        _, errors = following.communicate(timeout=20)
    assert following.returncode == 130
    assert "left goes on; end it: raytui job stop left" in errors
    assert with_ray.raytui("job", "status", "-c", "away", "left").stdout == "RUNNING\n"
    with_ray.raytui("job", "stop", "-c", "away", "left")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("status", "nobody"), 1, "404"),
        (("logs", "--follow", "nobody"), 1, "404"),
        (("submit", "--submission-id", "with-files", "--", "true"), 1, "already exists"),
        (("submit", "--working-dir", "/not/there", "--", "true"), 1, "/not/there does not exist"),
        (("submit", "--runtime-env-json", "[]", "--", "true"), 2, "a JSON object is wanted"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    with_ray: OnPremise, words: tuple[str, ...], code: int, said: str
):
    first, *rest = words
    done = with_ray.raytui("job", first, "-c", "away", *rest)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_the_dashboard_is_reachable_until_ctrl_c(with_ray: OnPremise):
    with with_ray.start("dashboard", "away", "--port", "18265") as forwarding:
        assert forwarding.stdout is not None
        url = forwarding.stdout.readline().strip()
        assert url == "http://127.0.0.1:18265"
        with urllib.request.urlopen(f"{url}/api/version", timeout=10) as answer:
            assert json.loads(answer.read())["ray_version"]
        forwarding.send_signal(signal.SIGINT)
        assert forwarding.wait(20) == 0


def test_a_port_without_a_dashboard_is_told(with_ray: OnPremise):
    done = with_ray.raytui("dashboard", "away", "--remote-port", "9")
    assert (done.returncode, done.stdout) == (3, "")
    assert "no dashboard answers there" in done.stderr


def test_a_taken_port_is_told(with_ray: OnPremise):
    with with_ray.start("dashboard", "away", "--port", "18266") as first:
        assert first.stdout is not None
        assert first.stdout.readline()
        done = with_ray.raytui("dashboard", "away", "--port", "18266")
    assert done.returncode == 1
    assert "port 18266 cannot be had on this machine" in done.stderr
