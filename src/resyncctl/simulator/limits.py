"""Request weights, order counts, and what happens to a client that ignores them.

Promises: weight counts per client address and minute, orders per account and interval; the answer
always carries the used weight; above the limit the answer is 429 with Retry-After, and a client
that goes on regardless is banned (418) for two minutes, then for twice as long each time.

USD-M and COIN-M share one pool of weight and one of orders since 2026-06-30 ("Important CM-UM
Integration Notice", section A.3).

Sources: binance-spot-api-docs rest-api.md "IP limits"; USD-M general info "LIMITS".
Called by `pipeline` for every request that reaches the venue.
"""

from collections import deque
from dataclasses import dataclass, field

from resyncctl.simulator.events import Market
from resyncctl.simulator.venue_errors import VenueError

MINUTE_MS = 60_000
FIRST_BAN_MS = 120_000
LONGEST_BAN_MS = 3 * 86_400_000
TOLERATED = 5


@dataclass(frozen=True)
class OrderLimit:
    """How many orders an account may place in an interval."""

    header: str
    interval: str
    number: int
    length_ms: int
    most: int
    spoken: str


ORDER_LIMITS: dict[Market, tuple[OrderLimit, ...]] = {
    "spot": (
        OrderLimit("10S", "SECOND", 10, 10_000, 100, "TEN_SECONDS"),
        OrderLimit("1D", "DAY", 1, 86_400_000, 200_000, "DAY"),
    ),
    "usdm": (
        OrderLimit("10S", "SECOND", 10, 10_000, 300, "TEN_SECONDS"),
        OrderLimit("1M", "MINUTE", 1, 60_000, 1200, "MINUTE"),
    ),
}


def _pool(market: Market) -> Market:
    return "spot" if market == "spot" else "usdm"


@dataclass
class _Used:
    minute: int = -1
    weight: int = 0
    ignored: int = 0


@dataclass
class Limits:
    """The budgets of every client and account."""

    weight_limits: dict[Market, int] = field(default_factory=lambda: {"spot": 6000, "usdm": 2400})
    _used: dict[tuple[str, Market], _Used] = field(default_factory=dict)
    _bans: dict[str, tuple[int, int]] = field(default_factory=dict)
    _orders: dict[tuple[str, Market], deque[int]] = field(default_factory=dict)

    def admit(self, client: str, market: Market, now_ms: int) -> None:
        """Raise VenueError 418 for a banned client, 429 for one that has used up its minute."""
        until_ms, _ = self._bans.get(client, (0, 0))
        if now_ms < until_ms:
            raise banned(until_ms, now_ms)
        used = self._of(client, market, now_ms)
        limit = self.weight_limits[_pool(market)]
        if used.weight < limit:
            return
        used.ignored += 1
        if used.ignored > TOLERATED:
            raise banned(self.ban(client, now_ms), now_ms)
        raise too_much(limit, MINUTE_MS - now_ms % MINUTE_MS)

    def set_weight(self, market: Market, per_minute: int) -> None:
        """Set the weight that one client may use per minute in the market's pool."""
        self.weight_limits[_pool(market)] = per_minute

    def charge(self, client: str, market: Market, weight: int, now_ms: int) -> int:
        """Count the weight and return what the client has used this minute."""
        used = self._of(client, market, now_ms)
        used.weight += weight
        return used.weight

    def ban(self, client: str, now_ms: int, length_ms: int | None = None) -> int:
        """Ban the client, each time for longer; return until when."""
        _, times = self._bans.get(client, (0, 0))
        if length_ms is None:
            length_ms = min(FIRST_BAN_MS * 2**times, LONGEST_BAN_MS)
        self._bans[client] = (now_ms + length_ms, times + 1)
        return now_ms + length_ms

    def admit_orders(self, account: str, market: Market, now_ms: int) -> None:
        """Raise VenueError -1015 when the account has placed too many orders."""
        times = self._orders.get((account, _pool(market)))
        if not times:
            return
        for limit in ORDER_LIMITS[_pool(market)]:
            if _recent(times, limit.length_ms, now_ms) >= limit.most:
                raise VenueError(
                    429,
                    -1015,
                    f"Too many new orders; current limit is {limit.most} orders per "
                    f"{limit.spoken}.",
                    headers={"Retry-After": str(max(limit.length_ms // 1000, 1))},
                )

    def count_orders(self, account: str, market: Market, placed: int, now_ms: int) -> None:
        """Count orders that were placed."""
        if placed:
            times = self._orders.setdefault((account, _pool(market)), deque())
            times.extend([now_ms] * placed)
            while times and times[0] < now_ms - ORDER_LIMITS["spot"][1].length_ms:
                times.popleft()

    def order_headers(self, account: str, market: Market, now_ms: int) -> dict[str, str]:
        """Return the X-MBX-ORDER-COUNT headers."""
        times = self._orders.get((account, _pool(market)), deque())
        return {
            f"X-MBX-ORDER-COUNT-{limit.header}": str(_recent(times, limit.length_ms, now_ms))
            for limit in ORDER_LIMITS[_pool(market)]
        }

    def _of(self, client: str, market: Market, now_ms: int) -> _Used:
        used = self._used.setdefault((client, _pool(market)), _Used())
        minute = now_ms // MINUTE_MS
        if used.minute != minute:
            used.minute, used.weight, used.ignored = minute, 0, 0
        return used


def too_much(limit: int, wait_ms: int) -> VenueError:
    """Return the 429 of a client that has used up its weight."""
    return VenueError(
        429,
        -1003,
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        headers={"Retry-After": str(max(-(-wait_ms // 1000), 1))},
    )


def banned(until_ms: int, now_ms: int) -> VenueError:
    """Return the 418 of a banned client."""
    return VenueError(
        418,
        -1003,
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
        headers={"Retry-After": str(max(-(-(until_ms - now_ms) // 1000), 1))},
    )


def _recent(times: deque[int], length_ms: int, now_ms: int) -> int:
    since_ms = now_ms - length_ms
    count = 0
    for time_ms in reversed(times):
        if time_ms <= since_ms:
            break
        count += 1
    return count
