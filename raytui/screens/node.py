"""One node opened: what it is, what runs there, why it is here, and the end of its log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from raytui.client.base import ClientError
from raytui.client.pods import PodContainer, SeesPods
from raytui.model.happening import Happening
from raytui.model.snapshot import Row, Snapshot
from raytui.model.text import clock_text, duration_text, money_text
from raytui.screens.keys import KeyNames
from raytui.screens.nodetable import launched_at
from raytui.screens.nodework import NodeWork, work_lines, work_on
from raytui.screens.page import Page
from raytui.screens.phases import NodeSetup, setup_of
from raytui.screens.podfacts import container_lines, happening_lines
from raytui.screens.session import Session
from raytui.screens.steptable import step_cell
from raytui.screens.subject import Subject, node_subject
from raytui.screens.verbs import bindings_on
from raytui.screens.words import HELD, status_cell, why_text
from raytui.widgets.cell import Cell, cell, fitted, joined, text_of, to_content
from raytui.widgets.resource_bars import ResourceBars
from raytui.widgets.tail import Tail

_LOG_EVERY_S = 2.0
_EVENTS_EVERY_S = 3.0
_LONGEST_VALUE = 30
"""Columns; what is longer is shown by its end, and copied in full."""


class NodeScreen(Page):
    """Stays on its node by id, and says so when that node is gone."""

    page = "node"
    BINDINGS = bindings_on("node")
    CSS_PATH = ["frame.tcss", "node.tcss"]  # noqa: RUF012 - Textual's own form

    def __init__(self, session: Session, keys: KeyNames, node_id: str) -> None:
        super().__init__(session, keys)
        self._node_id = node_id
        self._row: Row | None = None
        self._setup: NodeSetup | None = None
        self._containers: Sequence[PodContainer] = ()
        self._happenings: Sequence[Happening] = ()
        self._work = NodeWork()

    def compose_body(self) -> Iterable[Widget]:
        """Facts on one side, the log on the other; below each other where it is narrow."""
        yield Static("", id="title", markup=False)
        log = Tail(empty="nothing in the log", id="log")
        yield Container(
            _Facts(), Container(Static("", id="log-title", markup=False), log, id="tail")
        )

    def on_mount(self) -> None:
        """Read the log again and again while this is open."""
        self.query_one(Tail).focus()
        self.work(self._follow_log(), group="log")
        self.work(self._follow_events(), group="events")
        self.work(self._follow_work(), group="work")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Bring the facts up to date; the last ones stay when the node is gone."""
        row = snapshot.row(self._node_id)
        if row is not None:
            self._row = row
            node = row.member.node
            if node is not None:
                bars = self.query_one(ResourceBars)
                bars.show(node.used.amounts(), node.total.amounts())
        self.query_one("#node-resources").display = bool(
            self._row is not None and self._row.member.node is not None
        )

    def show_time(self) -> None:
        """Ages and reasons go on between snapshots."""
        _update(self.query_one("#title", Static), [self._title_line()])
        if self._row is not None:
            _update(self.query_one("#about", Static), self._about(self._row))
            _update(self.query_one("#fields", Static), _fields(self._row, self.session.now()))

    def chosen_ids(self) -> Sequence[str]:
        """This node."""
        return (self._node_id,)

    def subject(self) -> Subject | None:
        """This node, also after it is gone."""
        if self._row is None:
            return None
        return node_subject(self._row, why_text(self._row, self.session.now()))

    def verb_setup(self, argument: str) -> None:
        """Open the steps of this node's set-up."""
        super().verb_setup(argument or self._node_id)

    def verb_back(self, _argument: str) -> None:
        """Back to where it was opened."""
        self.app.pop_screen()

    def verb_copy(self, _argument: str) -> None:
        """Copy the facts and the log."""
        facts = [text_of(line) for line in self._facts_lines()]
        self.app.copy_to_clipboard("\n".join([*facts, "", *self.query_one(Tail).shown]))
        self.say("copied the node and the end of its log")

    def _facts_lines(self) -> list[Cell]:
        lines = [self._title_line()]
        if self._row is not None:
            lines += [*self._about(self._row), ()]
            lines += _fields(self._row, self.session.now(), full=True)
        return lines

    def _title_line(self) -> Cell:
        row = self._row
        if row is None:
            return cell((f"{self._node_id}: not a node of this cluster", "$state-failed"))
        gone = self.session.snapshot is None or self.session.snapshot.row(self._node_id) is None
        since = launched_at(row)
        return joined(
            "  ",
            (
                cell((row.id, "bold")),
                cell((row.member.node_type, "$heading")),
                cell(("✕ gone", "$state-failed")) if gone else status_cell(row),
                HELD if row.hold is not None else (),
                cell((f"age {duration_text(self.session.now() - since)}", "$quiet"))
                if since
                else (),
            ),
        )

    def _about(self, row: Row) -> list[Cell]:
        lines = [
            cell(("WHY IT IS HERE", "bold $heading")),
            cell("  " + (why_text(row, self.session.now()) or "no reason was recorded")),
        ]
        if self._setup is not None:
            lines += [(), cell(("SET-UP", "bold $heading"))]
            lines += [cell("  ", *step_cell(s, self.session.now())) for s in self._setup.steps]
        node = row.member.node
        activity = node.activity if node is not None else ()
        if activity:
            lines += [(), cell(("ACTIVITY", "bold $heading"))]
            lines += [cell(f"  {words}") for words in activity]
        lines += work_lines(self._work)
        lines += container_lines(self._containers)
        lines += happening_lines(self._happenings, self._about_width)
        if node is not None:
            lines += [(), cell(("RESOURCES", "bold $heading"))]
        return lines

    @property
    def _about_width(self) -> int:
        """Columns; of a page that is not laid out yet, what it will have at least."""
        return self.query_one("#about").size.width or self.app.size.width // 3

    async def _follow_log(self) -> None:
        tail = self.query_one(Tail)
        while self.is_attached:
            try:
                lines = await self._newest_lines()
            except ClientError as error:
                lines = tail.shown or [f"the log cannot be read: {error}"]
            if self.is_attached:
                tail.show(lines)
                step = self._setup.newest if self._setup is not None else None
                words = f"OUTPUT OF {step.name}" if step is not None else "LOG"
                _update(self.query_one("#log-title", Static), [cell((words, "bold $heading"))])
                self.show_time()
            await asyncio.sleep(_LOG_EVERY_S)

    async def _follow_events(self) -> None:
        """What the provider's control plane tells of the node, and of its pod if it is one."""
        client = self.session.client
        while self.is_attached:
            try:
                if isinstance(client, SeesPods):
                    self._containers = await client.pods.containers(self._node_id)
                self._happenings = await client.happenings(self._node_id)
            except ClientError:
                pass  # the last ones stay; why there is no connection stands above
            if self.is_attached:
                self.show_time()
            await asyncio.sleep(_EVENTS_EVERY_S)

    async def _follow_work(self) -> None:
        """What runs on the node, asked of Ray as often as pages ask."""
        while self.is_attached:
            node = self._row.member.node if self._row is not None else None
            pace = self.session.pace
            if node is not None and not pace.paused:
                self._work = await work_on(self.session.client.work, node.node_id)
                self.show_time()
            await asyncio.sleep(pace.interval_s)

    async def _newest_lines(self) -> Sequence[str]:
        """What the node's set-up prints; else the end of its log."""
        client = self.session.client
        self._setup = await self._setup_now()
        if self._setup is None:
            return await client.log_tail(self._node_id)
        return await client.step_output(self._node_id, self._setup.newest.name)

    async def _setup_now(self) -> NodeSetup | None:
        """The set-up of a node that is not yet one of Ray's."""
        snapshot = self.session.snapshot
        row = snapshot.row(self._node_id) if snapshot is not None else None
        if row is None or row.member.node is not None:
            return None
        steps = await self.session.client.setup_steps()
        setup = setup_of(self._node_id, (s for s in steps if s.node == self._node_id))
        return setup if setup.phases else None


class _Facts(VerticalScroll):
    def compose(self) -> ComposeResult:
        yield Static("", id="about", classes="facts", markup=False)
        yield Container(ResourceBars(trends=False), id="node-resources")
        yield Static("", id="fields", classes="facts", markup=False)


def _update(static: Static, lines: Sequence[Cell]) -> None:
    content = to_content(*lines)
    if static.content != content:
        static.update(content)


def _fields(row: Row, now: float, *, full: bool = False) -> list[Cell]:
    node, instance = row.member.node, row.member.instance
    fields: list[tuple[str, str]] = []
    if instance is not None:
        launched = instance.launched_at
        fields += [
            ("status", instance.status.value),
            ("since", _moment(instance.status_since, now)),
            ("launched", _moment(launched, now)),
            ("zone", instance.zone),
            ("machine", f"{instance.instance_type} {instance.market.value}".strip()),
            ("price", money_text(instance.price_per_hour)),
            ("ip", instance.ip),
            ("request", instance.request_id),
            ("log file", instance.log_path),
        ]
    if row.hold is not None:
        until = clock_text(row.hold.until) if row.hold.until else "released"
        fields.append(("held", f"by {row.hold.by} until {until}"))
    if node is not None:
        fields += [
            ("Ray node", node.node_id),
            ("Ray status", node.status.value),
        ]
    lines = [(), cell(("INSTANCE", "bold $heading")), *_pairs(fields, full)]
    if instance is not None and instance.detail:
        lines += [cell("  ", (words, "$quiet")) for words in instance.detail.splitlines()[-5:]]
    if node is not None and node.labels:
        lines += [(), cell(("LABELS", "bold $heading")), *_pairs(sorted(node.labels.items()), full)]
    return lines


def _pairs(pairs: Iterable[tuple[str, str]], full: bool) -> list[Cell]:
    known = [(name, value) for name, value in pairs if value]
    width = min(28, max((len(name) for name, _ in known), default=0))
    return [cell((f"  {name:<{width}}  ", "$quiet"), *_value(value, full)) for name, value in known]


def _value(value: str, full: bool) -> Cell:
    """Paths and ids differ at their end, and a wrapped one would spoil the column."""
    if full or len(value) <= _LONGEST_VALUE:
        return cell(value)
    return fitted(cell(value), _LONGEST_VALUE, keep_end=True)


def _moment(at: float, now: float) -> str:
    return f"{clock_text(at)}, {duration_text(now - at)} ago" if at else ""
