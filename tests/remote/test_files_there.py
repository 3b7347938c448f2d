"""Files to and from the machines of a cluster, and their addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.away import in_home, is_there
from tests.support.on_premise import OnPremise

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a file.txt").write_text("from the laptop\n")
    return folder


def test_a_folder_goes_to_the_head_and_a_file_comes_back(
    elsewhere: OnPremise, project: Path, tmp_path: Path
):
    up = elsewhere.raytui("rsync-up", "away", f"{project}/", "~/up/here")
    assert up.returncode == 0, up.stderr
    down = elsewhere.raytui("rsync-down", "away", "~/up/here/a file.txt", str(tmp_path / "back"))
    assert down.returncode == 0, down.stderr
    assert (tmp_path / "back").read_text() == "from the laptop\n"
    assert not is_there(elsewhere.workers[0], "/home/ray/up")


def test_all_nodes_get_it_and_each_is_named(elsewhere: OnPremise, project: Path):
    done = elsewhere.raytui("rsync-up", "-A", "away", f"{project}/", "~/everywhere")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [f"{host.address}: copied" for host in elsewhere.hosts]
    for host in elsewhere.hosts:
        assert in_home(host, "cat", "everywhere/a file.txt") == "from the laptop"


def test_a_worker_that_does_not_get_it_is_told_and_the_head_has_it(
    elsewhere: OnPremise, project: Path
):
    worker = elsewhere.workers[0]
    worker.run("sh", "-c", "touch /home/ray/closed && chown root /home/ray/closed")
    done = elsewhere.raytui("rsync-up", "-A", "away", f"{project}/", "~/closed/in")
    assert done.returncode == 1
    head, failed = done.stderr.splitlines()
    assert head == f"{elsewhere.head.address}: copied"
    assert failed.startswith(f"{worker.address}: files were not copied: ")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("rsync-up", "away", "/not/there", "~/x"), 1, "files were not copied: "),
        (("rsync-down", "away", "~/not-there", "/tmp/x"), 1, "files were not copied: "),
        (("rsync-up", "away", "one"), 2, "either SOURCE and TARGET, or neither"),
        (("rsync-up", "away"), 2, "away has no file_mounts"),
    ],
)
def test_what_cannot_be_copied_is_told(
    elsewhere: OnPremise, words: tuple[str, ...], code: int, said: str
):
    done = elsewhere.raytui(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_without_names_the_file_mounts_are_copied(elsewhere: OnPremise, project: Path):
    file = elsewhere.folder / "mounts.yaml"
    text = elsewhere.file.read_text()
    mounts = f'"file_mounts": {{"~/mounted": "{project}"}}, "cluster_name": "mounts"'
    file.write_text(text.replace('"cluster_name": "away"', mounts))
    done = elsewhere.raytui("rsync-up", str(file))
    assert done.returncode == 0, done.stderr
    assert is_there(elsewhere.head, "/home/ray/mounted/a file.txt")


def test_addresses_are_for_scripts(elsewhere: OnPremise):
    head, workers = (
        elsewhere.raytui("get-head-ip", "away"),
        elsewhere.raytui("get-worker-ips", "away"),
    )
    assert (head.returncode, head.stdout) == (0, f"{elsewhere.head.address}\n")
    assert (workers.returncode, workers.stdout) == (0, f"{elsewhere.workers[0].address}\n")
