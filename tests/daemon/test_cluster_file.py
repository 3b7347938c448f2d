"""A running daemon follows its cluster file, and a bad edit changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from raytui.autoscaler.daemon.cluster_file import ClusterFile
from raytui.backends.base import ConfigError
from raytui.config.cluster import load_cluster
from raytui.config.launched import recall, remember
from raytui.config.locations import ClusterPaths
from raytui.model.snapshot import Event, Level
from raytui.model.spec import ClusterSpec
from tests.daemon.conftest import TEXT
from tests.support.world import World


@pytest.fixture
def followed(file: Path, paths: ClusterPaths) -> ClusterFile:
    return ClusterFile(str(file), paths, str(file))


def looks(followed: ClusterFile, times: int) -> list[bool]:
    return [followed.changed() for _ in range(times)]


def newest(world: World) -> Event:
    return world.ledger.events(1)[0]


def test_nothing_is_new_at_first(followed: ClusterFile):
    assert looks(followed, 3) == [False] * 3


def test_a_copy_that_somebody_brings_is_not_followed_by_itself(file: Path, paths: ClusterPaths):
    brought = ClusterFile(str(file), paths, str(file), follows=False)
    file.write_text(file.read_text() + "max_workers: 7\n")
    assert looks(brought, 4) == [False] * 4


def test_a_new_content_counts_once_and_when_it_rests(followed: ClusterFile, file: Path):
    file.write_text(TEXT + "# one\n")
    assert looks(followed, 4) == [False, True, False, False]
    file.write_text(TEXT + "# two\n")
    assert not followed.changed()
    file.write_text(TEXT + "# two and three\n")
    assert looks(followed, 3) == [False, True, False]


def test_an_editor_that_replaces_the_file_counts(followed: ClusterFile, file: Path):
    other = file.with_suffix(".tmp")
    other.write_text(TEXT.replace("max_workers: 4", "max_workers: 3", 1))
    kept = file.stat()
    os.utime(other, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    other.replace(file)
    assert looks(followed, 3) == [False, True, False]


def test_a_file_that_was_only_touched_has_not_changed(followed: ClusterFile, file: Path):
    os.utime(file, (1.0, 1.0))
    assert looks(followed, 3) == [False] * 3


def test_a_file_that_is_away_has_not_changed(followed: ClusterFile, file: Path):
    file.unlink()
    assert looks(followed, 3) == [False] * 3
    file.write_text(TEXT)
    assert looks(followed, 3) == [False] * 3, "it came back as it was"


def test_a_cluster_without_a_file_never_changes(paths: ClusterPaths):
    assert looks(ClusterFile("toy", paths, ""), 3) == [False] * 3


def test_a_good_file_is_taken_remembered_and_journaled(
    followed: ClusterFile, file: Path, paths: ClusterPaths, world: World
):
    file.write_text(TEXT.replace("max_workers: 4", "max_workers: 3", 1))
    ack = followed.reload(world.reconciler)
    assert ack.ok
    assert ack.text == newest(world).text == "reloaded: max_workers 4 → 3"
    assert world.reconciler.spec.max_workers == 3
    remembered = recall(paths)
    assert remembered is not None
    assert remembered.max_workers == 3
    assert looks(followed, 3) == [False] * 3, "what was reloaded by order is not news"


def test_a_bad_file_is_refused_by_line_and_changes_nothing(
    followed: ClusterFile, file: Path, paths: ClusterPaths, world: World
):
    before = recall(paths)
    file.write_text(TEXT.replace("max_workers: 4", "max_workers: -4").replace("CPU: 0", "CPU: x"))
    ack = followed.reload(world.reconciler)
    assert not ack.ok
    event = newest(world)
    assert event.level is Level.WARNING
    assert f"was refused: {file}:3: max_workers: " in event.text
    assert event.text.endswith("(and 2 more problems)")
    assert f"{file}:9: " in event.detail
    assert world.reconciler.spec.max_workers == 4
    assert recall(paths) == before
    assert world.run().trouble == ""
    assert looks(followed, 3) == [False] * 3, "the same content is not refused again"


def test_another_clusters_file_is_refused(followed: ClusterFile, file: Path, world: World):
    file.write_text(TEXT.replace("cluster_name: toy", "cluster_name: other"))
    ack = followed.reload(world.reconciler)
    assert not ack.ok
    assert "cannot change while it is up" in newest(world).text


def test_metrics_stay_where_they_are_until_the_next_start(
    followed: ClusterFile, file: Path, paths: ClusterPaths, world: World
):
    file.write_text(TEXT + "metadata: {raytui: {metrics: {port: 4000}}}\n")
    ack = followed.reload(world.reconciler)
    assert ack.ok
    assert newest(world).text == ack.text == "metrics move when the daemon is started again"
    remembered = recall(paths)
    assert remembered is not None
    assert remembered.metrics.port == 4000


def test_the_same_settings_in_other_words_are_no_news(
    followed: ClusterFile, file: Path, world: World
):
    said = len(world.ledger.events(100))
    file.write_text(TEXT + "# a remark\n")
    assert followed.reload(world.reconciler).text == "reloaded: nothing changed"
    assert len(world.ledger.events(100)) == said


def test_what_becomes_known_of_the_machines_counts_as_a_change(
    file: Path, paths: ClusterPaths, world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("raytui.autoscaler.daemon.cluster_file._FILL_EVERY_S", 0.0)
    speeds = [1.0]

    def fill(spec: ClusterSpec) -> ClusterSpec:
        return msgspec.structs.replace(spec, upscaling_speed=speeds[-1])

    followed = ClusterFile(str(file), paths, str(file), fill=fill)
    spec = load_cluster(file)
    assert followed.fill(spec).upscaling_speed == 1.0
    remember(paths, spec)
    assert not followed.changed()
    speeds.append(3.0)
    assert followed.changed()
    assert followed.reload(world.reconciler).ok
    assert world.reconciler.spec.upscaling_speed == 3.0
    assert recall(paths) == spec, "what is remembered is what the file says"
    assert not followed.changed()
    assert "nothing changed" in followed.reload(world.reconciler).text


def test_a_file_that_no_machines_fit_is_refused_and_the_one_before_stays(
    file: Path, paths: ClusterPaths, world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("raytui.autoscaler.daemon.cluster_file._FILL_EVERY_S", 0.0)
    refuses: list[str] = []

    def fill(spec: ClusterSpec) -> ClusterSpec:
        if refuses:
            raise ConfigError(refuses[0])
        return spec

    followed = ClusterFile(str(file), paths, str(file), fill=fill)
    spec = load_cluster(file)
    followed.fill(spec)
    remember(paths, spec)
    refuses.append("m5.lagre is not known")
    ack = followed.reload(world.reconciler)
    assert (ack.ok, ack.text) == (False, "nothing was changed: m5.lagre is not known")
    assert recall(paths) == spec
    refuses.clear()
    assert not followed.changed()
