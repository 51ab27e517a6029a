"""Rows of Binance, read strictly into the nouns of the core.

Promises: every number is exact; a word that the documentation does not know raises `Malformed`,
and nothing is read as zero that was not told; symbols are translated by the caller.

Sources: binance-spot-api-docs enums.md and rest-api.md; USD-M and COIN-M documentation, common
definitions.
Called by `spot` and `futures`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row
from resyncctl.core.model import (
    Balance,
    Fill,
    LedgerEntry,
    Leg,
    Order,
    OrderClass,
    OrderStatus,
    Position,
    Side,
)
from resyncctl.core.money import ZERO

SymbolOf = Callable[[str], str]

STATUSES = {
    "NEW": OrderStatus.ACCEPTED,
    "PENDING_NEW": OrderStatus.ACCEPTED,
    "NEW_INSURANCE": OrderStatus.ACCEPTED,
    "NEW_ADL": OrderStatus.ACCEPTED,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "PENDING_CANCEL": OrderStatus.PENDING_CANCEL,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
}
ALGO_STATUSES = {
    "NEW": OrderStatus.ACCEPTED,
    "TRIGGERING": OrderStatus.TRIGGERED,
    "TRIGGERED": OrderStatus.TRIGGERED,
    "FINISHED": OrderStatus.TRIGGERED,
    "CANCELED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
}
"""FINISHED says only that the order which the trigger made has ended; `futures` asks for it."""

LEGS = {"BOTH": Leg.BOTH, "LONG": Leg.LONG, "SHORT": Leg.SHORT}
_CLOSING = {(Leg.LONG, Side.SELL), (Leg.SHORT, Side.BUY)}
_PROTECTIVE_TYPES = ("STOP", "TAKE_PROFIT", "TRAILING_STOP")

INCOME_KINDS = {
    "FUNDING_FEE": "funding",
    "COMMISSION": "commission",
    "REALIZED_PNL": "realized_pnl",
    "TRANSFER": "transfer",
    "INTERNAL_TRANSFER": "transfer",
    "CROSS_COLLATERAL_TRANSFER": "transfer",
    "STRATEGY_UMFUTURES_TRANSFER": "transfer",
    "COIN_SWAP_DEPOSIT": "deposit",
    "COIN_SWAP_WITHDRAW": "withdrawal",
    "COMMISSION_REBATE": "rebate",
    "API_REBATE": "rebate",
    "REFERRAL_KICKBACK": "rebate",
    "FEE_RETURN": "rebate",
    "CONTEST_REWARD": "other",
    "AUTO_EXCHANGE": "other",
}
"""Income types of GET /fapi/v1/income. One that is not listed is kept as `other`."""


def leg(row: Row) -> Leg:
    """Return the position leg of a row."""
    found = read.text(row, "positionSide")
    if found not in LEGS:
        raise Malformed(f"'positionSide' holds {found[:20]!r}, which this profile does not know")
    return LEGS[found]


def spot_order(row: Row, account: str, symbol_of: SymbolOf) -> Order:
    """Read a row of openOrders or order."""
    venue_symbol = read.text(row, "symbol")
    list_id = read.text(row, "orderListId")
    return Order(
        account=account,
        product="spot",
        symbol=symbol_of(venue_symbol),
        side=read.side(row, "side"),
        type=read.text(row, "type"),
        status=read.word(row, "status", STATUSES),
        client_order_id=read.text(row, "clientOrderId"),
        venue_order_id=read.text(row, "orderId"),
        quantity=read.number(row, "origQty"),
        filled=read.number(row, "executedQty"),
        price=read.price(row, "price"),
        trigger_price=read.price(row, "stopPrice"),
        list_id=None if list_id == "-1" else list_id,
        created_at_ms=read.at_ms(row, "time"),
        updated_at_ms=read.at_ms(row, "updateTime"),
        venue_symbol=venue_symbol,
    )


def futures_order(row: Row, account: str, symbol_of: SymbolOf, product: str) -> Order:
    """Read a row of openOrders or order, USD-M or COIN-M."""
    venue_symbol = read.text(row, "symbol")
    side, position_leg = read.side(row, "side"), leg(row)
    kind = read.optional_text(row, "origType") or read.text(row, "type")
    reduces = (
        read.flag(row, "reduceOnly")
        or read.flag(row, "closePosition")
        or (position_leg, side) in _CLOSING
    )
    return Order(
        account=account,
        product=product,
        symbol=symbol_of(venue_symbol),
        side=side,
        type=read.text(row, "type"),
        status=read.word(row, "status", STATUSES),
        client_order_id=read.text(row, "clientOrderId"),
        venue_order_id=read.text(row, "orderId"),
        quantity=read.number(row, "origQty"),
        filled=read.number(row, "executedQty"),
        price=read.price(row, "price"),
        trigger_price=read.price(row, "stopPrice"),
        reduce_only=reduces,
        leg=position_leg,
        protective=reduces and kind.startswith(_PROTECTIVE_TYPES),
        average_price=read.price(row, "avgPrice"),
        created_at_ms=read.optional_ms(row, "time"),
        updated_at_ms=read.at_ms(row, "updateTime"),
        venue_symbol=venue_symbol,
    )


def algo_order(row: Row, account: str, symbol_of: SymbolOf, product: str) -> Order:
    """Read a conditional order. One that closes the whole position has quantity zero."""
    venue_symbol = read.text(row, "symbol")
    side, position_leg = read.side(row, "side"), leg(row)
    kind = read.text(row, "orderType")
    reduces = (
        read.flag(row, "reduceOnly")
        or read.flag(row, "closePosition")
        or (position_leg, side) in _CLOSING
    )
    return Order(
        account=account,
        product=product,
        symbol=symbol_of(venue_symbol),
        side=side,
        type=kind,
        status=read.word(row, "algoStatus", ALGO_STATUSES),
        client_order_id=read.text(row, "clientAlgoId"),
        venue_order_id=read.text(row, "algoId"),
        quantity=read.number(row, "quantity"),
        filled=ZERO,
        price=read.price(row, "price"),
        trigger_price=read.price(row, "triggerPrice"),
        reduce_only=reduces,
        leg=position_leg,
        protective=reduces and kind.startswith(_PROTECTIVE_TYPES),
        order_class=OrderClass.ALGO,
        created_at_ms=read.at_ms(row, "createTime"),
        updated_at_ms=read.at_ms(row, "updateTime"),
        venue_symbol=venue_symbol,
    )


def fill(row: Row, account: str, product: str, symbol_of: SymbolOf) -> Fill:
    """Read a row of myTrades (spot) or userTrades (futures)."""
    if product == "spot":
        side = Side.BUY if read.flag(row, "isBuyer") else Side.SELL
        position_leg = Leg.BOTH
    else:
        side, position_leg = read.side(row, "side"), leg(row)
    return Fill(
        account=account,
        product=product,
        symbol=symbol_of(read.text(row, "symbol")),
        trade_id=read.text(row, "id"),
        venue_order_id=read.text(row, "orderId"),
        client_order_id=None,
        side=side,
        quantity=read.positive(read.number(row, "qty"), "qty"),
        price=read.number(row, "price"),
        fee=read.number(row, "commission"),
        fee_asset=read.text(row, "commissionAsset"),
        at_ms=read.at_ms(row, "time"),
        leg=position_leg,
    )


def position(row: Row, account: str, symbol_of: SymbolOf, product: str) -> Position | None:
    """Read a leg of positionRisk, None when it is flat. A short leg is negative."""
    quantity = read.number(row, "positionAmt")
    if quantity == ZERO:
        return None
    position_leg = leg(row)
    if position_leg is Leg.LONG and quantity < ZERO:
        raise Malformed("a long leg has a negative amount")
    if position_leg is Leg.SHORT:
        quantity = -abs(quantity)
    return Position(
        account=account,
        product=product,
        symbol=symbol_of(read.text(row, "symbol")),
        leg=position_leg,
        quantity=quantity,
        entry_price=read.price(row, "entryPrice"),
        updated_at_ms=read.optional_ms(row, "updateTime"),
    )


def spot_balance(row: Row, account: str) -> Balance | None:
    """Read a balance of the spot account, None when there is nothing."""
    free, locked = read.number(row, "free"), read.number(row, "locked")
    if free == ZERO and locked == ZERO:
        return None
    return Balance(
        account=account,
        product="spot",
        asset=read.text(row, "asset"),
        free=free,
        locked=locked,
        total=free + locked,
    )


def futures_balance(row: Row, account: str, product: str) -> Balance | None:
    """Read a balance of the futures wallet, None when there is nothing.

    The total is the wallet balance, which moves only by bookings. What is available moves with
    every price, so it is not the free part of that total and is not told as such.
    """
    total = read.number(row, "balance")
    if total == ZERO:
        return None
    return Balance(
        account=account,
        product=product,
        asset=read.text(row, "asset"),
        free=None,
        locked=None,
        total=total,
    )


def income(row: Row, account: str, symbol_of: SymbolOf, product: str) -> LedgerEntry:
    """Read a row of the income history. `tranId` is unique per income type only."""
    kind = read.text(row, "incomeType")
    venue_symbol = read.optional_text(row, "symbol")
    return LedgerEntry(
        account=account,
        product=product,
        asset=read.text(row, "asset"),
        amount=read.number(row, "income"),
        kind=INCOME_KINDS.get(kind, "other"),
        entry_id=f"{kind}:{read.text(row, 'tranId')}:{venue_symbol or ''}",
        at_ms=read.at_ms(row, "time"),
        symbol=symbol_of(venue_symbol) if venue_symbol else None,
        trade_id=read.optional_text(row, "tradeId"),
    )


_BOOKED_DEPOSITS = {"1", "6"}
_UNBOOKED_WITHDRAWALS = {"1", "3", "5"}


def deposit(row: Row, account: str) -> LedgerEntry | None:
    """Read a deposit, None while it is not credited (status 1 success, 6 credited and locked)."""
    if read.text(row, "status") not in _BOOKED_DEPOSITS:
        return None
    return LedgerEntry(
        account=account,
        product="spot",
        asset=read.text(row, "coin"),
        amount=read.number(row, "amount"),
        kind="deposit",
        entry_id=f"deposit:{read.text(row, 'id')}",
        at_ms=read.at_ms(row, "insertTime"),
    )


def withdrawal(row: Row, account: str) -> LedgerEntry | None:
    """Read a withdrawal and its fee; None when cancelled (1), rejected (3) or failed (5)."""
    if read.text(row, "status") in _UNBOOKED_WITHDRAWALS:
        return None
    fee = read.optional_number(row, "transactionFee") or ZERO
    return LedgerEntry(
        account=account,
        product="spot",
        asset=read.text(row, "coin"),
        amount=_negative(read.number(row, "amount") + fee),
        kind="withdrawal",
        entry_id=f"withdrawal:{read.text(row, 'id')}",
        at_ms=_utc_ms(read.text(row, "applyTime")),
    )


def transfer(row: Row, account: str, *, out: bool) -> LedgerEntry | None:
    """Read a transfer between the spot wallet and another one, None when it did not happen."""
    if read.text(row, "status") == "FAILED":
        return None
    amount = read.positive(read.number(row, "amount"), "amount")
    return LedgerEntry(
        account=account,
        product="spot",
        asset=read.text(row, "asset"),
        amount=_negative(amount) if out else amount,
        kind="transfer",
        entry_id=f"transfer:{read.text(row, 'tranId')}",
        at_ms=read.at_ms(row, "timestamp"),
    )


def _negative(amount: Decimal) -> Decimal:
    return ZERO - amount


def _utc_ms(text: str) -> int:
    """Return the milliseconds of a time such as `2026-11-03 12:00:01` (UTC)."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise Malformed("'applyTime' is not a time") from None
    return int(moment.timestamp()) * 1000
