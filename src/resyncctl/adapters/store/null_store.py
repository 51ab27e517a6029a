"""No store at all, with the reason: what the emergency path works on when nothing else opens.

Every question is answered `Unknown`, every write says that it did not happen. Made by `open_store`.
"""

from resyncctl.core.safety import VerdictKind, VerdictRecord
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.store import CheckpointSeen, Fence, GateMove, RunMetrics, RunRow


class NullStore:
    """Implements `ports.store.Store` without remembering anything."""

    def __init__(self, reason: str) -> None:
        self._unknown = Unknown(reason)

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why there is no store."""
        return (self._unknown.reason,)

    def begin_run(self, run: RunRow) -> bool:  # noqa: ARG002  # the protocol's signature
        """Remember nothing."""
        return False

    def end_run(self, run: RunRow) -> bool:  # noqa: ARG002  # the protocol's signature
        """Remember nothing."""
        return False

    def runs(self, limit: int = 50) -> Unknown:  # noqa: ARG002  # the protocol's signature
        """Say why this is not known."""
        return self._unknown

    def add_gate_move(self, move: GateMove) -> bool:  # noqa: ARG002  # the protocol's signature
        """Remember nothing."""
        return False

    def gate_history(self, account: str, limit: int = 20) -> Unknown:  # noqa: ARG002  # the same
        """Say why this is not known."""
        return self._unknown

    def grant_lease(
        self,
        account: str,  # noqa: ARG002  # the protocol's signature
        holder: str,  # noqa: ARG002  # the protocol's signature
        *,
        token_above: int,  # noqa: ARG002  # the protocol's signature
        expires_ms: int,  # noqa: ARG002  # the protocol's signature
    ) -> Unknown:
        """Say why this is not known; the lock file carries the token alone."""
        return self._unknown

    def renew_lease(
        self,
        account: str,  # noqa: ARG002  # the protocol's signature
        holder: str,  # noqa: ARG002  # the protocol's signature
        *,
        token: int,  # noqa: ARG002  # the protocol's signature
        expires_ms: int,  # noqa: ARG002  # the protocol's signature
    ) -> Unknown:
        """Say why this is not known."""
        return self._unknown

    def release_lease(self, account: str, token: int) -> bool:  # noqa: ARG002  # the same
        """Remember nothing."""
        return False

    def lease(self, account: str) -> Unknown:  # noqa: ARG002  # the protocol's signature
        """Say why this is not known."""
        return self._unknown

    def remember_verdict(
        self,
        record: VerdictRecord,  # noqa: ARG002  # the protocol's signature
        fence: Fence | None = None,  # noqa: ARG002  # the protocol's signature
    ) -> bool:
        """Remember nothing."""
        return False

    def last_verdict(self, account: str, kind: VerdictKind | None = None) -> Unknown:  # noqa: ARG002  # the protocol's signature
        """Say why this is not known."""
        return self._unknown

    def remember_checkpoint(self, seen: CheckpointSeen) -> bool:  # noqa: ARG002  # the same
        """Remember nothing."""
        return False

    def last_checkpoint(self, account: str) -> Unknown:  # noqa: ARG002  # the same
        """Say why this is not known."""
        return self._unknown

    def add_metrics(self, metrics: RunMetrics) -> bool:  # noqa: ARG002  # the same
        """Remember nothing."""
        return False

    def last_metrics(self, account: str) -> Unknown:  # noqa: ARG002  # the protocol's signature
        """Say why this is not known."""
        return self._unknown

    def prune(self, now_ms: int) -> Unknown:  # noqa: ARG002  # the protocol's signature
        """Say why nothing was forgotten."""
        return self._unknown

    def close(self) -> None:
        """There is nothing to let go of."""
