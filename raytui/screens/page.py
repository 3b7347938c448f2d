"""The frame of every page: status line above, keys below, and the verbs that all pages share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Rule, Static

from raytui.autoscaler.consequences import orphans_of
from raytui.model.command import (
    Command,
    HoldNodes,
    Pause,
    ReleaseNodes,
    Reload,
    RequestResources,
    Resume,
    RetrySetup,
    SetCeiling,
    SetFloor,
    SweepOrphans,
    Terminate,
)
from raytui.model.snapshot import Row, Snapshot
from raytui.screens.ask import AskScreen
from raytui.screens.commandline import CommandLine
from raytui.screens.help import HelpScreen
from raytui.screens.keyline import key_parts
from raytui.screens.keys import KeyNames
from raytui.screens.messages import OpenNode, OpenSetups, OpenSteps
from raytui.screens.palette import VerbProvider
from raytui.screens.reading import ReadingScreen
from raytui.screens.session import Session
from raytui.screens.shapes import ShapeError, parse_shapes
from raytui.screens.statusline import banner, status_parts
from raytui.screens.sweep import SweepScreen
from raytui.screens.terminate import TerminateScreen
from raytui.screens.verbs import Verb, VerbError, verb
from raytui.screens.working import READ_ONLY, WorkingScreen
from raytui.widgets.cell import Cell, cell, to_content
from raytui.widgets.fitted import FittedLine


class Page(WorkingScreen):
    """A page of a running cluster. Subclasses fill the body and show snapshots in it.

    `page` is the page's name in the list of verbs; its keys come from there.
    """

    page: ClassVar[str]
    COMMANDS: ClassVar[set[Any]] = {VerbProvider}
    CSS_PATH = ["page.tcss"]  # noqa: RUF012 - Textual's own form

    def __init__(self, session: Session, keys: KeyNames) -> None:
        super().__init__()
        self.session = session
        self.keys = keys
        self._drawn: Snapshot | None = None
        self._last_failure = ""

    # The frame

    def compose(self) -> ComposeResult:
        """Status, banner, body, keys."""
        yield FittedLine(separator=cell((" · ", "$quiet")), id="status")
        yield Static("", id="banner", markup=False)
        yield Rule(line_style="solid", classes="frame")
        yield from self.compose_body()
        yield Rule(line_style="solid", classes="frame")
        yield FittedLine(separator=cell("  "), id="keys")

    def compose_body(self) -> Iterable[Widget]:
        """The page's own widgets."""
        raise NotImplementedError

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Put a new snapshot into the body; called once for each, and only while in sight."""
        raise NotImplementedError

    def show_time(self) -> None:
        """Let ages go on; called about once a second while in sight."""

    def on_screen_resume(self) -> None:
        """Catch up with what came while another page was in sight."""
        self.refresh_view()

    def refresh_view(self) -> None:
        """Bring the page up to the session as it is now; cheap when nothing changed."""
        if not self.is_mounted or not self.query("#keys"):
            return
        stale = self.session.stale
        self.set_class(stale, "-stale")
        self.query_one("#status", FittedLine).show(status_parts(self.session))
        self._show_banner(banner(self.session))
        self.query_one("#keys", FittedLine).show(
            key_parts(self.page, self.session, self.keys, self.size.width)
        )
        snapshot = self.session.snapshot
        if snapshot is not None and snapshot is not self._drawn:
            self._drawn = snapshot
            self._try_to_show(snapshot)
        self.show_time()

    def _try_to_show(self, snapshot: Snapshot) -> None:
        try:
            self.show_snapshot(snapshot)
        except Exception as error:  # one odd snapshot must not end the program
            words = f"snapshot {snapshot.seq} cannot be shown: {error!r}"
            if self._last_failure != repr(error):
                self._last_failure = repr(error)
                self.say(words, severity="error")

    def _show_banner(self, words: Cell) -> None:
        line = self.query_one("#banner", Static)
        content = to_content(words)
        if line.display != bool(words):
            line.display = bool(words)
        if words and line.content != content:
            line.update(content)

    @on(FittedLine.Clicked)
    def _clicked(self, event: FittedLine.Clicked) -> None:
        self.action_verb(event.verb)

    # Verbs

    def action_verb(self, verb_id: str) -> None:
        """Do a verb that was asked for by key or click."""
        self.perform(verb(verb_id), "")

    def perform(self, one: Verb, argument: str) -> None:
        """Do a verb. Every way to ask comes through here, so here read-only mode refuses."""
        if one.mutates and self.session.client.read_only:
            self.say(f"{one.words.split(':')[0]}: {READ_ONLY}", severity="warning")
            return
        method = getattr(self, f"verb_{one.id.replace('-', '_')}", None)
        try:
            if method is None:
                raise VerbError(f"{one.words.split(':')[0]}: not on this page")
            method(argument)
        except VerbError as error:
            self.say(str(error), severity="warning")

    def say(self, words: str, *, severity: str = "information") -> None:
        """A toast; words of a cluster are never read as markup."""
        level = {"warning": "warning", "error": "error"}.get(severity, "information")
        self.app.notify(words, severity=level, markup=False)  # type: ignore[arg-type]

    def give(self, command: Command) -> None:
        """Send a command and tell what came of it."""
        self.work(self._give(command), group="command", exclusive=False)

    async def _give(self, command: Command) -> None:
        ack = await self.session.client.send(command)
        self.say(ack.text, severity="information" if ack.ok else "error")

    def current(self) -> Snapshot:
        """The newest snapshot; VerbError before the first one came."""
        if self.session.snapshot is None:
            raise VerbError("nothing is known about the cluster yet")
        return self.session.snapshot

    def chosen_ids(self) -> Sequence[str]:
        """Ids of the nodes that a verb without argument is about."""
        raise VerbError("choose nodes on the Nodes page (2), or give their ids")

    def words_for(self, verb_id: str) -> Sequence[str]:
        """What may follow a verb after `:`, for completion."""
        snapshot = self.session.snapshot
        if verb_id == "theme":
            return sorted(self.app.available_themes)
        if snapshot is None:
            return ()
        if verb_id in ("floor-set", "ceiling-set"):
            return [row.name for row in snapshot.types if not row.is_head]
        if verb_id == "sweep":
            return orphans_of(snapshot)
        if verb_id in ("terminate", "hold", "release", "node", "setup", "retry-node"):
            return [row.id for row in snapshot.rows]
        return ()

    def _rows_asked_for(self, argument: str) -> list[Row]:
        ids = argument.replace(",", " ").split() or list(self.chosen_ids())
        rows = {row.id: row for row in self.current().rows}
        missing = [i for i in ids if i not in rows]
        if missing:
            raise VerbError(f"there is no node {', '.join(missing)}")
        if not ids:
            raise VerbError("no node is selected")
        return [rows[i] for i in dict.fromkeys(ids)]

    def verb_cluster(self, _argument: str) -> None:
        """Go to the Cluster page."""
        self.app.switch_mode("cluster")

    def verb_nodes(self, _argument: str) -> None:
        """Go to the Nodes page."""
        self.app.switch_mode("nodes")

    def verb_autoscaler(self, _argument: str) -> None:
        """Go to the Autoscaler page."""
        self.app.switch_mode("autoscaler")

    def verb_node(self, argument: str) -> None:
        """Open a node by its id."""
        if not argument:
            raise VerbError("which node? :node ID")
        row = self._rows_asked_for(argument)[0]
        self.post_message(OpenNode(row.id))

    def verb_setup(self, argument: str) -> None:
        """Open the set-ups of all nodes, or the steps of the one that is named."""
        self.post_message(OpenSteps(argument.strip()) if argument.strip() else OpenSetups())

    def verb_retry_node(self, argument: str) -> None:
        """Try the failed set-up steps of nodes again."""
        ids = argument.replace(",", " ").split() or self.chosen_ids()
        if not ids:
            raise VerbError("no node is selected")
        self.give(RetrySetup(tuple(ids)))

    def verb_terminate(self, argument: str) -> None:
        """Ask before draining and terminating; bound to the ids of this moment."""
        rows = self._rows_asked_for(argument)
        heads = [row.id for row in rows if row.member.is_head]
        if heads:
            raise VerbError(f"{heads[0]} is the head: `raytui down` ends the cluster")
        screen = TerminateScreen(self.session, [row.id for row in rows])
        self.app.push_screen(screen, self._terminate)

    def _terminate(self, command: Terminate | None) -> None:
        if command is not None:
            self.give(command)

    def verb_hold(self, argument: str) -> None:
        """Hold nodes against removal; the key releases them when all of them are held."""
        rows = self._rows_asked_for(argument)
        ids = tuple(row.id for row in rows)
        held = not argument and all(row.hold is not None for row in rows)
        self.give(ReleaseNodes(ids) if held else HoldNodes(ids))

    def verb_release(self, argument: str) -> None:
        """Take holds away."""
        self.give(ReleaseNodes(tuple(row.id for row in self._rows_asked_for(argument))))

    def verb_floor_set(self, argument: str) -> None:
        """Set a floor: `TYPE N`; without a number it goes back to min_workers."""
        name, _, number = argument.partition(" ")
        types = {row.name: row for row in self.current().types}
        if name not in types:
            known = ", ".join(types)
            raise VerbError(f"there is no node type “{name}”; there are {known}")
        wrong = floor_error(number, types[name].max)
        if types[name].is_head:
            wrong = "the head is always exactly one node"
        if wrong:
            raise VerbError(wrong)
        self.give(SetFloor(name, int(number) if number.strip() else None))

    def verb_ceiling_set(self, argument: str) -> None:
        """Set a ceiling: `TYPE N`; without a number only max_workers limits the type."""
        name, _, number = argument.partition(" ")
        if name not in {row.name for row in self.current().types}:
            raise VerbError(f"there is no node type “{name}”")
        text = number.strip()
        if text and not (text.isascii() and text.isdigit()):
            raise VerbError("the ceiling must be a whole number")
        self.give(SetCeiling(name, int(text) if text else None))

    def verb_sweep(self, argument: str) -> None:
        """Ask before terminating orphans; bound to the ids of this moment."""
        snapshot = self.current()
        orphans = orphans_of(snapshot)
        ids = argument.replace(",", " ").split() or list(orphans)
        others = [i for i in ids if i not in orphans]
        if others:
            raise VerbError(f"{others[0]} is no orphan")
        if not ids:
            raise VerbError("there are no orphans")
        self.app.push_screen(SweepScreen(snapshot, list(dict.fromkeys(ids))), self._sweep)

    def _sweep(self, command: SweepOrphans | None) -> None:
        if command is not None:
            self.give(command)

    def verb_request(self, argument: str) -> None:
        """Ask for resources; a typed argument goes straight on."""
        if argument:
            wrong = _shapes_error(argument)
            if wrong:
                raise VerbError(wrong)
            self._request(argument)
            return
        hint = "Shapes with commas between them; empty takes an earlier request away."
        screen = AskScreen("Request resources", hint, _shapes_error, placeholder="CPU=4 x3, GPU=1")
        self.app.push_screen(screen, self._request)

    def _request(self, text: str | None) -> None:
        if text is not None:
            self.give(RequestResources(parse_shapes(text)))

    def verb_toggle_pause(self, _argument: str) -> None:
        """Pause the autoscaler, or resume it."""
        self.give(Resume() if self.current().paused_by else Pause())

    def verb_pause(self, _argument: str) -> None:
        """Pause the autoscaler, whether or not it is paused already."""
        self.give(Pause())

    def verb_resume(self, _argument: str) -> None:
        """Resume the autoscaler."""
        self.give(Resume())

    def verb_reload(self, _argument: str) -> None:
        """Read the cluster YAML again."""
        self.give(Reload())

    def verb_theme(self, argument: str) -> None:
        """Change the colours."""
        if argument not in self.app.available_themes:
            raise VerbError(f"themes: {', '.join(sorted(self.app.available_themes))}")
        self.app.theme = argument

    def verb_messages(self, _argument: str) -> None:
        """Show all toasts of this session in full."""
        text = "\n".join(self.session.messages) or "no messages so far"
        self.app.push_screen(ReadingScreen("Messages, newest first", text))

    def verb_help(self, _argument: str) -> None:
        """Help for this page."""
        read_only = self.session.client.read_only
        self.app.push_screen(HelpScreen(self.page, self.keys, read_only=read_only))

    def verb_command(self, _argument: str) -> None:
        """Open the `:` line."""
        self.app.push_screen(CommandLine(self.words_for), self._perform_typed)

    def _perform_typed(self, typed: tuple[Verb, str] | None) -> None:
        if typed is not None:
            self.perform(*typed)

    def verb_back(self, _argument: str) -> None:
        """Nothing is behind a page with a number."""

    async def _quit(self) -> None:
        await self.app.action_quit()

    def verb_quit(self, _argument: str) -> None:
        """Leave, perhaps after a question."""
        self.work(self._quit(), group="quit")


def floor_error(number: str, most: int) -> str:
    """What is wrong with a typed floor; empty when nothing is. An empty number is fine."""
    text = number.strip()
    if not text:
        return ""
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        return f"the floor must be a whole number from 0 to {most}"
    return ""


def _shapes_error(text: str) -> str:
    try:
        parse_shapes(text)
    except ShapeError as error:
        return str(error)
    return ""
