"""Objects: what keeps the memory of each node, and, one by one, who refers to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from raytui.model.text import bytes_text
from raytui.model.work import Listing, StoredObject
from raytui.screens.keys import KeyNames
from raytui.screens.session import Session
from raytui.screens.subject import Subject
from raytui.screens.verbs import bindings_on
from raytui.screens.workpage import OpenedWorkPage, WorkPage, number_column, text_column
from raytui.screens.workwords import NONE
from raytui.widgets.cell import Cell, cell
from raytui.widgets.columns import Column
from raytui.widgets.filter import Fields

_SHORT = 12


class NodeObjects(Struct, frozen=True):
    """What of the object store is referred to from one node."""

    node_id: str
    node_ip: str
    size_bytes: int
    """Each object once; those of unknown size not at all."""
    objects: int
    references: int
    kinds: dict[str, int]
    """Kind of reference, in words, to number."""
    holders: dict[str, int]
    """Process, such as `driver 4711`, to bytes that it refers to."""


def by_node(objects: Iterable[StoredObject]) -> list[NodeObjects]:
    """A row for each node, the one that holds most first."""
    nodes: dict[tuple[str, str], list[StoredObject]] = defaultdict(list)
    for one in objects:
        nodes[one.node_id, one.node_ip].append(one)
    rows = [_together(node_id, ip, found) for (node_id, ip), found in nodes.items()]
    return sorted(rows, key=lambda row: -row.size_bytes)


def _together(node_id: str, node_ip: str, objects: Sequence[StoredObject]) -> NodeObjects:
    sizes = {one.object_id: max(0, one.size_bytes) for one in objects}
    holders: Counter[str] = Counter()
    for one in objects:
        holders[_holder(one)] += max(0, one.size_bytes)
    return NodeObjects(
        node_id,
        node_ip,
        sum(sizes.values()),
        len(sizes),
        len(objects),
        dict(Counter(kind_text(one.kind) for one in objects).most_common()),
        dict(holders.most_common()),
    )


def _holder(one: StoredObject) -> str:
    return f"{one.process.lower() or 'process'} {one.pid}"


def kind_text(kind: str) -> str:
    """Ray's word for a reference in lower case."""
    return kind.lower().replace("_", " ") or "unknown"


def _bytes(size: int) -> Cell:
    return cell(bytes_text(size)) if size >= 0 else NONE


class ObjectsScreen(WorkPage):
    """A line for each node that holds objects, or refers to some."""

    page = "objects"
    thing = "node"
    BINDINGS = bindings_on("objects")
    empty = "nothing is in the object store\nray.put and the results of tasks go there"

    async def ask(self) -> Listing[NodeObjects]:
        """References, taken together by node."""
        listing = await self.session.client.work.objects()
        rows = by_node(listing.rows)
        return Listing(tuple(rows), len(rows), listing.notes)

    def heading(self) -> str:
        """How much there is on how many nodes."""
        rows = self.listing.rows if self.listing is not None else ()
        size = bytes_text(sum(row.size_bytes for row in rows))
        return f"OBJECTS · {size} ON {super().heading()}"

    def columns(self) -> Sequence[Column[Any]]:
        """The node and how much it holds first."""
        return (
            self.node_column(lambda row: row.node_id),
            Column(
                "HOLDS",
                lambda row, _: _bytes(row.size_bytes),
                9,
                right=True,
                sort=lambda row: row.size_bytes,
            ),
            number_column("OBJECTS", lambda row: row.objects, 8, drop=3),
            number_column("REFERENCES", lambda row: row.references, 10, drop=4),
            Column("HELD BY", lambda row, _: _most_of(row), 16, flex=True),
            text_column("AS", lambda row: ", ".join(row.kinds), 12, flex=True, drop=2),
        )

    def key_of(self, row: NodeObjects) -> str:
        """The node."""
        return row.node_id or row.node_ip

    def found_by(self, row: NodeObjects) -> Fields:
        """Node, kinds, processes."""
        return {
            "node": self.places.found_by(row.node_id),
            "ip": row.node_ip,
            "kind": " ".join(row.kinds),
            "process": " ".join(row.holders),
        }

    def subject_of(self, row: NodeObjects) -> Subject:
        """The objects of the node."""
        member_id = self.places.member_id(row.node_id)
        name = member_id or self.key_of(row)
        return Subject("objects of", name, row, member_id, row.node_id)

    def open_row(self, row: NodeObjects) -> None:
        """Its references one by one."""
        self.app.push_screen(ObjectRowsScreen(self.session, self.keys, row.node_id, row.node_ip))


def _most_of(row: NodeObjects) -> Cell:
    return cell(", ".join(f"{who} ({bytes_text(size)})" for who, size in row.holders.items()))


class ObjectRowsScreen(OpenedWorkPage):
    """The references that are held on one node, the largest first."""

    page = "objectrows"
    thing = "reference"
    BINDINGS = bindings_on("objectrows")
    empty = "this node refers to no object any more\nEsc goes back"

    def __init__(self, session: Session, keys: KeyNames, node_id: str, node_ip: str) -> None:
        super().__init__(session, keys)
        self._node_id = node_id
        self._node_ip = node_ip

    async def ask(self) -> Listing[StoredObject]:
        """Those of the node."""
        listing = await self.session.client.work.objects()
        here = (self._node_id, self._node_ip)
        rows = tuple(one for one in listing.rows if (one.node_id, one.node_ip) == here)
        return Listing(rows, len(rows), listing.notes)

    def heading(self) -> str:
        """How many there are on which node."""
        return f"{super().heading()} · {self.places.name(self._node_id) or self._node_ip}"

    def columns(self) -> Sequence[Column[Any]]:
        """Size and kind first."""
        return (
            text_column("OBJECT", lambda o: o.object_id[:_SHORT], _SHORT, style="bold"),
            Column(
                "SIZE",
                lambda o, _: _bytes(o.size_bytes),
                9,
                right=True,
                sort=lambda o: o.size_bytes,
            ),
            text_column("REFERENCE", lambda o: kind_text(o.kind), 12, most=22),
            text_column("PROCESS", _holder, 8, most=16, drop=1),
            text_column("TASK", lambda o: o.task_status.lower(), 8, most=14, drop=3),
            text_column("MADE AT", lambda o: o.call_site, 14, flex=True, drop=2),
        )

    def key_of(self, row: StoredObject) -> str:
        """The object, and who refers to it how."""
        return f"{row.object_id} {row.pid} {row.kind}"

    def found_by(self, row: StoredObject) -> Fields:
        """Its columns."""
        return {
            "id": row.object_id,
            "kind": kind_text(row.kind),
            "process": _holder(row),
            "pid": str(row.pid),
            "site": row.call_site,
        }

    def subject_of(self, row: StoredObject) -> Subject:
        """The object; its logs are those of the process that refers to it."""
        return Subject(
            "object",
            row.object_id,
            row,
            self.places.member_id(row.node_id),
            row.node_id,
            f"-{row.pid}.out" if row.pid and row.process == "WORKER" else "",
        )
