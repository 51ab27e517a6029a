"""The store in one SQLite file: an index over the journals, safe to lose.

WAL, synchronous=FULL, every write in its own transaction. Promises: no method raises for a file
that is missing, locked, corrupt, full or read-only (see `ports.store`); a busy file costs at most
one short wait, after which this process does not wait for it again until it answers. `open_store`
in `store_opening` checks the file and builds it again from the journals when it is corrupt.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from resyncctl.adapters.store import rows
from resyncctl.core.discrepancy import Verdict
from resyncctl.core.safety import VerdictKind, VerdictRecord
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.store import (
    CheckpointSeen,
    Fence,
    GateMove,
    LeaseRow,
    RunMetrics,
    RunRow,
)

BUSY_MS = 250
"""How long a locked store is waited for, once."""
METRICS_KEPT_MS = 90 * 24 * 3600 * 1000

T = TypeVar("T")


class SqliteStore:
    """Implements `ports.store.Store`. Made by `store_opening.open_store`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, notes: Sequence[str] = ()):
        self._connection: sqlite3.Connection | None = connection
        self._path = path
        self._trouble: list[str] = list(notes)
        self._patient = True

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why the store could not be used fully, in words; empty when all is well."""
        return tuple(self._trouble)

    def begin_run(self, run: RunRow) -> bool:
        """Remember that a run has started."""
        return self._write(
            f"INSERT OR REPLACE INTO run ({rows.RUN_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)",  # noqa: S608  # column names of this program
            rows.run_values(run),
        )

    def end_run(self, run: RunRow) -> bool:
        """Remember how a run ended, with the head of its journal; inserts a run not seen before."""
        return self.begin_run(run)

    def runs(self, limit: int = 50) -> tuple[RunRow, ...] | Unknown:
        """Return the latest runs, the newest first."""
        return self._rows(
            f"SELECT {rows.RUN_COLUMNS} FROM run ORDER BY started_at_ms DESC, run_id DESC LIMIT ?",  # noqa: S608  # column names of this program
            (limit,),
            rows.run_of,
        )

    def add_gate_move(self, move: GateMove) -> bool:
        """Remember one move of a gate."""
        return self._write(
            f"INSERT INTO gate_move ({rows.MOVE_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608  # column names of this program
            rows.move_values(move),
        )

    def gate_history(self, account: str, limit: int = 20) -> tuple[GateMove, ...] | Unknown:
        """Return the latest moves of an account's gate, the newest first."""
        return self._rows(
            f"SELECT {rows.MOVE_COLUMNS} FROM gate_move WHERE account = ? ORDER BY id DESC LIMIT ?",  # noqa: S608  # column names of this program
            (account, limit),
            rows.move_of,
        )

    def grant_lease(
        self, account: str, holder: str, *, token_above: int, expires_ms: int
    ) -> int | Unknown:
        """Hand the account's lease to `holder`; return a token above every one before it."""

        def grant(connection: sqlite3.Connection) -> int:
            row = connection.execute(
                "SELECT fencing_token FROM lease WHERE account = ?", (account,)
            ).fetchone()
            token = max(token_above, int(row[0]) if row else 0) + 1
            connection.execute(
                "INSERT OR REPLACE INTO lease VALUES (?,?,?,?)",
                (account, holder, token, expires_ms),
            )
            return token

        return self._transaction(grant)

    def renew_lease(
        self, account: str, holder: str, *, token: int, expires_ms: int
    ) -> bool | Unknown:
        """Extend the lease; False when it belongs to somebody else now."""

        def renew(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE lease SET expires_ms = ? "
                "WHERE account = ? AND holder = ? AND fencing_token = ?",
                (expires_ms, account, holder, token),
            )
            return changed.rowcount == 1

        return self._transaction(renew)

    def release_lease(self, account: str, token: int) -> bool:
        """Give the lease back if it is still the one of `token`. The token is remembered."""
        return self._write(
            "UPDATE lease SET holder = '', expires_ms = 0 WHERE account = ? AND fencing_token = ?",
            (account, token),
        )

    def lease(self, account: str) -> LeaseRow | Unknown | None:
        """Return the account's lease row, None when there never was one."""
        return self._one(
            "SELECT account, holder, fencing_token, expires_ms FROM lease WHERE account = ?",
            (account,),
            rows.lease_of,
        )

    def remember_verdict(self, record: VerdictRecord, fence: Fence | None = None) -> bool:
        """Remember the verdict of a run; not when its fence was passed by a newer holder."""

        def write(connection: sqlite3.Connection) -> bool:
            if fence is not None and _is_passed(connection, fence):
                return False
            connection.execute(
                f"INSERT INTO verdict ({rows.VERDICT_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)",  # noqa: S608  # column names of this program
                rows.verdict_values(record),
            )
            return True

        return self._transaction(write) is True

    def last_verdict(
        self, account: str, kind: VerdictKind | None = None
    ) -> VerdictRecord | Unknown | None:
        """Return the account's newest verdict (of a kind), None when there never was one.

        When the clock was set back, or two runs overlapped, the newest by its own time and the
        newest by arrival differ; then the one that does not let the gate open is returned.
        """
        found = [
            self._one(
                f"SELECT {rows.VERDICT_COLUMNS} FROM verdict WHERE account = ? "  # noqa: S608  # column names of this program
                f"AND kind = coalesce(?, kind) ORDER BY {order} LIMIT 1",
                (account, None if kind is None else kind.value),
                rows.verdict_of,
            )
            for order in ("as_of_ms DESC, id DESC", "id DESC")
        ]
        return next((one for one in found if _forbids(one)), found[0])

    def remember_checkpoint(self, seen: CheckpointSeen) -> bool:
        """Remember a generation of a checkpoint; an older one than the newest changes nothing."""
        return self._write(
            "INSERT INTO checkpoint_seen VALUES (?,?,?,?) ON CONFLICT (account) DO UPDATE SET "
            "sequence = excluded.sequence, digest = excluded.digest, at_ms = excluded.at_ms "
            "WHERE excluded.sequence >= checkpoint_seen.sequence",
            (seen.account, seen.sequence, seen.digest, seen.at_ms),
        )

    def last_checkpoint(self, account: str) -> CheckpointSeen | Unknown | None:
        """Return the newest generation that was ever seen, None when none was."""
        return self._one(
            "SELECT account, sequence, digest, at_ms FROM checkpoint_seen WHERE account = ?",
            (account,),
            rows.checkpoint_of,
        )

    def add_metrics(self, metrics: RunMetrics) -> bool:
        """Remember the figures of a run."""
        return self._write(
            "INSERT INTO run_metrics (account, at_ms, figures) VALUES (?,?,?)",
            (metrics.account, metrics.at_ms, rows.metrics_text(metrics)),
        )

    def last_metrics(self, account: str) -> RunMetrics | Unknown | None:
        """Return the newest figures of an account, None when there are none."""
        return self._one(
            "SELECT figures FROM run_metrics WHERE account = ? ORDER BY id DESC LIMIT 1",
            (account,),
            lambda row: rows.metrics_of(row[0]),
        )

    def prune(self, now_ms: int) -> int | Unknown:
        """Forget figures older than 90 days; return how many."""

        def forget(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM run_metrics WHERE at_ms < ?", (now_ms - METRICS_KEPT_MS,)
            ).rowcount

        return self._transaction(forget)

    def close(self) -> None:
        """Let go of the store. Safe to call twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(
        self, statement: str, values: rows.Row, build: Callable[[rows.Row], T]
    ) -> tuple[T, ...] | Unknown:
        return self._attempt(
            lambda connection: tuple(build(row) for row in connection.execute(statement, values))
        )

    def _one(
        self, statement: str, values: rows.Row, build: Callable[[rows.Row], T]
    ) -> T | Unknown | None:
        found = self._rows(statement, values, build)
        if isinstance(found, Unknown):
            return found
        return found[0] if found else None

    def _write(self, statement: str, values: rows.Row) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            connection.execute(statement, values)
            return True

        return self._transaction(write) is True

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T | Unknown:
        def whole(connection: sqlite3.Connection) -> T:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                return work(connection)

        return self._attempt(whole)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T | Unknown:
        if self._connection is None:
            return Unknown("the store is closed")
        try:
            answer = work(self._connection)
        except (sqlite3.Error, ValueError, TypeError, OverflowError) as trouble:
            words = f"the store {self._path} cannot be used: {trouble}"
            self._be_patient(False)
            if words not in self._trouble:
                self._trouble.append(words)
            return Unknown(words)
        self._be_patient(True)
        return answer

    def _be_patient(self, patient: bool) -> None:
        """Wait for a locked store once and not for every question of the same run."""
        if patient != self._patient and self._connection is not None:
            self._patient = patient
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_MS if patient else 0}")


def _is_passed(connection: sqlite3.Connection, fence: Fence) -> bool:
    """Whether a newer token of the lease was granted; asked in the transaction of the write."""
    row = connection.execute(
        "SELECT fencing_token FROM lease WHERE account = ?", (fence.lease,)
    ).fetchone()
    return row is not None and int(row[0]) > fence.fencing_token


def _forbids(answer: VerdictRecord | Unknown | None) -> bool:
    """Whether this answer keeps the gate shut."""
    if isinstance(answer, VerdictRecord):
        return answer.blocks_resume or answer.verdict is not Verdict.CLEAN
    return True
