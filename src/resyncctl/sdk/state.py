"""The rows that an engine keeps in memory between two writes of its checkpoint.

Nothing here touches a file: `recoverable` owns one `EngineState`, changes it, and writes what
`content` returns. A section stays absent until the engine has said something about it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import cast

from resyncctl.sdk.canonical import JsonObject, JsonValue, decimal_of, decimal_text
from resyncctl.sdk.errors import RecoveryError
from resyncctl.sdk.fills import FillBook, fill_row
from resyncctl.sdk.ledger import (
    DERIVATIVES,
    ZERO,
    Execution,
    changes_of,
    move_position,
    product_of,
)
from resyncctl.sdk.shape import SECTIONS, TERMINAL_STATES, check_order

FILLS_KEPT_MS = 25 * 3600 * 1000
ENDED_ORDERS_KEPT = 200
IN_THE_AIR = frozenset({"pending_new", "pending_cancel", "lost", "unknown"})

AssetAmounts = Mapping[str, tuple[Decimal, Decimal] | Decimal]
"""Free and used amount by asset, or the total alone where only that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order that is about to be sent. Amounts are in base units, on COIN-M in contracts."""

    client_id: str
    symbol: str
    side: str
    type: str
    amount: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    role: str = "quote"
    reduce_only: bool = False
    tif: str | None = None
    leg: str | None = None
    order_class: str | None = None
    strategy: str | None = None
    parent_position: str | None = None

    def row(self, now_ms: int) -> JsonObject:
        """Return the order's row as it is before the exchange has heard of it."""
        told: dict[str, JsonValue] = {
            "price": None if self.price is None else decimal_text(self.price),
            "stop_price": None if self.stop_price is None else decimal_text(self.stop_price),
            "tif": self.tif,
            "leg": self.leg,
            "order_class": self.order_class,
            "strategy": self.strategy,
            "parent_position": self.parent_position,
        }
        row: JsonObject = {
            "client_id": self.client_id,
            "symbol": self.symbol,
            "side": self.side,
            "type": self.type,
            "role": self.role,
            "state": "pending_new",
            "amount": decimal_text(self.amount),
            "filled": "0",
            "remaining": decimal_text(self.amount),
            "reduce_only": self.reduce_only,
            "created_ms": now_ms,
            "updated_ms": now_ms,
            **{key: value for key, value in told.items() if value is not None},
        }
        check_order(row)
        return row


@dataclass(slots=True)
class EngineState:
    """Orders, fills, positions, balances and claims of one engine. None is "never told"."""

    market_type: str
    products: tuple[str, ...]
    orders: dict[str, JsonObject] = field(default_factory=dict)
    fills: FillBook = field(init=False)
    fills_since_ms: int = 0
    positions: dict[str, list[JsonObject]] = field(default_factory=dict)
    balances: dict[str, list[JsonObject]] = field(default_factory=dict)
    claims: list[JsonObject] = field(default_factory=list)
    as_of_ms: int = 0
    cursor: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fills = FillBook(self.market_type)

    def find(self, client_id: str) -> JsonObject:
        """Return the order with that client id.

        Raises:
            RecoveryError: The engine has no such order.
        """
        try:
            return self.orders[client_id]
        except KeyError:
            raise RecoveryError(f"no order has the client id {client_id!r}") from None

    def order_of(
        self, fill: Execution, client_id: str | None, exchange_id: str | None
    ) -> JsonObject | None:
        """Return the order that an execution belongs to, None where the engine has no such order.

        Exchange ids count per symbol on several venues, so the symbol and the side must fit too.
        """
        if client_id is not None:
            return self.orders.get(client_id)
        for row in self.orders.values():
            same = exchange_id is not None and row.get("exchange_id") == exchange_id
            if same and row["symbol"] == fill.symbol and row["side"] == fill.side:
                return row
        return None

    def add(self, order: NewOrder, now_ms: int) -> None:
        """Add an order that is about to be sent.

        Raises:
            RecoveryError: An order with this client id is still alive.
        """
        present = self.orders.get(order.client_id)
        if present is not None and present["state"] not in TERMINAL_STATES:
            raise RecoveryError(f"the client id {order.client_id!r} is in use by a live order")
        self.orders[order.client_id] = order.row(now_ms)

    def change(self, row: JsonObject, state: str, at_ms: int, **changes: JsonValue) -> None:
        """Give an order a new state, and move the time up to which the engine knows."""
        row.update({key: value for key, value in changes.items() if value is not None})
        row["state"] = state
        row["updated_ms"] = at_ms
        self.as_of_ms = max(self.as_of_ms, at_ms)
        if state in TERMINAL_STATES:
            self._forget_old_ended_orders()

    def fill(self, row: JsonObject | None, fill: Execution, named: JsonObject) -> bool:
        """Book one execution on its order, position and balance; False if it was booked before.

        `named` holds the ids that the caller knows of an order which the engine does not have.
        """
        fresh = self.fills.add({**fill_row(row, fill), **({} if row else named)})
        if fresh is None:
            return False
        self.as_of_ms = max(self.as_of_ms, fill.at_ms)
        if fresh == ZERO:
            return True
        counted = replace(fill, amount=fresh)
        product = product_of(fill.symbol, self.market_type)
        if row is not None:
            self._fill_order(row, counted)
        realized: Decimal | None = None
        if product in DERIVATIVES and product in self.positions:
            realized = self._move_position(product, counted)
        self._change_balances(product, counted, realized)
        return True

    def set_balances(self, product: str, amounts: AssetAmounts, as_of_ms: int) -> None:
        """Replace what is known of one product's balances by what the exchange has just said."""
        self.balances[product] = [
            {
                "asset": asset,
                **_amounts(amount),
                "as_of_ms": as_of_ms,
                "source": "exchange",
                "product": product,
            }
            for asset, amount in sorted(amounts.items())
        ]

    def set_positions(self, product: str, rows: Iterable[Mapping[str, JsonValue]]) -> None:
        """Replace what is known of one product's positions."""
        self.positions[product] = [{**row, "product": product} for row in rows]

    def content(self) -> JsonObject:
        """Return the sections as the checkpoint carries them."""
        content: JsonObject = {
            "orders": list(self.orders.values()),
            "fills": list(self.fills),
            "fills_since_ms": self.fills_since_ms,
            "external_claims": list(self.claims),
            "state_as_of_ms": self.as_of_ms,
            "event_cursor": dict(self.cursor),
        }
        derivatives = [product for product in self.products if product in DERIVATIVES]
        if all(product in self.positions for product in derivatives):
            content["positions"] = [row for rows in self.positions.values() for row in rows]
        if all(product in self.balances for product in self.products):
            content["balances"] = [row for rows in self.balances.values() for row in rows]
        return content

    def load(self, document: Mapping[str, JsonValue]) -> None:
        """Take over what a checkpoint holds, for an engine that restarts."""
        rows = {name: cast("list[JsonObject] | None", document.get(name)) for name in SECTIONS}
        self.orders = {_name_of(row): dict(row) for row in rows["orders"] or ()}
        self.fills.load(rows["fills"] or [])
        self.claims = [dict(row) for row in rows["external_claims"] or ()]
        self.as_of_ms = cast("int", document["state_as_of_ms"])
        self.cursor = dict(cast("JsonObject", document.get("event_cursor") or {}))
        since_ms = document.get("fills_since_ms")
        if isinstance(since_ms, int):
            self.fills_since_ms = since_ms
        self.positions = self._by_product(rows["positions"], only=DERIVATIVES)
        self.balances = self._by_product(rows["balances"], only=frozenset(self.products))

    def covers_since(self, since_ms: int) -> None:
        """Note that every fill since that time has been booked."""
        self.fills_since_ms = min(self.fills_since_ms, since_ms)

    def prune(self, now_ms: int) -> None:
        """Forget fills that are older than what a reconciliation looks back."""
        since_ms = now_ms - FILLS_KEPT_MS
        if self.fills_since_ms >= since_ms:
            return
        self.fills_since_ms = since_ms
        self.fills.forget_before(since_ms)

    def anything_in_the_air(self) -> bool:
        """Whether the fate of any order is not known to the engine."""
        return any(row["state"] in IN_THE_AIR for row in self.orders.values())

    def _fill_order(self, row: JsonObject, fill: Execution) -> None:
        amount = decimal_of(row["amount"]) or ZERO
        filled = (decimal_of(row["filled"]) or ZERO) + fill.amount
        row["filled"] = decimal_text(filled)
        row["remaining"] = decimal_text(max(amount - filled, ZERO))
        row["updated_ms"] = fill.at_ms
        if filled >= amount:
            self.change(row, "filled", fill.at_ms)
        elif row["state"] not in TERMINAL_STATES | {"pending_cancel"}:
            row["state"] = "partially_filled"

    def _move_position(self, product: str, fill: Execution) -> Decimal | None:
        rows = self.positions[product]
        present = next(
            (
                row
                for row in rows
                if row["symbol"] == fill.symbol and _leg(row) == (fill.leg or "both")
            ),
            None,
        )
        moved = move_position(present, fill, product)
        kept = [row for row in rows if row is not present]
        self.positions[product] = kept + (
            [] if moved.row is None else [{**moved.row, "product": product}]
        )
        return moved.realized

    def _change_balances(self, product: str, fill: Execution, realized: Decimal | None) -> None:
        if product not in self.balances:
            return
        changes = changes_of(fill, product, realized)
        if changes is None:
            # Nobody can say what the fill did to the balance: not known is better than wrong.
            del self.balances[product]
            return
        present = {str(row["asset"]): row for row in self.balances[product]}
        for asset, change in changes.items():
            if change != ZERO:
                present[asset] = _computed(present.get(asset), asset, product, change, fill.at_ms)
        self.balances[product] = list(present.values())

    def _forget_old_ended_orders(self) -> None:
        ended = [name for name, row in self.orders.items() if row["state"] in TERMINAL_STATES]
        for name in ended[: max(0, len(ended) - ENDED_ORDERS_KEPT)]:
            del self.orders[name]

    def _by_product(
        self, rows: list[JsonObject] | None, *, only: frozenset[str]
    ) -> dict[str, list[JsonObject]]:
        if rows is None:
            return {}
        found: dict[str, list[JsonObject]] = {
            product: [] for product in self.products if product in only
        }
        for row in rows:
            symbol = row.get("symbol")
            fallback = product_of(symbol, self.market_type) if isinstance(symbol, str) else None
            product = row.get("product") or fallback or self.products[0]
            found.setdefault(str(product), []).append(dict(row))
        return found


def _name_of(row: JsonObject) -> str:
    return str(row.get("client_id") or f"exchange:{row.get('exchange_id')}")


def _leg(row: JsonObject) -> str:
    return str(row.get("leg") or "both")


def _amounts(amount: tuple[Decimal, Decimal] | Decimal) -> JsonObject:
    if isinstance(amount, tuple):
        free, used = amount
        return {
            "free": decimal_text(free),
            "used": decimal_text(used),
            "total": decimal_text(free + used),
        }
    return {"total": decimal_text(amount)}


def _computed(
    row: JsonObject | None, asset: str, product: str, change: Decimal, at_ms: int
) -> JsonObject:
    total = (decimal_of(row["total"]) or ZERO) if row else ZERO
    return {
        "asset": asset,
        "total": decimal_text(total + change),
        "as_of_ms": at_ms,
        "source": "computed",
        "product": product,
    }
