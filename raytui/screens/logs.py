"""Page 5, Logs: the files of any node; Enter follows one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raytui.client.base import ClientError
from raytui.model.work import Listing, LogFile
from raytui.screens.messages import OpenLog
from raytui.screens.pick import Pick, PickScreen
from raytui.screens.subject import Subject
from raytui.screens.verbs import bindings_on
from raytui.screens.workpage import WorkPage, text_column
from raytui.widgets.cell import cell
from raytui.widgets.columns import Column
from raytui.widgets.filter import Fields
from raytui.widgets.fitted import Part


class LogsScreen(WorkPage):
    """The log folder of one node at a time: the head's, until another is chosen."""

    page = "files"
    BINDINGS = bindings_on("files")
    thing = "file"
    empty = "no files to show\nchoose another node (n), or clear the filter (Esc)"

    async def ask(self) -> Listing[LogFile]:
        """The files of the chosen node."""
        node_id = self._node_id()
        if not node_id:
            raise ClientError("no node of Ray's is known yet")
        return await self.session.client.work.log_files(node_id)

    def columns(self) -> Sequence[Column[Any]]:
        """Kind and name."""
        return (
            text_column("KIND", lambda file: file.kind.replace("_", " "), 12, most=20, drop=2),
            text_column("FILE", lambda file: file.name, 30, flex=True, keep_end=True),
        )

    def caption(self) -> Sequence[Part]:
        """Whose files these are."""
        node = self.places.name(self._node_id()) or "–"
        return [*super().caption(), Part(cell("of ", (node, "bold"), ("   n: another", "$quiet")))]

    def key_of(self, row: LogFile) -> str:
        """Its name: one node's at a time."""
        return row.name

    def found_by(self, row: LogFile) -> Fields:
        """See WorkPage."""
        return {"kind": row.kind, "file": row.name}

    def subject_of(self, row: LogFile) -> Subject:
        """See WorkPage."""
        member = self.places.name(row.node_id)
        return Subject("log", row.name, row, member, row.node_id, log_name=row.name)

    def open_row(self, row: LogFile) -> None:
        """Follow it."""
        title = f"{row.name} on {self.places.name(row.node_id)}"
        self.post_message(OpenLog(row.node_id, row.name, title))

    def _node_id(self) -> str:
        """Ray's id of the chosen node; the head's when that one is gone."""
        snapshot = self.session.snapshot
        rows = snapshot.rows if snapshot is not None else ()
        ids = [row.member.node.node_id for row in rows if row.member.node is not None]
        if self.session.log_node in ids:
            return self.session.log_node
        return ids[0] if ids else ""

    def verb_log_node(self, argument: str) -> None:
        """Choose whose files are shown."""
        nodes = {r.id: r.member.node for r in self.current().rows if r.member.node is not None}
        if argument in nodes:
            self._choose(nodes[argument].node_id)
            return
        picks = [Pick(name, name) for name in nodes]
        screen = PickScreen("Logs of node", picks)
        self.app.push_screen(
            screen, lambda name: self._choose(nodes[name].node_id) if name is not None else None
        )

    def _choose(self, node_id: str) -> None:
        self.session.log_node = node_id
        self.listing = None
        self.table.show(())
        self.ask_soon()
