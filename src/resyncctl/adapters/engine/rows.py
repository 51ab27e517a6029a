"""Checkpoint rows as the core's nouns.

The words of a checkpoint become the fourteen order statuses like this:

- `pending_new` is SUBMITTED: the intent was written and the engine has no answer yet;
- `open` is ACCEPTED, or PARTIALLY_FILLED when something is filled; so is `partially_filled`;
- `pending_cancel` is PENDING_CANCEL;
- `lost` and `unknown` stay in flight, for the engine itself says that it does not know: an order
  that the exchange once acknowledged (it has an exchange id) is PENDING_UPDATE, any other one is
  SUBMITTED. They are never taken for open or for gone;
- `filled`, `canceled`, `expired` and `rejected` are what they say.

Quantities are in base units on both sides. Called by `checkpoint`, `command` and `repair`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from resyncctl.core.model import (
    Balance,
    Fill,
    Leg,
    Order,
    OrderClass,
    OrderStatus,
    Position,
    Side,
)
from resyncctl.core.money import ZERO
from resyncctl.core.snapshot import Claim
from resyncctl.sdk.canonical import JsonObject, JsonValue, decimal_of
from resyncctl.sdk.ledger import DERIVATIVES, product_of

_ALGO_VENUES = frozenset({"binance", "binanceusdm", "binancecoinm"})
"""Venues whose conditional orders on derivatives rest in a book of their own (Binance USD-M moved
them to the algo service on 2025-12-09: developers.binance.com, USD-M change log 2025-11-06; COIN-M
on 2026-06-30: "Important CM-UM Integration Notice")."""

_STATUS = {
    "pending_new": OrderStatus.SUBMITTED,
    "open": OrderStatus.ACCEPTED,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "pending_cancel": OrderStatus.PENDING_CANCEL,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What every row of one checkpoint needs to become a noun of the core.

    `protective_ids` are the order ids that positions name as their protection, `hedged` the
    (product, symbol) pairs whose positions are legs.
    """

    account: str
    exchange: str
    market_type: str
    hedge_mode: bool = False
    protective_ids: frozenset[str] = frozenset()
    hedged: frozenset[tuple[str, str]] = frozenset()

    def product(self, row: Mapping[str, JsonValue]) -> str:
        """Return the product that a row belongs to: what it says, or what its symbol says."""
        told = _text(row, "product")
        if told is not None:
            return told
        symbol = _text(row, "symbol")
        if symbol is not None:
            return product_of(symbol, self.market_type)
        return "linear" if self.market_type in {"swap", "future"} else self.market_type


def frame_of(document: Mapping[str, JsonValue], account: str) -> Frame:
    """Given a checkpoint, return what its rows need to be understood."""
    header = cast("JsonObject", document["account"])
    base = Frame(
        account=account,
        exchange=str(header["exchange"]),
        market_type=str(header["market_type"]),
        hedge_mode=header.get("position_mode") == "hedge",
    )
    rows = cast("list[JsonObject]", document.get("positions") or [])
    sides: dict[tuple[str, str], set[str]] = {}
    named: set[str] = set()
    for row in rows:
        sides.setdefault((base.product(row), str(row["symbol"])), set()).add(str(row["side"]))
        named.update(cast("list[str]", row.get("protective_order_ids") or []))
    return Frame(
        account=account,
        exchange=base.exchange,
        market_type=base.market_type,
        hedge_mode=base.hedge_mode,
        protective_ids=frozenset(named),
        hedged=frozenset(key for key, seen in sides.items() if len(seen) > 1),
    )


def order_from(row: JsonObject, frame: Frame) -> Order:
    """Given one order row, return the order."""
    product = frame.product(row)
    filled = _number(row, "filled") or ZERO
    trigger = _number(row, "stop_price")
    leg = Leg(_text(row, "leg") or "both")
    reduce_only = row.get("reduce_only") is True
    return Order(
        account=frame.account,
        product=product,
        symbol=str(row["symbol"]),
        side=Side(str(row["side"])),
        type=str(row["type"]),
        status=_status(row, filled),
        client_order_id=_text(row, "client_id"),
        venue_order_id=_text(row, "exchange_id"),
        quantity=_number(row, "amount") or ZERO,
        filled=filled,
        price=_number(row, "price"),
        trigger_price=trigger,
        reduce_only=reduce_only,
        leg=leg,
        protective=_is_protective(row, frame, product, reduces=reduce_only or leg is not Leg.BOTH),
        order_class=_order_class(row, frame, product),
        list_id=_text(row, "list_id"),
        average_price=_number(row, "average_price"),
        created_at_ms=_time(row, "created_ms"),
        updated_at_ms=_time(row, "updated_ms"),
    )


def fill_from(row: JsonObject, frame: Frame) -> tuple[Fill, str | None]:
    """Given one fill row, return the fill, and a note about what does not fit into it."""
    fees = row.get("fee")
    fee, asset, note = _fee(cast("list[JsonObject]", fees)) if isinstance(fees, list) else _NO_FEE
    trade_id = str(row["trade_id"])
    fill = Fill(
        account=frame.account,
        product=frame.product(row),
        symbol=str(row["symbol"]),
        trade_id=trade_id,
        venue_order_id=_text(row, "order_exchange_id"),
        client_order_id=_text(row, "order_client_id"),
        side=Side(str(row["side"])),
        quantity=_number(row, "amount") or ZERO,
        price=_number(row, "price"),
        fee=fee,
        fee_asset=asset,
        at_ms=_time(row, "ts_ms") or 0,
        leg=Leg(_text(row, "leg") or "both"),
        inferred=row.get("inferred") is True,
    )
    return fill, f"fill {trade_id}: {note}" if note else None


def position_from(row: JsonObject, frame: Frame) -> Position:
    """Given one position row, return the leg. Without a word about legs it is a net position."""
    product, symbol, side = frame.product(row), str(row["symbol"]), str(row["side"])
    told = _text(row, "leg")
    legged = frame.hedge_mode or (product, symbol) in frame.hedged
    amount = _number(row, "amount") or ZERO
    return Position(
        account=frame.account,
        product=product,
        symbol=symbol,
        leg=Leg(told or (side if legged else "both")),
        quantity=amount if side == "long" else -amount,
        entry_price=_number(row, "entry_price"),
        updated_at_ms=_time(row, "updated_ms"),
    )


def balance_from(row: JsonObject, frame: Frame) -> Balance:
    """Given one balance row, return the balance."""
    return Balance(
        account=frame.account,
        product=frame.product(row),
        asset=str(row["asset"]),
        free=_number(row, "free"),
        locked=_number(row, "used"),
        total=_number(row, "total") or ZERO,
    )


def claims_from(rows: Iterable[JsonObject]) -> tuple[Claim, ...]:
    """Given the claim rows, return the claims."""
    return tuple(
        Claim(
            owner=str(row["owner"]),
            venue_order_id=_text(row, "exchange_id"),
            client_order_id=_text(row, "client_id"),
            symbol=_text(row, "symbol"),
            until_ms=_time(row, "until_ms"),
        )
        for row in rows
    )


def _status(row: JsonObject, filled: Decimal) -> OrderStatus:
    state = str(row["state"])
    if state in {"lost", "unknown"}:
        known = row.get("exchange_id") is not None
        return OrderStatus.PENDING_UPDATE if known else OrderStatus.SUBMITTED
    if state == "open" and filled > ZERO:
        return OrderStatus.PARTIALLY_FILLED
    return _STATUS[state]


def _is_protective(row: JsonObject, frame: Frame, product: str, *, reduces: bool) -> bool:
    """An order that a position names, or a stop that can only reduce. On spot every stop is one."""
    if not frame.protective_ids.isdisjoint({row.get("client_id"), row.get("exchange_id")}):
        return True
    return row.get("role") == "stop" and (reduces or product not in DERIVATIVES)


def _order_class(row: JsonObject, frame: Frame, product: str) -> OrderClass:
    told = _text(row, "order_class")
    if told is not None:
        return OrderClass(told)
    conditional = row.get("stop_price") is not None and product in DERIVATIVES
    return OrderClass.ALGO if conditional and frame.exchange in _ALGO_VENUES else OrderClass.REGULAR


_NO_FEE: tuple[None, None, None] = (None, None, None)


def _fee(rows: list[JsonObject]) -> tuple[Decimal | None, str | None, str | None]:
    """Add up the fees of one asset; the core knows one for a fill, and others become a note."""
    if not rows:
        return ZERO, None, None
    totals: dict[str, Decimal] = {}
    for row in rows:
        asset = str(row["asset"])
        totals[asset] = totals.get(asset, ZERO) + (_number(row, "amount") or ZERO)
    (asset, amount), *others = totals.items()
    note = ", ".join(f"also a fee of {paid} {other}" for other, paid in others)
    return amount, asset, note or None


def _number(row: Mapping[str, JsonValue], key: str) -> Decimal | None:
    return decimal_of(row.get(key))


def _text(row: Mapping[str, JsonValue], key: str) -> str | None:
    value = row.get(key)
    return value if isinstance(value, str) else None


def _time(row: Mapping[str, JsonValue], key: str) -> int | None:
    value = row.get(key)
    return value if isinstance(value, int) else None
