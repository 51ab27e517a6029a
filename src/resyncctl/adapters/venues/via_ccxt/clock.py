"""The exchange's clock as seen from here, used for the timestamp of every signature.

Promises: an offset is measured from several probes and the one with the shortest round trip wins;
half the round trip is told as uncertainty; waits use a clock that never goes back.
Called by the venue profiles and, through `timestamp_ms`, by ccxt whenever it signs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from resyncctl.ports.views import Clock, ClockReading

PROBES = 3
GOOD_ROUND_TRIP_MS = 60


class NoMoreProbes(Exception):  # noqa: N818  # reads as the sentence that it is
    """Another probe cannot succeed, or would make things worse."""


@dataclass(slots=True)
class VenueClock:
    """Our clock corrected by the measured offset (zero until measured)."""

    clock: Clock
    offset_ms: int = 0
    measured: bool = False
    strictly_increasing: bool = False
    _last_ms: int = field(default=0)

    def timestamp_ms(self) -> int:
        """Return the exchange's time now, for a signature or a nonce."""
        now_ms = self.clock.now_ms() + self.offset_ms
        if self.strictly_increasing:
            now_ms = max(now_ms, self._last_ms + 1)
        self._last_ms = now_ms
        return now_ms

    async def measure(
        self, ask_time_ms: Callable[[], Awaitable[int | None]], probes: int = PROBES
    ) -> ClockReading | None:
        """Probe the exchange's time and adopt the offset; None when no probe was answered.

        One quick probe is enough; a slow one is repeated. `ask_time_ms` may raise `NoMoreProbes`.
        """
        best: ClockReading | None = None
        for _ in range(max(1, probes)):
            try:
                reading = await self._probe(ask_time_ms)
            except NoMoreProbes:
                break
            if reading is None:
                continue
            if best is None or reading.uncertainty_ms < best.uncertainty_ms:
                best = reading
            if best.uncertainty_ms * 2 <= GOOD_ROUND_TRIP_MS:
                break
        if best is not None:
            self.offset_ms = best.offset_ms
            self.measured = True
        return best

    async def _probe(self, ask: Callable[[], Awaitable[int | None]]) -> ClockReading | None:
        asked_ms = self.clock.now_ms()
        started_ms = self.clock.monotonic_ms()
        theirs_ms = await ask()
        round_trip_ms = max(0, self.clock.monotonic_ms() - started_ms)
        if theirs_ms is None:
            return None
        offset_ms = theirs_ms - (asked_ms + round_trip_ms // 2)
        return ClockReading(offset_ms=offset_ms, uncertainty_ms=(round_trip_ms + 1) // 2)
