"""The way out of this process: one breaker and one budget per host, one desk for permits.

Promises: after a ban (418, or a firewall's 403) or a rate limit (429) no request at all leaves for
that host before its end, whoever asks; every request is recorded, without headers, query or body.
One `Egress` serves every account of the process, because the exchange counts by address.
Called by `transport` only; tests read `records`.
"""

import logging
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from resyncctl.adapters.venues.via_ccxt.budget import (
    KNOWN_LIMITS,
    BudgetSpent,
    WeightBudget,
    pool_of,
)
from resyncctl.adapters.venues.via_ccxt.permits import (
    Endpoint,
    EndpointKind,
    PermitDesk,
    Wire,
)
from resyncctl.ports.views import Clock

RECORDS_KEPT = 20_000
_LOG = logging.getLogger("resyncctl.wire")
_BANNED_UNTIL = re.compile(r"until\s+(\d{13})")
_DEFAULT_PAUSE_MS = {429: 10_000, 418: 120_000, 403: 120_000}
"""How long to keep silent when the venue names no time. Binance bans for two minutes at first
(spot rest-api.md, IP limits); its 429 comes with Retry-After, so ten seconds is only a fallback."""
_PAUSE_BY_HOST_MS = {("api.bybit.com", 403): 600_000}
"""Bybit asks for ten minutes of silence after 403 (bybit docs v5, rate limit)."""


class BreakerShut(Exception):  # noqa: N818  # reads as the sentence that it is
    """The host asked for silence, and the silence is not over."""

    def __init__(self, host: str, wait_ms: int, why: str) -> None:
        super().__init__(f"{host} asked for silence ({why}) for another {wait_ms // 1000 + 1} s")
        self.wait_ms = wait_ms


@dataclass(frozen=True, slots=True)
class WireRecord:
    """One request as an auditor may see it. `phase` is a value of `transport.Phase`."""

    at_ms: int
    method: str
    host: str
    path: str
    endpoint: str
    kind: EndpointKind
    phase: str
    status: int | None
    weight_used: int | None


@dataclass(slots=True)
class Egress:
    """Shared by every connection of the process that uses the same clock and addresses."""

    clock: Clock
    desk: PermitDesk = field(default_factory=PermitDesk)
    on_wait: Callable[[int], None] | None = None
    records: deque[WireRecord] = field(default_factory=lambda: deque(maxlen=RECORDS_KEPT))
    _budgets: dict[str, WeightBudget] = field(default_factory=dict)
    _shut: dict[str, tuple[int, str]] = field(default_factory=dict)

    def budget(self, host: str) -> WeightBudget:
        """Return the budget of a host."""
        pool = pool_of(host)
        found = self._budgets.get(pool)
        if found is None:
            found = self._budgets[pool] = WeightBudget(self.clock, KNOWN_LIMITS.get(pool))
        if self.on_wait is not None:
            found.on_wait = self.on_wait
        return found

    async def admit(self, wire: Wire, endpoint: Endpoint, *, may_use_reserve: bool) -> None:
        """Let a request leave: first the breaker, then the budget (reads only), then the permit.

        Raises:
            BreakerShut: The host asked for silence.
            BudgetSpent: There is no weight left for this read.
            RefusedByTransport: The endpoint or its permit does not allow it.
        """
        host = wire.host
        self._ask_breaker(host)
        budget = self.budget(host)
        if endpoint.kind is EndpointKind.READ:
            await budget.admit_read(endpoint.weight, may_use_reserve=may_use_reserve)
            try:
                self._ask_breaker(host)  # it may have shut while the read was waiting
            except BreakerShut:
                budget.settle(endpoint.weight, 0)
                raise
        self.desk.admit(endpoint, wire, self.clock.now_ms())
        if endpoint.kind is not EndpointKind.READ:
            budget.take(endpoint.weight)

    def heard(
        self, host: str, status: int, headers: Mapping[str, str], text: str, *, json_error: bool
    ) -> int | None:
        """Take note of an answer; return how long the venue wants silence, in ms, or None.

        A 403 that carries the venue's own error code is about permissions and is no ban.
        """
        if status not in _DEFAULT_PAUSE_MS or (status == 403 and json_error):  # noqa: PLR2004
            return None
        pause_ms = self._pause_ms(host, status, headers, text)
        until_ms = self.clock.monotonic_ms() + pause_ms
        if until_ms > self._shut.get(pool_of(host), (0, ""))[0]:
            self._shut[pool_of(host)] = (until_ms, f"status {status}")
        return pause_ms

    def record(self, record: WireRecord) -> None:
        """Keep a record of one request, and log it for `-vv`."""
        self.records.append(record)
        _LOG.debug(
            "%s %s%s %s %s weight=%s",
            record.method,
            record.host,
            record.path,
            record.phase,
            record.status,
            record.weight_used,
        )

    def _ask_breaker(self, host: str) -> None:
        until_ms, why = self._shut.get(pool_of(host), (0, ""))
        wait_ms = until_ms - self.clock.monotonic_ms()
        if wait_ms > 0:
            raise BreakerShut(host, wait_ms, why)

    def _pause_ms(self, host: str, status: int, headers: Mapping[str, str], text: str) -> int:
        told = headers.get("retry-after", "").strip()
        if told.isdecimal():
            return int(told) * 1000
        banned = _BANNED_UNTIL.search(text)
        if banned is not None:
            return max(1_000, int(banned.group(1)) - self.clock.now_ms())
        return _PAUSE_BY_HOST_MS.get((host, status), _DEFAULT_PAUSE_MS[status])


__all__ = ["BreakerShut", "BudgetSpent", "Egress", "WireRecord"]
