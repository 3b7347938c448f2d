"""The daemon's log: one JSON object a line (`ts`, `level`, `event`, and the event's fields)."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

ROOT = "raytui"
"""Name of the logger below which all of ours are."""

_MAX_BYTES = 5 << 20
_KEPT = 3


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON; `extra={"fields": {...}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its newline."""
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line.update((k, v) for k, v in fields.items() if k not in line)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """A rotated file that only its owner can read."""

    def _open(self) -> TextIOWrapper:
        os.close(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT, 0o600))
        return super()._open()


def start_log(path: Path, *, on_stderr: bool) -> logging.Logger:
    """Send all of raytui's log lines to `path` (at most 20 MB with its older parts)."""
    handlers: list[logging.Handler] = [
        _PrivateRotatingFile(path, maxBytes=_MAX_BYTES, backupCount=_KEPT, encoding="utf-8")
    ]
    if on_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    return _send(ROOT, logging.INFO, handlers)


def start_log_on_stderr(*others: str) -> None:
    """Send all of raytui's log lines to stderr alone, and the warnings of `others`."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    _send(ROOT, logging.INFO, handlers)
    for name in others:
        _send(name, logging.WARNING, handlers)


def _send(name: str, level: int, handlers: list[logging.Handler]) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.setLevel(level)
    logger.propagate = False
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
    return logger


def bound_output(path: Path) -> None:
    """Empty `path` when it is our stderr and has grown too large.

    Ray's C++ code prints there past Python's logging, for months if need be. Whoever starts the
    daemon has opened the file for appending, so what is said next begins it anew.
    """
    with contextlib.suppress(OSError):
        ours = os.fstat(2)
        if ours.st_size > _MAX_BYTES and os.path.samestat(ours, path.stat()):
            os.ftruncate(2, 0)


def note(logger: logging.Logger, level: int, event: str, **fields: Any) -> None:
    """Log an event: a few fixed words, and what varies as fields."""
    logger.log(level, event, extra={"fields": fields})
