"""Handing the terminal to another program, such as a shell on a node, until that ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

from textual.app import App, SuspendNotSupported

_WAIT_FOR_IT = "\n[raytui] this program has ended with exit code {code}; Enter goes back to raytui "


def hand_over(app: App[object], argv: Sequence[str], *, to_read: bool = False) -> str:
    """Run a program on the terminal in place of the app; why it could not be, in one sentence.

    The app stands still meanwhile; clients take their places again when it goes on. With `to_read`
    what it printed stays until Enter also when all went well.
    """
    try:
        with app.suspend():
            return _run(argv, to_read=to_read)
    except SuspendNotSupported:
        return "there is no terminal of one's own here to open a shell on"


def _run(argv: Sequence[str], *, to_read: bool) -> str:
    # A handler, not SIG_IGN, which the program would inherit: ctrl+c is for it alone.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = subprocess.run(argv, check=False).returncode
        if code or to_read:
            # What it said is on the terminal only as long as the app does not take it back.
            input(_WAIT_FOR_IT.format(code=code))
    except OSError as error:
        return f"{argv[0]} cannot be run: {error.strerror}"
    except EOFError:
        pass
    finally:
        signal.signal(signal.SIGINT, before)
    return ""
