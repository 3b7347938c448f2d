"""A page of a running cluster, and the verbs that all of them share."""

from __future__ import annotations

from collections.abc import Sequence

from raytui.autoscaler.consequences import orphans_of
from raytui.model.command import (
    Command,
    HoldNodes,
    KeepNodes,
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
from raytui.screens.keyline import key_parts
from raytui.screens.keys import KeyNames
from raytui.screens.messages import LeaveCluster, OpenNode, OpenSetups, OpenSteps
from raytui.screens.moves import Moves
from raytui.screens.owncommands import OwnCommands
from raytui.screens.pages import PAGE_TITLES
from raytui.screens.safety import waiting_ends
from raytui.screens.session import Session
from raytui.screens.shapes import ShapeError, parse_shapes
from raytui.screens.statusline import banner, status_parts
from raytui.screens.sweep import SweepScreen
from raytui.screens.terminate import TerminateScreen
from raytui.screens.verb import Verb, VerbError
from raytui.screens.verbs import verb
from raytui.widgets.fitted import FittedLine

_NEEDS_NODE = frozenset(
    {"terminate", "hold", "release", "node", "setup", "retry-node", "logs", "shell"}
)
"""Verbs that the id of a node may follow."""


class Page(Moves, OwnCommands):
    """A page of a running cluster. Subclasses fill the body and show snapshots in it."""

    def __init__(self, session: Session, keys: KeyNames) -> None:
        super().__init__(keys, session.messages)
        self.session = session
        self._drawn: Snapshot | None = None
        self._last_failure = ""

    @property
    def read_only(self) -> bool:
        """Whether the client is."""
        return self.session.client.read_only

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Put a new snapshot into the body; called once for each, and only while in sight."""
        raise NotImplementedError

    def refresh_view(self) -> None:
        """Bring the page up to the session as it is now; cheap when nothing changed."""
        if not self.is_mounted or not self.query("#keys"):
            return
        self.set_class(self.session.stale, "-stale")
        self.query_one("#status", FittedLine).show(status_parts(self.session))
        self.show_banner(banner(self.session))
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

    # Verbs

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
        if snapshot is None:
            return super().words_for(verb_id)
        if verb_id in ("floor-set", "ceiling-set"):
            return [row.name for row in snapshot.types if not row.is_head]
        if verb_id == "sweep":
            return orphans_of(snapshot)
        if verb_id == "run":
            return list(self.session.settings.commands)
        if verb_id in _NEEDS_NODE:
            return [row.id for row in snapshot.rows]
        return super().words_for(verb_id)

    def _rows_asked_for(self, argument: str) -> list[Row]:
        ids = argument.replace(",", " ").split() or list(self.chosen_ids())
        rows = {row.id: row for row in self.current().rows}
        missing = [i for i in ids if i not in rows]
        if missing:
            raise VerbError(f"there is no node {', '.join(missing)}")
        if not ids:
            raise VerbError("no node is selected")
        return [rows[i] for i in dict.fromkeys(ids)]

    def perform(self, one: Verb, argument: str) -> None:
        """Go to a page and filter it by what was typed behind its name, or do a verb."""
        if one.id in PAGE_TITLES:
            self.go_to(one.id, argument)
        else:
            super().perform(one, argument)

    def go_to(self, page: str, words: str = "") -> None:
        """Go to a page, and show there only what the words find."""
        if words:
            self.app.run_worker(self._filter_on(page, words), group="go", exit_on_error=False)
        else:
            self.app.switch_mode(page)

    async def _filter_on(self, name: str, words: str) -> None:
        await self.app.switch_mode(name)
        page = self.app.screen
        if isinstance(page, Page):
            page.perform(verb("filter"), words)

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

    def verb_keep(self, argument: str) -> None:
        """Take orders to terminate back that have not begun: all of them, or those named."""
        waiting = [row.id for row in waiting_ends(self.session.snapshot)]
        ids = argument.replace(",", " ").split() or waiting
        if not ids:
            raise VerbError("no node waits to be terminated; Ray takes no drain back")
        self.give(KeepNodes(tuple(ids)))

    def verb_read_only(self, _argument: str) -> None:
        """Refuse changes from now on, or allow them again where it was not opened read-only."""
        client = self.session.client
        if client.read_only and self.session.read_only_holds:
            raise VerbError("opened read-only: that holds until it is opened anew without it")
        client.read_only = not client.read_only
        self.say("read-only: changes are refused" if client.read_only else "changes are allowed")
        self.refresh_view()

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
        screen = SweepScreen(snapshot, list(dict.fromkeys(ids)), self.session.safety)
        self.app.push_screen(screen, self._sweep)

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

    def verb_clusters(self, _argument: str) -> None:
        """Go back to the list that this cluster was opened from."""
        if not self.session.is_of_a_list:
            raise VerbError("only this cluster was opened: raytui k8s lists those on Kubernetes")
        self.post_message(LeaveCluster())

    def verb_back(self, argument: str) -> None:
        """Behind a page with a number is the list of clusters, if there is one."""
        if self.session.is_of_a_list:
            self.verb_clusters(argument)


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
