"""From a venue's own units to the nouns of the core.

Promise: a quantity in the core is in base units. Contracts are multiplied by the contract size,
inverse contracts are divided by a price, and where the size or the price is not known the row is a
fault, never a guess. Pure functions; called by `generic`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext

from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    QUOTE_ASSET,
    SETTLE_ASSET,
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import Balance, Fill, Leg, Order, OrderClass, Position
from resyncctl.core.money import ZERO

_EXACT = Context(prec=40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What must be known of an instrument. `mapped` is False when only the raw name is known."""

    symbol: str
    venue_symbol: str
    quote: str | None = None
    settle: str | None = None
    contract_size: Decimal | None = None
    inverse: bool = False
    mapped: bool = True


def in_base(
    quantity: Decimal, unit: Unit, instrument: Instrument, price: Decimal | None
) -> Decimal:
    """Return a quantity in base units.

    Raises:
        Malformed: The contract size, or the price that an inverse quantity needs, is not known.
    """
    if unit is Unit.BASE or quantity == ZERO:
        return quantity
    worth, inverse = quantity, unit is Unit.QUOTE
    if unit is Unit.CONTRACTS:
        if instrument.contract_size is None:
            raise Malformed(f"the contract size of {instrument.venue_symbol} is not known")
        with localcontext(_EXACT):
            worth = quantity * instrument.contract_size
        inverse = instrument.inverse
    if not inverse:
        return worth
    if price is None or price <= ZERO:
        name = instrument.venue_symbol
        raise Malformed(f"{name} counts in quote units and the row has no price to convert by")
    with localcontext(_EXACT):
        return worth / price


def order_of(raw: RawOrder, instrument: Instrument, *, account: str, product: str) -> Order:
    """Return the core's order."""
    price = raw.price or raw.trigger_price or raw.average_price
    return Order(
        account=account,
        product=product,
        symbol=instrument.symbol,
        side=raw.side,
        type=raw.type,
        status=raw.status,
        client_order_id=raw.client_order_id,
        venue_order_id=raw.venue_order_id,
        quantity=in_base(raw.quantity, raw.unit, instrument, price),
        filled=in_base(raw.filled, _filled_unit(raw), instrument, price),
        price=raw.price,
        trigger_price=raw.trigger_price,
        reduce_only=raw.reduce_only,
        leg=raw.leg,
        protective=raw.reduce_only and raw.trigger_price is not None,
        order_class=OrderClass.ALGO if raw.algo else OrderClass.REGULAR,
        list_id=raw.list_id,
        average_price=raw.average_price,
        created_at_ms=raw.created_at_ms,
        updated_at_ms=raw.updated_at_ms,
        venue_symbol=raw.venue_symbol,
    )


def _filled_unit(raw: RawOrder) -> Unit:
    return raw.filled_unit or raw.unit


def fill_of(
    raw: RawFill,
    instrument: Instrument,
    *,
    account: str,
    product: str,
    asset_code: Callable[[str], str] = str,
) -> Fill:
    """Return the core's fill. `asset_code` gives the common code of a venue's asset name."""
    named = {QUOTE_ASSET: instrument.quote, SETTLE_ASSET: instrument.settle or instrument.quote}
    asset = raw.fee_asset
    return Fill(
        account=account,
        product=product,
        symbol=instrument.symbol,
        trade_id=raw.trade_id,
        venue_order_id=raw.venue_order_id,
        client_order_id=raw.client_order_id,
        side=raw.side,
        quantity=in_base(raw.quantity, raw.unit, instrument, raw.price),
        price=raw.price,
        fee=raw.fee,
        fee_asset=None if asset is None else named[asset] if asset in named else asset_code(asset),
        at_ms=raw.at_ms,
        leg=raw.leg,
    )


def positions_of(
    raws: Iterable[tuple[RawPosition, Instrument]], *, account: str, product: str
) -> tuple[Position, ...]:
    """Return the core's positions; rows of one symbol and leg are one position."""
    merged: dict[tuple[str, Leg], Position] = {}
    for raw, instrument in raws:
        price = raw.entry_price or raw.mark_price
        position = Position(
            account=account,
            product=product,
            symbol=instrument.symbol,
            leg=raw.leg,
            quantity=in_base(raw.quantity, raw.unit, instrument, price),
            entry_price=raw.entry_price,
            updated_at_ms=raw.updated_at_ms,
        )
        key = (position.symbol, position.leg)
        merged[key] = _joined(merged[key], position) if key in merged else position
    return tuple(position for position in merged.values() if position.quantity != ZERO)


def _joined(left: Position, right: Position) -> Position:
    total = left.quantity + right.quantity
    entry = None
    if left.entry_price is not None and right.entry_price is not None and total != ZERO:
        with localcontext(_EXACT):
            cost = left.quantity * left.entry_price + right.quantity * right.entry_price
            entry = cost / total
    return replace(left, quantity=total, entry_price=entry)


def balances_of(
    raws: Iterable[tuple[RawBalance, str]], *, account: str, product: str
) -> tuple[Balance, ...]:
    """Return the core's balances that are not zero; wallets of one asset are added up."""
    merged: dict[str, Balance] = {}
    for raw, asset in raws:
        free, locked = _split(raw)
        balance = Balance(
            account=account,
            product=product,
            asset=asset,
            free=free,
            locked=locked,
            total=raw.total,
        )
        known = merged.get(asset)
        merged[asset] = balance if known is None else _added(known, balance)
    return tuple(
        one for one in merged.values() if one.total != ZERO or (one.locked or ZERO) != ZERO
    )


def _split(raw: RawBalance) -> tuple[Decimal | None, Decimal | None]:
    """Return free and locked, deriving the one from the other: together they are the total."""
    if raw.locked is not None:
        return raw.total - raw.locked if raw.free is None else raw.free, raw.locked
    if raw.free is not None:
        return raw.free, raw.total - raw.free
    return None, None


def _added(left: Balance, right: Balance) -> Balance:
    def plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
        return None if one is None or other is None else one + other

    return replace(
        left,
        free=plus(left.free, right.free),
        locked=plus(left.locked, right.locked),
        total=left.total + right.total,
    )
