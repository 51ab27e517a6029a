"""The fills that an engine has booked, each once.

The same fill can be told twice with different knowledge: by its client order id before the
exchange has answered, by its exchange id alone after a repair. So two rows are the same fill when
product, symbol, trade id and side agree and nothing that both know about the order differs. A fill
that a repair has inferred (`inferred` is true) gives way to the real one. Called by `state`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast

from resyncctl.sdk.canonical import JsonObject, decimal_of, decimal_text
from resyncctl.sdk.ledger import ZERO, Execution, product_of

_ORDER_IDS = ("order_exchange_id", "order_client_id")
Key = tuple[str, str, str, str]
"""Product, symbol, trade id and side."""


@dataclass(slots=True)
class FillBook:
    """Every fill row, in the order of booking."""

    market_type: str
    rows: list[JsonObject] = field(default_factory=list)
    _by_key: dict[Key, list[JsonObject]] = field(default_factory=dict)
    _inferred: list[JsonObject] = field(default_factory=list)

    def __iter__(self) -> Iterator[JsonObject]:
        return iter(self.rows)

    def load(self, rows: list[JsonObject]) -> None:
        """Start from rows that a checkpoint holds, just as they are."""
        self.rows = [dict(row) for row in rows]
        self._by_key = {}
        self._inferred = [row for row in self.rows if row.get("inferred") is True]
        for row in self.rows:
            self._by_key.setdefault(self._key(row), []).append(row)

    def add(self, row: JsonObject) -> Decimal | None:
        """Add a fill; return how much of it is new, or None when it was booked before.

        What an inferred fill of the same order has counted already is not new.
        """
        present = self._by_key.setdefault(self._key(row), [])
        if any(_same_order(row, other) for other in present):
            return None
        present.append(row)
        self.rows.append(row)
        amount = decimal_of(row["amount"]) or ZERO
        return amount - self._take_inferred(row, amount)

    def forget_before(self, since_ms: int) -> None:
        """Forget the fills that are older."""
        self.load([row for row in self.rows if cast("int", row["ts_ms"]) >= since_ms])

    def _take_inferred(self, real: JsonObject, amount: Decimal) -> Decimal:
        """Let inferred fills of the same order give way; return how much they had counted."""
        taken = ZERO
        for row in list(self._inferred):
            of_order = any(real.get(name) == row.get(name) is not None for name in _ORDER_IDS)
            same_market = all(real[name] == row[name] for name in ("symbol", "side"))
            if not of_order or not same_market or taken == amount:
                continue
            counted = decimal_of(row["amount"]) or ZERO
            share = min(counted, amount - taken)
            taken += share
            if share == counted:
                self._inferred.remove(row)
                self.rows.remove(row)
                self._by_key[self._key(row)].remove(row)
            else:
                row["amount"] = decimal_text(counted - share)
        return taken

    def _key(self, row: JsonObject) -> Key:
        symbol = str(row["symbol"])
        product = str(row.get("product") or product_of(symbol, self.market_type))
        return (product, symbol, str(row["trade_id"]), str(row["side"]))


def fill_row(order: JsonObject | None, fill: Execution) -> JsonObject:
    """Return the row of an execution of an order."""
    row: JsonObject = {
        "trade_id": fill.trade_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "price": decimal_text(fill.price),
        "amount": decimal_text(fill.amount),
        "ts_ms": fill.at_ms,
        "leg": fill.leg,
        "liquidity": fill.liquidity,
    }
    if order is not None:
        row["order_exchange_id"] = order.get("exchange_id")
        row["order_client_id"] = order.get("client_id")
    if fill.fee is not None:
        row["fee"] = [{"asset": asset, "amount": decimal_text(paid)} for asset, paid in fill.fee]
    return {key: value for key, value in row.items() if value is not None}


def _same_order(row: JsonObject, other: JsonObject) -> bool:
    """Whether nothing that both rows know about their order differs."""
    pairs = [(row.get(name), other.get(name)) for name in _ORDER_IDS]
    return all(mine == theirs for mine, theirs in pairs if mine is not None and theirs is not None)
