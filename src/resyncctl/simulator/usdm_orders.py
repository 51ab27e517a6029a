"""Placing, amending and cancelling futures orders: position mode, reduce-only and margin rules.

Promises: an order that is refused leaves no trace; conditional kinds are refused here with -4120,
because they live in the algo services (USD-M since 2025-12-09, COIN-M since 2026-06-30); a
countdown cancels regular orders only.

Called by the futures dialects, the algo services (when a trigger fires) and `control`.
"""

from decimal import Decimal
from functools import partial

from resyncctl.simulator import matching, usdm_engine
from resyncctl.simulator.events import Market
from resyncctl.simulator.filters import check_usdm, check_usdm_counts
from resyncctl.simulator.ledger import Account
from resyncctl.simulator.orders import Fill, Order, OrderState, OrderTerms
from resyncctl.simulator.usdm_engine import check_closing, check_margin, closes_only
from resyncctl.simulator.venue_errors import refuse, unknown_order_cancel
from resyncctl.simulator.world import World

FUTURES: tuple[Market, ...] = ("usdm", "coinm")
CONDITIONAL = frozenset(
    {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
)


def place(world: World, account: Account, terms: OrderTerms) -> tuple[Order, list[Fill]]:
    """Place an order and return it with the fills that it had at once. Raise VenueError."""
    if terms.kind in CONDITIONAL:
        raise refuse(
            -4120,
            "Order type not supported for this endpoint. "
            "Please use the Algo Order API endpoints instead.",
        )
    check_open_for(world, account, terms)
    check_side(account, terms)
    check_usdm(world, world.symbol(terms.market, terms.symbol), terms)
    check_usdm_counts(world, account.label, terms)
    known = world.register.find_client(
        account.label, terms.market, terms.symbol, terms.client_order_id
    )
    if known is not None and known.is_open:
        raise refuse(-4116, "ClientOrderId is duplicated.")
    if closes_only(terms):
        check_closing(world, account, terms)
    else:
        check_margin(world, account, terms)
    crossing = matching.crosses(world, terms, terms.price)
    if terms.time_in_force == "GTX" and crossing:
        raise refuse(
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be "
            "rejected. The order will not be recorded in the order history",
        )
    return enter(world, account, terms)


def enter(world: World, account: Account, terms: OrderTerms) -> tuple[Order, list[Fill]]:
    """Book an order that was checked, match it, and end it when its good-till time comes."""
    order = usdm_engine.open_order(world, account, terms)
    fills = matching.arrive(world, order)
    if order.is_open and terms.good_till_ms:
        delay_ms = max(terms.good_till_ms - world.now_ms(), 0)
        world.later(delay_ms, partial(_expire, world, order))
    return order, fills


def check_open_for(world: World, account: Account, terms: OrderTerms) -> None:
    """Raise VenueError when the symbol or the account takes no new orders."""
    if account.closed_to_trading:
        raise refuse(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    status = world.status_of(terms.market, terms.symbol)
    if status in ("SETTLING", "CLOSE"):
        raise refuse(-4141, "Symbol is closed.")
    if status != "TRADING":
        raise refuse(-4140, "Invalid symbol status for opening position.")


def check_side(account: Account, terms: OrderTerms) -> None:
    """Raise VenueError when the order's position side does not fit the account's mode."""
    if account.hedge_mode == (terms.position_side == "BOTH"):
        raise refuse(-4061, "Order's position side does not match user's setting.")
    if account.hedge_mode and terms.reduce_only:
        raise refuse(-1106, "Parameter 'reduceonly' sent when not required.")


def cancel(world: World, order: Order) -> OrderState:
    """Cancel an open order. Raise VenueError -2011."""
    if not order.is_open:
        raise unknown_order_cancel()
    return usdm_engine.close_order(world, order, "CANCELED")


def amend(world: World, order: Order, quantity: Decimal, price: Decimal) -> OrderState:
    """Change price and quantity of an open limit order. Raise VenueError."""
    if not order.is_open:
        raise refuse(-2013, "Order does not exist.")
    if quantity == order.now.quantity and price == order.now.price:
        raise refuse(-5027, "No need to modify the order.")
    if quantity <= order.now.executed:
        usdm_engine.close_order(world, order, "CANCELED")
        return order.now
    row = world.symbol(order.terms.market, order.terms.symbol)
    if not price or price % row.tick or quantity % row.step:
        raise refuse(-1111, "Precision is over the maximum defined for this asset.")
    usdm_engine.amend_order(world, order, quantity, price)
    if matching.crosses(world, order.terms, price):
        matching.arrive(world, order)
    return order.now


def set_countdown(world: World, account: Account, symbol: str, countdown_ms: int) -> None:
    """Arm, re-arm or (0) disarm the account's countdown on one symbol."""
    key = ("countdown", account.label, symbol)
    world.agenda.cancel(key)
    if countdown_ms:
        world.later(countdown_ms, partial(fire_countdown, world, account, symbol), key)


def fire_countdown(world: World, account: Account, symbol: str) -> int:
    """Cancel the account's regular orders on the symbol; return how many there were."""
    world.agenda.cancel(("countdown", account.label, symbol))
    drawer = world.register.drawer(account.label, world.catalogue.contract(symbol).market)
    doomed = [order for order in drawer.open.values() if order.terms.symbol == symbol]
    for order in doomed:
        usdm_engine.close_order(world, order, "CANCELED")
    return len(doomed)


def set_hedge_mode(world: World, account: Account, *, hedge: bool) -> None:
    """Change the position mode, which USD-M and COIN-M share. Raise VenueError.

    Orders or legs in either market are in the way.
    """
    if account.hedge_mode == hedge:
        raise refuse(-4059, "No need to change position side.")
    drawers = [world.register.drawer(account.label, market) for market in FUTURES]
    if any(drawer.open for drawer in drawers) or any(
        algo.account == account.label for algo in world.register.open_algos.values()
    ):
        raise refuse(-4067, "Position side cannot be changed if there exists open orders.")
    if any(versions.now.amount for versions in account.positions.values()):
        raise refuse(-4068, "Position side cannot be changed if there exists position.")
    account.hedge_mode = hedge
    world.changed()


def _expire(world: World, order: Order) -> None:
    if order.is_open:
        usdm_engine.close_order(world, order, "EXPIRED")
