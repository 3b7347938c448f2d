"""Files that are no cluster files at all get one clear answer, quickly, and never a traceback."""

from __future__ import annotations

import os
import socket
import time

import pytest

from raytui.config import source_file
from raytui.config.cluster import load_cluster, parse_cluster
from raytui.config.problems import ConfigErrors
from tests.config.files import SMALL, problem_of, problems_of


def refusal(path) -> str:
    with pytest.raises(ConfigErrors) as caught:
        load_cluster(path)
    return str(caught.value)


class TestWhatIsNotAFile:
    def test_missing(self, tmp_path):
        path = tmp_path / "no.yaml"
        assert refusal(path) == f"{path}: cannot be read: No such file or directory"

    def test_a_directory(self, tmp_path):
        assert refusal(tmp_path) == f"{tmp_path}: is a directory, not a file"

    def test_a_pipe_does_not_hang(self, tmp_path):
        path = tmp_path / "pipe.yaml"
        os.mkfifo(path)
        assert refusal(path) == f"{path}: is a pipe, not a file"

    def test_a_socket(self, tmp_path):
        path = tmp_path / "s"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            assert refusal(path) == f"{path}: is a socket, not a file"

    def test_a_device_is_not_opened(self):
        assert refusal("/dev/zero") == "/dev/zero: is a device, not a file"

    def test_a_file_that_fails_when_it_is_read(self):
        """Not even root can read the first page of a process."""
        assert refusal("/proc/self/mem") == "/proc/self/mem: cannot be read: Input/output error"

    def test_a_loop_of_links(self, tmp_path):
        path = tmp_path / "loop.yaml"
        path.symlink_to(path)
        assert "cannot be read" in refusal(path)

    def test_an_impossible_name(self):
        assert "a\\x00b: is not the name of a file" in refusal("a\0b")
        assert "cannot be read: File name too long" in refusal("x" * 5000)

    def test_a_huge_file_is_refused_without_being_read_whole(self, tmp_path):
        path = tmp_path / "huge.yaml"
        with path.open("wb") as file:
            file.truncate(8 << 30)  # sparse: takes no room, but could never be read into memory
        began = time.monotonic()
        assert refusal(path) == (
            f"{path}: is too large for a cluster file: 8,589,934,592 bytes "
            f"(at most {source_file.LARGEST:,} bytes)"
        )
        assert time.monotonic() - began < 5

    def test_a_file_that_says_it_is_empty_but_is_not(self):
        """Files of /proc are regular and have size 0."""
        assert "/proc/self/status" in refusal("/proc/self/status")

    def test_a_link_to_a_file_is_a_file_and_the_source_is_absolute(self, tmp_path, monkeypatch):
        (tmp_path / "real.yaml").write_text(SMALL)
        (tmp_path / "link.yaml").symlink_to("real.yaml")
        monkeypatch.chdir(tmp_path)
        assert load_cluster("link.yaml").source == str(tmp_path / "link.yaml")


class TestWhatIsNotText:
    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_other_unicode_encodings(self, encoding):
        problem = problem_of(SMALL.encode(encoding))
        assert "UTF-16" in problem.message or "binary" in problem.message

    def test_binary(self):
        assert problem_of(b"\x7fELF\x02\x01\x01\0\0\0").message == "is a binary file, not YAML"

    def test_latin_1_is_told_with_its_line(self):
        problem = problem_of(b"cluster_name: a\n# caf\xe9\n")
        assert (problem.line, problem.message) == (2, "byte 0xe9 is not UTF-8")

    def test_control_characters(self):
        problem = problem_of("a: b\nc: \x1b[31m")
        assert (problem.line, problem.message) == (
            2,
            "is not YAML: it has the control character U+001B",
        )

    def test_half_of_a_surrogate_pair(self):
        assert "U+D800" in problem_of("a: \ud800").message
        assert "not YAML" in problem_of('a: "\\ud800"').message


class TestWhatIsNotOneMapping:
    @pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "~", "null\n"])
    def test_empty(self, text):
        assert str(problem_of(text)) == (
            "test.yaml: is empty (needs at least cluster_name and provider)"
        )

    @pytest.mark.parametrize("text", ["- a", "[]", "a", "3", "2030-01-01", "!!set {a}"])
    def test_something_else(self, text):
        assert any(
            "expected a mapping" in p.message or "tag" in p.message for p in problems_of(text)
        )

    def test_more_than_one_document(self):
        problem = problem_of(SMALL + "---\n" + SMALL)
        assert problem.message == "has more than one document"
        assert problem.line == SMALL.count("\n") + 1

    def test_tabs(self):
        problem = problem_of("provider:\n\ttype: aws")
        assert (problem.line, problem.hint) == (2, "indent with spaces: YAML forbids tabs")

    def test_a_colon_in_text(self):
        assert 'quote text that contains ": "' in str(problem_of("cluster_name: a: b"))

    def test_a_tag_that_would_run_code(self):
        text = SMALL + "metadata: {x: !!python/object/apply:os.system ['true']}"
        assert "python/object/apply" in problem_of(text).message

    def test_keys_that_are_no_words(self):
        assert "a key must be a single word, not a list" in str(
            problems_of(SMALL + "metadata: {x: {[a]: b, {c: d}: e}}")[0]
        )

    def test_aliases_that_name_nothing_or_themselves(self):
        assert "*x names nothing" in problem_of("a: &y 1\nb: *x").message
        assert "*x lies inside what it names" in problem_of("a: &x [*x]").message
        assert "*x lies inside what it names" in problem_of("a: &x {<<: *x}").message


def billion_laughs() -> str:
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    levels += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join(levels)


def many_merges() -> str:
    base = "&a {" + ",".join(f"k{i}: 1" for i in range(1000)) + "}"
    return f"a: {base}\n" + "\n".join(f"b{i}: {{<<: [*a, *a]}}" for i in range(2000))


def chain_of_aliases() -> str:
    return "a0: &a0 [x]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 5000))


HOSTILE = {
    "deep lists": "[" * 1_000_000,
    "deep mappings": "{a: " * 200_000,
    "deep blocks": "".join(" " * i + "a:\n" for i in range(1_400)),
    "deep dashes": "- " * 500_000,
    "many values": "[" + "[]," * 300_000 + "]",
    "many keys": "".join(f"k{i}: 1\n" for i in range(80_000)),
    "many equal keys": "a: 1\n" * 100_000,
    "many wrong tags": "- !!int x\n" * 90_000,
    "many prefixes": "".join(f"%TAG !a{i}! x\n" for i in range(50_000)),
    "a billion laughs": billion_laughs(),
    "many merges": many_merges(),
    "a chain of aliases": chain_of_aliases(),
    "a long key": "? " + "a" * 1_000_000,
    "long digits": "max_workers: " + "9" * 1_000_000,
    "long base 60": "max_workers: 1" + ":00" * 300_000,
    "a long quotation": '"' + "a " * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_quickly(name):
    began = time.monotonic()
    with pytest.raises(ConfigErrors) as caught:
        parse_cluster(HOSTILE[name], name)
    assert len(str(caught.value)) < 30_000
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "text",
    [
        SMALL,
        'a: "\\ud800"',
        'a: "\\UFFFFFFFF"',
        "a:\n\t- b",
        "[" * 100_000,
        "a: &x [*x]",
        SMALL + "max_workers: '1'\nmax_workers: 2",
    ],
    ids=range(7),
)
def test_without_libyaml_the_same_files_are_good(text, monkeypatch):
    def accepted() -> bool:
        try:
            parse_cluster(text, "test.yaml")
        except ConfigErrors:
            return False
        return True

    with_libyaml = accepted()
    monkeypatch.delattr("yaml.CSafeLoader")
    assert accepted() == with_libyaml


def test_nesting_up_to_the_limit_is_fine():
    deep = "[" * 40 + "]" * 40
    assert parse_cluster(SMALL + f"metadata: {{x: {deep}}}", "deep.yaml").cluster_name == "small"
