"""The pages of a running cluster, in the order of their keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PageKind:
    """A page that a key, a name and the palette lead to."""

    name: str
    """Also the name of its verb, and what `:` calls it."""
    title: str
    key: str
    words: str
    """What it shows, for help and palette."""
    names: tuple[str, ...] = ()
    """What else `:` calls it."""


PAGES = (
    PageKind("cluster", "Cluster", "1", "types, resources, demand, events"),
    PageKind("nodes", "Nodes", "2", "what each does and why it is here"),
    PageKind("autoscaler", "Autoscaler", "3", "the journal of decisions"),
    PageKind("jobs", "Jobs", "4", "what was submitted, how it stands, why it waits", ("job",)),
    PageKind("files", "Logs", "5", "files of any node, followed as they are written", ("log",)),
    PageKind("actors", "Actors", "6", "where each lives, or why it died", ("actor",)),
    PageKind("tasks", "Tasks", "7", "by name and state, then one by one", ("task",)),
    PageKind("groups", "Placement groups", "8", "their bundles, and where they sit", ("group",)),
    PageKind("objects", "Objects", "O", "what keeps the memory of nodes", ("object", "memory")),
    PageKind("events", "Events", "E", "all that happened, newest first", ("event",)),
)

PAGE_TITLES = {page.name: page.title for page in PAGES}

OPENED_FROM = {
    "node": "nodes",
    "setup": "nodes",
    "decision": "autoscaler",
    "taskrows": "tasks",
    "objectrows": "objects",
}
"""Pages that are opened from one of the above, to which they belong."""

LIVE = frozenset(PAGE_TITLES) | frozenset(OPENED_FROM)
"""Pages that show a running cluster."""
EVERYWHERE = LIVE | {"clusters"}
"""All pages but those of a launch."""
ASKED = frozenset(
    {"jobs", "files", "actors", "tasks", "taskrows", "groups", "objects", "objectrows", "events"}
)
"""Lists that are asked of Ray again and again."""
ROWS = frozenset({"cluster", "nodes", "node", "autoscaler"}) | ASKED
"""Pages whose rows can be described, read as data, and copied by id."""
PLACED = ROWS - {"cluster", "autoscaler", "tasks"}
"""Those whose rows are on nodes, to which there are logs and a shell."""
LISTS = frozenset({"clusters", "nodes", "setup", "autoscaler"}) | ASKED
"""Pages that are one long list."""
