"""Output on disk: private, bounded, with its begin and its end."""

from __future__ import annotations

import stat
from pathlib import Path

from raytui.provisioning.output_file import OutputFile


def test_it_is_whole_and_private(tmp_path: Path):
    path = tmp_path / "log"
    with OutputFile(path) as file:
        file.write("one")
        assert path.read_text() == "one\n", "it can be read while it grows"
        file.write("two \udce9")
    assert path.read_bytes() == b"one\ntwo ?\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_of_much_the_begin_and_the_end_are_kept(tmp_path: Path):
    path = tmp_path / "log"
    lines = [f"line {number:06d}" for number in range(20_000)]
    largest = 0
    with OutputFile(path, head_bytes=1000, tail_bytes=2000) as file:
        for line in lines:
            file.write(line)
            largest = max(largest, path.stat().st_size)
    kept = path.read_text().splitlines()
    (cut,) = [number for number, line in enumerate(kept) if "left out" in line]
    head, tail = kept[:cut], kept[cut + 1 :]
    assert head == lines[: len(head)]
    assert tail == lines[-len(tail) :]
    assert 60 < len(head) <= 84
    assert len(tail) > 160
    assert largest < 5200
    whole = sum(len(line) + 1 for line in lines)
    there = sum(len(line) + 1 for line in head + tail)
    assert kept[cut] == f"… {whole - there:,} bytes left out …"


def test_one_endless_line_is_bounded_too(tmp_path: Path):
    path = tmp_path / "log"
    with OutputFile(path, head_bytes=100, tail_bytes=200) as file:
        file.write("x" * 100_000)
        file.write("end")
    assert path.stat().st_size < 600
    assert path.read_text().endswith("end\n")
