"""Binance's dead-man switch: a countdown per symbol that cancels the regular orders of the symbol.

Promises: one permit, one request; a countdown of zero stops it; the answer must repeat the symbol
and the countdown, otherwise nobody knows what runs.

Source: USD-M and COIN-M documentation, "Auto-Cancel All Open Orders": per symbol, weight 10,
checked about every 10 ms, advised 120 s every 30 s, no longest countdown is told. Nothing there
says that conditional orders are covered, so they are not counted. Binance spot has no such
endpoint.
Called by `abilities`.
"""

from collections.abc import Mapping
from dataclasses import replace

from resyncctl.adapters.venues.via_ccxt.binance.desk import Desk
from resyncctl.adapters.venues.via_ccxt.binance.reduce_proof import LONGEST_VALIDITY_MS
from resyncctl.adapters.venues.via_ccxt.classify import is_clock_error, outcome_of
from resyncctl.core.model import Scope
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.ports.powers import SwitchAbility

METHODS: Mapping[str, str] = {
    "linear": "fapiPrivatePostCountdownCancelAll",
    "inverse": "dapiPrivatePostCountdownCancelAll",
}
SHORTEST_MS, LONGEST_MS = 10_000, 600_000
"""Shorter ones would fire while a slow answer is awaited; the documentation names no bounds."""


def ability(product: str) -> SwitchAbility | None:
    """Return what the switch of a product can do."""
    if product not in METHODS:
        return None
    return SwitchAbility(
        per_symbol=True,
        countdown_min_ms=SHORTEST_MS,
        countdown_max_ms=LONGEST_MS,
        covers=(Scope(product),),
    )


async def set_countdown(
    desk: Desk, product: str, venue_symbol: str | None, countdown_ms: int, permit: Permit
) -> MutationOutcome:
    """Start, refresh or (with zero) stop the countdown of a symbol."""
    if product not in METHODS or not venue_symbol:
        words = f"Binance has no countdown for {product} {venue_symbol or 'without a symbol'}"
        return MutationOutcome(kind=OutcomeKind.REJECTED, message=words, sent=False)
    left_ms = max(1, permit.deadline_ms - desk.clock.now_ms())
    params = {
        "symbol": venue_symbol,
        "countdownTime": countdown_ms,
        "recvWindow": min(left_ms, LONGEST_VALIDITY_MS),
    }
    attempt = await desk.connection.ask(METHODS[product], params, permit=permit)
    if is_clock_error(attempt):
        await desk.measure()
    outcome = outcome_of(attempt)
    if outcome.kind is not OutcomeKind.ACKNOWLEDGED:
        return outcome
    told = attempt.body if isinstance(attempt.body, Mapping) else {}
    if (told.get("symbol"), str(told.get("countdownTime"))) == (venue_symbol, str(countdown_ms)):
        return outcome
    return replace(outcome, kind=OutcomeKind.UNKNOWN, message="the answer tells another countdown")
