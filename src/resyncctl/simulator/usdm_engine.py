"""USD-M orders and legs: margin, reduce-only rules, fills that settle, funding.

Promises: a reduce-only fill never grows or flips a leg; realized profit, fees and funding are
postings; a leg changes only through a fill or through `control`.

Called by `matching`, the algo service, the USD-M dialect and `control`.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from resyncctl.simulator.fees import fee_of
from resyncctl.simulator.ledger import Account, Position, PositionSide
from resyncctl.simulator.numbers import ZERO, cut
from resyncctl.simulator.orders import Fill, Order, OrderState, OrderTerms
from resyncctl.simulator.usdm_events import tell_account, tell_order, unrealized
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
            for order in world.register.drawer(account.label, "usdm").open.values()
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
    price = terms.price or world.mid("usdm", terms.symbol)
    quantity = max(terms.quantity - closable(account, terms), ZERO)
    leverage = account.leverage.get(terms.symbol, DEFAULT_LEVERAGE)
    if quantity * price / leverage > available(world, account, world.assets(terms)[1]):
        raise refuse(-2019, "Margin is insufficient.")


def available(world: World, account: Account, asset: str) -> Decimal:
    """Return what is free for new orders: wallet and open profit less margin in use."""
    wallet = account.balance("usdm", asset).total + open_profit(world, account, asset)
    return wallet - position_margin(world, account, asset) - order_margin(world, account, asset)


def open_profit(world: World, account: Account, asset: str) -> Decimal:
    """Return the unrealized profit of every leg that settles in the asset."""
    return sum(
        (
            unrealized(versions.now, world.mid("usdm", symbol))
            for (symbol, _), versions in account.positions.items()
            if versions.now.amount and world.symbol("usdm", symbol).quote == asset
        ),
        ZERO,
    )


def position_margin(world: World, account: Account, asset: str) -> Decimal:
    """Return the initial margin of every leg that settles in the asset."""
    return sum(
        (
            abs(versions.now.amount)
            * world.mid("usdm", symbol)
            / account.leverage.get(symbol, DEFAULT_LEVERAGE)
            for (symbol, _), versions in account.positions.items()
            if versions.now.amount and world.symbol("usdm", symbol).quote == asset
        ),
        ZERO,
    )


def order_margin(world: World, account: Account, asset: str) -> Decimal:
    """Return the initial margin of the open orders that may grow a leg."""
    return sum(
        (
            order.now.remaining
            * order.now.price
            / account.leverage.get(order.terms.symbol, DEFAULT_LEVERAGE)
            for order in world.register.drawer(account.label, "usdm").open.values()
            if not closes_only(order.terms)
            and world.symbol("usdm", order.terms.symbol).quote == asset
        ),
        ZERO,
    )


def open_order(world: World, account: Account, terms: OrderTerms) -> Order:
    """Book a new order."""
    now_ms = world.now_ms()
    order = Order(
        order_id=world.register.next_order_id("usdm", terms.symbol),
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
    row = world.symbol("usdm", terms.symbol)
    now_ms = world.now_ms()
    notional = quantity * price
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
    position, realized = moved(account.position(*leg), signed, price, now_ms)
    world.ledger.place(account, *leg, position, now_ms)
    trade_id = world.register.next_trade_id("usdm", terms.symbol)
    reference = f"{terms.symbol}:{trade_id}"
    fee_asset, fee = fee_of(world, account, row, (row.quote, notional), notional, maker=maker)
    profit = _Reason("REALIZED_PNL", terms.symbol, reference, "house")
    _post(world, account, row.quote, realized, profit)
    cost = _Reason("COMMISSION", terms.symbol, reference, "fees")
    _post(world, account, fee_asset, -fee, cost)
    fill = Fill(
        trade_id=trade_id,
        order_id=order.order_id,
        account=order.account,
        market="usdm",
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
    tell_account(world, account, "ORDER", [(row.quote, ZERO)], [leg])
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


def moved(
    position: Position, signed: Decimal, price: Decimal, now_ms: int
) -> tuple[Position, Decimal]:
    """Given a leg and a signed fill, return the new leg and the realized profit."""
    before = position.amount
    after = before + signed
    if before == 0 or (before > 0) == (signed > 0):
        cost = abs(before) * position.entry_price + abs(signed) * price
        return Position(after, round(cost / abs(after), 8), now_ms), ZERO
    closed = min(abs(before), abs(signed))
    direction = 1 if before > 0 else -1
    realized = cut(closed * (price - position.entry_price) * direction)
    if after == 0:
        return Position(ZERO, ZERO, now_ms), realized
    entry = position.entry_price if (after > 0) == (before > 0) else price
    return Position(after, entry, now_ms), realized


def pay_funding(world: World, account: Account, symbol: str, rate: Decimal) -> None:
    """Charge or credit funding on every leg of the symbol: longs pay a positive rate."""
    row = world.symbol("usdm", symbol)
    mark = world.mid("usdm", symbol)
    for (name, side), versions in list(account.positions.items()):
        if name != symbol or versions.now.amount == 0:
            continue
        amount = cut(-versions.now.amount * mark * rate)
        reference = f"funding:{world.next_number('funding')}"
        why = _Reason("FUNDING_FEE", symbol, reference, "house")
        _post(world, account, row.quote, amount, why)
        world.changed()
        tell_account(world, account, "FUNDING_FEE", [(row.quote, amount)], [(symbol, side)])


@dataclass(frozen=True)
class _Reason:
    """Why something is posted."""

    kind: str
    symbol: str
    reference: str
    against: str


def _post(world: World, account: Account, asset: str, amount: Decimal, why: _Reason) -> None:
    world.ledger.post(
        account,
        "usdm",
        asset,
        amount,
        kind=why.kind,
        now_ms=world.now_ms(),
        against=why.against,
        symbol=why.symbol,
        reference=why.reference,
    )


def _same_closing(resting: OrderTerms, new: OrderTerms) -> bool:
    return (
        resting.symbol == new.symbol
        and resting.side == new.side
        and resting.position_side == new.position_side
        and closes_only(resting)
    )


def _expire_idle_closers(world: World, account: Account, symbol: str, side: PositionSide) -> None:
    """The venue ends reduce-only orders whose leg has gone."""
    drawer = world.register.drawer(account.label, "usdm")
    for order in list(drawer.open.values()):
        terms = order.terms
        if terms.symbol != symbol or terms.position_side != side or not closes_only(terms):
            continue
        if closable(account, terms) == 0:
            close_order(world, order, "EXPIRED")
