"""The wheel, built from this tree: what is in it, and that it runs far from any checkout."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from raytui import __version__

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

Run = Callable[..., subprocess.CompletedProcess[str]]


def pip(python: str | Path, *arguments: str) -> None:
    quiet = ["-q", "--disable-pip-version-check", "--no-input"]
    command = [str(python), "-m", "pip", *arguments, *quiet]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    # What is installed here builds without a network; else pip fetches the build backend.
    here = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    pip(sys.executable, "wheel", "--no-deps", *here, "--wheel-dir", str(target), str(ROOT))
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an empty environment into which only the wheel was installed."""
    home = tmp_path_factory.mktemp("empty")
    venv.create(home / "venv", with_pip=True, symlinks=True)
    binaries = home / "venv" / "bin"
    pip(binaries / "python", "install", "-c", str(ROOT / "constraints.txt"), str(wheel))
    return binaries


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Run a program of that environment, in a directory and a home of its own."""

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return subprocess.run(
            [str(installed / program), *arguments],
            cwd=tmp_path,
            env=kept | {"HOME": str(tmp_path), "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_of(*patterns: str) -> set[str]:
    return {
        file.relative_to(ROOT).as_posix()
        for pattern in patterns
        for file in ROOT.glob(pattern)
        if "__pycache__" not in file.parts
    }


def test_it_has_every_module_and_data_file_of_the_package(wheel: Path):
    wanted = files_of("raytui/**/*.py", "raytui/**/*.tcss", "raytui/py.typed")
    assert any(name.endswith(".tcss") for name in wanted)
    assert wanted - names_in(wheel) == set()


def test_it_has_themes_examples_the_catalog_and_charts(wheel: Path):
    patterns = ("themes/*", "examples/*", "catalog/*", "charts/**/*.*")
    wanted = {f"raytui/_data/{name}" for name in files_of(*patterns)}
    some = (
        "examples/laptop.yaml",
        "themes/raytui-dark.yaml",
        "catalog/aws.csv",
        "charts/raytui-operator/crds/ray.io_rayclusters.yaml",
        "charts/ray-cluster/templates/_pods.tpl",
    )
    assert {f"raytui/_data/{name}" for name in some} <= wanted
    assert wanted - names_in(wheel) == set()


def test_it_has_nothing_else(wheel: Path):
    foreign = {name for name in names_in(wheel) if not name.startswith(("raytui/", "raytui-"))}
    assert foreign == set()
    assert not any(part in name for name in names_in(wheel) for part in ("tests/", "benchmarks/"))


@pytest.mark.parametrize(
    ("program", "arguments"), [("raytui", ()), ("python", ("-m", "raytui"))], ids=["script", "-m"]
)
def test_it_tells_its_version(run: Run, program: str, arguments: Sequence[str]):
    done = run(program, *arguments, "--version")
    assert (done.returncode, done.stdout) == (0, f"raytui {__version__}\n"), done.stderr


def test_it_helps(run: Run):
    done = run("raytui", "--help")
    assert done.returncode == 0, done.stderr
    assert "Commands" in done.stdout


def test_it_finds_its_own_files(run: Run, installed: Path):
    done = run("raytui", "info")
    assert done.returncode == 0, done.stderr
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if "/" in line)
    for kind in ("examples", "themes"):
        where = Path(told[kind])
        assert where.is_relative_to(installed.parent)
        assert list(where.glob("*.yaml"))


def test_it_shows_a_simulated_cluster_without_ray(run: Run):
    done = run("raytui", "demo", "--nodes", "20")
    assert done.returncode == 0, done.stderr
    assert "simulated-20" in done.stdout


def test_it_says_in_one_sentence_that_ray_is_missing(run: Run):
    done = run("raytui", "up", "laptop")
    assert done.returncode == 1
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr


def test_its_screens_can_be_imported(run: Run):
    """With their style sheets, which Textual reads when a screen is first used."""
    code = (
        "import pathlib, raytui.app, raytui.screens as s;"
        "print(len(list(pathlib.Path(s.__file__).parent.glob('*.tcss'))))"
    )
    done = run("python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
