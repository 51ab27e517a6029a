"""Matching: orders against the mid price, triggers, and what liquidity allows.

Promises: a taker trades at the mid, a resting order at its own price; a resting order is filled
when the mid reaches it; a symbol's liquidity (when set) caps what one match can fill; stop prices
are checked against the mid, both markets alike.

Called by the placing of orders; `sweep` is called by `exchange` when prices or orders have changed.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from resyncctl.simulator import spot_engine, usdm_engine
from resyncctl.simulator.events import Market
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.orders import Fill, Order, OrderState, OrderTerms
from resyncctl.simulator.world import World

_RISING = {
    ("STOP_LOSS", "BUY"),
    ("STOP_LOSS_LIMIT", "BUY"),
    ("TAKE_PROFIT", "SELL"),
    ("TAKE_PROFIT_LIMIT", "SELL"),
}
STOP_KINDS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
_MARKET_KINDS = frozenset({"MARKET", "STOP_LOSS", "TAKE_PROFIT"})


def crosses(world: World, terms: OrderTerms, price: Decimal) -> bool:
    """Return whether an order of this price would trade at once."""
    if price == 0:
        return True
    mid = world.mid(terms.market, terms.symbol)
    return price >= mid if terms.side == "BUY" else price <= mid


def triggered(world: World, terms: OrderTerms) -> bool:
    """Return whether the stop price of a spot order is reached."""
    mid = world.mid(terms.market, terms.symbol)
    rising = (terms.kind, terms.side) in _RISING
    return mid >= terms.stop_price if rising else mid <= terms.stop_price


def fill(
    world: World, order: Order, quantity: Decimal, price: Decimal, *, maker: bool = True
) -> Fill:
    """Execute a part of an order in its market."""
    if order.terms.market == "spot":
        return spot_engine.settle(world, order, quantity, price, maker=maker)
    return usdm_engine.settle(world, order, quantity, price, maker=maker)


def close(world: World, order: Order, status: str, *, reason: int = 0) -> OrderState:
    """End an open order in its market."""
    if order.terms.market == "spot":
        return spot_engine.close_order(world, order, status, reason=reason)
    return usdm_engine.close_order(world, order, status, reason=reason)


def arrive(world: World, order: Order) -> list[Fill]:
    """Match a new working order: fill what crosses, expire what its time in force forbids."""
    terms = order.terms
    fills: list[Fill] = []
    is_market = terms.kind in _MARKET_KINDS
    if is_market or crosses(world, terms, order.now.price):
        quantity = _fillable(world, order)
        if terms.time_in_force == "FOK" and quantity < order.now.remaining:
            quantity = ZERO
        if quantity > 0:
            price = world.mid(terms.market, terms.symbol)
            fills.append(fill(world, order, quantity, price, maker=False))
    if order.is_open and (is_market or terms.time_in_force in ("IOC", "FOK")):
        close(world, order, "EXPIRED")
    return fills


def sweep(world: World, symbols: Iterable[tuple[Market, str]]) -> None:
    """Trigger and fill what the present prices of these symbols reach."""
    for market, symbol in symbols:
        resting = world.register.resting.get((market, symbol))
        if resting and world.status_of(market, symbol) == "TRADING":
            _sweep_symbol(world, market, symbol, list(resting.values()))


def _sweep_symbol(world: World, market: Market, symbol: str, orders: list[Order]) -> None:
    mid = world.mid(market, symbol)
    for order in orders:
        if not order.is_open:
            continue
        if not order.now.working:
            if triggered(world, order.terms):
                _work(world, order)
            continue
        price = order.now.price
        reached = price >= mid if order.terms.side == "BUY" else price <= mid
        if reached:
            quantity = _fillable(world, order)
            if quantity > 0:
                fill(world, order, quantity, price, maker=True)


def _work(world: World, order: Order) -> None:
    """Let a spot stop order that was triggered enter the book."""
    world.register.put(order, replace(order.now, working=True, update_ms=world.now_ms()))
    world.changed()
    spot_engine.leg_works(world, order)
    arrive(world, order)


def _fillable(world: World, order: Order) -> Decimal:
    terms = order.terms
    quantity = order.now.remaining
    cap = world.liquidity.get((terms.market, terms.symbol))
    if cap is not None:
        quantity = min(quantity, cap)
    if terms.market != "spot" and usdm_engine.closes_only(terms):
        quantity = min(quantity, usdm_engine.closable(world.owner(order), terms))
    if terms.market == "spot" and terms.side == "BUY" and terms.kind in _MARKET_KINDS:
        return min(quantity, _affordable(world, order))
    return quantity


def _affordable(world: World, order: Order) -> Decimal:
    """A market order may meet a price that its lock did not foresee: it buys what it can pay."""
    row = world.symbol("spot", order.terms.symbol)
    account = world.owner(order)
    holder = f"order:{order.terms.symbol}:{order.order_id}"
    locked = account.locks.get(holder, (row.quote, ZERO))[1]
    funds = account.balance("spot", row.quote).free + locked
    return funds / world.mid("spot", order.terms.symbol) // row.step * row.step
