"""The store in memory. It obeys the same contract as the one on disk."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from resyncctl.core.model import Order
from resyncctl.core.money import plain
from resyncctl.core.plan import order_key
from resyncctl.core.safety import VerdictRecord
from resyncctl.ports.store import (
    CheckpointSeen,
    GateMove,
    LeaseRow,
    RunMetrics,
    RunRow,
    SeenOrder,
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
    _orders: dict[tuple[str, str], SeenOrder] = field(default_factory=dict)

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

    def remember_verdict(self, record: VerdictRecord) -> bool:
        self._verdicts.append(record)
        return True

    def last_verdict(self, account: str) -> VerdictRecord | None:
        own = [record for record in self._verdicts if record.account == account]
        return max(reversed(own), key=lambda record: record.as_of_ms, default=None)

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

    def remember_orders(self, orders: Sequence[Order], at_ms: int) -> bool:
        for order in orders:
            self._orders[order.account, order_key(order)] = SeenOrder(
                account=order.account,
                key=order_key(order),
                symbol=order.symbol,
                scope=str(order.scope),
                status=order.status.value,
                terminal=order.is_terminal,
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                filled=plain(order.filled),
                at_ms=at_ms,
            )
        return True

    def unfinished_orders(self, account: str) -> tuple[SeenOrder, ...]:
        own = (seen for seen in self._orders.values() if seen.account == account)
        return tuple(sorted((s for s in own if not s.terminal), key=lambda seen: seen.key))

    def prune(self, now_ms: int) -> int:
        old = [
            key
            for key, seen in self._orders.items()
            if seen.terminal and seen.at_ms < now_ms - DAY_MS
        ]
        for key in old:
            del self._orders[key]
        self._metrics = [m for m in self._metrics if m.at_ms >= now_ms - 90 * DAY_MS]
        return len(old)

    def close(self) -> None:
        return None
