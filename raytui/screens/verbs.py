"""All that a person can ask for: the one list behind keys, help, footer, palette and `:`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.binding import Binding, BindingType

LIVE = frozenset({"cluster", "nodes", "node", "setup", "autoscaler", "decision"})
"""Pages that show a running cluster."""
EVERYWHERE = LIVE | {"clusters"}
"""All pages but those of a launch."""
LISTS = frozenset({"clusters", "nodes", "setup", "autoscaler"})
"""Pages that are one long list."""

_PODLOG = frozenset({"podlog"})
_OUTPUTS = _PODLOG | {"steps"}


class VerbError(Exception):
    """A verb cannot be done; `str()` is one line for the person who asked."""


@dataclass(frozen=True)
class Verb:
    """One thing to ask for. A page does it in its method `verb_<id>` with `-` as `_`."""

    id: str
    words: str
    """What it does, for help and palette."""
    keys: str = ""
    """Default keys in Textual's words, separated by commas; empty: only by name."""
    pages: frozenset[str] = LIVE
    """Pages where its key works and help tells of it."""
    mutates: bool = False
    """It changes the cluster: refused in read-only mode."""
    names: tuple[str, ...] = ()
    """What it is called after `:`; empty: it cannot be called by name."""
    argument: str = ""
    """What may follow the name, e.g. `TYPE N`."""
    short: str = ""
    """Its word in the footer; empty: not there."""
    drop: int = 5
    """How soon it leaves a footer that is too short (the highest first; 0: never)."""
    asks: bool = False
    """Its key opens a line to type in, and what is typed right behind the key belongs there."""


VERBS: tuple[Verb, ...] = (
    Verb("clusters", "Clusters: back to the list of all", "0", names=("clusters",)),
    Verb("cluster", "Cluster: types, resources, demand, events", "1", names=("cluster",)),
    Verb("nodes", "Nodes: what each does and why it is here", "2", names=("nodes",)),
    Verb("autoscaler", "Autoscaler: the journal of decisions", "3", names=("autoscaler",)),
    Verb(
        "floor-up",
        "Raise the floor of the selected node type by one",
        "+",
        frozenset({"cluster"}),
        mutates=True,
        short="raise floor",
        drop=3,
    ),
    Verb(
        "floor-down",
        "Lower the floor of the selected node type by one",
        "-",
        frozenset({"cluster"}),
        mutates=True,
        short="lower",
        drop=4,
    ),
    Verb(
        "floor-set",
        "Set a type's floor (empty: back to min_workers)",
        "=",
        frozenset({"cluster"}),
        mutates=True,
        names=("scale", "floor"),
        argument="TYPE N",
        short="set floor",
        drop=9,
        asks=True,
    ),
    Verb(
        "ceiling-set",
        "Set a type's ceiling (empty: back to max_workers)",
        "",
        frozenset(),
        mutates=True,
        names=("ceiling",),
        argument="TYPE N",
    ),
    Verb(
        "filter",
        "Filter the list: word  !word  key=value  ~regex",
        "/",
        LISTS | {"launch"},
        names=("filter",),
        argument="WORDS",
        short="filter",
        drop=4,
        asks=True,
    ),
    Verb(
        "mark",
        "Mark a node, or take the mark away",
        "space",
        frozenset({"nodes"}),
        short="mark",
        drop=8,
    ),
    Verb(
        "namespace",
        "Choose the namespace whose clusters are listed, or all",
        "n",
        frozenset({"clusters"}),
        names=("namespace", "ns"),
        argument="NAME",
        short="namespace",
        drop=3,
    ),
    Verb(
        "context",
        "Choose the context of the kubeconfig",
        "c",
        frozenset({"clusters"}),
        names=("context", "ctx"),
        argument="NAME",
        short="context",
        drop=4,
    ),
    Verb(
        "describe",
        "All that is known of the selected cluster, and what is wrong",
        "d",
        frozenset({"clusters"}),
        short="describe",
        drop=6,
    ),
    Verb("sort-next", "Sort by the next column", "full_stop", LISTS, short="sort", drop=10),
    Verb("sort-previous", "Sort by the previous column", "comma", LISTS),
    Verb("sort-reverse", "Turn the order around", "o", LISTS),
    Verb(
        "terminate",
        "Drain and terminate nodes, after asking",
        "t",
        frozenset({"nodes", "node"}),
        mutates=True,
        names=("terminate", "drain"),
        argument="ID…",
        short="terminate",
        drop=2,
    ),
    Verb(
        "logs",
        "Logs of a pod's containers, while they are written",
        "l",
        frozenset({"nodes", "node"}),
        names=("logs",),
        argument="ID",
        short="logs",
        drop=4,
    ),
    Verb(
        "shell",
        "A shell in a pod",
        "s",
        frozenset({"nodes", "node"}),
        names=("shell",),
        argument="ID",
        short="shell",
        drop=4,
    ),
    Verb(
        "hold",
        "Hold nodes against removal, or release them",
        "h",
        frozenset({"nodes", "node"}),
        mutates=True,
        names=("hold",),
        argument="ID…",
        short="hold",
        drop=5,
    ),
    Verb(
        "release",
        "Release held nodes",
        "",
        frozenset(),
        mutates=True,
        names=("release",),
        argument="ID…",
    ),
    Verb(
        "sweep",
        "Terminate orphans, after asking",
        "",
        frozenset(),
        mutates=True,
        names=("sweep",),
        argument="ID…",
    ),
    Verb(
        "request",
        "Request resources: CPU=4 x3, GPU=1 (empty cancels)",
        "r",
        mutates=True,
        names=("request",),
        argument="SHAPES",
        short="request",
        drop=9,
        asks=True,
    ),
    Verb(
        "toggle-pause",
        "Pause or resume the autoscaler",
        "p",
        mutates=True,
        short="pause",
        drop=7,
    ),
    Verb("pause", "Pause the autoscaler", "", frozenset(), mutates=True, names=("pause",)),
    Verb("resume", "Resume the autoscaler", "", frozenset(), mutates=True, names=("resume",)),
    Verb("reload", "Read the cluster YAML again", "", mutates=True, names=("reload",)),
    Verb(
        "setup",
        "Set-ups: how far each node is, and what failed",
        "u",
        frozenset({"cluster", "nodes", "node", "autoscaler"}),
        names=("setup",),
        argument="ID",
        short="set-ups",
        drop=6,
    ),
    Verb(
        "retry-node",
        "Try the failed set-up step of a node again",
        "R",
        frozenset({"launch", "setup", "steps"}),
        mutates=True,
        names=("retry",),
        argument="ID…",
        short="try step again",
        drop=2,
    ),
    Verb("copy", "Copy what is shown to the clipboard", "c", frozenset({"node", "decision"})),
    Verb("node", "Open a node", "", frozenset(), names=("node",), argument="ID"),
    Verb("theme", "Change the colours", "", EVERYWHERE, names=("theme",), argument="NAME"),
    Verb("messages", "All messages of this session in full", "m", EVERYWHERE, names=("messages",)),
    Verb(
        "back", "Back; also clears a filter, then marks", "escape", EVERYWHERE, short="back", drop=1
    ),
    Verb("command", "Give a command by name", ":", EVERYWHERE, short="command", drop=1, asks=True),
    Verb("help", "This help", "?", EVERYWHERE, names=("help",), short="help", drop=0),
    Verb(
        "quit",
        "Leave; the cluster stays",
        "q",
        EVERYWHERE,
        names=("quit", "q"),
        short="quit",
        drop=5,
    ),
    Verb("launch", "Launch the cluster", "enter", frozenset({"launch"}), short="launch", drop=0),
    Verb("retry", "Try the launch again", "r", frozenset({"launch"}), short="retry", drop=0),
    Verb("leave", "Leave", "q,escape", frozenset({"launch"}), short="leave", drop=0),
    Verb("container-next", "The next container", "tab", _PODLOG, short="container", drop=2),
    Verb("container-before", "The container before it", "shift+tab", _PODLOG),
    Verb(
        "previous",
        "The log of the container before it was restarted",
        "p",
        _PODLOG,
        short="before restart",
        drop=3,
    ),
    Verb("wrap", "Break long lines", "w", _OUTPUTS, short="wrap", drop=3),
    Verb("copy-output", "Copy the output", "c", _OUTPUTS, short="copy", drop=4),
    Verb("close", "Back", "escape,q", _OUTPUTS, short="back", drop=0),
)

PAGE_TITLES = {"cluster": "Cluster", "nodes": "Nodes", "autoscaler": "Autoscaler"}
"""The pages that have a number, in its order."""

_BY_ID = {verb.id: verb for verb in VERBS}
_BY_NAME = {name: verb for verb in VERBS for name in verb.names}


def verb(verb_id: str) -> Verb:
    """The verb with this id; KeyError when there is none."""
    return _BY_ID[verb_id]


def verb_named(name: str) -> Verb | None:
    """The verb called by this name after `:`, or None."""
    return _BY_NAME.get(name.lower())


def names() -> Sequence[str]:
    """All names that `:` knows."""
    return tuple(_BY_NAME)


def verbs_on(page: str) -> list[Verb]:
    """The verbs whose keys work on a page."""
    return [one for one in VERBS if page in one.pages]


def bindings_on(page: str) -> list[BindingType]:
    """Key bindings of a page; their ids are the verbs', so keys can be remapped."""
    return [
        # One that asks is carried out before the next key is looked at.
        Binding(one.keys, f"verb('{one.id}')", one.words, show=False, id=one.id, priority=one.asks)
        for one in verbs_on(page)
        if one.keys
    ]
