"""The plan for Deribit.

Promise: every currency is asked for on its own; ccxt by itself asks for BTC only. Quantities of
inverse futures are US dollars, of options and linear contracts base units, whatever ccxt's
contract size says. Trades older than a day and recent ones are two archives, and both are asked.
Sources: Deribit API v2 documentation (get_open_orders_by_currency,
get_user_trades_by_currency_and_time, get_positions, get_account_summary, cancel); ccxt issue 26913.
"""

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    DAY_MS,
    CancelOne,
    CancelSymbol,
    Forward,
    Listing,
    LookUpQuery,
    Query,
    Question,
    TimeSpan,
    Unacknowledged,
    VenuePlan,
    at,
    calling,
    names_order,
    one_at,
    regular,
    told,
    value,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import OrderStatus
from resyncctl.core.money import ZERO

CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR")
_PRODUCT = "derivatives"
_STATUSES = {
    "open": OrderStatus.ACCEPTED,
    "untriggered": OrderStatus.ACCEPTED,
    "triggered": OrderStatus.TRIGGERED,
    "filled": OrderStatus.FILLED,
    "rejected": OrderStatus.REJECTED,
    "cancelled": OrderStatus.CANCELED,
}


def _unit(row: Row) -> Unit:
    """Return what a quantity counts, by the venue's naming of instruments.

    `BTC-PERPETUAL` and `BTC-25DEC26` are inverse (US dollars), an option ends in `-C` or `-P`, and
    `BTC_USDC-PERPETUAL` is linear.
    """
    name = read.text(row, "instrument_name")
    inverse = "_" not in name and not name.endswith(("-C", "-P"))
    return Unit.QUOTE if inverse else Unit.BASE


def _order(row: Row) -> RawOrder:
    quantity, filled = read.number(row, "amount"), read.number(row, "filled_amount")
    status = read.word(row, "order_state", _STATUSES)
    price = row.get("price")
    return RawOrder(
        venue_order_id=read.text(row, "order_id"),
        client_order_id=read.optional_text(row, "label"),
        venue_symbol=read.text(row, "instrument_name"),
        side=read.side(row, "direction"),
        type=read.text(row, "order_type"),
        status=read.open_status(quantity, filled) if row["order_state"] == "open" else status,
        quantity=quantity,
        filled=filled,
        unit=_unit(row),
        price=None if price == "market_price" else read.price(row, "price"),
        trigger_price=read.price(row, "trigger_price"),
        average_price=read.price(row, "average_price"),
        reduce_only=read.flag(row, "reduce_only"),
        created_at_ms=read.optional_ms(row, "creation_timestamp"),
        updated_at_ms=read.optional_ms(row, "last_update_timestamp"),
    )


def _fill(row: Row) -> RawFill:
    return RawFill(
        trade_id=read.text(row, "trade_id"),
        venue_order_id=read.text(row, "order_id"),
        client_order_id=read.optional_text(row, "label"),
        venue_symbol=read.text(row, "instrument_name"),
        side=read.side(row, "direction"),
        quantity=read.positive(read.number(row, "amount"), "amount"),
        price=read.number(row, "price"),
        at_ms=read.at_ms(row, "timestamp"),
        unit=_unit(row),
        fee=read.optional_number(row, "fee"),
        fee_asset=read.optional_text(row, "fee_currency"),
    )


def _position(row: Row) -> RawPosition | None:
    size = read.number(row, "size")
    if size == ZERO:
        return None
    direction = read.text(row, "direction")
    if direction not in {"buy", "sell"}:
        raise Malformed("'direction' is neither buy nor sell")
    return RawPosition(
        venue_symbol=read.text(row, "instrument_name"),
        quantity=-abs(size) if direction == "sell" else abs(size),
        unit=_unit(row),
        entry_price=read.price(row, "average_price"),
        mark_price=read.price(row, "mark_price"),
    )


def _balance(row: Row) -> RawBalance:
    return RawBalance(asset=read.text(row, "currency"), total=read.number(row, "balance"))


def _judge_symbol(body: object) -> Unacknowledged | None:
    found = value(body, "result")
    if isinstance(found, int) and not isinstance(found, bool):
        return None
    return Unacknowledged("the answer does not count cancelled orders")


_SCOPE = regular(_PRODUCT)

PLAN = VenuePlan(
    venue="deribit",
    orders={
        _SCOPE: Listing(
            tuple(
                Query(
                    label=f"open orders, {currency}",
                    endpoint="privateGetGetOpenOrdersByCurrency",
                    params={"currency": currency},
                    rows=at("result"),
                    row_id=("order_id",),
                )
                for currency in CURRENCIES
            ),
            _order,
        ),
    },
    fills={
        _PRODUCT: Listing(
            tuple(
                Query(
                    label=f"trades, {currency}, {'older' if historical == 'true' else 'recent'}",
                    endpoint="privateGetGetUserTradesByCurrencyAndTime",
                    params={
                        "currency": currency,
                        "count": 1000,
                        "sorting": "asc",
                        "historical": historical,
                    },
                    rows=at("result.trades"),
                    row_id=("trade_id", "order_id"),
                    paging=Forward("start_timestamp", "timestamp", "result.has_more"),
                    span=TimeSpan(
                        since="start_timestamp", until="end_timestamp", longest_ms=365 * DAY_MS
                    ),
                )
                for currency in CURRENCIES
                for historical in ("true", "false")
            ),
            _fill,
        ),
    },
    positions={
        _PRODUCT: Listing(
            tuple(
                Query(
                    label=f"positions, {currency}",
                    endpoint="privateGetGetPositions",
                    params={"currency": currency},
                    rows=at("result"),
                    row_id=("instrument_name",),
                )
                for currency in CURRENCIES
            ),
            _position,
        ),
    },
    balances={
        _PRODUCT: Listing(
            tuple(
                Query(
                    label=f"account summary, {currency}",
                    endpoint="privateGetGetAccountSummary",
                    params={"currency": currency},
                    rows=one_at("result"),
                    row_id=("currency",),
                )
                for currency in CURRENCIES
            ),
            _balance,
        ),
    },
    look_ups={
        _SCOPE: (
            LookUpQuery(
                label="order state",
                endpoint="privateGetGetOrderState",
                params=lambda reference, _symbol: (
                    {"order_id": reference.venue_order_id} if reference.venue_order_id else None
                ),
                rows=one_at("result"),
                parse=_order,
            ),
            LookUpQuery(
                label="orders by label",
                endpoint="privateGetGetOrderStateByLabel",
                params=lambda reference, _symbol: (
                    {
                        "currency": reference.symbol.split("/")[0],
                        "label": reference.client_order_id,
                    }
                    if reference.client_order_id and not reference.venue_order_id
                    else None
                ),
                rows=at("result"),
                parse=_order,
            ),
        ),
    },
    cancels={
        _SCOPE: CancelOne(
            send=calling(
                "privateGetCancel", lambda order, _native: {"order_id": order.venue_order_id}
            ),
            judge=names_order("result.order_id"),
        ),
    },
    symbol_cancels={
        _SCOPE: CancelSymbol(
            endpoint="privateGetCancelAllByInstrument",
            params=lambda symbol: {"instrument_name": symbol},
            judge=_judge_symbol,
        ),
    },
    position_modes={_PRODUCT: "one_way"},
    identity=Question(
        endpoint="privateGetGetAccountSummary",
        params={"currency": "BTC", "extended": "true"},
        read=told("id", "result.id"),
    ),
)
