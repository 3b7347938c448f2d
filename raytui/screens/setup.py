"""The set-ups of a running cluster's nodes: under way, failed, or done in the last minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from textual import on

from raytui.client.base import ClientError, ClusterClient
from raytui.model.command import RetrySetup
from raytui.model.snapshot import Snapshot
from raytui.model.step import Step
from raytui.screens.keys import KeyNames
from raytui.screens.listpage import ListPage
from raytui.screens.messages import OpenSteps
from raytui.screens.phases import NodeSetup
from raytui.screens.session import Session
from raytui.screens.setupgrid import census, setup_table, setups_of
from raytui.screens.verbs import bindings_on
from raytui.widgets.cell import cell
from raytui.widgets.fitted import Part
from raytui.widgets.table import LineTable

_LOOK_EVERY_S = 1.0


class ClientSetups:
    """A SetupSource: the set-ups that a cluster's daemon knows."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client

    async def steps(self) -> Sequence[Step]:
        """See SetupSource."""
        return await self._client.setup_steps()

    async def output(self, step: Step) -> Sequence[str]:
        """See SetupSource."""
        return await self._client.step_output(step.node, step.name)

    async def retry(self, node: str) -> str:
        """See SetupSource."""
        ack = await self._client.send(RetrySetup((node,)))
        if not ack.ok:
            raise ClientError(ack.text)
        return ack.text


class SetupScreen(ListPage):
    """A row a node, a column a phase; looks once a second while it is open."""

    page = "setup"
    BINDINGS = bindings_on("setup")

    def __init__(self, session: Session, keys: KeyNames) -> None:
        super().__init__(session, keys)
        self._setups: Sequence[NodeSetup] = ()
        self._trouble = ""

    def make_list(self) -> LineTable[Any]:
        """The grid."""
        return setup_table(
            self.session.now,
            empty="no node is being set up\nSet-ups of the last minutes are shown here. "
            "Nodes that run are on the Nodes page (2).",
        )

    def on_mount(self) -> None:
        """Look again and again while this is open."""
        super().on_mount()
        self.work(self._follow(), group="setups")

    def caption(self) -> Sequence[Part]:
        """How many set-ups there are, by state; or why they are not known."""
        if self._trouble:
            return [Part(cell((f"○ {self._trouble}", "$state-failed")))]
        return census(self._setups)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Snapshots hold no steps."""

    def chosen_ids(self) -> Sequence[str]:
        """The selected node."""
        return self.table.chosen_ids

    def verb_back(self, argument: str) -> None:
        """Clear the filter, else go back to where this was opened."""
        if self.filter_line.is_used:
            super().verb_back(argument)
        else:
            self.app.pop_screen()

    @on(LineTable.Opened)
    def _open(self, event: LineTable.Opened) -> None:
        self.post_message(OpenSteps(event.row.node))

    async def _follow(self) -> None:
        while self.is_attached:
            try:
                steps = await self.session.client.setup_steps()
                self._trouble = ""
                if self.is_attached:
                    self._setups = setups_of(steps)
                    self.table.show(self._setups)
            except ClientError as error:
                self._trouble = str(error)
            await asyncio.sleep(_LOOK_EVERY_S)
