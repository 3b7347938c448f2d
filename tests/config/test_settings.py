"""Settings: what is right is used, what is wrong is told with its place and left at its default."""

from __future__ import annotations

import tomllib

import pytest

from raytui.config.settings import ClusterSettings, Settings
from raytui.config.settings_docs import settings_docs
from raytui.config.settings_file import read_settings, settings_file

WRONG = '''theme = "mine"
mouse = 3
  thme = "a"
unicode = "yes"
undo_s = 5

[keys]
terminate = ["t",
  "T"]
help = 3

[clusters."prod east"]
read_only = true
prodction = true
confirm_above = -1

[commands.ping]
run = ["ping", "$NODE_IP"]
[commands.no]
words = """
a = 1
[b]
"""
[commands."X y"]
run = ["a"]
'''


def read(tmp_path, text: str) -> Settings:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return read_settings(path)


def test_without_a_file_all_is_at_its_default(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_file() == tmp_path / "raytui" / "settings.toml"
    assert read_settings() == Settings()


def test_every_problem_is_told_with_its_line_and_column(tmp_path):
    found = read(tmp_path, WRONG).problems
    assert [(p.line, p.column, p.key_path) for p in found] == [
        (2, 1, "mouse"),
        (3, 3, "thme"),
        (4, 1, "unicode"),
        (10, 1, "keys.help"),
        (14, 1, "clusters.prod east.prodction"),
        (15, 1, "clusters.prod east.confirm_above"),
        (19, 1, "commands.no"),
        (24, 1, "commands.X y"),
    ]


def test_an_unknown_key_is_told_with_the_nearest_one(tmp_path):
    (problem,) = read(tmp_path, "confirm_abvoe = 2").problems
    assert "did you mean confirm_above?" in problem.hint


def test_what_is_right_in_a_file_with_problems_is_used(tmp_path):
    settings = read(tmp_path, WRONG)
    assert (settings.theme, settings.mouse, settings.undo_s) == ("mine", True, 5.0)
    assert settings.keys == {"terminate": "t,T"}
    assert settings.clusters == {"prod east": ClusterSettings(read_only=True)}
    assert settings.commands["ping"].run == ("ping", "$NODE_IP")
    assert list(settings.commands) == ["ping"]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a = 1\nb = = 2", 2, 5),
        ('a = 1\nb = """x', 2, 1),
        ("[a\n", 1, 3),
        ("mouse = true\n]", 2, 1),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_place(tmp_path, text, line, column):
    settings = read(tmp_path, text)
    (problem,) = settings.problems
    assert (problem.line, problem.column) == (line, column)
    assert "is not TOML" in problem.message
    assert settings.mouse is True


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"\x00", b"x = " + b"[" * 5000, b"mouse = true\r\nmous = 1\r\n",
     b"keys = 3", b"clusters = [1]", b"clusters.a = 3", b"[[views]]", b"commands.x.run = []"],
)  # fmt: skip
def test_no_file_stops_the_program(tmp_path, content):
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    settings = read_settings(path)
    assert settings.problems
    assert settings.undo_s == Settings().undo_s


def test_a_directory_in_its_place_is_told(tmp_path):
    (problem,) = read_settings(tmp_path).problems
    assert "directory" in problem.message


def test_a_cluster_takes_what_it_does_not_say_from_all():
    settings = Settings(
        theme="a",
        confirm_above=7,
        clusters={"prod": ClusterSettings(production=True, undo_s=0.0, read_only=True)},
    )
    prod, other = settings.of_cluster("prod"), settings.of_cluster("dev")
    assert (prod.read_only, prod.confirm_above, prod.undo_s, prod.theme) == (True, 7, 0.0, "a")
    assert prod.frame == "$state-failed"
    assert (other.read_only, other.undo_s, other.frame) == (False, 10.0, "")


def test_the_documented_file_can_be_used_as_it_is(tmp_path):
    docs = settings_docs({"help": ("question_mark", "This help")})
    settings = read(tmp_path, docs)
    assert settings.problems == ()
    assert (settings.theme, settings.unicode, settings.views) == ("", "auto", Settings().views)


def test_with_every_line_in_force_the_documented_file_is_right_too(tmp_path):
    docs = settings_docs({"help": ("question_mark", "This help")})
    lines = docs.replace("# [", "[").splitlines()
    in_force = [
        line[2:] if line.startswith("# ") and _is_toml(line[2:]) else line for line in lines
    ]
    settings = read(tmp_path, "\n".join(in_force))
    assert settings.problems == ()
    assert settings.keys == {"help": "question_mark"}
    assert settings.commands["ping"].reads_only
    assert settings.clusters["NAME"].confirm_above == 3


def test_every_setting_is_documented():
    docs = settings_docs({})
    lines = docs.splitlines()
    for number, line in enumerate(lines):
        name, is_setting, _ = line.removeprefix("# ").partition(" = ")
        if is_setting and name.isidentifier():
            before = lines[number - 1]
            assert before.startswith("# ") and not before.endswith('"]') and len(before) > 10, name


def _is_toml(line: str) -> bool:
    try:
        return bool(tomllib.loads(line))
    except tomllib.TOMLDecodeError:
        return False
