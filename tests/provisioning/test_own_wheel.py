"""How raytui gets onto a head without an index."""

from __future__ import annotations

import os
import subprocess
import venv
import zipfile
from pathlib import Path

import pytest

from raytui import __version__
from raytui.backends.local_runner import LocalRunner
from raytui.config.cluster import parse_cluster
from raytui.provisioning.own_install import install_command, probe_command
from raytui.provisioning.own_wheel import PROGRAM, extras_for, write_wheels

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write_wheels(tmp_path_factory.mktemp("wheels"))


def test_our_wheel_has_what_runs_here(wheels: tuple[Path, ...]):
    own = wheels[0]
    assert own.name == f"raytui-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(own) as archive:
        names = set(archive.namelist())
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "raytui").rglob("*.py")}
    assert modules <= names
    assert "raytui/_data/themes/raytui-dark.yaml" in names
    assert not any(name.endswith((".pyc", ".pth", "direct_url.json")) for name in names)


def test_what_it_needs_comes_along_and_ray_does_not(wheels: tuple[Path, ...]):
    names = {wheel.name.partition("-")[0].lower() for wheel in wheels}
    assert {"click", "msgspec", "psutil", "textual", "highspy", "numpy"} <= names
    assert not names & {"ray", "pytest"}


def test_the_same_files_make_the_same_wheel(wheels: tuple[Path, ...], tmp_path: Path):
    again = write_wheels(tmp_path)
    assert again[0].read_bytes() == wheels[0].read_bytes()


def test_it_is_installed_without_an_index_and_runs(wheels: tuple[Path, ...], tmp_path: Path):
    """Proxies and index lead nowhere, so that nothing can be fetched unseen."""
    install, probe = install_command(str(wheels[0].parent)), probe_command()
    # Without pip, as some make their environments.
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    ray = python.with_name("ray")
    ray.write_text(f"#!{python}\n")
    ray.chmod(0o755)
    packages = next((tmp_path / "venv" / "lib").iterdir()) / "site-packages"
    (packages / "ray.py").touch()
    (tmp_path / ".bashrc").write_text(f"export PATH={python.parent}:$PATH\n")
    nowhere = "http://127.0.0.1:9/"
    env = {
        "PIP_INDEX_URL": nowhere,
        "PIP_RETRIES": "0",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
        "https_proxy": nowhere,
        "http_proxy": nowhere,
        "HOME": str(tmp_path),
    }

    def run(text: str) -> str:
        result = LocalRunner().run_shell(text, env=env, timeout_s=300)
        assert result.exit_code == 0, result.output
        return result.output

    assert run(probe).split() == ["wheels"]
    assert f"raytui {__version__} in {python}" in run(install)
    assert run(probe).split() == ["same"]
    (packages / "raytui" / "model" / "text.py").write_text("older = True\n")
    assert run(probe).split() == ["wheels"]
    run(install)
    assert run(probe).split() == ["same"]
    for arguments, words in (
        (["--version"], f"raytui {__version__}"),
        (["demo", "--nodes", "5"], "simulated-5"),
    ):
        done = subprocess.run(
            [tmp_path / PROGRAM, *arguments],
            env={"PATH": os.environ["PATH"], **env},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert words in done.stdout


def test_a_python_that_is_too_old_is_named(tmp_path: Path):
    old = tmp_path / "bin" / "python3"
    old.parent.mkdir()
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    (tmp_path / ".bashrc").write_text(f"export PATH={old.parent}:/usr/bin:/bin\n")
    done = LocalRunner().run_shell(install_command(), env={"HOME": str(tmp_path)})
    assert done.exit_code == 1
    assert "raytui needs Python 3.11 or newer; the one that Ray has here is Python 3.9.2" in (
        done.output
    )


def test_a_head_on_aws_gets_what_talks_to_aws(tmp_path: Path):
    on_aws = parse_cluster("{cluster_name: c, provider: {type: aws, region: us-west-2}}", "c.yaml")
    extras = extras_for(on_aws)
    names = {wheel.name.split("-")[0] for wheel in write_wheels(tmp_path, extras)}
    assert {"boto3", "botocore", "s3transfer"} <= names
    assert "boto3" in install_command("", extras)
    assert "boto3" not in install_command()
