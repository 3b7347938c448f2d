"""How long commands take to start, and whether they load what they do not need.

Each command runs in a process of its own, all in turn, round after round; `wall_ms` is the median.
`over_python` compares it with `python -c pass` of the same rounds. The peer is Ray's command line
(`ray --version`), which imports Ray for every word. `heavy` lists which of the large packages a
command loaded; `raytui status` finds no cluster here, so what is timed is the way to that answer.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import common

_HEAVY = ("textual", "ray", "rich", "numpy", "boto3", "paramiko", "kubernetes", "aiohttp", "psutil")
_PYTHON = "python -c pass"
_CLI = "import sys; from raytui.cli.program import run; code = run(sys.argv[1:]); "
_PRINT_HEAVY = f"sys.stdout.flush(); print('heavy:', *[n for n in {_HEAVY} if n in sys.modules])"

_COMMANDS: dict[str, list[str]] = {
    _PYTHON: ["-c", "pass"],
    "raytui --version": ["-m", "raytui", "--version"],
    "raytui --help": ["-m", "raytui", "--help"],
    "raytui status": ["-m", "raytui", "status"],
    "import raytui.app": ["-c", "import raytui.app"],
    "import the daemon": ["-c", "import raytui.autoscaler.daemon.serve, raytui.ray.gcs"],
}
_RAY = {"ray --version": ["-m", "ray.scripts.scripts", "--version"]}


def measure(quick: bool) -> common.Measured:
    """All commands, started again and again in turn."""
    commands = _COMMANDS | (_RAY if importlib.util.find_spec("ray") else {})
    with tempfile.TemporaryDirectory() as home:
        environment = _environment(home)
        heavy = {name: _heavy(_COMMANDS[name], environment) for name in _COMMANDS}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(2 if quick else 15):
            common.progress(f"round {turn + 1}")
            for name, arguments in commands.items():
                times[name].append(_run_ms(arguments, environment))
    bare_ms = common.median(times[_PYTHON])
    cases: list[common.Case] = [
        {
            "command": name,
            "wall_ms": common.median(times[name]),
            "p95_ms": common.percentile(times[name], 0.95),
            "over_python": common.ratio(common.median(times[name]), bare_ms),
            "heavy": heavy.get(name),
        }
        for name in commands
    ]
    summary = {f"{case['command']}_ms": case["wall_ms"] for case in cases}
    return common.Measured(cases, summary)


def _environment(home: str) -> dict[str, str]:
    """A user without any cluster; compiled modules are kept, as for an installed program."""
    own = {name: str(Path(home) / name) for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    kept = {name: value for name, value in os.environ.items() if name != "RAYTUI_CLUSTER"}
    return kept | own


def _run_ms(arguments: list[str], environment: Mapping[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False)
    return (time.perf_counter() - started) * 1000


def _heavy(arguments: list[str], environment: Mapping[str, str]) -> list[str]:
    """Large packages in `sys.modules` when the command ends; the first run also compiles it."""
    if arguments[0] == "-m":
        program = [_CLI + _PRINT_HEAVY, *arguments[2:]]
    else:
        program = [f"import sys; {arguments[1]}; {_PRINT_HEAVY}"]
    done = subprocess.run(
        [sys.executable, "-c", *program],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    last = done.stdout.splitlines()[-1]
    return last.removeprefix("heavy:").split()


if __name__ == "__main__":
    common.main("startup", __doc__, measure)
