"""What this host remembers between runs, and how it may be asked.

The journals are the source of truth for what this host did; the store is the index over them, and
the only place of the lease rows. It may be missing, locked, corrupt or full at the worst moment,
so no method raises for that: a question that cannot be answered gives `Unknown` with the reason, a
write that did not happen gives False, and `trouble` says why in the operator's words. No secret
ever goes in. Called by wiring, the gate, the leases and the status board.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from resyncctl.core.safety import VerdictKind, VerdictRecord
from resyncctl.core.snapshot import Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run of a command. The head is its last known journal record, for `audit verify`."""

    run_id: str
    command: str
    accounts: tuple[str, ...]
    started_at_ms: int
    ended_at_ms: int | None = None
    exit_code: int | None = None
    head_sequence: int = 0
    head_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateMove:
    """One move of a gate, as it was asked for. `failed_copies` are places that did not follow."""

    account: str
    from_state: str
    to_state: str
    reason: str
    by: str
    run_id: str
    at_ms: int
    evidence_sha256: str | None = None
    failed_copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """Who holds an account, or held it last: an empty holder means that it was given back."""

    account: str
    holder: str
    fencing_token: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Fence:
    """The lease under which something is written: refused once a newer token was granted."""

    lease: str
    fencing_token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSeen:
    """The newest generation of an engine's checkpoint that was ever seen here."""

    account: str
    sequence: int
    digest: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetrics:
    """The figures of one account in one run, for the store and for Prometheus.

    `discrepancies` counts findings by (kind, severity). `completed` says whether the run reached
    an answer about the account; `consecutive_failures` counts the runs in a row that did not.
    `gate_state` is the state as it was read, and `gate_since_ms` since when, where it is known.
    """

    account: str
    run_id: str
    command: str
    at_ms: int
    duration_ms: int
    exit_code: int
    completed: bool
    verdict: str | None = None
    discrepancies: Mapping[tuple[str, str], int] = field(default_factory=dict)
    balance_mismatches: int = 0
    order_mismatches: int = 0
    stale_orders: int = 0
    stale_orders_cancelled: int = 0
    sections_unknown: int = 0
    weight_used: int | None = None
    consecutive_failures: int = 0
    gate_state: str | None = None
    gate_since_ms: int | None = None


class Store(Protocol):
    """The memory of this host. See the module for what it promises when it cannot be used."""

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why the store could not be used fully, in words; empty when all is well."""
        ...

    def begin_run(self, run: RunRow) -> bool:
        """Remember that a run has started."""
        ...

    def end_run(self, run: RunRow) -> bool:
        """Remember how a run ended, with the head of its journal; inserts a run not seen before."""
        ...

    def runs(self, limit: int = 50) -> tuple[RunRow, ...] | Unknown:
        """Return the latest runs, the newest first."""
        ...

    def add_gate_move(self, move: GateMove) -> bool:
        """Remember one move of a gate."""
        ...

    def gate_history(self, account: str, limit: int = 20) -> tuple[GateMove, ...] | Unknown:
        """Return the latest moves of an account's gate, the newest first."""
        ...

    def grant_lease(
        self, account: str, holder: str, *, token_above: int, expires_ms: int
    ) -> int | Unknown:
        """Hand the account's lease to `holder`; return a token above every one before it.

        Whether somebody else may still hold it is for the caller to know: see `lease`.
        """
        ...

    def renew_lease(
        self, account: str, holder: str, *, token: int, expires_ms: int
    ) -> bool | Unknown:
        """Extend the lease; False when it belongs to somebody else now."""
        ...

    def release_lease(self, account: str, token: int) -> bool:
        """Give the lease back if it is still the one of `token`. The token is remembered."""
        ...

    def lease(self, account: str) -> LeaseRow | Unknown | None:
        """Return the account's lease row, None when there never was one."""
        ...

    def remember_verdict(self, record: VerdictRecord, fence: Fence | None = None) -> bool:
        """Remember the verdict of a run; not when its fence was passed by a newer holder."""
        ...

    def last_verdict(
        self, account: str, kind: VerdictKind | None = None
    ) -> VerdictRecord | Unknown | None:
        """Return the account's newest verdict (of a kind), None when there never was one.

        When the newest by its own time and the newest by arrival differ, the one that does not let
        the gate open is returned.
        """
        ...

    def remember_checkpoint(self, seen: CheckpointSeen) -> bool:
        """Remember a generation of a checkpoint; an older one than the newest changes nothing."""
        ...

    def last_checkpoint(self, account: str) -> CheckpointSeen | Unknown | None:
        """Return the newest generation that was ever seen, None when none was."""
        ...

    def add_metrics(self, metrics: RunMetrics) -> bool:
        """Remember the figures of a run."""
        ...

    def last_metrics(self, account: str) -> RunMetrics | Unknown | None:
        """Return the newest figures of an account, None when there are none."""
        ...

    def prune(self, now_ms: int) -> int | Unknown:
        """Forget figures older than 90 days; return how many."""
        ...

    def close(self) -> None:
        """Let go of the store. Safe to call twice."""
        ...
