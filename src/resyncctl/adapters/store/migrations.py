"""The store's schema as numbered steps that only go forward.

Each step is applied once, in one transaction with the row that says so; the row keeps the digest of
the step's text, so that a store that was made by other steps is refused instead of misread. Before
the first step on a store that already has content, a copy of it is put beside it. Called by
`sqlite` when it opens, under the lock of the store.
"""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resyncctl.adapters.store.places import FILE_MODE


class SchemaRefusedError(Exception):
    """The store was made by other steps than this program knows; it is left as it is."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. Its text may never change after it was shipped."""

    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """The digest that the store keeps of this step."""
        return hashlib.sha256("\n;\n".join(self.statements).encode()).hexdigest()


MIGRATIONS = (
    Migration(
        1,
        "runs, gates, leases, verdicts",
        (
            """CREATE TABLE run (
                run_id TEXT PRIMARY KEY, command TEXT NOT NULL, accounts TEXT NOT NULL,
                started_at_ms INTEGER NOT NULL, ended_at_ms INTEGER, exit_code INTEGER,
                head_sequence INTEGER NOT NULL DEFAULT 0, head_sha256 TEXT NOT NULL DEFAULT ''
            )""",
            """CREATE TABLE gate_move (
                id INTEGER PRIMARY KEY, account TEXT NOT NULL, from_state TEXT NOT NULL,
                to_state TEXT NOT NULL, reason TEXT NOT NULL, made_by TEXT NOT NULL,
                run_id TEXT NOT NULL, at_ms INTEGER NOT NULL, evidence_sha256 TEXT,
                failed_copies TEXT NOT NULL
            )""",
            "CREATE INDEX gate_move_account ON gate_move (account, id)",
            """CREATE TABLE lease (
                account TEXT PRIMARY KEY, holder TEXT NOT NULL,
                fencing_token INTEGER NOT NULL, expires_ms INTEGER NOT NULL
            )""",
            """CREATE TABLE verdict (
                id INTEGER PRIMARY KEY, account TEXT NOT NULL, verdict TEXT NOT NULL,
                blocks_resume INTEGER NOT NULL, as_of_ms INTEGER NOT NULL,
                valid_until_ms INTEGER NOT NULL, run_id TEXT NOT NULL, digests TEXT NOT NULL
            )""",
            "CREATE INDEX verdict_account ON verdict (account, as_of_ms, id)",
        ),
    ),
    Migration(
        2,
        "checkpoints, figures",
        (
            """CREATE TABLE checkpoint_seen (
                account TEXT PRIMARY KEY, sequence INTEGER NOT NULL,
                digest TEXT NOT NULL, at_ms INTEGER NOT NULL
            )""",
            """CREATE TABLE run_metrics (
                id INTEGER PRIMARY KEY, account TEXT NOT NULL, at_ms INTEGER NOT NULL,
                figures TEXT NOT NULL
            )""",
            "CREATE INDEX run_metrics_account ON run_metrics (account, id)",
        ),
    ),
    Migration(
        3,
        "what a verdict answers and stands on",
        (
            "ALTER TABLE verdict ADD COLUMN kind TEXT NOT NULL DEFAULT 'reconcile'",
            "ALTER TABLE verdict ADD COLUMN gate_sequence INTEGER",
            "ALTER TABLE verdict ADD COLUMN conditions TEXT NOT NULL DEFAULT '[]'",
            "CREATE INDEX verdict_account_kind ON verdict (account, kind, as_of_ms, id)",
        ),
    ),
)


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    now_ms: int,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> None:
    """Bring the store up to date.

    Raises:
        SchemaRefusedError: The store is newer than this program, or was made by other steps.
        sqlite3.Error: A step could not be applied; the store is as it was before that step.
    """
    applied = _applied(connection)
    _compare(applied, migrations)
    waiting = migrations[len(applied) :]
    if waiting and applied:
        _back_up(connection, path.with_name(f"{path.name}.before-{waiting[0].number}"))
    for migration in waiting:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in migration.statements:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO schema_version VALUES (?, ?, ?, ?)",
                (migration.number, migration.name, migration.sha256, now_ms),
            )


def _applied(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    connection.execute(
        """CREATE TABLE IF NOT EXISTS schema_version (
            number INTEGER PRIMARY KEY, name TEXT NOT NULL,
            sha256 TEXT NOT NULL, applied_at_ms INTEGER NOT NULL
        )"""
    )
    rows = connection.execute("SELECT number, sha256 FROM schema_version ORDER BY number")
    return [(int(number), str(digest)) for number, digest in rows]


def _compare(applied: Sequence[tuple[int, str]], known: Sequence[Migration]) -> None:
    if len(applied) > len(known):
        raise SchemaRefusedError(
            f"it has schema {applied[-1][0]}, this program knows {known[-1].number}: "
            "it was written by a newer resyncctl"
        )
    for (number, digest), migration in zip(applied, known, strict=False):
        if number != migration.number or digest != migration.sha256:
            raise SchemaRefusedError(f"its schema step {number} is not the one of this program")


def _back_up(connection: sqlite3.Connection, path: Path) -> None:
    """Copy the store as it is. An older copy of the same step is replaced."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    with contextlib.closing(sqlite3.connect(path)) as copy:
        connection.backup(copy)
