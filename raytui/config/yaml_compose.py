"""Bytes → a tree: bounded in size and depth, duplicate keys refused, all faults noted.

PyYAML's loader keeps the last of two equal keys, recurses once per level and expands aliases
without end. Here its event stream is put together without recursion.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from raytui.config.problems import KeyPath, Mark, Problems, nearest, quoted
from raytui.config.yaml_scalars import TAG, TAG_HINT, NotThatKind, is_merge_key, meaning_of
from raytui.config.yaml_tree import Mapping, Node, Scalar, ScalarKind, Sequence

MOST_NODES = 100_000
"""Scalars, lists and mappings of a document, counting each alias as all that it stands for."""
DEEPEST = 50
"""Levels of nesting, aliases included."""

_MOST_TAG_DIRECTIVES = 20  # each costs a pass over all that came before


def decode(data: bytes, problems: Problems) -> str | None:
    """Bytes as text; None, with a problem noted, when they are not UTF-8 text."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        problems.add((), "is UTF-16, which Ray cannot read", "save it as UTF-8")
        return None
    if b"\0" in data:
        problems.add((), "is a binary file, not YAML")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{data[error.start]:02x} is not UTF-8"
        problems.add((), wrong, "save it as UTF-8", at=Mark(line, 1))
        return None


def compose(text: str, problems: Problems) -> Node | None:
    """The tree of a document; None, with problems noted, when there is none to be had.

    Duplicate keys and the like are noted while the rest of the tree is still built, so that all
    problems of a file can be told together.
    """
    if strange := yaml.reader.Reader.NON_PRINTABLE.search(text):
        where = Mark(text.count("\n", 0, strange.start()) + 1, 1)
        character = f"U+{ord(strange.group()):04X}"
        problems.add((), f"is not YAML: it has the control character {character}", at=where)
        return None
    if text.count("%TAG") > _MOST_TAG_DIRECTIVES:
        problems.add((), "declares too many %TAG prefixes", "cluster files need none")
        return None
    try:
        return _Composer(problems).run(text)
    except yaml.MarkedYAMLError as error:
        _note_syntax(error, text, problems)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        problems.add((), f"is not YAML: {str(error).splitlines()[0]}")
    except _Unreadable as error:
        problems.add(error.path, error.message, error.hint, at=error.mark)
    return None


class _Unreadable(Exception):  # noqa: N818 - ends the composing; never leaves this module
    """The rest of the document cannot be understood."""

    def __init__(self, mark: Mark, path: KeyPath, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.mark, self.path, self.message, self.hint = mark, path, message, hint


def _note_syntax(error: yaml.MarkedYAMLError, text: str, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.context, error.problem) if part)
    hint = ""
    if mark and "\t" in _indent(text, mark.line):
        hint = "indent with spaces: YAML forbids tabs"
    elif "mapping values are not allowed" in said:
        hint = 'quote text that contains ": "'
    place = Mark(mark.line + 1, mark.column + 1) if mark else Mark()
    problems.add((), f"is not YAML: {said}", hint, at=place)


def _indent(text: str, line: int) -> str:
    lines = text.splitlines()
    return lines[line][: -len(lines[line].lstrip()) or None] if line < len(lines) else ""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    node: Sequence | Mapping
    anchor: str | None
    key: Scalar | None = None
    merged: list[tuple[Scalar, Node]] = field(default_factory=list)


class _Composer:
    """Puts events together; the stack is a list, so depth costs no recursion."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._anchors: dict[str, Node] = {}
        self._stack: list[_Open] = []
        self._nodes = 0
        self._root: Node | None = None

    def run(self, text: str) -> Node | None:
        for event in _events(text):
            match event:
                case yaml.DocumentStartEvent() if self._root is not None:
                    raise _Unreadable(
                        _mark(event), (), "has more than one document", "remove the second ---"
                    )
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.SequenceStartEvent():
                    self._open(event, Sequence(_mark(event)), "seq")
                case yaml.MappingStartEvent():
                    self._open(event, Mapping(_mark(event)), "map")
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self._close()
                case yaml.AliasEvent():
                    self._alias(event)
        return self._root

    def _path(self) -> KeyPath:
        return tuple(
            len(o.node.items) if isinstance(o.node, Sequence) else o.key.text if o.key else ""
            for o in self._stack
            if isinstance(o.node, Sequence) or o.key
        )

    def _count(self, size: int, mark: Mark) -> None:
        self._nodes += size
        if self._nodes > MOST_NODES:
            raise _Unreadable(
                mark,
                self._path(),
                f"is too much: more than {MOST_NODES:,} values, aliases counted in full",
            )

    def _deep(self, height: int, mark: Mark) -> None:
        if len(self._stack) + height > DEEPEST:
            raise _Unreadable(mark, self._path()[:4], f"is nested deeper than {DEEPEST} levels")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        mark = _mark(event)
        self._count(1, mark)
        try:
            kind, value = meaning_of(event)
        except NotThatKind as error:
            self._problems.add(self._path(), str(error), error.hint, at=mark)
            kind, value = ScalarKind.TEXT, event.value
        node = Scalar(mark, event.value, kind, value)
        if event.anchor:
            self._anchors[event.anchor] = node
        merges = is_merge_key(event)
        if merges and not self._expects_key():
            self._problems.add(self._path(), "<< is a key, not a value", 'quote it: "<<"', at=mark)
        self._attach(node, merge_key=merges)

    def _expects_key(self) -> bool:
        if not self._stack:
            return False
        parent = self._stack[-1]
        return isinstance(parent.node, Mapping) and parent.key is None

    def _open(self, event: Any, node: Sequence | Mapping, tag: str) -> None:
        self._count(1, node.mark)
        self._deep(1, node.mark)
        if event.tag not in (None, "!", TAG + tag):
            self._problems.add(
                self._path(), f"has the tag {quoted(event.tag)}", TAG_HINT, at=node.mark
            )
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Open(node, event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        node = done.node
        if isinstance(node, Mapping):
            self._merge(node, done.merged)
        if done.anchor:
            self._anchors[done.anchor] = node
        self._attach(node)

    def _alias(self, event: yaml.AliasEvent) -> None:
        mark = _mark(event)
        name = event.anchor or ""
        node = self._anchors.get(name)
        if node is None:
            inside = any(o.anchor == name for o in self._stack)
            raise _Unreadable(
                mark,
                self._path(),
                f"*{name} lies inside what it names" if inside else f"*{name} names nothing",
                "" if inside else nearest(name, list(self._anchors)[:40]),
            )
        self._count(node.size, mark)
        self._deep(node.height, mark)
        self._attach(node)

    def _attach(self, node: Node, *, merge_key: bool = False) -> None:
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        parent.node.size += node.size
        parent.node.height = max(parent.node.height, node.height + 1)
        if isinstance(parent.node, Sequence):
            parent.node.items.append(node)
        elif parent.key is None:
            parent.key = self._as_key(node, merge_key)
        else:
            self._put(parent, parent.node, parent.key, node)
            parent.key = None

    def _as_key(self, node: Node, merge_key: bool) -> Scalar:
        if not isinstance(node, Scalar):
            self._problems.add(
                self._path(), f"a key must be a single word, not {node.described()}", at=node.mark
            )
            return Scalar(node.mark, "", ScalarKind.TEXT, "")
        if merge_key:
            return _MergeKey(node.mark, node.text, node.kind, node.value)
        return node

    def _put(self, parent: _Open, mapping: Mapping, key: Scalar, node: Node) -> None:
        if isinstance(key, _MergeKey):
            parent.merged.append((key, node))
        elif key.text in mapping.entries:
            first = mapping.entries[key.text][0].mark.line
            self._problems.add(
                self._path(),
                f"is there twice; the first is on line {first}",
                "keep one of them",
                at=key.mark,
            )
        else:
            mapping.entries[key.text] = (key, node)

    def _merge(self, mapping: Mapping, merged: list[tuple[Scalar, Node]]) -> None:
        """Resolve `<<`: a mapping's own keys win, then the first mapping that has the key."""
        inherited: dict[str, tuple[Scalar, Node]] = {}
        for key, node in merged:
            for part in node.items if isinstance(node, Sequence) else [node]:
                if not isinstance(part, Mapping):
                    self._problems.add(
                        (*self._path(), "<<"),
                        f"<< takes a mapping or a list of mappings, not {part.described()}",
                        at=key.mark,
                    )
                    continue
                for name, entry in part.entries.items():
                    inherited.setdefault(name, entry)
        if inherited:
            mapping.entries = {**inherited, **mapping.entries}


class _MergeKey(Scalar):
    """A plain `<<`."""


def _events(text: str) -> Iterator[yaml.Event]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)
    return events


def _mark(event: yaml.Event) -> Mark:
    mark = event.start_mark
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark()
