"""What the package says of itself: its dependencies, and its version in one place."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "raytui"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def declared(requirements: list[str]) -> set[str]:
    """Names of distributions, as pip compares them."""
    return {same(re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0]) for one in requirements}


def same(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def third_party_imports() -> Iterator[tuple[Path, str]]:
    """(file, top-level package) of every import that is neither ours nor Python's."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for top in {name.partition(".")[0] for name in names}:
                if top not in sys.stdlib_module_names and top != "raytui":
                    yield file, top


def test_every_third_party_import_is_declared():
    everywhere = declared(PROJECT["project"]["dependencies"])
    extras = PROJECT["project"]["optional-dependencies"]
    for_users = {name: declared(parts) for name, parts in extras.items() if name != "dev"}
    distributions = packages_distributions()
    undeclared = []
    for file, top in third_party_imports():
        allowed = everywhere.union(*for_users.values())
        if not {same(name) for name in distributions.get(top, [top])} & allowed:
            undeclared.append(f"{file.relative_to(ROOT)} imports {top}")
    assert undeclared == []


def test_no_dependency_is_declared_that_nothing_imports():
    distributions = packages_distributions()
    imported = {top for _, top in third_party_imports()}
    used = {same(name) for top in imported for name in distributions.get(top, [top])}
    assert declared(PROJECT["project"]["dependencies"]) - used == set()


def test_the_constraints_pin_everything_that_is_declared():
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = declared(PROJECT["project"]["dependencies"]).union(*map(declared, extras.values()))
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {same(line.partition("==")[0]) for line in lines if "==" in line}
    assert wanted - pinned == set()


def test_the_version_stands_in_one_place():
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "raytui/__init__.py"
    assignments = [
        file.relative_to(ROOT).as_posix()
        for file in PACKAGE.rglob("*.py")
        if re.search(r"^(__version__|version)\s*=\s*[\"']\d", file.read_text(), re.MULTILINE)
    ]
    assert assignments == ["raytui/__init__.py"]
