"""A person's settings: what there is to set, what it means, and what holds without a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from raytui.config.problems import KeyPath, Mark, Problem

_WORDS = "red|orange|yellow|green|cyan|blue|magenta|white"
Colour = Annotated[str, Meta(pattern=rf"^(#[0-9a-fA-F]{{6}}|{_WORDS})?$")]
Name = Annotated[str, Meta(max_length=80)]
Count = Annotated[int, Meta(ge=0, le=100_000)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]


def said(words: str) -> Meta:
    """What a setting means, for `raytui config --docs`."""
    return Meta(description=words)


class ClusterSettings(Struct, frozen=True):
    """What is different for one cluster; None: as for all."""

    read_only: Annotated[
        bool | None, said("Open it read-only; ctrl+r allows changes, with --read-only it does not.")
    ] = None
    production: Annotated[
        bool, said("Frame it in red, with the word PRODUCTION in the status line.")
    ] = False
    frame: Annotated[Colour, said('Colour of its frame, e.g. "#8a5a00".')] = ""
    theme: Annotated[Name, said("Its colours.")] = ""
    confirm_above: Annotated[Count | None, said("As above, for this cluster.")] = None
    undo_s: Annotated[Seconds | None, said("As above, for this cluster.")] = None


class Views(Struct, frozen=True):
    """How lists look when they are opened."""

    remember: Annotated[
        bool,
        said("Open each list of a cluster as it was left: order and filter (:forget drops that)."),
    ] = True


class OwnCommand(Struct, frozen=True):
    """A program of one's own, run on the terminal for the selected node."""

    run: Annotated[
        tuple[str, ...],
        Meta(min_length=1, max_length=200),
        said(
            "The program and its arguments, without a shell. $NODE_ID, $NODE_IP and $CLUSTER "
            "stand for what is selected."
        ),
    ]
    words: Annotated[str, said("What it does, for the list of commands.")] = ""
    reads_only: Annotated[bool, said("It changes nothing: allowed in read-only mode.")] = False


class Settings(Struct, frozen=True):
    """All that can be set, with defaults; `problems` is what is wrong with the file."""

    theme: Annotated[
        Name, said("Colours; empty: raytui-dark, and raytui-16 where there are but 16 colours.")
    ] = ""
    mouse: Annotated[bool, said("Clicks and the wheel; false leaves them to the terminal.")] = True
    unicode: Annotated[
        Literal["auto"] | bool,
        said('Bars and signs in Unicode, or false: in ASCII. "auto": as the locale says.'),
    ] = "auto"
    refresh_s: Annotated[
        Annotated[float, Meta(ge=0.2, le=600)],
        said("Seconds between two questions for what is asked of Ray: jobs, actors, tasks."),
    ] = 2.0
    confirm_above: Annotated[
        Count, said("More things than this are destroyed only after their number was typed.")
    ] = 3
    undo_s: Annotated[
        Seconds, said("Seconds for which an order to terminate waits and can be taken back (U).")
    ] = 10.0
    read_only: Annotated[
        bool, said("Open clusters read-only; ctrl+r allows changes, with --read-only it does not.")
    ] = False
    views: Views = Views()
    keys: Mapping[str, str] = {}
    """Verb id → keys, with commas between them; checked against the verbs by the screens."""
    clusters: Mapping[str, ClusterSettings] = {}
    commands: Mapping[str, OwnCommand] = {}
    problems: tuple[Problem, ...] = ()
    source: str = ""
    """The file it was read from; empty: there was none."""
    marks: Mapping[KeyPath, Mark] = {}
    """Where each key stands in the file, for those who check more."""

    def of_cluster(self, name: str) -> ClusterSettings:
        """What holds for a cluster, with what holds for all where it says nothing itself."""
        own = self.clusters.get(name, ClusterSettings())
        return msgspec.structs.replace(
            own,
            read_only=self.read_only if own.read_only is None else own.read_only,
            confirm_above=self.confirm_above if own.confirm_above is None else own.confirm_above,
            undo_s=self.undo_s if own.undo_s is None else own.undo_s,
            theme=own.theme or self.theme,
            frame=own.frame or ("$state-failed" if own.production else ""),
        )


SCALARS = tuple(name for name in Settings.__struct_fields__ if name not in (
    "views", "keys", "clusters", "commands", "problems", "source", "marks"
))  # fmt: skip
"""Settings that stand at the top of the file, one value each."""
TABLES = ("views", "keys", "clusters", "commands")
