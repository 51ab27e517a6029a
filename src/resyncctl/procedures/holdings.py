"""Read what an account holds at one moment, with its history, for the conservation law.

Positions and balances are read before and after the history and must be equal, so that a fill in
the middle cannot be in one and not in the other. It only reads. Called by `procedures.establish`
and `procedures.resync`.
"""

import asyncio
from collections.abc import Sequence

from resyncctl.core.conservation import Holdings, holdings_of
from resyncctl.core.snapshot import ProductReading, Unknown, Window
from resyncctl.ports.views import Clock, VenueView

HISTORY_MS = 60_000
"""How far back the history of the beginning goes: longer than any listing lags behind."""
ATTEMPTS = 3


async def read_holdings(
    venue: VenueView,
    products: Sequence[str],
    symbols: Sequence[str],
    clock: Clock,
    ahead_ms: int = 0,
) -> Holdings | Unknown:
    """Read positions, balances, fills and ledger of every product as one moment.

    `symbols` are those whose fills are to be listed, `ahead_ms` is how far the exchange's clock is
    ahead of ours.
    """
    for _ in range(ATTEMPTS):
        since_ms = clock.now_ms() - HISTORY_MS
        first = await _hold(venue, products)
        window = Window(since_ms, clock.now_ms() + max(0, ahead_ms))
        history = await asyncio.gather(
            *(_history(venue, reading, window, symbols) for reading in first)
        )
        second = await _hold(venue, products)
        before, after = (holdings_of(one, 0, 0) for one in (first, second))
        if (before.positions, before.balances) == (after.positions, after.balances):
            asked = {*symbols, *(symbol for _, symbol, _ in before.positions)}
            return holdings_of(history, clock.now_ms(), since_ms, frozenset(asked))
    return Unknown("the holdings changed again and again while they were read")


async def _hold(venue: VenueView, products: Sequence[str]) -> tuple[ProductReading, ...]:
    async def one(product: str) -> ProductReading:
        positions, balances = await asyncio.gather(
            venue.read_positions(product), venue.read_balances(product)
        )
        unread = Unknown("not read in this pass")
        return ProductReading(
            product=product,
            orders=(),
            fills=unread,
            positions=positions,
            balances=balances,
            ledger=unread,
        )

    return tuple(await asyncio.gather(*(one(product) for product in products)))


async def _history(
    venue: VenueView, reading: ProductReading, window: Window, symbols: Sequence[str]
) -> ProductReading:
    traded = {symbol for symbol in symbols if (":" in symbol) == (reading.product != "spot")}
    if not isinstance(reading.positions, Unknown):
        traded |= {row.symbol for row in reading.positions.data}
    fills, ledger = await asyncio.gather(
        venue.read_fills(reading.product, window, tuple(sorted(traded))),
        venue.read_ledger(reading.product, window),
    )
    return ProductReading(
        product=reading.product,
        orders=(),
        fills=fills,
        positions=reading.positions,
        balances=reading.balances,
        ledger=ledger,
    )
