"""The same commands on a cluster of this machine: real Ray, no SSH."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Program
from tests.support.hosts import wait_until

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("here"))
    try:
        up = program.run("up", str(program.file("near")), "-y")
        assert up.returncode == 0, up.stderr
        yield program
    finally:
        program.close()


def test_exec_runs_here_with_the_cluster_as_rays_default(here: Program):
    done = here.run("exec", "near", "ray status && exit 9")
    assert done.returncode == 9, done.stderr
    assert "Autoscaler status" in done.stdout


@pytest.mark.tmux
def test_in_tmux_it_goes_on_when_we_have_left(
    here: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path))
    left = here.run("exec", "near", "--tmux", f"echo it\\'s $RAY_ADDRESS > '{tmp_path}/told' # now")
    try:
        assert (left.returncode, left.stdout) == (0, ""), left.stderr
        assert "it runs on; look at it: tmux attach" in left.stderr
        told = tmp_path / "told"
        wait_until(lambda: told.exists() and told.read_text().endswith("\n"), "what it writes")
    finally:
        subprocess.run(["tmux", "kill-server"])
    assert told.read_text() == f"it's {here.status('near')['gcs_address']}\n"


def test_a_script_of_this_machine_is_a_driver_of_the_cluster(here: Program):
    script = here.folder / "count it.py"
    script.write_text(
        "import ray, sys\nray.init(logging_level='ERROR')\nprint(len(ray.nodes()), sys.argv[1:])\n"
    )
    done = here.run("submit", "near", str(script), "--", "a b")
    assert (done.returncode, done.stdout) == (0, "1 ['a b']\n"), done.stderr


def test_jobs_and_the_dashboard_are_the_clusters_own(here: Program):
    done = here.run("job", "submit", "-c", "near", "--submission-id", "one", "--", "echo done")
    assert done.returncode == 0, done.stderr
    assert "done" in done.stdout.splitlines()
    listed = json.loads(here.run("job", "list", "-c", "near", "--json").stdout)
    assert ("one", "SUCCEEDED") in {(one["job_id"], one["status"]) for one in listed}
    shown = here.run("dashboard", "near")
    assert shown.returncode == 0, shown.stderr
    assert re.fullmatch(r"http://127\.0\.0\.\d:\d+\n", shown.stdout)


def test_the_heads_address_is_where_gcs_is(here: Program):
    gcs = here.status("near")["gcs_address"]
    assert here.run("get-head-ip", "near").stdout == gcs.rpartition(":")[0] + "\n"


def test_the_log_is_followed_until_ctrl_c(here: Program):
    with subprocess.Popen(
        [sys.executable, "-m", "raytui", "monitor", "near"],
        env={"PATH": "/usr/bin:/bin", **here.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        assert "daemon started" in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0


@pytest.mark.parametrize(
    "words", [("rsync-up", "near", "a", "b"), ("rsync-down", "near", "a", "b")], ids=" ".join
)
def test_what_makes_no_sense_here_says_why(here: Program, words: tuple[str, ...]):
    done = here.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "raytui: near runs on this machine: its nodes see this one's files\n"


def test_a_cluster_in_the_place_of_a_program_is_told(here: Program):
    done = here.run("job", "submit", "near", "python", "train.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("to run the job there: -c near\n")


def test_the_work_directory_of_a_job_is_found(here: Program, tmp_path: Path):
    (tmp_path / "main.py").write_text("print('from a file')\n")
    done = here.run(
        *("job", "submit", "-c", "near", "--working-dir", str(tmp_path)), "--", "python main.py"
    )
    assert "from a file" in done.stdout.splitlines(), done.stderr
