"""What all benchmarks share: their two options, the machine, medians, and both forms of output."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

Case = dict[str, Any]
"""One line of a benchmark's table. A key tells its unit by its end: `_s`, `_ms`, `_bytes`, `_usd`.
A value of None was not measured."""

_COMPARED = ("raytui", "ray", "textual", "msgspec", "rich", "click")


@dataclass
class Measured:
    """What a benchmark found out."""

    cases: list[Case] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)


def main(benchmark: str, about: str | None, measure: Callable[[bool], Measured]) -> None:
    """Run one benchmark as a program. `measure` gets whether `--quick` was given."""
    options = parse(about)
    measured = measure(options.quick)
    show(benchmark, measured, as_json=options.json)


def show(benchmark: str, measured: Measured, *, as_json: bool) -> None:
    """Print what was measured, as one JSON object or as a table."""
    report: dict[str, Any] = {
        "benchmark": benchmark,
        "machine": machine(),
        "cases": measured.cases,
        "summary": measured.summary,
    }
    if as_json:
        print(json.dumps(report))
    else:
        print(f"{benchmark} on {machine_text(report['machine'])}\n")
        print(plain_table(measured.cases), end="\n\n")
        for name, value in measured.summary.items():
            print(f"{name}: {value_text(value)}")


def parse(about: str | None, **more: str) -> argparse.Namespace:
    """Read `--quick`, `--json` and options with a value, given as name and default."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer and smaller cases")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    for name, default in more.items():
        parser.add_argument(f"--{name}", default=default, help=f"default: {default}")
    return parser.parse_args()


def progress(words: str) -> None:
    """Tell a waiting person what is measured now; on stderr, so that JSON stays alone."""
    print(f"  {words}", file=sys.stderr, flush=True)


# The machine.


def machine() -> dict[str, Any]:
    """What decides how fast it is, and the versions of all that is compared."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "load_1m": round(os.getloadavg()[0], 1),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": {name: _version(name) for name in _COMPARED},
    }


def machine_text(facts: Mapping[str, Any]) -> str:
    """The machine in one line."""
    return (
        f"{facts['cores']} cores of {facts['cpu']}, {facts['memory_gib']} GiB, {facts['system']}, "
        f"Python {facts['python']}, load {facts['load_1m']}, {facts['date']}"
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return " ".join(names[0].split()) if names else platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


# Measuring.


def median(values: Iterable[float]) -> float:
    """The middle value, to four digits."""
    return digits(statistics.median(values))


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of all do not exceed."""
    ordered = sorted(values)
    return digits(ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)])


def ratio(theirs: float | None, ours: float | None) -> float | None:
    """How many times more they take than we; below 1 they win."""
    return digits(theirs / ours) if theirs is not None and ours else None


def digits(value: float) -> float:
    """A number without the digits that no repetition would show again."""
    return float(f"{value:.4g}")


# Words.


def value_text(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if abs(value) >= 1000:
            return f"{value:,.0f}"
        return f"{value:.4g}" if 1 <= abs(value) < 10 else f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {value_text(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(value_text(one) for one in value) or "none"
    return str(value)


def plain_table(cases: Sequence[Case]) -> str:
    """Cases in columns for a terminal."""
    rows = [[title.replace("_", " ") for title in _titles(cases)], *_cells(cases)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numeric = _numeric(cases)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in rows
    )


def markdown_table(cases: Sequence[Case]) -> str:
    """Cases as a Markdown table."""
    titles = [title.replace("_", " ") for title in _titles(cases)]
    rules = ["---:" if right else "---" for right in _numeric(cases)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (titles, rules, *_cells(cases)))


def _titles(cases: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(name for case in cases for name in case))


def _cells(cases: Sequence[Case]) -> list[list[str]]:
    return [[value_text(case.get(title)) for title in _titles(cases)] for case in cases]


def _numeric(cases: Sequence[Case]) -> list[bool]:
    return [
        all(isinstance(case.get(title), (int, float, type(None))) for case in cases)
        for title in _titles(cases)
    ]
