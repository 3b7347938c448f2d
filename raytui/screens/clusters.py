"""All clusters of a Kubernetes cluster or of one namespace: how each is, and which to open."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from textual import on

from raytui.client.fleet import FleetClient
from raytui.model.fleet import Fleet, FleetRow
from raytui.model.text import clock_text, count_text, duration_text, money_text
from raytui.screens.fleettable import (
    FLEET_COLUMNS,
    STATES,
    fleet_fields,
    nodes_text,
    state_cell,
)
from raytui.screens.keyline import list_key_parts
from raytui.screens.keys import KeyNames
from raytui.screens.listframe import ListFrame
from raytui.screens.messages import OpenCluster
from raytui.screens.pick import Pick, PickScreen
from raytui.screens.reading import ReadingScreen
from raytui.screens.verb import VerbError
from raytui.screens.verbs import bindings_on
from raytui.widgets.cell import Cell, cell, text_of
from raytui.widgets.fitted import FittedLine, Part
from raytui.widgets.table import LineTable

_ALL = "all namespaces"


class ClustersScreen(ListFrame):
    """The list; the app shows it each new picture, also while a cluster is open before it."""

    page = "clusters"
    BINDINGS = bindings_on("clusters")

    def __init__(
        self,
        client: FleetClient,
        keys: KeyNames,
        messages: Sequence[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(keys, messages)
        self._client = client
        self._now = now
        self._fleet: Fleet | None = None
        self._drawn: Fleet | None = None
        self._place: tuple[str, str] | None = None
        """The context and the namespace that were chosen last, until a picture shows them."""
        self._opening = ""
        self._broken = ""

    def take(self, fleet: Fleet) -> None:
        """Keep a new picture; one of a place that was left meanwhile is not shown."""
        place = (fleet.context, fleet.namespace)
        if self._place is None or self._place == place:
            self._place = None
            self._fleet = fleet

    def break_off(self, why: str) -> None:
        """Say that no new picture will come."""
        self._broken = why

    # What is shown

    def make_list(self) -> LineTable[Any]:
        """The list of clusters."""
        return LineTable(
            FLEET_COLUMNS,
            key=lambda row: row.key,
            now=self._now,
            fields=fleet_fields,
            id="clusters",
            always_cursor=True,
            empty="looking for RayClusters…",
        )

    def refresh_view(self) -> None:
        """Bring the list up to the newest picture."""
        if not self.is_mounted or not self.query("#keys"):
            return
        fleet = self._fleet
        self.set_class(self._is_stale(), "-stale")
        self.query_one("#status", FittedLine).show(self._status())
        self.show_banner(self._banner())
        self.query_one("#keys", FittedLine).show(list_key_parts(self.page, self.keys))
        if fleet is not None and fleet is not self._drawn:
            self._drawn = fleet
            self.table.empty = _empty(fleet)
            self.table.show(fleet.rows)
        self.show_time()

    def caption(self) -> Sequence[Part]:
        """How many clusters there are, by state."""
        return _census(self._fleet.rows if self._fleet is not None else ())

    def _is_stale(self) -> bool:
        blind = self._fleet is not None and bool(self._fleet.troubles)
        return bool(self._broken) or self._place is not None or blind

    def _status(self) -> list[Part]:
        fleet = self._fleet
        if fleet is None:
            return [Part(cell(("Kubernetes", "bold"))), Part(self._watching())]
        context, namespace = self._place or (fleet.context, fleet.namespace)
        rows = fleet.rows
        costs = [row.cost_per_hour for row in rows if row.cost_per_hour is not None]
        words = cell((money_text(sum(costs)), "bold")) if costs else cell(("no prices", "$quiet"))
        nodes = count_text(sum(row.running for row in rows), "node")
        return [
            Part(cell((context or "this pod's cluster", "bold"))),
            Part(cell(f"namespace {namespace}" if namespace else _ALL)),
            Part(self._watching()),
            Part(cell(clock_text(self._now())), drop=5),
            Part(cell((nodes, "$quiet")), drop=6),
            Part(words, drop=3, right=True),
        ]

    def _watching(self) -> Cell:
        if self._opening:
            return cell((f"◐ opening {self._opening}…", "$state-starting"))
        if self._broken or (self._fleet is not None and self._fleet.troubles):
            return cell(("○ not all can be seen", ""))
        if self._place is not None or self._fleet is None or not self._fleet.is_complete:
            return cell(("◐ reading…", "$state-starting"))
        return cell(("● watching", "$state-running"))

    def _banner(self) -> Cell:
        if self._broken:
            return cell((f"✕ {self._broken}", "$state-failed"))
        troubles = self._fleet.troubles if self._fleet is not None else ()
        if not troubles or self._place is not None:
            return ()
        more = f"  (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
        return cell((f"! {troubles[0]}", "$state-draining"), (more, "$quiet"))

    # Opening one

    @on(LineTable.Opened)
    def _open(self, event: LineTable.Opened) -> None:
        row: FleetRow = event.row
        self._opening = row.key
        self.refresh_view()
        self.work(self._opened(row), group="open")

    async def _opened(self, row: FleetRow) -> None:
        try:
            client = await self._client.open(row.namespace, row.name)
        finally:
            if self._opening == row.key:
                self._opening = ""
                self.refresh_view()
        self.post_message(OpenCluster(client))

    # Verbs

    def words_for(self, verb_id: str) -> Sequence[str]:
        """What may follow a verb after `:`, for completion."""
        if verb_id == "namespace" and self._fleet is not None:
            return sorted({row.namespace for row in self._fleet.rows})
        return super().words_for(verb_id)

    def verb_clusters(self, _argument: str) -> None:
        """It is this page."""

    def verb_back(self, argument: str) -> None:
        """Give up opening a cluster; else what lists do."""
        if self._opening:
            self.workers.cancel_group(self, "open")
            return
        super().verb_back(argument)

    def verb_namespace(self, argument: str) -> None:
        """Go to a namespace as typed (`all` for all), or let one be picked."""
        if argument:
            self._move(self._here(), "" if argument in ("all", "-A") else argument)
        else:
            self.work(self._pick_namespace(), group="pick")

    async def _pick_namespace(self) -> None:
        here = self._fleet.namespace if self._fleet is not None else ""
        names = await self._client.namespaces()
        seen = Counter(row.namespace for row in self._fleet.rows) if self._fleet is not None else {}
        picks = [Pick(_ALL, "")]
        picks += [Pick(n, n, count_text(seen[n], "cluster") if seen.get(n) else "") for n in names]
        screen = PickScreen("Namespace", picks, current=here)
        self.app.push_screen(screen, self._picked_namespace)

    def _picked_namespace(self, name: str | None) -> None:
        if name is not None:
            self._move(self._here(), name)

    def verb_context(self, argument: str) -> None:
        """Go to a context as typed, or let one be picked."""
        if argument:
            self._move(argument, "")
        else:
            self.work(self._pick_context(), group="pick")

    async def _pick_context(self) -> None:
        names = await self._client.contexts()
        if not names:
            self.say("there is no kubeconfig with contexts", severity="warning")
            return
        picks = [Pick(name, name) for name in names]
        screen = PickScreen("Context", picks, current=self._here())
        self.app.push_screen(screen, self._picked_context)

    def _picked_context(self, name: str | None) -> None:
        if name is not None and name != self._here():
            self._move(name, self._fleet.namespace if self._fleet is not None else "")

    def _here(self) -> str:
        """The context that is looked at, or that was chosen and is not seen yet."""
        if self._place is not None:
            return self._place[0]
        return self._fleet.context if self._fleet is not None else ""

    def _move(self, context: str, namespace: str) -> None:
        self._place = (context, namespace)
        self.work(self._client.look_at(context, namespace), group="move")
        self.refresh_view()

    def verb_describe(self, _argument: str) -> None:
        """Everything that the list knows of the selected cluster, in full."""
        row = self.table.selected
        if row is None:
            raise VerbError("no cluster is selected")
        self.app.push_screen(ReadingScreen(row.key, _described(row, self._now())))


def _empty(fleet: Fleet) -> str:
    if fleet.troubles and not fleet.rows:
        return "\n".join(fleet.troubles)
    if not fleet.is_complete:
        return "looking for RayClusters…"
    where = f"in namespace {fleet.namespace}" if fleet.namespace else "in any namespace"
    return (
        f"no RayCluster {where}\n"
        "start one with `raytui up FILE` or `raytui k8s create NAME`; n looks at another "
        "namespace,\nc at another context; Esc clears a filter"
    )


def _census(rows: Sequence[FleetRow]) -> list[Part]:
    states = Counter(row.state for row in rows)
    troubled = sum(bool(row.trouble) for row in rows)
    parts = [Part(cell((count_text(len(rows), "CLUSTER", "CLUSTERS"), "bold $heading")))]
    parts += [
        Part(cell((f"{glyph} {states[state]:,} {state.value}", style)), drop=6)
        for state, (glyph, style) in STATES.items()
        if states[state]
    ]
    if troubled:
        parts.append(Part(cell((f"! {troubled:,} in trouble", "$state-draining")), drop=4))
    return parts


def _described(row: FleetRow, now: float) -> str:
    age = duration_text(now - row.created_at) if row.created_at else "–"
    demand = "nobody tells" if row.demand is None else f"{row.demand:,}"
    facts = (
        ("state", text_of(state_cell(row))),
        ("nodes", f"{nodes_text(row)} running of desired"),
        ("resources", row.total.text() or "–"),
        ("demand", demand),
        ("cost", money_text(row.cost_per_hour)),
        ("age", age),
        ("scaled by", row.scaled_by.value),
    )
    lines = [f"{name:<10} {value}" for name, value in facts]
    return "\n".join([*lines, "", row.trouble or "nothing is wrong that Kubernetes tells of"])
