"""The terminal program: one session, its pages, and the one way snapshots take to them."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import App
from textual.filter import LineFilter
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.worker import Worker, WorkerState

from raytui.client.base import ClusterClient, Link, LinkState
from raytui.client.fleet import FleetClient
from raytui.client.pods import SeesPods
from raytui.config.settings import ClusterSettings, Settings
from raytui.config.terminal_abilities import shows_unicode
from raytui.model.fleet import Fleet
from raytui.model.snapshot import Snapshot
from raytui.model.step import LaunchError
from raytui.model.text import clock_text, plain
from raytui.screens.actors import ActorsScreen
from raytui.screens.autoscaler import AutoscalerScreen
from raytui.screens.choose import Choice, ChooseScreen
from raytui.screens.cluster import ClusterScreen
from raytui.screens.clusters import ClustersScreen
from raytui.screens.events import EventsScreen
from raytui.screens.frame import Frame
from raytui.screens.groups import GroupsScreen
from raytui.screens.jobs import JobsScreen
from raytui.screens.keymap import checked_keys
from raytui.screens.keys import KeyNames
from raytui.screens.launch import LaunchScreen, LaunchWork
from raytui.screens.logs import LogsScreen
from raytui.screens.logscreen import LogScreen
from raytui.screens.logsource import FileLog, JobLog
from raytui.screens.messages import (
    LeaveCluster,
    OpenCluster,
    OpenJobLog,
    OpenLog,
    OpenLogs,
    OpenNode,
    OpenSetups,
    OpenSteps,
)
from raytui.screens.node import NodeScreen
from raytui.screens.nodes import NodesScreen
from raytui.screens.objects import ObjectsScreen
from raytui.screens.page import Page
from raytui.screens.podlog import PodLogScreen
from raytui.screens.session import Clock, Session
from raytui.screens.setup import ClientSetups, SetupScreen
from raytui.screens.steps import StepsScreen
from raytui.screens.tasks import TasksScreen
from raytui.screens.themes import DEFAULT, FEW_COLOURS, load_themes
from raytui.screens.working import failure_text
from raytui.widgets.glyphs import AsciiOnly
from raytui.widgets.tokens import token_defaults

QUIT = "quit"
KEEP = "keep"
DOWN = "down"

_MESSAGES_KEPT = 200
_YOUNG_OBJECTS = 50_000
"""How many objects may be made before unreachable cycles are looked for; Python's 700 are few."""

_PAGE_DELAY_S = 0.005
"""How long a page that was just gone to may take before it is painted."""

_SCREENS: Mapping[str, Callable[[Session, KeyNames], Page]] = {
    "cluster": ClusterScreen,
    "nodes": NodesScreen,
    "autoscaler": AutoscalerScreen,
    "jobs": JobsScreen,
    "files": LogsScreen,
    "actors": ActorsScreen,
    "tasks": TasksScreen,
    "groups": GroupsScreen,
    "objects": ObjectsScreen,
    "events": EventsScreen,
}
"""What shows each page; each is a mode."""


class Updated(Message):
    """A client reported something."""

    def __init__(self, client: ClusterClient, update: Snapshot | LinkState) -> None:
        super().__init__()
        self.client = client
        self.update = update

    def can_replace(self, message: Message) -> bool:
        """A newer snapshot makes one that still waits pointless."""
        return (
            isinstance(message, Updated)
            and message.client is self.client
            and isinstance(message.update, Snapshot)
            and isinstance(self.update, Snapshot)
        )


class Listed(Message):
    """The list of clusters has changed."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__()
        self.fleet = fleet

    def can_replace(self, message: Message) -> bool:
        """A newer picture makes one that still waits pointless."""
        return isinstance(message, Listed)


class RaytuiApp(App[str]):
    """Shows one cluster until the person leaves, or with `fleet` a list of which to open some.

    With `launch`, first offers to start the cluster described by `launch_title` (more lines than
    one are shown as its description); `client` may then be None. `run()` returns `quit`, or what
    was answered to `on_quit_question`: `keep` or `down`.
    """

    CSS_PATH = None
    COMMANDS: ClassVar[set[Any]] = set()
    TITLE = "raytui"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal")]  # noqa: RUF012 - Textual's form
    VERTICAL_BREAKPOINTS = [(0, "-short"), (22, "-tall")]  # noqa: RUF012
    CSS = """
    * {
        scrollbar-color: $faint; scrollbar-color-hover: $quiet; scrollbar-color-active: $quiet;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-background-active: $background; scrollbar-corner-color: $background;
    }
    ToastRack { margin: 0 0 2 0; }
    Toast { max-width: 70; }
    """

    def __init__(
        self,
        client: ClusterClient | None,
        *,
        fleet: FleetClient | None = None,
        launch: LaunchWork | None = None,
        launch_title: str = "",
        on_quit_question: str | None = None,
        settings: Settings | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        if client is None and launch is None and fleet is None:
            raise ValueError("a client, a list or a launch is needed")
        self._themes, self._bad_themes = load_themes()
        self.session: Session | None = None
        super().__init__()
        self._clusters: ClustersScreen | None = None
        self.launch_error: LaunchError | None = None
        """Why the last launch failed, for the caller's exit code."""
        self.messages: deque[str] = deque(maxlen=_MESSAGES_KEPT)
        """All toasts in full with their clock, newest first."""
        self._client = client
        self._fleet = fleet
        self._launch = launch
        self._launch_title = launch_title
        self._quit_question = on_quit_question
        self.settings = settings or Settings()
        self._keymap_given, bad_keys = checked_keys(self.settings)
        self._bad_settings = (*self.settings.problems, *bad_keys)
        self._keys = KeyNames(self._keymap_given)
        self._clock = clock
        self._missed_themes: set[str] = set()
        self._unicode = shows_unicode(self.settings.unicode)
        self._ascii = AsciiOnly()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """A value for each of our colour names under every theme."""
        return token_defaults(self.current_theme)

    def get_css_variables(self) -> dict[str, str]:
        """Our colour names, and `$frame` of the cluster that is open."""
        variables = super().get_css_variables()
        frame = self.session.own.frame if self.session is not None else ""
        variables["frame"] = variables.get(frame.removeprefix("$"), frame) or variables["rule"]
        return variables

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What is done to every line before it goes to the terminal."""
        own = super().get_line_filters()
        return own if self._unicode else [*own, self._ascii]

    def on_mount(self) -> None:
        """Colours and keys, then the launch or the cluster."""
        for theme in self._themes:
            self.register_theme(theme)
        self._choose_theme()
        self._tell_what_is_wrong()
        if self._keymap_given:
            self.set_keymap(self._keymap_given)
        self.set_interval(1.0, self._show)
        if self._fleet is not None:
            self._list(self._fleet)
        if self._launch is not None:
            screen = LaunchScreen(self._launch, self._launch_title, self._keys, self._clock)
            self.push_screen(screen)
        elif self._client is not None:
            self._look_at(self._client)

    def _choose_theme(self, wanted: str = "") -> None:
        """Take the theme of a cluster or of the settings; the usual one where there is none."""
        usual = FEW_COLOURS if self.console.color_system == "standard" else DEFAULT
        wanted = wanted or self.settings.theme or usual
        if wanted not in self.available_themes:
            if wanted not in self._missed_themes:
                self._missed_themes.add(wanted)
                self._bad_themes.append(f"{wanted}: there is no such theme")
            wanted = usual
        self.theme = wanted if wanted in self.available_themes else self.theme

    def _tell_what_is_wrong(self) -> None:
        """One toast for the themes, one for the settings."""
        if self._bad_themes:
            self.notify("themes left out: " + "; ".join(self._bad_themes), severity="warning")
        if self._bad_settings:
            lines = [f"settings: {self._bad_settings[0]}", *map(str, self._bad_settings[1:])]
            self.notify("\n".join([*lines, "`raytui config --check`"]), severity="warning")
        self._bad_themes, self._bad_settings = [], ()

    # The list

    def _list(self, client: FleetClient) -> None:
        page = self._clusters = ClustersScreen(client, self._keys, self.messages)
        self.add_mode("clusters", lambda: page)
        self.switch_mode("clusters")
        self._in_background(self._watch(client.pictures()), "list")

    async def _watch(self, pictures: AsyncIterator[Fleet]) -> None:
        async for fleet in pictures:
            self.post_message(Listed(fleet))

    @on(Listed)
    def _take_list(self, message: Listed) -> None:
        if self._clusters is not None:
            self._clusters.take(message.fleet)
            self._show()

    @on(OpenCluster)
    async def _open_cluster(self, message: OpenCluster) -> None:
        await self._leave_cluster()
        self._client = message.client
        self._look_at(message.client)

    @on(LeaveCluster)
    async def _leave_cluster(self) -> None:
        """Go back to the list, if there is one; the cluster's connection ends."""
        if self._clusters is None or self.session is None:
            return
        left, self.session, self._client = self.session.client, None, None
        await self.switch_mode("clusters")
        self._dress(ClusterSettings())
        self.workers.cancel_group(self, "updates")
        self.workers.cancel_group(self, "dashboard")
        for name in _SCREENS:
            await self.remove_mode(name)
        self._in_background(left.close(), "leave")

    # A cluster

    def _look_at(self, client: ClusterClient) -> None:
        own = self.settings.of_cluster(client.name)
        session = self.session = Session(
            client,
            self._clock,
            self.messages,
            is_of_a_list=self._clusters is not None,
            settings=self.settings,
        )
        if own.read_only:
            # After the session has seen how it was opened: the settings' word can be taken back.
            client.read_only = True
        self._dress(own)
        for name, make in _SCREENS.items():
            self.add_mode(name, partial(make, session, self._keys))
        self.switch_mode("cluster")
        self._in_background(self._listen(client), "updates")

    def _dress(self, own: ClusterSettings) -> None:
        """The colours of a cluster: its theme, and its frame under whichever theme."""
        self._choose_theme(own.theme)
        self._tell_what_is_wrong()
        self.refresh_css(animate=False)

    def _in_background(self, work: Coroutine[Any, Any, None], group: str) -> None:
        self.run_worker(work, group=group, description=group, exclusive=True, exit_on_error=False)

    async def _listen(self, client: ClusterClient) -> None:
        async for update in client.updates():
            self.post_message(Updated(client, update))

    @on(Updated)
    def _take(self, message: Updated) -> None:
        if self.session is not None and self.session.client is message.client:
            self.session.take(message.update)
            self._show()

    def _show(self) -> None:
        """Bring everything in sight up to date: the top screen, and pages below dialogs."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Frame):
                screen.refresh_view()
            if not screen.is_modal:
                break

    @on(OpenNode)
    def _open_node(self, message: OpenNode) -> None:
        if self.session is not None:
            self.push_screen(NodeScreen(self.session, self._keys, message.node_id))

    @on(OpenLogs)
    def _open_logs(self, message: OpenLogs) -> None:
        if self.session is not None and isinstance(self.session.client, SeesPods):
            self.push_screen(PodLogScreen(self.session.client.pods, message.node_id, self._keys))

    @on(OpenLog)
    def _open_log(self, message: OpenLog) -> None:
        if self.session is None:
            return
        if message.name:
            source = FileLog(self.session.client.work, message.node_id, message.name, message.title)
            self.push_screen(LogScreen(source, self._keys))
        else:
            self.session.log_node = message.node_id
            self.switch_mode("files")

    @on(OpenJobLog)
    def _open_job_log(self, message: OpenJobLog) -> None:
        if self.session is not None:
            source = JobLog(self.session.client.work, message.job_id)
            self.push_screen(LogScreen(source, self._keys))

    @on(OpenSetups)
    def _open_setups(self) -> None:
        if self.session is not None:
            self.push_screen(SetupScreen(self.session, self._keys))

    @on(OpenSteps)
    def _open_steps(self, message: OpenSteps) -> None:
        if self.session is not None:
            source = ClientSetups(self.session.client)
            screen = StepsScreen(source, message.node, self._keys, self.session.now)
            self.push_screen(screen)

    @on(Worker.StateChanged)
    def _tell_of_failed_work(self, event: Worker.StateChanged) -> None:
        if event.state is not WorkerState.ERROR or event.worker.error is None:
            return
        words = failure_text(event.worker.error)
        self.notify(words, severity="error")
        if event.worker.group == "updates" and self.session is not None:
            # Nothing more will come: what is shown must not pass for fresh.
            self.session.take(LinkState(Link.LOST, error=words))
            self._show()
        if event.worker.group == "list" and self._clusters is not None:
            self._clusters.break_off(words)
            self._show()

    # The launch

    @on(LaunchScreen.Launched)
    def _launched(self, message: LaunchScreen.Launched) -> None:
        self._client = message.client
        self.launch_error = None
        self._look_at(message.client)

    @on(LaunchScreen.Left)
    def _left(self) -> None:
        screen = self.screen_stack[-1]
        if isinstance(screen, LaunchScreen):
            self.launch_error = screen.error
        self.exit(QUIT)

    # Speed

    def delay_update(self, delay: float = 0.05) -> None:
        """Wait less than Textual would before another page is painted: ours are whole at once."""
        super().delay_update(min(delay, _PAGE_DELAY_S))

    def run(self, *args: Any, **options: Any) -> str | None:
        """Show it in the terminal until the person leaves."""
        # What was imported stays for good: no collection need ever look at it again. A picture of
        # thousands of nodes holds no cycles; looking for some while it is read delays keys.
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
        return super().run(*args, **options)

    # Leaving

    async def on_unmount(self) -> None:
        """End the connections: a client belongs to this loop."""
        if self._client is not None:
            await self._client.close()
        if self._fleet is not None:
            await self._fleet.close()

    async def action_quit(self) -> None:
        """Leave, after the question if there is one."""
        if isinstance(self.screen, LaunchScreen):
            self.screen.action_verb("leave")
        elif self._quit_question is None or self.session is None:
            self.exit(QUIT)
        elif not isinstance(self.screen, ChooseScreen):
            question = ChooseScreen(
                self._quit_question,
                [Choice("Keep", KEEP), Choice("Take down", DOWN, harm=True)],
                title="Leave",
            )
            self.push_screen(question, self._answered)

    def _answered(self, answer: str | None) -> None:
        if answer is not None:
            self.exit(answer)

    def action_help_quit(self) -> None:
        """Ctrl+C does not end the program; say what does."""
        self.notify("press q or ctrl+q to leave")

    def copy_to_clipboard(self, text: str) -> None:
        """Also where halves of characters are in it, which cannot be sent."""
        super().copy_to_clipboard(text.encode("utf-8", "replace").decode())

    # Toasts

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A toast of at most three lines, never read as markup; `m` shows all of them in full."""
        lines = [plain(line) for line in message.splitlines()] or [""]
        self.messages.appendleft(f"{clock_text(time.time())}  " + "\n".join(lines))
        short = lines[0] if len(lines) == 1 else f"{lines[0]} … (m: in full)"
        if len(short) > 300:
            short = short[:280] + "… (m: in full)"
        super().notify(short, title=title, severity=severity, timeout=timeout, markup=markup)


__all__ = ["DOWN", "KEEP", "QUIT", "RaytuiApp"]
