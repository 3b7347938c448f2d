"""Run every benchmark, one after the other, and write docs/benchmarks.md."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import common

_HERE = Path(__file__).resolve().parent
_PROGRAMS = (
    "reaction",
    "planner",
    "reconcile",
    "aws_calls",
    "kubernetes_list",
    "simulation",
    "launch",
    "watch",
    "watch_remote",
    "startup",
    "screen",
    "tui",
)
_PAGE = _HERE.parent / "docs" / "benchmarks.md"

_INTRODUCTION = """# Benchmarks

Written by `make bench`; not to be edited by hand. Every program in `benchmarks/` can be run alone,
with `--quick` for a taste and `--json` for one JSON object.

Figures are medians. Where somebody else does the same job, they did it in the same run on the same
machine, so read the ratios: times of another machine differ, and a busy machine makes wall times
longer (CPU times less so). A dash means that it was not measured.
"""

Report = Mapping[str, Any]


def main() -> None:
    """Run all and write the page, or with `--json` print everything as one object."""
    options = common.parse(__doc__, page="" if "--quick" in sys.argv else str(_PAGE))
    reports = {name: _run(name, quick=options.quick) for name in _PROGRAMS if _can_run(name)}
    if options.page:
        Path(options.page).write_text(page(reports), encoding="utf-8")
    summary = {name: report["summary"] for name, report in reports.items()}
    cases = [{"benchmark": name, **c} for name, r in reports.items() for c in r["cases"]]
    if options.json:
        common.show("all", common.Measured(cases, summary), as_json=True)
    else:
        for name, one in summary.items():
            print(f"{name}: {common.value_text(one)}")
        if options.page:
            print(f"written: {options.page}")


def _can_run(name: str) -> bool:
    """Whether what it needs besides Python is here; docs/kubernetes.md says where to get it."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    has_server = shutil.which("kube-apiserver", path=assets or None) is not None
    if name == "kubernetes_list" and not has_server:
        common.progress(f"{name} is left out: there is no kube-apiserver")
        return False
    return True


def _run(name: str, *, quick: bool) -> Report:
    """One benchmark in a process of its own: none inherits what another has loaded."""
    common.progress(name)
    command = [sys.executable, str(_program(name)), "--json", *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    report: Report = json.loads(done.stdout)
    return report


def _program(name: str) -> Path:
    return _HERE / f"{name}.py"


def page(reports: Mapping[str, Report]) -> str:
    """The page in Markdown; how to read each table is what its program says of itself."""
    machine = next(iter(reports.values()))["machine"]
    versions = ", ".join(f"{name} {one}" for name, one in machine["versions"].items() if one)
    parts = [_INTRODUCTION, f"Machine: {common.machine_text(machine)}.\n\nVersions: {versions}.\n"]
    for name, report in reports.items():
        about = ast.get_docstring(ast.parse(_program(name).read_text(encoding="utf-8"))) or ""
        headline, _, reading = about.partition("\n")
        parts.append(f"## {name}\n\n{headline}\n\n{common.markdown_table(report['cases'])}\n")
        parts.append(f"{reading.strip()}\n")
        parts.append(_summary(report["summary"]))
    return "\n".join(parts)


def _summary(summary: Mapping[str, Any]) -> str:
    lines = [f"- {name.replace('_', ' ')}: {common.value_text(v)}" for name, v in summary.items()]
    return "In short:\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
