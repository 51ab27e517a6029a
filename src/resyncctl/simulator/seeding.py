"""Making things be the case without a client: orders, fills, legs, forced closings.

Promises: what is seeded obeys the ledger (funds are locked, fills are posted) but not the filters,
limits and permissions that a client meets; everything that is seeded is announced like any change.

Called by `control`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, get_args

from resyncctl.simulator import algo, matching, spot_engine, spot_orders, usdm_engine, usdm_orders
from resyncctl.simulator.catalogue import SymbolRow
from resyncctl.simulator.events import Market
from resyncctl.simulator.ledger import Account, Position, PositionSide
from resyncctl.simulator.matching import STOP_KINDS
from resyncctl.simulator.numbers import ZERO, amount_of, plain
from resyncctl.simulator.orders import AlgoOrder, Fill, Order, OrderTerms
from resyncctl.simulator.usdm_events import tell_account
from resyncctl.simulator.venue_errors import unknown_symbol
from resyncctl.simulator.world import World

STATUSES = ("TRADING", "HALT", "BREAK", "CANCEL_ONLY", "SETTLING", "CLOSE")


@dataclass(frozen=True)
class Wish:
    """What a seeded order should be; texts are decimals."""

    market: Market
    symbol: str
    side: str
    quantity: str = "0"
    price: str = "0"
    type: str = ""
    stop_price: str = "0"
    client_order_id: str = ""
    time_in_force: str = "GTC"
    reduce_only: bool = False
    close_position: bool = False
    position_side: str = "BOTH"
    activate_price: str = "0"
    callback_rate: str = "0"


def market_of(text: str) -> Market:
    """Return the market. Raise ValueError for another text."""
    for market in get_args(Market):
        if market == text:
            return market  # type: ignore[no-any-return]  # one of the literal's own values
    raise ValueError(f"market must be spot, usdm or coinm, not {text!r}")


def side_of(text: str) -> PositionSide:
    """Return the position side. Raise ValueError for another text."""
    for side in get_args(PositionSide):
        if side == text:
            return side  # type: ignore[no-any-return]  # one of the literal's own values
    raise ValueError(f"position side must be BOTH, LONG or SHORT, not {text!r}")


def terms_of(world: World, wish: Wish, prefix: str) -> OrderTerms:
    """Return the terms that a wish means."""
    world.symbol(wish.market, wish.symbol)
    if wish.side not in ("BUY", "SELL"):
        raise ValueError(f"side must be BUY or SELL, not {wish.side!r}")
    price = amount_of(wish.price)
    kind = wish.type or ("LIMIT" if price else "MARKET")
    client_id = wish.client_order_id or f"{prefix}{world.next_number('client_id'):020d}"
    return OrderTerms(
        market=wish.market,
        symbol=wish.symbol,
        side=wish.side,
        kind=kind,
        quantity=amount_of(wish.quantity),
        client_order_id=client_id,
        price=price,
        stop_price=amount_of(wish.stop_price),
        time_in_force=wish.time_in_force,
        reduce_only=wish.reduce_only,
        close_position=wish.close_position,
        position_side=side_of(wish.position_side),
    )


def seed_order(world: World, account: Account, wish: Wish) -> Order | AlgoOrder:
    """Make an order exist: a conditional futures one in its algo service, any other as regular."""
    terms = terms_of(world, wish, "seed")
    if terms.market != "spot" and terms.kind in usdm_orders.CONDITIONAL:
        return algo.place(
            world,
            account,
            terms,
            activate_price=amount_of(wish.activate_price),
            callback_rate=amount_of(wish.callback_rate),
            checked=False,
        )
    if terms.market != "spot":
        return usdm_orders.enter(world, account, terms)[0]
    is_stop = terms.kind in STOP_KINDS
    order = spot_engine.open_order(world, account, terms, working=not is_stop)
    if not is_stop:
        matching.arrive(world, order)
    return order


def seed_oco(
    world: World,
    account: Account,
    *,
    symbol: str,
    side: str,
    prices: tuple[Decimal, Decimal, Decimal],
    quantity: Decimal,
    client_id: str,
) -> dict[str, Any]:
    """Make an OCO list exist: limit price, stop price, stop limit price."""
    limit, stop, stop_limit = prices
    limit_leg = Wish(
        market="spot",
        symbol=symbol,
        side=side,
        quantity=plain(quantity),
        price=plain(limit),
        type="LIMIT_MAKER",
    )
    stop_leg = replace(
        limit_leg, price=plain(stop_limit), stop_price=plain(stop), type="STOP_LOSS_LIMIT"
    )
    name = client_id or f"seedlist{world.next_number('client_id'):016d}"
    legs = [
        (terms_of(world, limit_leg, "seed"), True),
        (terms_of(world, stop_leg, "seed"), False),
    ]
    made = spot_engine.open_list(world, account, name, legs)
    return {
        "order_list_id": made.list_id,
        "list_client_order_id": made.client_id,
        "orders": [order_document(order) for order in made.orders],
    }


def trade(world: World, account: Account, wish: Wish, price: Decimal) -> Fill:
    """Make an order exist that was filled at once at this price."""
    terms = terms_of(world, wish, "seed")
    if terms.market != "spot":
        order = usdm_engine.open_order(world, account, terms)
    else:
        order = spot_engine.open_order(world, account, terms, working=True)
    return matching.fill(world, order, terms.quantity, price, maker=False)


def set_position(
    world: World, account: Account, leg: tuple[str, PositionSide], amount: Decimal, price: Decimal
) -> None:
    """Set a leg as if it had been there always: without an order, a fill or a fee."""
    market = _contract(world, leg[0]).market
    now_ms = world.now_ms()
    world.ledger.place(account, *leg, Position(amount, price if amount else ZERO, now_ms), now_ms)
    world.changed()
    tell_account(world, account, "ADJUSTMENT", [], [leg], market=market)


def force_close(
    world: World,
    account: Account,
    symbol: str,
    *,
    prefix: str,
    fraction: Decimal,
    price: str,
) -> list[Fill]:
    """Close (a part of) every leg of the symbol by the venue's own order; "" is the mark price."""
    row = _contract(world, symbol)
    at_price = amount_of(price) if price else world.mark(row)
    fills = []
    for (name, side), versions in list(account.positions.items()):
        amount = versions.now.amount
        quantity = abs(amount) * fraction // row.step * row.step
        if name != symbol or not quantity:
            continue
        terms = OrderTerms(
            market=row.market,
            symbol=symbol,
            side="SELL" if amount > 0 else "BUY",
            kind="LIMIT",
            quantity=quantity,
            client_order_id=f"{prefix}{world.next_number('force')}",
            price=at_price,
            time_in_force="IOC",
            position_side=side,
        )
        order = usdm_engine.open_order(world, account, terms)
        fills.append(
            usdm_engine.settle(
                world, order, quantity, at_price, maker=False, execution="CALCULATED"
            )
        )
    return fills


def _contract(world: World, symbol: str) -> SymbolRow:
    """Return the futures contract of that name. Raise VenueError -1121 when there is none."""
    try:
        return world.catalogue.contract(symbol)
    except KeyError:
        raise unknown_symbol() from None


def fill(world: World, order: Order, quantity: str, price: str, *, maker: bool) -> Fill:
    """Fill an order: "" is its whole rest, and its own price. Raise ValueError for too much."""
    amount = amount_of(quantity) if quantity else order.now.remaining
    mid = world.mid(order.terms.market, order.terms.symbol)
    at_price = amount_of(price) if price else (order.now.price or mid)
    if not 0 < amount <= order.now.remaining:
        raise ValueError(f"cannot fill {amount} of {order.now.remaining}")
    return matching.fill(world, order, amount, at_price, maker=maker)


def cancel(world: World, reference: Mapping[str, Any]) -> dict[str, Any]:
    """Cancel an open order of any service as its owner would elsewhere; return it."""
    if reference.get("service") == "algo":
        item = world.register.algos[int(reference["algo_id"])]
        algo.cancel(world, item)
        return order_document(item)
    order = find_order(world, reference)
    if order.terms.market == "spot":
        spot_orders.cancel(world, order, "web")
    else:
        usdm_orders.cancel(world, order)
    return order_document(order)


def hold_price(world: World, symbol: str, price: Decimal | None, market: str) -> None:
    """Hold the mid price in one market, or in every market that lists the symbol."""
    markets = (market_of(market),) if market else get_args(Market)
    for name in markets:
        if world.catalogue.find(name, symbol) is not None:
            world.prices.hold(name, symbol, price, world.clock_now_ms())
    world.prices_held += 1
    world.changed()


def freeze_prices(world: World, *, hold: bool) -> None:
    """Stop every price at its value at the start of the exchange, or let them move again."""
    world.prices.freeze(world.started_ms if hold else None, world.clock_now_ms())
    world.prices_held += 1


def set_liquidity(world: World, key: tuple[Market, str], quantity: str) -> None:
    """Cap what one match of a symbol can fill; "" removes the cap."""
    world.liquidity.pop(key, None)
    if quantity:
        world.liquidity[key] = amount_of(quantity)
    world.prices_held += 1


def set_status(world: World, market: Market, symbol: str, status: str) -> None:
    """Set a symbol's status. Raise ValueError for a status that no symbol can have."""
    if status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}")
    world.symbol(market, symbol)
    world.statuses[market][symbol] = status
    world.prices_held += 1
    world.changed()


def find_order(world: World, reference: Mapping[str, Any]) -> Order:
    """Return the order that market, symbol and order_id name. Raise LookupError."""
    market = market_of(str(reference["market"]))
    order = world.register.find(market, str(reference["symbol"]), int(reference["order_id"]))
    if order is None:
        raise LookupError(f"no such order: {dict(reference)}")
    return order


def order_document(order: Order | AlgoOrder) -> dict[str, Any]:
    """Return an order as JSON-ready truth; `service` is "regular" or "algo"."""
    terms = order.terms
    shared: dict[str, Any] = {
        "account": order.account,
        "market": terms.market,
        "symbol": terms.symbol,
        "client_order_id": terms.client_order_id,
        "side": terms.side,
        "type": terms.kind,
        "stop_price": plain(terms.stop_price),
        "reduce_only": terms.reduce_only,
        "close_position": terms.close_position,
        "position_side": terms.position_side,
        "created_ms": order.created_ms,
        "open": order.is_open,
    }
    if isinstance(order, AlgoOrder):
        waiting = order.states.now
        return shared | {
            "service": "algo",
            "algo_id": order.algo_id,
            "order_id": waiting.order_id,
            "status": waiting.status,
            "quantity": plain(terms.quantity),
            "price": plain(terms.price),
            "update_ms": waiting.update_ms,
        }
    state = order.now
    return shared | {
        "service": "regular",
        "order_id": order.order_id,
        "order_list_id": order.order_list,
        "status": state.status,
        "quantity": plain(state.quantity),
        "price": plain(state.price),
        "executed": plain(state.executed),
        "quote": plain(state.quote),
        "update_ms": state.update_ms,
    }


def fill_document(fill: Fill) -> dict[str, Any]:
    """Return a fill as JSON-ready truth."""
    return {
        "account": fill.account,
        "market": fill.market,
        "symbol": fill.symbol,
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "side": fill.side,
        "position_side": fill.position_side,
        "price": plain(fill.price),
        "quantity": plain(fill.quantity),
        "quote": plain(fill.quote),
        "fee": plain(fill.fee),
        "fee_asset": fill.fee_asset,
        "realized": plain(fill.realized),
        "maker": fill.maker,
        "time_ms": fill.time_ms,
    }
