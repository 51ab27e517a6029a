"""Spot orders: funds that they lock, fills that settle, cancels and lists.

Promises: an open order locks exactly what its rest can cost; a fill moves base, quote and fee as
postings that balance; an order of a list locks through its list, once.

Called by `matching`, by the spot dialect and by `control`.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from resyncctl.simulator.fees import fee_of
from resyncctl.simulator.ledger import Account
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.orders import Fill, Order, OrderList, OrderState, OrderTerms
from resyncctl.simulator.spot_events import tell_balances, tell_list, tell_order
from resyncctl.simulator.venue_errors import rejected_order
from resyncctl.simulator.versions import Versioned
from resyncctl.simulator.world import World

FIRST_LIST = 500
_INSUFFICIENT = "Account has insufficient balance for requested action."


def open_order(
    world: World, account: Account, terms: OrderTerms, *, working: bool, order_list: int = -1
) -> Order:
    """Book a new order and lock its funds. Raise VenueError -2010 when they are not there."""
    if order_list == -1:
        asset, amount = needed(world, terms, terms.quantity, terms.price)
        if account.balance("spot", asset).free < amount:
            raise rejected_order(_INSUFFICIENT)
    order = _booked(world, account, terms, working=working, order_list=order_list)
    relock(world, order)
    tell_order(world, order, "NEW")
    if order_list == -1:
        tell_balances(world, account, world.assets(terms))
    return order


def open_list(
    world: World, account: Account, client_id: str, legs: Sequence[tuple[OrderTerms, bool]]
) -> OrderList:
    """Book an OCO list; each leg comes with whether it works at once. Raise VenueError -2010."""
    needs = [needed(world, terms, terms.quantity, terms.price) for terms, _ in legs]
    asset = needs[0][0]
    if account.balance("spot", asset).free < max(amount for _, amount in needs):
        raise rejected_order(_INSUFFICIENT)
    now_ms = world.now_ms()
    list_id = world.next_number("order_list", FIRST_LIST)
    orders = tuple(
        _booked(world, account, terms, working=working, order_list=list_id)
        for terms, working in legs
    )
    symbol = legs[0][0].symbol
    order_list = OrderList(
        list_id, account.label, symbol, client_id, orders, now_ms, Versioned(now_ms, "EXECUTING")
    )
    world.register.lists[list_id] = order_list
    relock(world, orders[0])
    tell_list(world, order_list)
    for order in orders:
        tell_order(world, order, "NEW")
    tell_balances(world, account, world.assets(legs[0][0]))
    return order_list


def settle(world: World, order: Order, quantity: Decimal, price: Decimal, *, maker: bool) -> Fill:
    """Fill a part of an order: post what moves, tell who listens, return the fill."""
    account, terms = world.owner(order), order.terms
    row = world.symbol("spot", terms.symbol)
    now_ms = world.now_ms()
    notional = quantity * price
    world.register.put(order, _executed(order, quantity, notional, now_ms))
    relock(world, order)
    trade_id = world.register.next_trade_id("spot", terms.symbol)
    reference = f"{terms.symbol}:{trade_id}"
    buys = terms.side == "BUY"
    received = (row.base, quantity) if buys else (row.quote, notional)
    moves = (
        (row.base, quantity if buys else -quantity),
        (row.quote, -notional if buys else notional),
    )
    for asset, amount in moves:
        _post(
            world,
            account,
            asset,
            amount,
            kind="TRADE",
            against="house",
            symbol=terms.symbol,
            reference=reference,
        )
    fee_asset, fee = fee_of(world, account, row, received, notional, maker=maker)
    _post(
        world,
        account,
        fee_asset,
        -fee,
        kind="COMMISSION",
        against="fees",
        symbol=terms.symbol,
        reference=reference,
    )
    fill = Fill(
        trade_id=trade_id,
        order_id=order.order_id,
        account=order.account,
        market="spot",
        symbol=terms.symbol,
        side=terms.side,
        price=price,
        quantity=quantity,
        quote=notional,
        fee=fee,
        fee_asset=fee_asset,
        time_ms=now_ms,
        maker=maker,
        order_list=order.order_list,
    )
    world.register.add_fill(fill)
    world.changed()
    tell_order(world, order, "TRADE", fill)
    _settle_list(world, order)
    tell_balances(world, account, {row.base, row.quote, fee_asset})
    return fill


def _executed(order: Order, quantity: Decimal, notional: Decimal, now_ms: int) -> OrderState:
    """Return the order's state after one more execution; a late one does not reopen it."""
    before = order.now
    executed = before.executed + quantity
    partial = "PARTIALLY_FILLED" if order.is_open else before.status
    return replace(
        before,
        status="FILLED" if executed == before.quantity else partial,
        executed=executed,
        quote=before.quote + notional,
        working=True,
        update_ms=now_ms,
        cancel_client_id="",
    )


def close_order(
    world: World, order: Order, status: str, *, client_id: str = "", reason: int = 0
) -> OrderState:
    """End an open order as CANCELED, EXPIRED or REJECTED, and free what it locked."""
    state = replace(
        order.now,
        status=status,
        update_ms=world.now_ms(),
        cancel_client_id=client_id,
        expiry_reason=reason,
    )
    world.register.put(order, state)
    relock(world, order)
    world.changed()
    tell_order(world, order, status)
    if order.order_list == -1:
        tell_balances(world, world.owner(order), world.assets(order.terms))
    return state


def close_list(world: World, order_list: OrderList, status: str, client_id: str = "") -> None:
    """End an order list and every order of it that is still open."""
    for order in order_list.orders:
        if order.is_open:
            close_order(world, order, status, client_id=client_id)
    _end_list(world, order_list)


def leg_works(world: World, order: Order) -> None:
    """A leg of a list was triggered or filled: the other legs expire."""
    order_list = world.register.lists.get(order.order_list)
    if order_list is None:
        return
    for other in order_list.orders:
        if other is not order and other.is_open:
            close_order(world, other, "EXPIRED")


def relock(world: World, order: Order) -> None:
    """Make the lock of the order, or of its list, what its open rest needs."""
    account = world.owner(order)
    if order.order_list == -1:
        members: Sequence[Order] = (order,)
        holder = f"order:{order.terms.symbol}:{order.order_id}"
    else:
        order_list = world.register.lists[order.order_list]
        members = order_list.orders
        holder = f"list:{order.order_list}"
    amounts = [
        needed(world, member.terms, member.now.remaining, member.now.price)
        for member in members
        if member.is_open
    ]
    asset = needed(world, order.terms, ZERO, ZERO)[0]
    amount = max((amount for _, amount in amounts), default=ZERO)
    world.ledger.lock(account, holder, asset, amount, world.now_ms())


def needed(
    world: World, terms: OrderTerms, quantity: Decimal, price: Decimal
) -> tuple[str, Decimal]:
    """Return the asset that the order locks and how much of it."""
    base, quote = world.assets(terms)
    if terms.side == "SELL":
        return base, quantity
    unit = price or terms.stop_price or world.mid("spot", terms.symbol)
    return quote, quantity * unit


def _booked(
    world: World, account: Account, terms: OrderTerms, *, working: bool, order_list: int
) -> Order:
    now_ms = world.now_ms()
    order = Order(
        order_id=world.register.next_order_id("spot", terms.symbol),
        account=account.label,
        terms=terms,
        created_ms=now_ms,
        states=Versioned(
            now_ms,
            OrderState("NEW", terms.quantity, terms.price, working=working, update_ms=now_ms),
        ),
        order_list=order_list,
    )
    world.register.add(order)
    world.changed()
    return order


def _settle_list(world: World, order: Order) -> None:
    order_list = world.register.lists.get(order.order_list)
    if order_list is None:
        return
    leg_works(world, order)
    if order.now.remaining == 0:
        _end_list(world, order_list)


def _end_list(world: World, order_list: OrderList) -> None:
    if order_list.is_open:
        order_list.states.put(world.now_ms(), "ALL_DONE")
        tell_list(world, order_list)
        terms = order_list.orders[0].terms
        tell_balances(world, world.ledger.account(order_list.account), world.assets(terms))


def _post(
    world: World,
    account: Account,
    asset: str,
    amount: Decimal,
    *,
    kind: str,
    against: str,
    symbol: str,
    reference: str,
) -> None:
    world.ledger.post(
        account,
        "spot",
        asset,
        amount,
        kind=kind,
        now_ms=world.now_ms(),
        against=against,
        symbol=symbol,
        reference=reference,
    )
