"""The plan for Kraken Futures.

Promise: every open order comes in one reply, trigger orders included; fills come newest first,
100 to a reply, and a full reply that does not reach back to the window's start is incomplete.
Sources: Kraken Futures REST documentation (openorders, fills, openpositions, accounts,
cancelorder, cancelallorders).
"""

from datetime import UTC, datetime

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, value_at
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    CancelOne,
    CancelSymbol,
    Countdown,
    Listing,
    NewestFirst,
    Query,
    Unacknowledged,
    VenuePlan,
    at,
    calling,
    regular,
    value,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import Order
from resyncctl.core.money import ZERO

_WORKING = frozenset({"untouched", "partiallyFilled"})


def iso_ms(row: Row, key: str) -> int | None:
    """Return a time written as ISO 8601 with a zone, or None when it is absent.

    Raises:
        Malformed: The text is not a time, or carries no zone.
    """
    found = read.optional_text(row, key)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(found)
    except ValueError:
        raise Malformed(f"{key!r} is not a time") from None
    if moment.tzinfo is None:
        raise Malformed(f"{key!r} is a time without a zone")
    whole = moment.astimezone(UTC)
    return int(whole.timestamp()) * 1000 + whole.microsecond // 1000


def _order(row: Row) -> RawOrder:
    filled = read.number(row, "filledSize")
    quantity = filled + read.number(row, "unfilledSize")
    if read.text(row, "status") not in _WORKING:
        raise Malformed("'status' holds a word that this profile does not know")
    return RawOrder(
        venue_order_id=read.text(row, "order_id"),
        client_order_id=read.optional_text(row, "cliOrdId"),
        venue_symbol=read.text(row, "symbol"),
        side=read.side(row, "side"),
        type=read.text(row, "orderType"),
        status=read.open_status(quantity, filled),
        quantity=quantity,
        filled=filled,
        unit=Unit.CONTRACTS,
        price=read.price(row, "limitPrice"),
        trigger_price=read.price(row, "stopPrice"),
        reduce_only=read.flag(row, "reduceOnly"),
        created_at_ms=iso_ms(row, "receivedTime"),
        updated_at_ms=iso_ms(row, "lastUpdateTime"),
    )


def _fill(row: Row) -> RawFill:
    at_ms = iso_ms(row, "fillTime")
    if at_ms is None:
        raise Malformed("a row lacks the time 'fillTime'")
    return RawFill(
        trade_id=read.text(row, "fill_id"),
        venue_order_id=read.text(row, "order_id"),
        client_order_id=read.optional_text(row, "cliOrdId"),
        venue_symbol=read.text(row, "symbol"),
        side=read.side(row, "side"),
        quantity=read.positive(read.number(row, "size"), "size"),
        price=read.number(row, "price"),
        at_ms=at_ms,
        unit=Unit.CONTRACTS,
    )


def _position(row: Row) -> RawPosition | None:
    size = read.number(row, "size")
    if size == ZERO:
        return None
    side = read.text(row, "side")
    if side not in {"long", "short"}:
        raise Malformed("'side' is neither long nor short")
    return RawPosition(
        venue_symbol=read.text(row, "symbol"),
        quantity=-abs(size) if side == "short" else abs(size),
        unit=Unit.CONTRACTS,
        entry_price=read.price(row, "price"),
    )


def _wallets(body: object) -> tuple[Row, ...]:
    """Collect the cash, single-collateral and multi-collateral wallets as rows per asset."""
    accounts = value_at(body, "accounts")
    if not isinstance(accounts, dict) or not accounts:
        raise Malformed("'accounts' is not an object with wallets")
    rows: list[Row] = []
    for name, wallet in accounts.items():
        kind = read.text(wallet, "type")
        if kind == "multiCollateralMarginAccount":
            for asset, holding in _mapping(wallet, "currencies").items():
                total = value_at(holding, "quantity")
                rows.append({"wallet": name, "asset": asset, "total": total})
            continue
        balances = _mapping(wallet, "balances")
        if kind == "cashAccount":
            rows.extend(
                {"wallet": name, "asset": asset, "total": total}
                for asset, total in balances.items()
            )
        else:
            asset = read.text(wallet, "currency")
            rows.append({"wallet": name, "asset": asset, "total": value_at(balances, asset)})
    return tuple(rows)


def _mapping(row: Row, key: str) -> dict[str, object]:
    found = value_at(row, key)
    if not isinstance(found, dict):
        raise Malformed(f"{key!r} is not an object")
    return found


def _balance(row: Row) -> RawBalance:
    return RawBalance(asset=read.text(row, "asset").upper(), total=read.number(row, "total"))


def _judge(body: object, _order: Order) -> Unacknowledged | None:
    status = str(value(body, "cancelStatus.status"))
    if status == "cancelled":
        return None
    if status in {"notFound", "filled"}:
        return Unacknowledged(f"the venue answered {status}", definite=True, gone=True)
    return Unacknowledged(f"the answer's cancel status is {status[:30]}")


def _judge_symbol(body: object) -> Unacknowledged | None:
    status = str(value(body, "cancelStatus.status"))
    if status in {"cancelled", "noOrdersToCancel"}:
        return None
    return Unacknowledged(f"the answer's cancel status is {status[:30]}")


def _counts(body: object, seconds: int) -> Unacknowledged | None:
    """Check the answer of cancelallordersafter: `triggerTime` is "0" when it was stopped."""
    if value(body, "result") != "success":
        return Unacknowledged("the answer does not tell a success")
    fires = value(body, "status.triggerTime")
    if (fires in {"0", 0}) != (seconds == 0) or fires is None:
        return Unacknowledged("the answer tells another countdown")
    return None


_FUTURES = regular("futures")

PLAN = VenuePlan(
    venue="krakenfutures",
    orders={
        _FUTURES: Listing(
            (
                Query(
                    label="open orders",
                    endpoint="privateGetOpenorders",
                    rows=at("openOrders"),
                    row_id=("order_id",),
                ),
            ),
            _order,
        ),
    },
    fills={
        "futures": Listing(
            (
                Query(
                    label="fills",
                    endpoint="privateGetFills",
                    rows=at("fills"),
                    row_id=("fill_id",),
                    paging=NewestFirst(100),
                ),
            ),
            _fill,
        ),
    },
    positions={
        "futures": Listing(
            (
                Query(
                    label="open positions",
                    endpoint="privateGetOpenpositions",
                    rows=at("openPositions"),
                    row_id=("symbol", "side"),
                ),
            ),
            _position,
        ),
    },
    balances={
        "futures": Listing(
            (
                Query(
                    label="wallets",
                    endpoint="privateGetAccounts",
                    rows=_wallets,
                    row_id=("wallet", "asset"),
                ),
            ),
            _balance,
        ),
    },
    look_ups={},
    cancels={
        _FUTURES: CancelOne(
            send=calling(
                "privatePostCancelorder",
                lambda order, _native: {"order_id": order.venue_order_id},
            ),
            judge=_judge,
        ),
    },
    symbol_cancels={
        _FUTURES: CancelSymbol(
            endpoint="privatePostCancelallorders",
            params=lambda symbol: {"symbol": symbol},
            judge=_judge_symbol,
        ),
    },
    countdown=Countdown(
        endpoint="privatePostCancelallordersafter",
        params=lambda seconds: {"timeout": seconds},
        judge=_counts,
        covers=(_FUTURES,),
        takes_protective=True,
        shortest_ms=15_000,
        longest_ms=600_000,
    ),
    position_modes={"futures": "one_way"},
)
