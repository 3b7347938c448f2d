"""The local provider where no Ray node needs to run."""

import random
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raytui.backends import local_start
from raytui.backends.base import ConfigError, LaunchRequest
from raytui.backends.local import LocalProvider
from raytui.backends.local_processes import is_alive, session_members, started_at
from raytui.backends.local_state import LocalNode, StateFiles
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import Resources
from raytui.model.spec import NodeType
from tests.support.local_cluster import spec
from tests.support.waiting import eventually

HOUR = 3600.0


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalProvider:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return LocalProvider(spec("quiet"), ClusterPaths("quiet").make())


@pytest.fixture
def files(tmp_path: Path) -> StateFiles:
    return StateFiles(tmp_path)


def node(instance_id: str = "w-0", **more: object) -> LocalNode:
    fields = {"launched_at": 5.0, "ip": "127.0.0.2", "temp_dir": "/nowhere/at/all", **more}
    return LocalNode(instance_id, "cpu", "w", **fields)  # type: ignore[arg-type]


def test_state_files_are_private_and_read_back_the_same(files: StateFiles) -> None:
    written = node(pid=12, started_at=3.5, price_per_hour=0.2)
    files.create(written)
    assert files.load("w-0") == written
    mode = (files.directory / "w-0.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert [path.name for path in files.directory.iterdir()] == ["w-0.json"]


def test_an_intent_is_written_once(files: StateFiles) -> None:
    files.create(node())
    with pytest.raises(FileExistsError):
        files.create(node())


def test_an_id_cannot_leave_the_directory(files: StateFiles) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        files.load("../../etc/passwd")


def test_only_the_newest_logs_of_gone_nodes_are_kept(files: StateFiles) -> None:
    files.create(node("alive-0"))
    for name in ("alive-0", "a-0", "b-0", "c-0"):
        files.log_path(name).write_text(name)
    files.prune_logs(keep=2)
    assert files.log_path("alive-0").exists()
    assert len(list(files.directory.glob("*.log"))) == 3


def test_a_process_that_took_over_a_pid_is_not_ours_and_not_killed(
    provider: LocalProvider,
) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        provider._files.directory.mkdir(parents=True)
        reused = node(pid=stranger.pid, started_at=started_at(stranger.pid) - HOUR)
        provider._files.create(reused)
        (listed,) = provider.list_instances()
        assert listed.status is InstanceStatus.LOST
        provider.terminate(["w-0"])
        assert stranger.poll() is None
        stranger.kill()
    assert provider.list_instances() == []


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen(["true"], start_new_session=True) as child:
        started = started_at(child.pid)
        eventually(lambda: not is_alive(child.pid, started), within_s=5)
        assert child.returncode is None  # nobody has reaped it
        assert session_members(child.pid, started) == []


def test_a_session_is_found_after_its_leader_is_gone() -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", "import os; os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '60')"],
        start_new_session=True,
    )
    started = started_at(leader.pid)
    leader.wait()
    (left,) = session_members(leader.pid, started)
    assert started_at(left) >= started
    subprocess.run(["kill", str(left)], check=True)


def test_a_worker_needs_a_head_to_join(provider: LocalProvider) -> None:
    with pytest.raises(ConfigError, match="address of a head"):
        provider.launch(LaunchRequest("w", "cpu", 1))


def test_an_unknown_type_is_refused(provider: LocalProvider) -> None:
    with pytest.raises(ConfigError, match="tpu is no node type"):
        provider.launch(LaunchRequest("w", "tpu", 1, head_address="127.0.0.2:1"))


def test_a_temp_dir_too_long_for_sockets_is_refused_before_anything_starts(
    provider: LocalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 80)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pytest.raises(ConfigError, match="set TMPDIR"):
        provider.launch(LaunchRequest("h", "head", 1, is_head=True))
    assert provider.list_instances() == []


def test_unknown_ids_are_ignored(provider: LocalProvider) -> None:
    provider.terminate(["nobody-0"])


def test_no_head_means_no_address(provider: LocalProvider) -> None:
    assert (provider.head_address(), provider.dashboard_url()) == ("", "")


def test_amounts_are_all_given_so_that_ray_guesses_none() -> None:
    plain = node(gcs_address="127.0.0.2:6379")
    zero = local_start.command(plain, NodeType("none"), spec("s"))
    assert "--num-cpus=0" in zero
    assert "--num-gpus=0" in zero
    assert any(option.startswith("--memory=") for option in zero)
    rich = NodeType("rich", Resources.of(CPU=4, GPU=1, memory=2**30, widget=2))
    options = local_start.command(plain, rich, spec("s"))
    assert {"--num-cpus=4", "--num-gpus=1", "--memory=1073741824"} <= set(options)
    assert '--resources={"widget": 2}' in options


def test_two_nodes_on_one_machine_share_no_fixed_port() -> None:
    options = local_start.command(node(gcs_address="127.0.0.2:6379"), NodeType("n"), spec("s"))
    ports = [option for option in options if "-port=" in option]
    assert ports
    assert all(option.endswith("=0") for option in ports)


def test_the_environment_names_the_node_and_no_other_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", "{}")
    environment = local_start.environment(node(), "quiet@1")
    assert environment["RAY_CLOUD_INSTANCE_ID"] == "w-0"
    assert environment["RAY_NODE_TYPE_NAME"] == "cpu"
    assert environment["RAYTUI_CLUSTER"] == "quiet@1"
    assert "RAY_ADDRESS" not in environment
    assert "RAY_OVERRIDE_RESOURCES" not in environment
    assert environment["PATH"].startswith(str(Path(sys.executable).parent))


def test_a_taken_port_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = local_start.free_port(), local_start.free_port()
    monkeypatch.setattr(random, "sample", lambda ports, count: [taken, free])
    assert local_start.free_port() == taken
    assert local_start.free_port(avoid=(taken,)) == free
    with socket.create_server(("0.0.0.0", taken)):
        assert local_start.free_port() == free


def test_the_lock_is_free_again_after_its_holder(files: StateFiles) -> None:
    with files.locked():
        pass
    started = time.monotonic()
    with files.locked():
        assert time.monotonic() - started < 1
