"""Futures orders and legs, USD-M and COIN-M: margin, reduce-only rules, fills that settle, funding.

Promises: a reduce-only fill never grows or flips a leg; realized profit, fees and funding are
postings; a leg changes only through a fill or through `control`.

USD-M counts in base units and settles in the quote asset, COIN-M counts in contracts and settles in
the coin; what that is worth is told by `contracts`.

Called by `matching`, the algo services, the futures dialects and `control`.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from resyncctl.simulator import contracts
from resyncctl.simulator.catalogue import SymbolRow
from resyncctl.simulator.events import Market
from resyncctl.simulator.fees import fee_of
from resyncctl.simulator.ledger import Account, Position, PositionSide
from resyncctl.simulator.numbers import ZERO, cut
from resyncctl.simulator.orders import Fill, Order, OrderState, OrderTerms
from resyncctl.simulator.usdm_events import tell_account, tell_order
from resyncctl.simulator.venue_errors import refuse
from resyncctl.simulator.versions import Versioned
from resyncctl.simulator.world import World

DEFAULT_LEVERAGE = 20
MAINTENANCE_RATE = Decimal("0.004")


def closes_only(terms: OrderTerms) -> bool:
    """Return whether the order may only shrink its leg: by flag, or by side in hedge mode."""
    if terms.position_side == "BOTH":
        return terms.reduce_only or terms.close_position
    return terms.side == ("SELL" if terms.position_side == "LONG" else "BUY")


def closable(account: Account, terms: OrderTerms) -> Decimal:
    """Return how much of the leg an order of this side can close."""
    amount = account.position(terms.symbol, terms.position_side).amount
    against = amount > 0 if terms.side == "SELL" else amount < 0
    return abs(amount) if against else ZERO


def check_closing(world: World, account: Account, terms: OrderTerms) -> None:
    """Raise VenueError -2022 or -4118 when a reduce-only order has nothing to reduce."""
    limit = closable(account, terms)
    if limit == 0:
        raise refuse(-2022, "ReduceOnly Order is rejected.")
    resting = sum(
        (
            order.now.remaining
            for order in world.register.drawer(account.label, terms.market).open.values()
            if _same_closing(order.terms, terms)
        ),
        ZERO,
    )
    if resting >= limit:
        raise refuse(
            -4118, "ReduceOnly Order Failed. Please check your existing position and open orders"
        )
    if terms.position_side != "BOTH" and resting + terms.quantity > limit:
        raise refuse(-2022, "ReduceOnly Order is rejected.")


def check_margin(world: World, account: Account, terms: OrderTerms) -> None:
    """Raise VenueError -2019 when the order would need more margin than is available."""
    row = world.symbol(terms.market, terms.symbol)
    price = terms.price or world.mark(row)
    quantity = max(terms.quantity - closable(account, terms), ZERO)
    margin = contracts.worth(row, quantity, price) / _leverage(account, terms.symbol)
    if margin > available(world, account, (terms.market, row.settles_in)):
        raise refuse(-2019, "Margin is insufficient.")


def available(world: World, account: Account, wallet: tuple[Market, str]) -> Decimal:
    """Return what is free for new orders: wallet and open profit less margin in use."""
    total = account.balance(*wallet).total + open_profit(world, account, wallet)
    return total - position_margin(world, account, wallet) - order_margin(world, account, wallet)


def legs(
    world: World, account: Account, wallet: tuple[Market, str]
) -> list[tuple[SymbolRow, Position]]:
    """Return every leg that is not flat and settles in the asset of this market."""
    held = [
        (world.catalogue.contract(symbol), versions.now)
        for (symbol, _), versions in account.positions.items()
        if versions.now.amount
    ]
    return [(row, leg) for row, leg in held if (row.market, row.settles_in) == wallet]


def open_profit(world: World, account: Account, wallet: tuple[Market, str]) -> Decimal:
    """Return the unrealized profit of every leg that settles in the asset."""
    held = legs(world, account, wallet)
    return sum((contracts.unrealized(row, leg, world.mark(row)) for row, leg in held), ZERO)


def position_margin(world: World, account: Account, wallet: tuple[Market, str]) -> Decimal:
    """Return the initial margin of every leg that settles in the asset."""
    return sum(
        (
            contracts.worth(row, abs(leg.amount), world.mark(row)) / _leverage(account, row.name)
            for row, leg in legs(world, account, wallet)
        ),
        ZERO,
    )


def order_margin(world: World, account: Account, wallet: tuple[Market, str]) -> Decimal:
    """Return the initial margin of the open orders that may grow a leg."""
    market, asset = wallet
    return sum(
        (
            contracts.worth(row, order.now.remaining, order.now.price)
            / _leverage(account, row.name)
            for order in world.register.drawer(account.label, market).open.values()
            if order.now.price
            and not closes_only(order.terms)
            and (row := world.symbol(market, order.terms.symbol)).settles_in == asset
        ),
        ZERO,
    )


def open_order(world: World, account: Account, terms: OrderTerms) -> Order:
    """Book a new order."""
    now_ms = world.now_ms()
    order = Order(
        order_id=world.register.next_order_id(terms.market, terms.symbol),
        account=account.label,
        terms=terms,
        created_ms=now_ms,
        states=Versioned(now_ms, OrderState("NEW", terms.quantity, terms.price, update_ms=now_ms)),
    )
    world.register.add(order)
    world.changed()
    tell_order(world, order, "NEW")
    return order


def settle(
    world: World,
    order: Order,
    quantity: Decimal,
    price: Decimal,
    *,
    maker: bool,
    execution: str = "TRADE",
) -> Fill:
    """Fill a part of an order: move the leg, post profit and fee, tell who listens."""
    account, terms, before = world.owner(order), order.terms, order.now
    row = world.symbol(terms.market, terms.symbol)
    now_ms = world.now_ms()
    notional = contracts.worth(row, quantity, price)
    executed = before.executed + quantity
    rest = before.quantity - executed
    closed_before = not order.is_open
    status = "FILLED" if rest == 0 else (before.status if closed_before else "PARTIALLY_FILLED")
    state = replace(
        before, status=status, executed=executed, quote=before.quote + notional, update_ms=now_ms
    )
    world.register.put(order, state)
    signed = quantity if terms.side == "BUY" else -quantity
    leg = (terms.symbol, terms.position_side)
    position, realized = contracts.moved(row, account.position(*leg), signed, price, now_ms)
    world.ledger.place(account, *leg, position, now_ms)
    trade_id = world.register.next_trade_id(terms.market, terms.symbol)
    reference = f"{terms.symbol}:{trade_id}"
    fee_asset, fee = fee_of(world, account, row, (row.settles_in, notional), notional, maker=maker)
    profit = _Reason(row, "REALIZED_PNL", reference, "house")
    _post(world, account, row.settles_in, realized, profit)
    cost = _Reason(row, "COMMISSION", reference, "fees")
    _post(world, account, fee_asset, -fee, cost)
    fill = Fill(
        trade_id=trade_id,
        order_id=order.order_id,
        account=order.account,
        market=terms.market,
        symbol=terms.symbol,
        side=terms.side,
        price=price,
        quantity=quantity,
        quote=notional,
        fee=fee,
        fee_asset=fee_asset,
        time_ms=now_ms,
        maker=maker,
        realized=realized,
        position_side=terms.position_side,
    )
    world.register.add_fill(fill)
    world.changed()
    tell_account(world, account, "ORDER", [(row.settles_in, ZERO)], [leg], market=row.market)
    tell_order(world, order, execution, fill)
    _expire_idle_closers(world, account, terms.symbol, terms.position_side)
    return fill


def close_order(world: World, order: Order, status: str, *, reason: int = 0) -> OrderState:
    """End an open order as CANCELED or EXPIRED."""
    state = replace(order.now, status=status, update_ms=world.now_ms(), expiry_reason=reason)
    world.register.put(order, state)
    world.changed()
    tell_order(world, order, status)
    return state


def amend_order(world: World, order: Order, quantity: Decimal, price: Decimal) -> OrderState:
    """Change quantity and price of an open order, keeping its number."""
    state = replace(order.now, quantity=quantity, price=price, update_ms=world.now_ms())
    world.register.put(order, state)
    world.changed()
    tell_order(world, order, "AMENDMENT")
    return state


def pay_funding(world: World, account: Account, symbol: str, rate: Decimal) -> None:
    """Charge or credit funding on every leg of the symbol: longs pay a positive rate."""
    row = world.catalogue.contract(symbol)
    mark = world.mark(row)
    for (name, side), versions in list(account.positions.items()):
        if name != symbol or versions.now.amount == 0:
            continue
        amount = cut(-contracts.worth(row, versions.now.amount, mark) * rate)
        reference = f"funding:{world.next_number('funding')}"
        why = _Reason(row, "FUNDING_FEE", reference, "house")
        _post(world, account, row.settles_in, amount, why)
        world.changed()
        paid = [(row.settles_in, amount)]
        tell_account(world, account, "FUNDING_FEE", paid, [(symbol, side)], market=row.market)


@dataclass(frozen=True)
class _Reason:
    """Why something is posted."""

    row: SymbolRow
    kind: str
    reference: str
    against: str


def _post(world: World, account: Account, asset: str, amount: Decimal, why: _Reason) -> None:
    world.ledger.post(
        account,
        why.row.market,
        asset,
        amount,
        kind=why.kind,
        now_ms=world.now_ms(),
        against=why.against,
        symbol=why.row.name,
        reference=why.reference,
    )


def _leverage(account: Account, symbol: str) -> int:
    return account.leverage.get(symbol, DEFAULT_LEVERAGE)


def _same_closing(resting: OrderTerms, new: OrderTerms) -> bool:
    return (
        resting.symbol == new.symbol
        and resting.side == new.side
        and resting.position_side == new.position_side
        and closes_only(resting)
    )


def _expire_idle_closers(world: World, account: Account, symbol: str, side: PositionSide) -> None:
    """The venue ends reduce-only orders whose leg has gone."""
    drawer = world.register.drawer(account.label, world.catalogue.contract(symbol).market)
    for order in list(drawer.open.values()):
        terms = order.terms
        if terms.symbol != symbol or terms.position_side != side or not closes_only(terms):
            continue
        if closable(account, terms) == 0:
            close_order(world, order, "EXPIRED")
