"""Files to a real host and back."""

from pathlib import Path

import pytest

from raytui.backends.base import Filters
from raytui.backends.ssh.errors import SyncError
from raytui.backends.ssh.runner import SshRunner
from tests.support.hosts import Host

pytestmark = pytest.mark.ssh


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "my tree's"
    for name in ("a.py", "b.log", "sub/c.py", "sub/d.tmp", "data/big.bin", "sub/deep/e.tmp"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (root / ".gitignore").write_text("*.log\n/data\n")
    (root / "sub/.gitignore").write_text("*.tmp\n")
    return root


def files(runner: SshRunner, folder: str) -> set[str]:
    found = runner.run(["sh", "-c", 'cd "$0" && find . -type f', folder])
    assert found.exit_code == 0, found.output
    return {line.removeprefix("./") for line in found.output.split()}


def test_a_folder_goes_into_a_folder_that_is_not_there_yet(runner: SshRunner, tree: Path) -> None:
    lines: list[str] = []
    runner.put(f"{tree}/", "~/new place/it's $HOME/", on_line=lines.append)
    assert "sub/c.py" in lines
    assert files(runner, "/home/ray/new place/it's $HOME") == {
        *("a.py", "b.log", "sub/c.py", "sub/d.tmp", "data/big.bin", "sub/deep/e.tmp"),
        *(".gitignore", "sub/.gitignore"),
    }


def test_patterns_and_ignore_files_are_left_out_as_with_ray(runner: SshRunner, tree: Path) -> None:
    filters = Filters(exclude=("deep",), ignore_files=(".gitignore",))
    runner.put(f"{tree}/", "~/tree/", filters=filters)
    assert files(runner, "tree") == {"a.py", "sub/c.py", ".gitignore", "sub/.gitignore"}


def test_what_is_gone_here_goes_there_only_when_told(runner: SshRunner, tree: Path) -> None:
    runner.put(f"{tree}/", "/home/ray/tree/")
    (tree / "a.py").unlink()
    runner.put(f"{tree}/", "/home/ray/tree/")
    assert "a.py" in files(runner, "tree")
    runner.put(f"{tree}/", "/home/ray/tree/", delete=True)
    assert "a.py" not in files(runner, "tree")


def test_one_file_comes_back(runner: SshRunner, tmp_path: Path) -> None:
    runner.run(["sh", "-c", "mkdir -p out; echo 42 > 'out/the result'"])
    runner.get("~/out/the result", str(tmp_path / "result"))
    assert (tmp_path / "result").read_text() == "42\n"
    runner.get("~/out", str(tmp_path / "copy"), filters=Filters(exclude=("*.tmp",)))
    assert (tmp_path / "copy/out/the result").read_text() == "42\n"


def test_a_full_disk_says_so(runner: SshRunner, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(range(256)) * 40_000)
    with pytest.raises(
        SyncError, match=r"(No space left on device|a disk is full).*Free some disk"
    ):
        runner.put(str(big), "/small/big")


def test_a_folder_that_may_not_be_written_says_so(runner: SshRunner, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(SyncError, match="Permission denied"):
        runner.put(str(tmp_path / "x"), "/etc/new/x")


def test_what_is_not_there_says_so(runner: SshRunner, tmp_path: Path) -> None:
    with pytest.raises(SyncError, match="No such file or directory"):
        runner.get("~/nothing", str(tmp_path))


def test_a_host_cut_off_does_not_hang_the_copy(
    runner: SshRunner, host: Host, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("x")
    runner.put(str(tmp_path / "x"), "~/x")
    with host.frozen(), pytest.raises(SyncError):
        runner.get("~/x", str(tmp_path / "y"), timeout_s=3)
