"""raytui as it runs here, as wheels for a head that has no index: packed from installed files."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import raytui
from raytui.config.locations import packaged
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError

PROGRAM = ".local/share/raytui/raytui"
"""Below the home directory on the head: a script that runs raytui with the Python of its Ray."""

OURS = "raytui"
EXTRA = "ray"
_OF_PROVIDER = {"aws": "aws"}
_NOT_BROUGHT = frozenset({"ray"})
"""The head has its own Ray, of the version that its set-up commands chose."""

_DATA = ("themes", "examples", "catalog")
_NAME = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?P<extras>[^]]*)\])?")
_FOREXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_WHEEL = "Wheel-Version: 1.0\nGenerator: raytui\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_RECORDS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""What an installer wrote about this installation, which is not part of the wheel."""


def extras_for(spec: ClusterSpec) -> tuple[str, ...]:
    """The extras of raytui that a head needs, for its daemon and for its provider."""
    own = _OF_PROVIDER.get(spec.provider.type)
    return (EXTRA, own) if own else (EXTRA,)


def write_wheels(directory: Path, extras: Iterable[str] = (EXTRA,)) -> tuple[Path, ...]:
    """Pack raytui and all that it needs, without a network; the first wheel is raytui's own.

    Compiled packages fit machines with the same system and Python. Raises LaunchError when raytui
    runs without having been installed.
    """
    try:
        own = distribution(OURS)
    except PackageNotFoundError:
        raise LaunchError("raytui is not installed here: pip install raytui") from None
    wheels = [_pack(own, _own_files(own), _WHEEL, directory)]
    for needed in _needed(own, extras):
        tags = needed.read_text("WHEEL")
        if tags:
            wheels.append(_pack(needed, _installed_files(needed), tags, directory))
    return tuple(wheels)


def _needed(of: Distribution, extras: Iterable[str]) -> list[Distribution]:
    """What a distribution needs, and what that needs, as far as it is installed here."""
    found: dict[str, Distribution] = {}
    waiting = requirements(of).union(*(requirements(of, extra) for extra in extras))
    asked = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # For another system or Python, or an extra that nobody chose.
        new = requirements(found[name], extra) - asked
        asked |= new
        waiting |= new
    return [found[name] for name in sorted(found)]


def requirements(of: Distribution, extra: str = "") -> set[tuple[str, str]]:
    """What a distribution asks for in any case, or for one of its extras.

    Pairs of a name and an extra of that; a name without an extra (empty) is always among them.
    """
    found = set()
    for line in of.requires or ():
        condition = _FOREXTRA.search(line)
        asked = _NAME.match(line)
        assert asked is not None, "core metadata begins each requirement with a name"
        name = re.sub(r"[-_.]+", "-", asked["name"]).lower()
        if name not in _NOT_BROUGHT and extra == (condition[1] if condition else ""):
            found.add((name, ""))
            found |= {(name, other.strip()) for other in (asked["extras"] or "").split(",")}
    return found


def _own_files(own: Distribution) -> Iterator[tuple[str, Path]]:
    """Our package as it runs, which in a checkout is more than what was installed."""
    package = Path(raytui.__file__).parent
    for path in _walk(package):
        if path.relative_to(package).parts[0] != "_data":
            yield f"{OURS}/{path.relative_to(package).as_posix()}", path
    for kind in _DATA:
        for path in _walk(packaged(kind)):
            yield f"{OURS}/_data/{kind}/{path.relative_to(packaged(kind)).as_posix()}", path
    yield from (pair for pair in _installed_files(own) if ".dist-info/" in pair[0])


def _walk(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _installed_files(of: Distribution) -> Iterator[tuple[str, Path]]:
    """What was unpacked into site-packages, without programs: pip makes them from entry points."""
    for file in of.files or ():
        name = file.as_posix()
        if name.startswith(("../", "/")) or name.endswith((".pyc", ".pth")):
            continue
        if file.parent.name.endswith(".dist-info") and file.name in (*_RECORDS, "WHEEL"):
            continue
        yield name, Path(str(file.locate()))


def _pack(of: Distribution, files: Iterator[tuple[str, Path]], tags: str, directory: Path) -> Path:
    """Write one wheel (packaging.python.org, binary distribution format)."""
    name = re.sub(r"[-_.]+", "_", of.metadata["Name"])
    info = f"{name}-{of.version}.dist-info"
    contents = {_renamed(path, info): source.read_bytes() for path, source in files}
    contents[f"{info}/WHEEL"] = tags.encode()
    record = f"{info}/RECORD"
    target = directory / f"{name}-{of.version}-{_tag(tags)}.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in [*contents.items(), (record, _record(contents, record))]:
            # A fixed date: the same files make the same wheel.
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
    return target


def _renamed(path: str, info: str) -> str:
    """The path with the name of the `.dist-info` directory that belongs to the file's name."""
    first, slash, rest = path.partition("/")
    return f"{info}/{rest}" if slash and first.endswith(".dist-info") else path


def _tag(tags: str) -> str:
    """All tags of a WHEEL file in the compressed form of file names: `py2.py3-none-any`."""
    lines = [line for line in tags.splitlines() if line.startswith("Tag:")]
    triples = [line.removeprefix("Tag:").strip().split("-") for line in lines]
    columns = (dict.fromkeys(column) for column in zip(*triples, strict=True))
    return "-".join(".".join(column) for column in columns)


def _record(contents: Mapping[str, bytes], record: str) -> bytes:
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for path, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow((path, f"sha256={digest}", len(content)))
    writer.writerow((record, "", ""))
    return rows.getvalue().encode()
