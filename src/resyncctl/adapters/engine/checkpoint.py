"""What a trading engine believes, read from the checkpoint that it writes with `resyncctl.sdk`.

Promises: data that cannot be believed is never read as "no orders" but as unknown, with a finding
that says why (stale, corrupt, foreign, rolled back). The newest sequence that was read is kept, so
that a backup that is put back later is noticed even when its whole folder was put back. Reading
changes nothing beside the checkpoint. Called by wiring as an `EngineView`.
"""

from pathlib import Path
from typing import Protocol

from resyncctl.adapters.engine.snapshot import (
    GRACE_MS,
    Expected,
    refuse_other_worlds,
    snapshot_of,
    unreadable,
)
from resyncctl.core.snapshot import EngineSnapshot, Unknown
from resyncctl.ports.store import CheckpointSeen
from resyncctl.sdk.checkpoint import Checkpoint, LastSeen, read_checkpoint
from resyncctl.sdk.errors import RecoveryError

ADAPTER = "checkpoint"


class SeenCheckpoints(Protocol):
    """Where the newest generation that was ever seen is remembered: the part of `Store` for it."""

    def last_checkpoint(self, account: str) -> CheckpointSeen | Unknown | None:
        """Return the newest generation that was ever seen, None when none was."""
        ...

    def remember_checkpoint(self, seen: CheckpointSeen) -> bool:
        """Remember a generation; an older one than the newest changes nothing."""
        ...


class CheckpointEngine:
    """An engine that writes checkpoints in the format of `resyncctl.sdk`.

    `exchange` is the ccxt id of the configured venue, `account_ref` the engine's alias for the
    account (by default the account's own name). `sandbox` None accepts live and sandbox.
    """

    def __init__(
        self,
        path: Path,
        *,
        exchange: str,
        account_ref: str | None = None,
        sandbox: bool | None = None,
        seen: SeenCheckpoints | None = None,
        grace_ms: int = GRACE_MS,
        allow_rollback: bool = False,
    ) -> None:
        self._path = path
        self._exchange = exchange
        self._account_ref = account_ref
        self._sandbox = sandbox
        self._seen = seen
        self._grace_ms = grace_ms
        self._allow_rollback = allow_rollback

    def read(self, account: str, now_ms: int) -> EngineSnapshot:
        """Read the checkpoint once. Trouble is told in the snapshot, nothing is raised for it."""
        expected = Expected(
            account_ref=self._account_ref or account,
            exchange=self._exchange,
            sandbox=self._sandbox,
        )
        try:
            found = read_checkpoint(
                self._path,
                account_ref=expected.account_ref,
                exchanges=expected.exchanges,
                last_seen=last_seen(self._seen, account),
                allow_rollback=self._allow_rollback,
            )
            refuse_other_worlds(found, expected)
        except RecoveryError as trouble:
            return unreadable(
                trouble, account=account, adapter=ADAPTER, place=str(self._path), now_ms=now_ms
            )
        remember(self._seen, account, found, now_ms)
        return snapshot_of(
            found, account=account, adapter=ADAPTER, now_ms=now_ms, grace_ms=self._grace_ms
        )


def last_seen(seen: SeenCheckpoints | None, account: str) -> LastSeen | None:
    """Return what was seen of this account's checkpoint before, as far as anybody remembers."""
    row = seen.last_checkpoint(account) if seen else None
    return LastSeen(row.sequence, row.digest) if isinstance(row, CheckpointSeen) else None


def remember(seen: SeenCheckpoints | None, account: str, found: Checkpoint, now_ms: int) -> None:
    """Remember a checkpoint that was believed, unless it is itself an old one."""
    if seen is None or found.rolled_back_from is not None or found.fallback is not None:
        return
    seen.remember_checkpoint(
        CheckpointSeen(account=account, sequence=found.sequence, digest=found.sha256, at_ms=now_ms)
    )
