"""Whether mounted files have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from raytui.model.spec import FilesSpec
from raytui.provisioning.mounted_files import MountedFiles


class Looks:
    """Looks at a folder of mounted files, ten seconds apart."""

    def __init__(self, folder: Path) -> None:
        self.files = FilesSpec({"~/code": str(folder)}, file_mounts_sync_continuously=True)
        self.now = 0.0
        self.mounted = MountedFiles(lambda: self.now)

    def changed(self) -> bool:
        self.now += 10
        return self.mounted.changed(self.files)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("1")
    return tmp_path


def test_each_kind_of_change_counts_once(code: Path):
    looks = Looks(code)
    assert not looks.changed(), "the first look only sees how they are"
    file = code / "sub" / "a"
    for change in (
        lambda: file.write_text("22"),
        lambda: os.utime(file, ns=(1, 1)),
        lambda: (code / "new").touch(),
        lambda: file.unlink(),
    ):
        change()
        assert looks.changed()
        assert not looks.changed()


def test_it_is_not_looked_all_the_time(code: Path):
    looks = Looks(code)
    looks.changed()
    (code / "new").touch()
    looks.now -= 9
    assert not looks.changed()
    assert looks.changed()


def test_who_did_not_ask_for_it_is_not_followed(code: Path):
    looks = Looks(code)
    looks.files = FilesSpec({"~/code": str(code)})
    looks.changed()
    (code / "new").touch()
    assert not looks.changed()


def test_other_paths_are_no_change_of_files(code: Path):
    looks = Looks(code)
    looks.changed()
    looks.files = FilesSpec({"~/c": str(code / "sub")}, file_mounts_sync_continuously=True)
    assert not looks.changed()
    assert not looks.changed()
