"""What is known of a thing as data, to read, search and copy: YAML, and JSON at a key."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from raytui.screens.description import json_text, yaml_text
from raytui.screens.reading import ReadingScreen
from raytui.screens.subject import Subject


class DataScreen(ReadingScreen):
    """Bound to the subject that it was opened for; `y` changes between YAML and JSON."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "other_form", "YAML or JSON", show=False, id="data-form"),
    ]

    hint = "y YAML/JSON   / find   c copy   esc back"

    def __init__(self, subject: Subject) -> None:
        super().__init__(f"{subject.kind} {subject.id} · YAML", yaml_text(subject.data))
        self._subject = subject
        self._is_json = False

    def action_other_form(self) -> None:
        """Show the same in the other form."""
        self._is_json = not self._is_json
        name = f"{self._subject.kind} {self._subject.id}"
        if self._is_json:
            self.show(f"{name} · JSON", json_text(self._subject.data))
        else:
            self.show(f"{name} · YAML", yaml_text(self._subject.data))
