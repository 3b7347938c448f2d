"""raytui on the head: whether what runs there is what runs here, and shell text to make it so."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

import raytui
from raytui.provisioning.own_wheel import EXTRA, OURS, PROGRAM, requirements

_RAYS_PYTHON = """\
python=python3
ray=$(command -v ray)
first=$(sed -n '1s/^#! *\\([^ ]*\\)$/\\1/p' "$ray" 2>/dev/null)
for one in "$first" "$(dirname "$ray")/python"; do
  if "$one" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("ray"))' 2>/dev/null; then
    python=$one
    break
  fi
done
"""
"""Finds the Python of the `ray` that a login shell finds, else the system's."""

_ABLE = """\
able() {{
  "$python" -c 'import sys; sys.exit(sys.version_info < ({version}))' || {{
    echo "raytui needs Python {text} or newer; the one that Ray has here is $("$python" -V 2>&1)"
    return 1
  }}
  "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip
}}
get() {{ PIP_BREAK_SYSTEM_PACKAGES=1 "$python" -m pip install --disable-pip-version-check "$@"; }}
"""
"""Where the system's packager minds, whoever put Ray there has gone past it in the same way."""

_IS_SAME = """\
import hashlib, importlib.metadata, importlib.util, pathlib, sys
found = importlib.util.find_spec("raytui")
digest = hashlib.sha256()
package = pathlib.Path(found.origin).parent if found and found.origin else None
for file in sorted(package.rglob("*.py")) if package else ():
    name = file.relative_to(package).as_posix()
    digest.update(b"%s\\0%s\\0" % (name.encode(), file.read_bytes()))
if digest.hexdigest() != sys.argv[1]:
    sys.exit("another raytui, or none")
for name in sys.argv[2:]:
    importlib.metadata.version(name)
"""

_WRITE = """\
import os, pathlib, shlex, sys
program = pathlib.Path.home() / sys.argv[1]
program.parent.mkdir(parents=True, exist_ok=True)
new = program.with_name(program.name + ".new")
new.write_text('#!/bin/sh\\nexec %s -P -m raytui "$@"\\n' % shlex.quote(sys.executable))
new.chmod(0o755)
new.replace(program)
import raytui
print("raytui", raytui.__version__, "in", sys.executable)
"""


def probe_command(extras: Sequence[str] = (EXTRA,)) -> str:
    """Shell text that prints what the head needs: `same` (nothing), `index` or `wheels`.

    It has the same raytui already; or it can get this version, a released one, from its index; or
    it has to be given wheels.
    """
    own = distribution(OURS)
    index = ""
    if own.read_text("direct_url.json") is None:  # It came from an index.
        wanted = shlex.quote(_requirement(own))
        ask = f'"$python" -m pip install --dry-run --no-deps -q {wanted} >/dev/null 2>&1'
        index = f"elif {ask}; then echo index\n"
    return f"{_begin(own, extras)}if same; then echo same\n{index}else echo wheels; fi"


def install_command(directory: str = "", extras: Sequence[str] = (EXTRA,)) -> str:
    """Shell text that makes raytui of this version run on the head, and writes PROGRAM there.

    It goes into the Python of `ray`. With wheels in `directory` there these are taken alone first;
    where they do not fit (another Python or system), pip gets the rest from its index. Without
    them all comes from the index. Nothing is installed where the same raytui is already.
    """
    own = distribution(OURS)
    wanted = shlex.quote(_requirement(own))
    words = f"{wanted} {shlex.join(_needed(own, extras))}"
    write = f'"$python" -P -c {shlex.quote(_WRITE)} {shlex.quote(PROGRAM)}'
    begin = _begin(own, extras) + _able(own)
    if not directory:
        return f"{begin}(same || (able && get {words})) && {write}"
    # `~` is for the shell there.
    home = "~/" if directory.startswith("~/") else ""
    links = f"--find-links {home}{shlex.quote(directory.removeprefix('~/'))}"
    # pip takes another build of the same version for the same.
    anew = f"get --no-index {links} --no-deps --force-reinstall {wanted}"
    return (
        f"{begin}(same || (able && (get --no-index {links} {words} || get {links} {words}))) &&\n"
        f"(same || {anew}) && {write}"
    )


def package_digest() -> str:
    """A digest of raytui's code as it runs here."""
    package = Path(raytui.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        name = file.relative_to(package).as_posix()
        digest.update(b"%s\0%s\0" % (name.encode(), file.read_bytes()))
    return digest.hexdigest()


def _begin(own: Distribution, extras: Sequence[str]) -> str:
    """Shell text that finds `python` and can tell whether it has the `same` raytui."""
    asked = shlex.join([package_digest(), *_needed(own, extras)])
    is_same = f'"$python" -P -c {shlex.quote(_IS_SAME)} {asked} 2>/dev/null'
    return f"{_RAYS_PYTHON}same() {{ {is_same}; }}\n"


def _able(own: Distribution) -> str:
    """Shell text for whether `python` can have raytui at all, and for how it gets packages."""
    least = re.findall(r"\d+", own.metadata["Requires-Python"])
    return _ABLE.format(version=", ".join(least), text=".".join(least))


def _requirement(own: Distribution) -> str:
    return f"{OURS}=={own.version}"


def _needed(own: Distribution, extras: Sequence[str]) -> list[str]:
    """What these extras need beside raytui's plain requirements."""
    return sorted({name for extra in extras for name, _ in requirements(own, extra)})
