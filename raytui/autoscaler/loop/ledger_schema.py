"""The ledger's tables, as steps: each brings a file from one version to the next."""

from __future__ import annotations

import sqlite3

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE requests (
    request_id TEXT PRIMARY KEY, at REAL NOT NULL, decision_id INTEGER NOT NULL,
    body BLOB NOT NULL, outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX open_requests ON requests (request_id) WHERE outcome = '';
CREATE TABLE instances (
    instance_id TEXT PRIMARY KEY, request_id TEXT NOT NULL, final INTEGER NOT NULL,
    updated REAL NOT NULL, body BLOB NOT NULL
);
CREATE INDEX open_instances ON instances (instance_id) WHERE final = 0;
CREATE TABLE transitions (
    id INTEGER PRIMARY KEY, instance_id TEXT NOT NULL, at REAL NOT NULL,
    status TEXT NOT NULL, cause TEXT NOT NULL
);
CREATE TABLE decisions (
    decision_id INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL,
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE TABLE events (event_id INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL);
"""

_OWNED_TRANSITIONS = """
ALTER TABLE transitions RENAME TO loose_transitions;
CREATE TABLE transitions (
    id INTEGER PRIMARY KEY,
    instance_id TEXT NOT NULL
        REFERENCES instances (instance_id) ON DELETE CASCADE ON UPDATE CASCADE,
    at REAL NOT NULL, status TEXT NOT NULL, cause TEXT NOT NULL
);
INSERT INTO transitions SELECT * FROM loose_transitions
    WHERE instance_id IN (SELECT instance_id FROM instances);
DROP TABLE loose_transitions;
CREATE INDEX transitions_of ON transitions (instance_id, id);
CREATE INDEX ended_instances ON instances (updated) WHERE final = 1;
CREATE INDEX ended_requests ON requests (at) WHERE outcome != '';
DROP INDEX open_requests;
CREATE INDEX open_requests ON requests (at) WHERE outcome = '';
"""

_ANSWERS = """
CREATE TABLE answers (
    number INTEGER PRIMARY KEY, command_id TEXT NOT NULL UNIQUE, at REAL NOT NULL,
    body BLOB NOT NULL
);
"""

STEPS = (_FIRST, _OWNED_TRANSITIONS, _ANSWERS)
"""Never changed once released; a new version is a new step at the end."""

VERSION = len(STEPS)


def migrate(db: sqlite3.Connection) -> None:
    """Bring a file, new or old, to VERSION, each step whole or not at all.

    Raises ValueError when it is of a newer version than this program knows.
    """
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise ValueError(f"version {version} is newer than {VERSION}")
    for number, step in enumerate(STEPS[version:], version + 1):
        try:
            db.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
