"""The moves from any row: describe, data, copy its id, logs, a shell, the dashboard."""

from __future__ import annotations

import asyncio

from textual.worker import WorkerState

from raytui.client.pods import Pods, SeesPods
from raytui.model.work import Job
from raytui.screens.datascreen import DataScreen
from raytui.screens.description import description
from raytui.screens.frame import Frame
from raytui.screens.messages import OpenJobLog, OpenLog, OpenLogs
from raytui.screens.ownshell import shell_argv
from raytui.screens.pick import Pick, PickScreen
from raytui.screens.places import Places
from raytui.screens.reading import ReadingScreen
from raytui.screens.session import Session
from raytui.screens.subject import Subject, node_subject
from raytui.screens.terminal import hand_over
from raytui.screens.verb import VerbError

_DASHBOARD = "dashboard"


class Moves(Frame):
    """What is done with the thing under the cursor; each page says what that is."""

    session: Session
    _places: Places | None = None

    def subject(self) -> Subject | None:
        """What the row under the cursor stands for, or this page; None when nothing does."""
        return None

    @property
    def places(self) -> Places:
        """Where Ray's nodes are in the newest snapshot."""
        if self._places is None or self._places.snapshot is not self.session.snapshot:
            self._places = Places(self.session.snapshot)
        return self._places

    def _chosen(self) -> Subject:
        subject = self.subject()
        if subject is None:
            raise VerbError("nothing is selected")
        return subject

    def _node_or_chosen(self, node_id: str) -> Subject:
        """A node that is named, or else what is selected."""
        wanted = node_id.strip()
        if not wanted:
            return self._chosen()
        snapshot = self.session.snapshot
        row = snapshot.row(wanted) if snapshot is not None else None
        if row is None:
            raise VerbError(f"there is no node {wanted}")
        return node_subject(row)

    def verb_describe(self, _argument: str) -> None:
        """All that is known of what is selected."""
        self.describe(self._chosen())

    def describe(self, subject: Subject) -> None:
        """All that is known of a subject."""
        text = description(subject, self.places, self.session.now())
        self.app.push_screen(ReadingScreen(f"{subject.kind} {subject.id}", text))

    def verb_yaml(self, _argument: str) -> None:
        """Its data as YAML, or as JSON."""
        self.app.push_screen(DataScreen(self._chosen()))

    def verb_copy_id(self, _argument: str) -> None:
        """Put its whole id on the clipboard."""
        subject = self._chosen()
        self.app.copy_to_clipboard(subject.id)
        self.say(f"copied the id of the {subject.kind}: {subject.id}")

    def verb_logs(self, argument: str) -> None:
        """Open what it prints: a job's driver, a pod's containers, a process, or a node's files."""
        subject = self._node_or_chosen(argument)
        if subject.kind == "job":
            if isinstance(subject.data, Job) and not subject.data.submitted:
                raise VerbError("a driver that was not submitted: Ray keeps no output of it")
            self.post_message(OpenJobLog(subject.id))
        elif subject.kind == "node" and isinstance(self.session.client, SeesPods):
            self.post_message(OpenLogs(subject.member_id))
        elif subject.ray_node_id:
            title = f"{subject.kind} {subject.id}"
            self.post_message(OpenLog(subject.ray_node_id, subject.log_name, title))
        else:
            raise VerbError(f"the {subject.kind} {subject.id} is on no node of Ray's: no logs yet")

    def verb_shell(self, argument: str) -> None:
        """Open a shell on its node; in a pod in one of its containers where several run."""
        node_id = self._node_or_chosen(argument).member_id
        snapshot = self.session.snapshot
        if not node_id or snapshot is None:
            raise VerbError("which machine it is on is not known")
        client = self.session.client
        if isinstance(client, SeesPods):
            self.work(self._shell_in_pod(client.pods, node_id), group="shell")
        else:
            self._hand_over(shell_argv(snapshot.info, node_id))

    async def _shell_in_pod(self, pods: Pods, node_id: str) -> None:
        running = [one for one in await pods.containers(node_id) if one.is_running]
        if not running:
            self.say(f"{node_id}: none of its containers runs", severity="warning")
            return
        name: str | None = running[0].name
        if len(running) > 1:
            picks = [Pick(one.name, one.name) for one in running]
            name = await self.app.push_screen_wait(PickScreen("Shell in container", picks))
        if name is not None:
            self._hand_over(await pods.shell_argv(node_id, name))

    def _hand_over(self, argv: list[str]) -> None:
        if trouble := hand_over(self.app, argv):
            self.say(trouble, severity="error")

    def verb_dashboard(self, _argument: str) -> None:
        """Let Ray's dashboard answer on this machine; once more ends that."""
        if any(
            worker.group == _DASHBOARD and worker.state is WorkerState.RUNNING
            for worker in self.app.workers
        ):
            self.app.workers.cancel_group(self.app, _DASHBOARD)
            self.say("the dashboard is no longer forwarded")
            return
        # The app's, not this page's: it stays when the page is left.
        self.app.run_worker(
            self._forward_dashboard(), group=_DASHBOARD, exclusive=True, exit_on_error=False
        )

    async def _forward_dashboard(self) -> None:
        app = self.app
        async with self.session.client.work.dashboard() as url:
            app.copy_to_clipboard(url)
            app.notify(f"the dashboard is at {url} (copied); D ends that", markup=False)
            await asyncio.Event().wait()
