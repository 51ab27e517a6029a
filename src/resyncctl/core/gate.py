"""The gate of an account: may the engine send orders? Missing or corrupt always means no."""

from dataclasses import dataclass
from enum import StrEnum


class GateState(StrEnum):
    """UNSAFE: no orders. SAFE: proved, not trading yet. RUNNING: the engine may trade."""

    RUNNING = "RUNNING"
    UNSAFE = "UNSAFE"
    SAFE = "SAFE"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReading:
    """The gate as it stands, with where the knowledge comes from.

    `trusted` is False when the gate file is missing, corrupt or foreign; the state is then UNSAFE
    and `reason` says why.
    """

    account: str
    state: GateState
    reason: str
    since_ms: int | None
    by: str | None
    sequence: int
    trusted: bool = True


ALLOWED_MOVES = frozenset(
    {
        (GateState.RUNNING, GateState.UNSAFE),
        (GateState.SAFE, GateState.UNSAFE),
        (GateState.UNSAFE, GateState.UNSAFE),
        (GateState.UNSAFE, GateState.SAFE),
        (GateState.SAFE, GateState.RUNNING),
    }
)
"""Closing is always allowed. Opening goes through SAFE, and SAFE needs fresh evidence."""
