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
)

PAGE_TITLES = {page.name: page.title for page in PAGES}

OPENED_FROM = {"node": "nodes", "setup": "nodes", "decision": "autoscaler"}
"""Pages that are opened from one of the above, to which they belong."""

LIVE = frozenset(PAGE_TITLES) | frozenset(OPENED_FROM)
"""Pages that show a running cluster."""
EVERYWHERE = LIVE | {"clusters"}
"""All pages but those of a launch."""
ASKED: frozenset[str] = frozenset()
"""Lists that are asked of Ray again and again."""
ROWS = frozenset({"cluster", "nodes", "node", "autoscaler"}) | ASKED
"""Pages whose rows can be described, read as data, and copied by id."""
PLACED = ROWS - {"cluster", "autoscaler"}
"""Those whose rows are on nodes, to which there are logs and a shell."""
LISTS = frozenset({"clusters", "nodes", "setup", "autoscaler"}) | ASKED
"""Pages that are one long list."""
