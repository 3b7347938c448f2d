"""A program that joins its stdin, stdout and stderr with a command in a container.

Its exit code is the command's; 255 means that the command could not be run, and stderr says why.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.channels import Channels
from raytui.backends.kubernetes.pod_command import Channel, Container, cut_off, end_of, started
from raytui.backends.kubernetes.session import KubeSession

_CHUNK = 32 << 10
_NOT_RUN = 255
_STDIN, _STDOUT, _STDERR = 0, 1, 2


def main(words: Sequence[str]) -> int:
    """Run the command that the words name, and return its exit code."""
    asked = _parsed(words)
    where = Container(asked.namespace, asked.pod, asked.container)
    # Of what rsync calls, the first word is the machine's name, which is known here.
    command = asked.command[1:] if asked.rsync else asked.command
    session = KubeSession(Access(asked.kubeconfig, asked.context))
    try:
        with started(session, where, command, tty=asked.tty) as channels:
            return _joined(channels, where, is_terminal=asked.tty)
    except ProviderError as error:
        os.write(_STDERR, f"{error}\n".encode())
        return _NOT_RUN


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="exec_bridge", description=__doc__)
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--context", default="")
    parser.add_argument("--tty", action="store_true", help="a person's terminal is stdin")
    parser.add_argument("--rsync", action="store_true", help="be what rsync takes for ssh")
    parser.add_argument("namespace")
    parser.add_argument("pod")
    parser.add_argument("container", help="empty: the pod's first or default one")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args(words)


def _joined(channels: Channels, where: Container, *, is_terminal: bool) -> int:
    """Pass all on both ways until the command ends, or stdin does."""
    terminal = _raw(channels) if is_terminal and os.isatty(_STDIN) else contextlib.nullcontext()
    stdin_ended = threading.Event()
    with terminal:
        threading.Thread(target=_send_stdin, args=(channels, stdin_ended), daemon=True).start()
        outputs = {Channel.STDOUT: _STDOUT, Channel.STDERR: _STDERR}
        while (message := channels.receive()) is not None:
            channel, data = message
            if channel == Channel.STATUS:
                ended = end_of(data, where)
                _write(_STDERR, f"{ended.words}\n".encode() if ended.words else b"")
                return ended.code
            if channel in outputs:
                _write(outputs[Channel(channel)], data)
    if stdin_ended.is_set():
        return 0
    raise cut_off(where)


def _send_stdin(channels: Channels, ended: threading.Event) -> None:
    """Send stdin until its end, and tell of that.

    Where the protocol cannot, the connection ends: so does then what reads there. But who gave no
    input at all, as `</dev/null` does, waits for the command.
    """
    sent = False
    with contextlib.suppress(OSError):
        while data := os.read(_STDIN, _CHUNK):
            channels.send(Channel.STDIN, data)
            sent = True
    if not channels.end(Channel.STDIN) and sent:
        ended.set()
        channels.cut()


def _write(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]


@contextlib.contextmanager
def _raw(channels: Channels) -> Iterator[None]:
    """Let each key go there as it is, and tell of the terminal's size when it changes."""
    before = termios.tcgetattr(_STDIN)
    signal.signal(signal.SIGWINCH, lambda *_: None)
    # Blocked, it waits for the thread that asks for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
    threading.Thread(target=_send_sizes, args=(channels,), daemon=True).start()
    tty.setraw(_STDIN)
    try:
        yield
    finally:
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)


def _send_sizes(channels: Channels) -> None:
    with contextlib.suppress(OSError):
        while True:
            columns, rows = os.get_terminal_size(_STDIN)
            size = {"Width": columns, "Height": rows}
            channels.send(Channel.SIZE, json.dumps(size).encode())
            signal.sigwait({signal.SIGWINCH})


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        sys.exit(_NOT_RUN)
    except KeyboardInterrupt:
        sys.exit(130)
