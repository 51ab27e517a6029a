"""The store in memory. It obeys the same contract as the one on disk."""

from dataclasses import dataclass, field, replace

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.safety import VerdictKind, VerdictRecord
from resyncctl.ports.store import (
    CheckpointSeen,
    Fence,
    GateMove,
    LeaseRow,
    RunMetrics,
    RunRow,
)

DAY_MS = 24 * 3600 * 1000


@dataclass(slots=True)
class MemoryStore:
    """Implements `ports.store.Store`. `trouble` stays empty: memory is never locked or full."""

    trouble: tuple[str, ...] = ()
    _runs: dict[str, RunRow] = field(default_factory=dict)
    _moves: list[GateMove] = field(default_factory=list)
    _leases: dict[str, LeaseRow] = field(default_factory=dict)
    _verdicts: list[VerdictRecord] = field(default_factory=list)
    _checkpoints: dict[str, CheckpointSeen] = field(default_factory=dict)
    _metrics: list[RunMetrics] = field(default_factory=list)

    def begin_run(self, run: RunRow) -> bool:
        self._runs[run.run_id] = run
        return True

    def end_run(self, run: RunRow) -> bool:
        return self.begin_run(run)

    def runs(self, limit: int = 50) -> tuple[RunRow, ...]:
        newest = sorted(
            self._runs.values(), key=lambda run: (run.started_at_ms, run.run_id), reverse=True
        )
        return tuple(newest[:limit])

    def add_gate_move(self, move: GateMove) -> bool:
        self._moves.append(move)
        return True

    def gate_history(self, account: str, limit: int = 20) -> tuple[GateMove, ...]:
        return tuple([move for move in reversed(self._moves) if move.account == account][:limit])

    def grant_lease(self, account: str, holder: str, *, token_above: int, expires_ms: int) -> int:
        before = self._leases.get(account)
        token = max(token_above, before.fencing_token if before else 0) + 1
        self._leases[account] = LeaseRow(
            account=account, holder=holder, fencing_token=token, expires_ms=expires_ms
        )
        return token

    def renew_lease(self, account: str, holder: str, *, token: int, expires_ms: int) -> bool:
        row = self._leases.get(account)
        if row is None or (row.holder, row.fencing_token) != (holder, token):
            return False
        self._leases[account] = replace(row, expires_ms=expires_ms)
        return True

    def release_lease(self, account: str, token: int) -> bool:
        row = self._leases.get(account)
        if row is not None and row.fencing_token == token:
            self._leases[account] = replace(row, holder="", expires_ms=0)
        return True

    def lease(self, account: str) -> LeaseRow | None:
        return self._leases.get(account)

    def remember_verdict(self, record: VerdictRecord, fence: Fence | None = None) -> bool:
        row = self._leases.get(fence.lease) if fence is not None else None
        if row is not None and fence is not None and row.fencing_token > fence.fencing_token:
            return False
        self._verdicts.append(record)
        return True

    def last_verdict(self, account: str, kind: VerdictKind | None = None) -> VerdictRecord | None:
        own = [
            record
            for record in self._verdicts
            if record.account == account and kind in {None, record.kind}
        ]
        if not own:
            return None
        newest = [max(reversed(own), key=lambda record: record.as_of_ms), own[-1]]
        shut = (r for r in newest if r.blocks_resume or r.verdict is not Verdict.CLEAN)
        return next(shut, newest[0])

    def remember_checkpoint(self, seen: CheckpointSeen) -> bool:
        before = self._checkpoints.get(seen.account)
        if before is None or seen.sequence >= before.sequence:
            self._checkpoints[seen.account] = seen
        return True

    def last_checkpoint(self, account: str) -> CheckpointSeen | None:
        return self._checkpoints.get(account)

    def add_metrics(self, metrics: RunMetrics) -> bool:
        self._metrics.append(metrics)
        return True

    def last_metrics(self, account: str) -> RunMetrics | None:
        return next((m for m in reversed(self._metrics) if m.account == account), None)

    def prune(self, now_ms: int) -> int:
        kept = [m for m in self._metrics if m.at_ms >= now_ms - 90 * DAY_MS]
        gone = len(self._metrics) - len(kept)
        self._metrics = kept
        return gone

    def close(self) -> None:
        return None
