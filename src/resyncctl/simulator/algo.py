"""The algo services of USD-M and COIN-M: conditional orders that wait for a trigger price.

Promises: a conditional order has no margin and locks nothing until it triggers; when it triggers it
becomes a regular order of the same client id, found under a regular order number; one whose leg has
gone, or whose regular order is refused, ends EXPIRED or REJECTED and places nothing.

Sources: USD-M "New Algo Order", effective 2025-12-09, and its error codes; COIN-M since 2026-06-30
("Important CM-UM Integration Notice", section C.5).
Called by the USD-M dialect, by the sweep of `exchange` and by `control`.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from resyncctl.simulator import usdm_engine, usdm_orders
from resyncctl.simulator.events import Market
from resyncctl.simulator.filters import check_usdm
from resyncctl.simulator.ledger import Account
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.orders import AlgoOrder, AlgoState, Order, OrderTerms
from resyncctl.simulator.usdm_events import tell_algo
from resyncctl.simulator.venue_errors import VenueError, refuse, unknown_order_cancel
from resyncctl.simulator.versions import Versioned
from resyncctl.simulator.world import World

FIRST_ALGO = 2_000_001
_TRAILING = "TRAILING_STOP_MARKET"
_BECOMES = {
    "STOP": "LIMIT",
    "TAKE_PROFIT": "LIMIT",
    "STOP_MARKET": "MARKET",
    "TAKE_PROFIT_MARKET": "MARKET",
    _TRAILING: "MARKET",
}


def place(
    world: World,
    account: Account,
    terms: OrderTerms,
    *,
    activate_price: Decimal = ZERO,
    callback_rate: Decimal = ZERO,
    checked: bool = True,
) -> AlgoOrder:
    """Place a conditional order; seeding may skip the checks. Raise VenueError."""
    rises = _rises(terms)
    if checked:
        _check(world, account, terms, rises=rises, callback_rate=callback_rate)
    now_ms = world.now_ms()
    algo = AlgoOrder(
        algo_id=world.next_number("algo", FIRST_ALGO),
        account=account.label,
        terms=terms,
        created_ms=now_ms,
        states=Versioned(now_ms, AlgoState("NEW", now_ms)),
        rises=rises,
        activate_price=activate_price,
        callback_rate=callback_rate,
        extreme_price=world.mid(terms.market, terms.symbol),
    )
    world.register.put_algo(algo, AlgoState("NEW", now_ms))
    world.changed()
    tell_algo(world, algo)
    return algo


def cancel(world: World, algo: AlgoOrder) -> None:
    """Cancel a waiting conditional order. Raise VenueError -2011."""
    if not algo.is_open:
        raise unknown_order_cancel()
    _put(world, algo, "CANCELED")


def find(
    world: World, account: Account, market: Market, algo_id: int, client_id: str
) -> AlgoOrder | None:
    """Return the account's conditional order by number or by client id (the latest)."""
    for algo in reversed(world.register.algos.values()):
        mine = algo.account == account.label and algo.terms.market == market
        named = algo.algo_id == algo_id if algo_id else algo.terms.client_order_id == client_id
        if mine and named:
            return algo
    return None


def sweep(world: World, symbols: Iterable[tuple[Market, str]]) -> None:
    """Trigger every conditional order of these symbols whose price is reached."""
    for market, symbol in symbols:
        if market == "spot" or world.status_of(market, symbol) != "TRADING":
            continue
        for algo in list(world.register.waiting.get((market, symbol), {}).values()):
            if algo.is_open and _reached(world, algo):
                trigger(world, algo)


def trigger(world: World, algo: AlgoOrder) -> Order | None:
    """Let the conditional order become a regular one; return it, None when none was placed."""
    account = world.ledger.account(algo.account)
    terms = algo.terms
    quantity = terms.quantity
    limit = usdm_engine.closable(account, terms)
    if terms.close_position:
        quantity = limit
    if quantity == 0 or (usdm_engine.closes_only(terms) and limit == 0):
        _put(world, algo, "EXPIRED", trigger_ms=world.now_ms())
        return None
    child = replace(
        terms,
        kind=_BECOMES[terms.kind],
        original_kind=terms.kind,
        quantity=quantity,
        reduce_only=terms.reduce_only or terms.close_position,
    )
    try:
        if not usdm_engine.closes_only(child):
            usdm_engine.check_margin(world, account, child)
    except VenueError:
        _put(world, algo, "REJECTED", trigger_ms=world.now_ms())
        return None
    order, _ = usdm_orders.enter(world, account, child)
    _put(world, algo, "TRIGGERED", order_id=order.order_id, trigger_ms=world.now_ms())
    if not order.is_open:
        _put(world, algo, "FINISHED", order_id=order.order_id, trigger_ms=world.now_ms())
    return order


def _check(
    world: World, account: Account, terms: OrderTerms, *, rises: bool, callback_rate: Decimal
) -> None:
    usdm_orders.check_open_for(world, account, terms)
    usdm_orders.check_side(account, terms)
    check_usdm(world, world.symbol(terms.market, terms.symbol), terms)
    waiting = [algo for algo in world.register.open_algos.values() if algo.account == account.label]
    if len(waiting) >= world.settings.max_algo_orders:
        raise refuse(-4045, "Reach max stop order limit.")
    if any(
        algo.terms.client_order_id == terms.client_order_id and algo.terms.symbol == terms.symbol
        for algo in waiting
    ):
        raise refuse(-4116, "ClientOrderId is duplicated.")
    if terms.kind == _TRAILING:
        if not Decimal("0.1") <= callback_rate <= Decimal(10):
            raise refuse(-2007, "Invalid callBack rate.")
        return
    mid = world.mid(terms.market, terms.symbol)
    if (mid >= terms.stop_price) if rises else (mid <= terms.stop_price):
        raise refuse(-2021, "Order would immediately trigger.")


def _rises(terms: OrderTerms) -> bool:
    stops = terms.kind in ("STOP", "STOP_MARKET", _TRAILING)
    return stops == (terms.side == "BUY")


def _reached(world: World, algo: AlgoOrder) -> bool:
    mid = world.mid(algo.terms.market, algo.terms.symbol)
    if algo.terms.kind != _TRAILING:
        price = algo.terms.stop_price
        return mid >= price if algo.rises else mid <= price
    buys = algo.terms.side == "BUY"
    active = algo.activate_price
    if active and (mid > active if buys else mid < active):
        return False
    algo.extreme_price = min(mid, algo.extreme_price) if buys else max(mid, algo.extreme_price)
    distance = algo.extreme_price * algo.callback_rate / 100
    return mid >= algo.extreme_price + distance if buys else mid <= algo.extreme_price - distance


def _put(
    world: World, algo: AlgoOrder, status: str, *, order_id: int = 0, trigger_ms: int = 0
) -> None:
    state = AlgoState(status, world.now_ms(), order_id, trigger_ms)
    world.register.put_algo(algo, state)
    world.changed()
    tell_algo(world, algo)
