"""Hashes of nodes: byte for byte those of Ray, so that a cluster made by either is recognised."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytui.provisioning.hashes import head_hashes, launch_hash, worker_hashes

rays = pytest.importorskip("ray.autoscaler._private.util")

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
CONFIGS = st.dictionaries(WORDS, VALUES, max_size=5)
COMMANDS = st.lists(WORDS, max_size=3)
FILES = st.dictionaries(
    st.sampled_from(["a", "b", "sub/a", "sub/z", "sub/deep/x", "other/é"]), st.binary(max_size=40)
)


def write(root: Path, files: dict[str, bytes]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def rays_hashes(mounts: dict[str, str], synced: list[str] | None, extra: Any) -> tuple[str, str]:
    rays._hash_cache.clear()
    return rays.hash_runtime_conf(mounts, synced, extra)


@given(node_config=CONFIGS, auth=CONFIGS, key=WORDS)
def test_a_machine_has_rays_hash(node_config, auth, key):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "key.pem")
        path.write_text(key)
        with_key = auth | {"ssh_user": "ubuntu", "ssh_private_key": str(path)}
        for written in (auth, with_key):
            assert launch_hash(node_config, written) == rays.hash_launch_conf(node_config, written)


@given(files=FILES, synced=FILES, setup=COMMANDS, start=COMMANDS)
def test_a_worker_has_rays_hashes(files, synced, setup, start):
    with tempfile.TemporaryDirectory() as directory:
        root = write(Path(directory, "mounted"), files)
        single = Path(directory, "single")
        single.write_bytes(b"one file")
        mounts = {"~/code": str(root), "/etc/one": str(single)}
        paths = [str(write(Path(directory, "synced"), synced)), str(Path(directory, "missing"))]
        ours = worker_hashes(mounts, paths, setup, start)
        assert (ours.runtime, ours.contents) == rays_hashes(mounts, paths, [setup, start])


@given(files=FILES, config=CONFIGS)
def test_a_head_has_rays_hashes(files, config):
    with tempfile.TemporaryDirectory() as directory:
        mounts = {"~/code": f"{write(Path(directory, 'mounted'), files)}/"}
        ours = head_hashes(mounts, config)
        assert (ours.runtime, ours.contents) == rays_hashes(mounts, None, config)


def test_a_file_that_is_synchronised_changes_the_contents_only(tmp_path: Path):
    synced = tmp_path / "data"
    synced.write_text("old")
    before = worker_hashes({}, [str(synced)], ["a"], ["b"])
    synced.write_text("new")
    after = worker_hashes({}, [str(synced)], ["a"], ["b"])
    assert before.runtime == after.runtime
    assert before.contents != after.contents


def test_a_mounted_file_that_is_missing_is_told(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        worker_hashes({"~/x": str(tmp_path / "missing")}, (), (), ())
