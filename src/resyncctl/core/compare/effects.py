"""How fills, ledger entries and resting orders move balances.

A spot fill moves base, quote and fee. A fill of a derivative moves only its fee here: profit and
commission are booked in the ledger, and a ledger commission that names the trade replaces the
fill's own fee so that nothing is counted twice. A resting spot order locks what it would pay.
Called by `balances`.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from resyncctl.core.compare.align import Alignment
from resyncctl.core.compare.fills import FillDifferences
from resyncctl.core.explain import Contribution
from resyncctl.core.model import Fill, LedgerEntry, Order, Side
from resyncctl.core.money import ZERO

LOCKING_PRODUCTS = frozenset({"spot", "margin"})
"""Products where an order locks its own value. Others lock margin, which moves with the price."""

Asset = tuple[str, str]
"""A product and an asset."""

Facts = dict[Asset, list[Contribution]]
EntriesByTrade = dict[tuple[str, str | None, str], list[LedgerEntry]]


def fill_facts(
    differences: FillDifferences, inferred: Iterable[Fill], entries: EntriesByTrade
) -> Facts:
    """Index by asset how each differing fill moves the balance, venue minus engine."""
    facts: Facts = {}

    def note(fill: Fill, times: int, group: str) -> None:
        booked = entries_of(fill, entries) if group == "missing" else []
        for entry in booked:
            fact = Contribution(f"ledger:{entry.entry_id}", entry.amount, group, entry.at_ms)
            facts.setdefault((entry.product, entry.asset), []).append(fact)
        charged = any(entry.kind == "commission" for entry in booked)
        for asset, amount in moves_of(fill, with_fee=not charged):
            fact = Contribution(
                f"fill:{fill.trade_id} {fill.symbol}", amount * times, group, fill.at_ms
            )
            facts.setdefault((fill.product, asset), []).append(fact)

    for fill in differences.missing:
        note(fill, 1, "missing")
    for fill in inferred:
        note(fill, 1, "inferred")
    for fill in differences.phantom:
        note(fill, -1, "phantom")
    for conflict in differences.conflicts:
        note(conflict.venue, 1, "conflict")
        note(conflict.engine, -1, "conflict")
    for repeated in differences.repeated:
        note(repeated.engine, 1 - repeated.times, "duplicate")
    return facts


def moves_of(fill: Fill, *, with_fee: bool = True) -> Iterator[tuple[str, Decimal]]:
    """Yield what a fill adds to each asset, as far as the fill tells."""
    if fill.product in LOCKING_PRODUCTS:
        base, quote = assets_of(fill.symbol)
        sign = 1 if fill.side is Side.BUY else -1
        yield base, sign * fill.quantity
        if fill.price is not None:
            yield quote, -sign * fill.quantity * fill.price
    if with_fee and fill.fee and fill.fee_asset:
        yield fill.fee_asset, -fill.fee


def assets_of(symbol: str) -> tuple[str, str]:
    """Return base and quote of a unified symbol (`BTC/USDT`, `BTC/USDT:USDT`)."""
    base, _slash, rest = symbol.partition("/")
    return base, rest.partition(":")[0]


def entries_by_trade(ledger: Iterable[LedgerEntry]) -> EntriesByTrade:
    """Index the ledger entries that name a trade."""
    entries: EntriesByTrade = {}
    for entry in ledger:
        if entry.trade_id is not None:
            entries.setdefault((entry.product, entry.symbol, entry.trade_id), []).append(entry)
    return entries


def entries_of(fill: Fill, entries: EntriesByTrade) -> list[LedgerEntry]:
    """Return the ledger entries that name a fill; trade ids are unique per symbol only."""
    exact = entries.get((fill.product, fill.symbol, fill.trade_id), [])
    return exact + entries.get((fill.product, None, fill.trade_id), [])


def lock_facts(alignment: Alignment) -> Facts:
    """Index by asset how each differing order changes what is locked, venue minus engine."""
    facts: Facts = {}
    paired = {id(pair.venue) for pair in alignment.pairs}

    def note(order: Order, sign: int, group: str) -> None:
        asset, amount = lock_of(order)
        if asset and amount:
            name = f"order:{order.venue_order_id or order.client_order_id} {order.symbol}"
            fact = Contribution(name, sign * amount, group, order.created_at_ms or 0)
            facts.setdefault((order.product, asset), []).append(fact)

    for pair in alignment.pairs:
        if pair.engine.product in LOCKING_PRODUCTS and lock_of(pair.engine) != lock_of(pair.venue):
            note(pair.venue, 1, "changed")
            note(pair.engine, -1, "changed")
    for order in _locking(alignment.venue_only):
        note(order, 1, "unknown to the engine")
    for order in _locking(order for order, _answer in alignment.engine_only):
        note(order, -1, "unknown to the exchange")
    for doubled in alignment.doubled:
        for order in _locking(row for row in doubled.venue if id(row) not in paired):
            note(order, 1, "doubled")
        for order in _locking(doubled.engine[:-1]):
            note(order, -1, "doubled")
    return facts


def lock_of(order: Order) -> tuple[str, Decimal]:
    """Return the asset and the amount that a resting spot order locks; nothing when it ended.

    A buy locks quote at its limit price, a sale locks base (Binance spot; a market order that
    waits for its trigger locks nothing that could be computed here).
    """
    base, quote = assets_of(order.symbol)
    if order.is_terminal:
        return "", ZERO
    if order.side is Side.SELL:
        return base, order.remaining
    return (quote, order.remaining * order.price) if order.price else ("", ZERO)


def _locking(orders: Iterable[Order]) -> Iterator[Order]:
    return (order for order in orders if order.product in LOCKING_PRODUCTS)
