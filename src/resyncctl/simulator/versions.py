"""Values that remember what they were, so that a lagging replica can answer from the past.

Promises: `now` is the last value that was put; `at(time)` is the value that held at that time, or
None when it did not exist yet. Values older than the horizon are forgotten, except the last one.

Called by the ledger and the order register; read through `replicas`.
"""

from bisect import bisect_right
from typing import Generic, TypeVar

HORIZON_MS = 600_000
_TRIM_ABOVE = 48
Value = TypeVar("Value")


class Versioned(Generic[Value]):
    """One value over time."""

    __slots__ = ("_times", "_values")

    def __init__(self, time_ms: int, value: Value) -> None:
        self._times = [time_ms]
        self._values = [value]

    @property
    def now(self) -> Value:
        """The current value."""
        return self._values[-1]

    def put(self, time_ms: int, value: Value) -> None:
        """Let the value hold from this time on; a venue clock that steps back is tolerated."""
        self._times.append(max(time_ms, self._times[-1]))
        self._values.append(value)
        if len(self._times) > _TRIM_ABOVE:
            kept = max(bisect_right(self._times, self._times[-1] - HORIZON_MS) - 1, 0)
            if kept:
                del self._times[:kept]
                del self._values[:kept]

    def at(self, time_ms: int) -> Value | None:
        """Return the value that held at that time, None when it did not exist."""
        position = bisect_right(self._times, time_ms)
        return self._values[position - 1] if position else None
