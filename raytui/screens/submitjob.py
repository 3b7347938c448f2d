"""The dialog in which a new job is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Static, TextArea

from raytui.model.text import first_line
from raytui.screens.dialog import Dialog, titled

_REMOTE = ("http://", "https://", "s3://", "gs://", "gcs://", "azure://", "abfss://", "file://")


@dataclass(frozen=True)
class Submission:
    """A shell command, and the runtime_env that it runs in."""

    entrypoint: str
    runtime_env: Mapping[str, Any] | None = None


class SubmissionError(ValueError):
    """What was typed is no job; `str()` says why."""


def submission_of(entrypoint: str, working_dir: str, env_yaml: str) -> Submission:
    """What was typed as a job; raises SubmissionError."""
    if not entrypoint.strip():
        raise SubmissionError("a command is needed, such as: python train.py")
    try:
        env = yaml.safe_load(env_yaml)
    except yaml.YAMLError as error:
        raise SubmissionError(f"the runtime env is no YAML: {first_line(str(error))}") from error
    if env is not None and not isinstance(env, dict):
        raise SubmissionError("the runtime env must be a mapping, such as: pip: [requests]")
    found = dict(env or {})
    if working_dir.strip():
        if not working_dir.strip().startswith(_REMOTE):
            raise SubmissionError(
                "a folder of this machine is uploaded by: raytui job submit --working-dir DIR"
            )
        found["working_dir"] = working_dir.strip()
    return Submission(entrypoint.strip(), found or None)


class SubmitJobScreen(Dialog[Submission]):
    """Dismissed with what to submit, with None by Esc."""

    DEFAULT_CSS = """
    SubmitJobScreen TextArea {
        height: 5; border: none; padding: 0 1; background: $panel;
        &:focus { border: none; }
    }
    SubmitJobScreen .label { color: $quiet; height: auto; margin-top: 1; }
    """

    def __init__(self, cluster: str) -> None:
        super().__init__()
        self._cluster = cluster

    def compose(self) -> ComposeResult:
        """Three things to type; only the command is needed."""
        with VerticalScroll(classes="box", can_focus=False) as box:
            titled(box, f"New job on {self._cluster}", "enter submit   esc back")
            yield Static("Command, run by a shell on the head", classes="quiet", markup=False)
            yield Input(placeholder="python train.py --lr 0.1", id="entrypoint")
            yield Static("Files it runs in: URI of a .zip (may be empty)", classes="label")
            yield Input(placeholder="https://… or s3://…", id="working-dir")
            yield Static("Runtime env as YAML (may be empty)", classes="label")
            yield TextArea(id="env", show_line_numbers=False)
            yield Static("", classes="error", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Submit", id="go", compact=True)

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def _submit(self) -> None:
        try:
            submission = submission_of(
                self.query_one("#entrypoint", Input).value,
                self.query_one("#working-dir", Input).value,
                self.query_one("#env", TextArea).text,
            )
        except SubmissionError as error:
            self.query_one(".error", Static).update(str(error))
        else:
            self.dismiss(submission)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)
