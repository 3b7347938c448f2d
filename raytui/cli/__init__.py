"""The command line: one file a group; heavy imports stay inside the commands."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program and exit with one of `raytui.cli.exit_codes.ExitCode`."""
    from raytui.cli.program import run

    sys.exit(run(sys.argv[1:]))
