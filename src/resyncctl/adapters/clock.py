"""The real clock: wall time for what is told and recorded, monotonic time for what is waited for.

Promises: `now_ms` is UTC milliseconds since the epoch; `monotonic_ms` never goes back and does not
count the time for which the host was suspended. The lease compares the two to notice a suspend.
Made once by the command line's wiring and handed to everything that needs time.
"""

import asyncio
import time

_NS_PER_MS = 1_000_000


class SystemClock:
    """Implements `ports.views.Clock` with the clocks of this host."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since the epoch, UTC."""
        return time.time_ns() // _NS_PER_MS

    def monotonic_ms(self) -> int:
        """Return a clock that never goes back."""
        return time.monotonic_ns() // _NS_PER_MS

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait; a duration of zero or less gives other tasks a turn."""
        await asyncio.sleep(max(0, duration_ms) / 1000)
