"""What a head keeps for those who launch it: who is at it now, and what it was made from."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from raytui.backends.base import CommandRunner, ProviderError
from raytui.backends.shell_script import script_argv
from raytui.model.step import LaunchError
from raytui.model.text import duration_text
from raytui.provisioning.hashes import NodeHashes

_BEAT_S = 10.0
_STALE_S = 60
"""Who has not been heard of for so long has given up, or its machine has."""

_ASK_S = 30.0
_HELD = 75

_PLACE = """\
umask 077
dir="$HOME/.local/share/raytui/clusters/$1"
mkdir -p "$dir" && cd "$dir" || exit 1
"""
_LOCKED = _PLACE + "exec 9>claim.lock; flock 9 || exit 1\n"
_CLAIM = (
    _LOCKED
    + f"""\
if [ -s claim ] && [ "$(cat claim)" != "$2" ]; then
  silent=$(( $(date +%s) - $(stat -c %Y claim) ))
  [ "$silent" -gt {_STALE_S} ] || {{ cat claim; exit {_HELD}; }}
fi
printf '%s\\n' "$2" > claim
"""
)
_BEAT = _LOCKED + '[ "$(cat claim)" = "$2" ] && touch claim\n'
_LET_GO = _LOCKED + '[ "$(cat claim)" = "$2" ] && rm -f claim\n'
_READ = _PLACE + "cat head.json 2>/dev/null || true\n"
_WRITE = _PLACE + "printf '%s' \"$2\" > head.json.new && mv head.json.new head.json\n"
_FORGET = _PLACE + "rm -f head.json\n"


class HeadRecord(Struct, frozen=True, omit_defaults=True):
    """What is written down on the head about itself."""

    hashes: NodeHashes = NodeHashes()
    """What it was made from; empty before its set-up was done."""
    is_up: bool = False
    """The last `up` came to its end."""


@contextlib.contextmanager
def claimed(host: CommandRunner, cluster: str, owner: str) -> Iterator[None]:
    """Nobody else brings the cluster up or takes it down as long as this lasts.

    `owner` says who does: one line, the same for all that cannot be at it at once anyway. Raises
    LaunchError when somebody else is at it now, and ProviderError.
    """
    owner = " ".join(owner.split())
    answer = host.run(script_argv(_CLAIM, cluster, owner), timeout_s=_ASK_S)
    if answer.exit_code == _HELD:
        raise LaunchError(
            f"{answer.output.strip()} is at work on {cluster} now; try again when it is done "
            f"(if it was given up, after {duration_text(_STALE_S)})"
        )
    if answer.exit_code:
        raise LaunchError(f"the head cannot be claimed: {answer.output.strip()}")
    ended = threading.Event()
    beating = threading.Thread(
        target=_beat, args=(host, cluster, owner, ended), name="head-claim", daemon=True
    )
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()
        with contextlib.suppress(ProviderError):
            host.run(script_argv(_LET_GO, cluster, owner), timeout_s=_ASK_S)


def read_record(host: CommandRunner, cluster: str) -> HeadRecord:
    """What is known of the head; an empty record for a bare one, or an unreadable one."""
    answer = host.run(script_argv(_READ, cluster), timeout_s=_ASK_S)
    try:
        return msgspec.json.decode(answer.output, type=HeadRecord)
    except msgspec.DecodeError:
        return HeadRecord()


def write_record(host: CommandRunner, cluster: str, record: HeadRecord) -> None:
    """Write down what the head was made from; raises LaunchError when it cannot."""
    text = msgspec.json.encode(record).decode()
    answer = host.run(script_argv(_WRITE, cluster, text), timeout_s=_ASK_S)
    if answer.exit_code:
        raise LaunchError(f"the head keeps no notes: {answer.output.strip()}")


def forget_record(host: CommandRunner, cluster: str) -> None:
    """The head is bare again, or as good as."""
    host.run(script_argv(_FORGET, cluster), timeout_s=_ASK_S)


def _beat(host: CommandRunner, cluster: str, owner: str, ended: threading.Event) -> None:
    while not ended.wait(_BEAT_S):
        # A cut network is for those to tell who do the work.
        with contextlib.suppress(ProviderError):
            host.run(script_argv(_BEAT, cluster, owner), timeout_s=_ASK_S)
