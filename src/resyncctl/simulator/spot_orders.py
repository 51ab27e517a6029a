"""Placing and cancelling on spot: the rules of the matching engine, in the venue's words.

Promises: an order that is refused leaves no trace; a duplicate client id is refused only among open
orders, as on the real venue; a market order that would cost more than is there is refused.

Called by the spot dialect and by `control` (which may skip the filters when it seeds).
"""

from collections.abc import Sequence

from resyncctl.simulator import matching, spot_engine
from resyncctl.simulator.filters import check_spot, check_spot_counts
from resyncctl.simulator.ledger import Account
from resyncctl.simulator.matching import STOP_KINDS
from resyncctl.simulator.orders import Fill, Order, OrderList, OrderState, OrderTerms
from resyncctl.simulator.venue_errors import (
    filter_failure,
    refuse,
    rejected_order,
    unknown_order_cancel,
)
from resyncctl.simulator.world import World


def place(world: World, account: Account, terms: OrderTerms) -> tuple[Order, list[Fill]]:
    """Place an order and return it with the fills that it had at once. Raise VenueError."""
    _check_market_open(world, account, terms.symbol)
    check_spot(world, world.symbol("spot", terms.symbol), terms)
    check_spot_counts(world, account.label, terms)
    _check_client_id(world, account, terms)
    is_stop = terms.kind in STOP_KINDS
    if is_stop and matching.triggered(world, terms):
        raise rejected_order("Stop price would trigger immediately.")
    if terms.kind == "LIMIT_MAKER" and matching.crosses(world, terms, terms.price):
        raise rejected_order("Order would immediately match and take.")
    order = spot_engine.open_order(world, account, terms, working=not is_stop)
    return order, matching.arrive(world, order) if not is_stop else []


def place_list(
    world: World, account: Account, client_id: str, legs: Sequence[OrderTerms]
) -> OrderList:
    """Place an OCO list; the first leg is above the price, the second below. Raise VenueError."""
    above, below = legs
    _check_market_open(world, account, above.symbol)
    row = world.symbol("spot", above.symbol)
    mid = world.mid("spot", above.symbol)
    for terms in legs:
        check_spot(world, row, terms)
        check_spot_counts(world, account.label, terms)
        _check_client_id(world, account, terms)
    high = above.stop_price or above.price
    low = below.stop_price or below.price
    if not low < mid < high:
        raise rejected_order("The relationship of the prices for the orders is not correct.")
    lists = sum(
        entry.is_open and entry.symbol == above.symbol
        for entry in world.register.lists.values()
        if entry.account == account.label
    )
    if lists >= world.settings.max_order_lists:
        raise filter_failure("MAX_NUM_ORDER_LISTS")
    return spot_engine.open_list(
        world,
        account,
        client_id,
        [(terms, terms.kind not in STOP_KINDS) for terms in legs],
    )


def check_cancellable(world: World, symbol: str) -> None:
    """Raise VenueError -2011 when the symbol is gone and takes not even cancels.

    HALT, BREAK and CANCEL_ONLY take cancels (dev.binance.vision, "Explanation on Symbol Status");
    CLOSE is this exchange's word for a symbol that was removed while orders were open.
    """
    if world.status_of("spot", symbol) == "CLOSE":
        raise refuse(-2011, "Market is closed.")


def check_restrictions(order: Order, restrictions: str) -> None:
    """Raise VenueError -2011 when the caller wanted the order only in another state."""
    wanted = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
    if restrictions and order.now.status != wanted[restrictions]:
        raise refuse(-2011, "Order was not canceled due to cancel restrictions.")


def cancel(world: World, order: Order, client_id: str) -> OrderState:
    """Cancel an open order; one of a list takes its list along. Raise VenueError -2011."""
    if not order.is_open:
        raise unknown_order_cancel()
    order_list = world.register.lists.get(order.order_list)
    if order_list is not None:
        spot_engine.close_list(world, order_list, "CANCELED", client_id)
        return order.now
    return spot_engine.close_order(world, order, "CANCELED", client_id=client_id)


def _check_market_open(world: World, account: Account, symbol: str) -> None:
    if account.closed_to_trading:
        raise rejected_order("This account may not place or cancel orders.")
    if world.status_of("spot", symbol) != "TRADING":
        raise refuse(-1013, "Market is closed.")


def _check_client_id(world: World, account: Account, terms: OrderTerms) -> None:
    known = world.register.find_client(account.label, "spot", terms.symbol, terms.client_order_id)
    if known is not None and known.is_open:
        raise rejected_order("Duplicate order sent.")
