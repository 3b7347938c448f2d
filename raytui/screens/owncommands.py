"""Programs of a person's own, run on the terminal for what is selected; and forgetting views."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from string import Template

from raytui.config.settings import OwnCommand
from raytui.screens.choose import Choice, ChooseScreen
from raytui.screens.frame import Frame
from raytui.screens.pick import Pick, PickScreen
from raytui.screens.session import Session
from raytui.screens.subject import Subject
from raytui.screens.terminal import hand_over
from raytui.screens.verb import VerbError
from raytui.screens.working import READ_ONLY

_KNOWN = ("CLUSTER", "NODE_ID", "NODE_IP", "ID")


def argv_of(command: OwnCommand, values: Mapping[str, str]) -> list[str]:
    """The program and its arguments, with the values in their places.

    Each argument stays one argument, whatever the value has in it. Raises VerbError when a value
    is asked for that is not known, or that would be read as an option.
    """
    argv = []
    for argument in command.run:
        template = Template(argument)
        for name in _KNOWN:
            if name in template.get_identifiers() and not values.get(name):
                raise VerbError(f"${name} is not known of what is selected")
        whole = template.safe_substitute(values)
        if whole.startswith("-") and not argument.startswith("-"):
            raise VerbError(f"{whole}: {argument} must not begin with -")
        argv.append(whole)
    return argv


class OwnCommands(Frame):
    """The verbs `run` and `forget` of every page of a cluster."""

    session: Session

    def subject(self) -> Subject | None:
        """What the row under the cursor stands for."""
        return None

    def verb_run(self, argument: str) -> None:
        """Run one of the commands of the settings; without a name, offer them."""
        commands = self.session.settings.commands
        if not commands:
            raise VerbError("the settings have no [commands]: raytui config --docs shows one")
        name = argument.strip()
        if not name:
            picks = [Pick(one, one, command.words) for one, command in commands.items()]
            self.app.push_screen(PickScreen("Run", picks), self._picked)
            return
        if name not in commands:
            raise VerbError(f"commands: {', '.join(commands)}")
        self._ask_to_run(commands[name])

    def _picked(self, name: str | None) -> None:
        if name is not None:
            try:
                self._ask_to_run(self.session.settings.commands[name])
            except VerbError as error:
                self.say(str(error), severity="warning")

    def _ask_to_run(self, command: OwnCommand) -> None:
        """Show what would be run, with the values of this moment."""
        self._refuse_if_read_only(command)
        argv = argv_of(command, self._values())

        def answered(answer: str | None) -> None:
            if answer is not None:
                self._run_own(command, argv)

        run = Choice("Run", "run", harm=not command.reads_only)
        self.app.push_screen(ChooseScreen(shlex.join(argv), [run], title="Run here"), answered)

    def _run_own(self, command: OwnCommand, argv: list[str]) -> None:
        try:
            # Again: read-only may have been turned on while the question stood there.
            self._refuse_if_read_only(command)
        except VerbError as error:
            self.say(str(error), severity="warning")
            return
        if trouble := hand_over(self.app, argv, to_read=True):
            self.say(trouble, severity="error")

    def _refuse_if_read_only(self, command: OwnCommand) -> None:
        if self.read_only and not command.reads_only:
            raise VerbError(f"{READ_ONLY} (reads_only = true says that it does not)")

    def _values(self) -> dict[str, str]:
        snapshot = self.session.snapshot
        cluster = snapshot.info.cluster_name if snapshot is not None else self.session.client.name
        values = {"CLUSTER": cluster}
        subject = self.subject()
        if subject is None:
            return values
        row = snapshot.row(subject.member_id) if snapshot is not None else None
        values |= {"ID": subject.id, "NODE_ID": subject.member_id}
        if row is not None:
            known = (row.member.instance, row.member.node)
            values["NODE_IP"] = next((one.ip for one in known if one is not None and one.ip), "")
        return values

    def verb_forget(self, _argument: str) -> None:
        """Drop how the lists of this cluster were left."""
        views = self.session.views
        if views is None:
            raise VerbError("nothing is remembered: remember = false stands in the settings")
        try:
            views.forget(self.session.client.name)
        except OSError as error:
            raise VerbError(f"cannot be forgotten: {error}") from error
        self.say("lists of this cluster open as they come from now on")
