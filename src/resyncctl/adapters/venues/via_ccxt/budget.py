"""The request weight that a host allows per minute, shared by everything in this process.

The venue counts weight per address and minute and tells the count in a header. The engine on the
same machine spends from the same budget, so the header is believed and not our own sum.

Promises: a read never takes the last part of the budget, which is reserved for cancels and for the
reads that prove them; a cancel never waits for a read; every wait is bounded.
Called by `egress` for each request.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from resyncctl.ports.views import Clock

MINUTE_MS = 60_000
RESERVED_SHARE_PERCENT = 35
LONGEST_WAIT_MS = 61_000
ANSWERS_WAIT_MS = 100

KNOWN_LIMITS = {
    "api.binance.com": 6_000,
    "fapi.binance.com": 2_400,
}
"""Weight per minute and address. Sources: Binance spot rest-api.md, section Limits; exchangeInfo
of USD-M futures (`REQUEST_WEIGHT`)."""

_POOLS = {
    "dapi.binance.com": "fapi.binance.com",
    "demo-dapi.binance.com": "demo-fapi.binance.com",
}
"""Binance counts USD-M and COIN-M together since 2026-06-30 ("Important CM-UM Integration Notice",
section A.3), so both spend from one budget, and a pause that one asks for holds for both."""


def pool_of(host: str) -> str:
    """Return the host under whose name the requests of this host are counted."""
    return _POOLS.get(host, host)


class BudgetSpent(Exception):  # noqa: N818  # reads as the sentence that it is
    """There is no weight left for a read, and waiting for it would take too long."""

    def __init__(self, wait_ms: int) -> None:
        super().__init__(f"the request budget is spent for {wait_ms} ms")
        self.wait_ms = wait_ms


TOLD_FROM_MS = 1_000


def _nobody_listens(wait_ms: int) -> None:
    del wait_ms


@dataclass(slots=True)
class WeightBudget:
    """One host's weight of the current minute. `limit` None means that the venue told no limit.

    `used` is what the venue last reported in this minute, `under_way` the weight of requests that
    have no answer yet. `on_wait` is told how many milliseconds a read still has to wait.
    """

    clock: Clock
    limit: int | None = None
    used: int = 0
    under_way: int = 0
    on_wait: Callable[[int], None] = _nobody_listens
    _minute: int = field(default=-1)

    async def admit_read(self, weight: int, *, may_use_reserve: bool) -> None:
        """Wait until a read of this weight fits, then take its weight.

        Raises:
            BudgetSpent: It would not fit within the longest wait.
        """
        waited_ms = 0
        while not self._fits(weight, may_use_reserve=may_use_reserve):
            wait_ms = self._wait_ms(weight, may_use_reserve=may_use_reserve)
            if waited_ms + wait_ms > LONGEST_WAIT_MS:
                raise BudgetSpent(wait_ms)
            waited_ms += wait_ms
            await self._wait(wait_ms)
        self.take(weight)

    async def _wait(self, wait_ms: int) -> None:
        """Sleep in pieces, and tell what is waited for: a silent tool looks like a dead one."""
        while wait_ms > 0:
            if wait_ms >= TOLD_FROM_MS:
                self.on_wait(wait_ms)
            piece_ms = min(wait_ms, TOLD_FROM_MS)
            await self.clock.sleep_ms(piece_ms)
            wait_ms -= piece_ms

    def take(self, weight: int) -> None:
        """Count a request that is about to leave. Cancels come here without asking."""
        self._roll()
        self.under_way += weight

    def settle(self, weight: int, reported: int | None) -> None:
        """Count an answer: `reported` is the venue's own count of this minute, if it told one."""
        self._roll()
        self.under_way = max(0, self.under_way - weight)
        if reported is None:
            self.used += weight
            return
        # Answers overtake each other, so an older and lower count must not win within a minute.
        self.used = max(self.used, reported)

    def _fits(self, weight: int, *, may_use_reserve: bool) -> bool:
        self._roll()
        if self.limit is None:
            return True
        ceiling = self._ceiling(may_use_reserve=may_use_reserve)
        # A single read heavier than the ceiling passes when nothing else is being spent.
        return self.used + self.under_way + weight <= ceiling or self.used + self.under_way == 0

    def _ceiling(self, *, may_use_reserve: bool) -> int:
        share = 100 if may_use_reserve else 100 - RESERVED_SHARE_PERCENT
        return (self.limit or 0) * share // 100

    def _wait_ms(self, weight: int, *, may_use_reserve: bool) -> int:
        """Return until when to wait: a moment for answers under way, else for the next minute."""
        if self.used + weight <= self._ceiling(may_use_reserve=may_use_reserve):
            return ANSWERS_WAIT_MS
        return MINUTE_MS - self.clock.now_ms() % MINUTE_MS + 50

    def _roll(self) -> None:
        minute = self.clock.now_ms() // MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self.used = 0
