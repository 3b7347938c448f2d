"""What a shell completes: commands, options, and the names of launched clusters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from tests.cli.conftest import raytui
from tests.support.clusters import kind, spec


@pytest.fixture(autouse=True)
def launched() -> None:
    for name in ("prod-west", "prod-east", "toy"):
        remember(
            ClusterPaths(name).make(), msgspec.structs.replace(spec(kind("cpu")), cluster_name=name)
        )


def completed(*words: str) -> set[str]:
    """What a real bash offers for the last of these words."""
    program = Path(sys.executable).with_name("raytui")
    script = (
        'eval "$(raytui completion bash)"; COMP_WORDS=(raytui "$@"); COMP_CWORD=$#; '
        '_raytui_completion raytui; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
    )
    return set(done.stdout.split())


def test_a_first_word_is_a_command_or_a_cluster():
    assert completed("st") == {"status"}
    assert completed("pro") == {"prod-west", "prod-east"}
    assert {"status", "web", "toy"} <= completed("")


def test_after_a_command_clusters_and_its_options():
    assert completed("status", "prod-w") == {"prod-west"}
    assert {"--watch", "--json"} <= completed("status", "--")


def test_an_option_that_names_a_cluster():
    assert completed("scale", "-c", "to") == {"toy"}


def test_opening_a_cluster_has_its_options_too():
    assert "--read-only" in completed("toy", "--")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str):
    done = raytui("completion", shell)
    assert done.returncode == 0
    assert "_RAYTUI_COMPLETE" in done.stdout


def test_other_shells_are_a_usage_error():
    assert raytui("completion", "cmd").returncode == 2
