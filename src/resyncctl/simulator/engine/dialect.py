"""What the engine asks of a product of the exchange, in the engine's own words.

`spot` and `usdm` speak the two dialects. Every method raises `Refused` or `NotKnown` as the client
does, and `KeyError`, `ValueError` or `TypeError` (collected in `GARBAGE`) for an answer that does
not hold what it must. Called by `bookkeeping` and `quoting`.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Protocol

from resyncctl.sdk.canonical import JsonObject
from resyncctl.sdk.ledger import Execution
from resyncctl.sdk.state import AssetAmounts, NewOrder

GARBAGE = (LookupError, ValueError, TypeError, ArithmeticError, AttributeError)


@dataclass(frozen=True, slots=True)
class Filters:
    """The grids that an order must lie on."""

    tick: Decimal
    step: Decimal

    def price(self, price: Decimal) -> Decimal:
        """Return the nearest price on the grid."""
        return (price / self.tick).to_integral_value(ROUND_HALF_EVEN) * self.tick

    def amount(self, amount: Decimal) -> Decimal:
        """Return the largest amount on the grid that is not above the given one."""
        return (amount / self.step).to_integral_value(ROUND_DOWN) * self.step


@dataclass(frozen=True, slots=True)
class Resting:
    """One row of a listing of open orders."""

    exchange_id: str
    filled: Decimal
    algo: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What the exchange says about one order. `state` is a word of the checkpoint.

    `became` is the exchange id of the regular order that a conditional order has become.
    """

    exchange_id: str
    state: str
    filled: Decimal
    at_ms: int
    became: str | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of the account with the order that it belongs to."""

    number: int
    exchange_id: str
    fill: Execution


class Dialect(Protocol):
    """One product of the exchange."""

    product: str

    async def measure_clock(self) -> None:
        """Measure the exchange's clock."""
        ...

    async def filters(self, symbol: str) -> Filters:
        """Return the grids of a symbol."""
        ...

    async def mid(self, symbol: str) -> Decimal:
        """Return the price in the middle of the book."""
        ...

    async def open_orders(self, symbol: str) -> list[Resting]:
        """List the open orders of a symbol, conditional ones too."""
        ...

    async def report(self, row: JsonObject) -> Report | None:
        """Ask for one order, whatever its state; None when the exchange does not know it."""
        ...

    async def place(self, order: NewOrder) -> str:
        """Place an order and return its exchange id."""
        ...

    async def cancel(self, row: JsonObject) -> None:
        """Cancel one order."""
        ...

    async def trades(self, symbol: str, *, after: int | None, since_ms: int) -> list[Trade]:
        """List every fill of a symbol after a number, or since a time."""
        ...

    async def balances(self) -> AssetAmounts:
        """Return every balance."""
        ...

    async def positions(self) -> list[JsonObject] | None:
        """Return every position as a checkpoint row; None where there can be none."""
        ...


def venue_symbol(symbol: str) -> str:
    """Return the exchange's name of a unified symbol: `BTC/USDT:USDT` is `BTCUSDT`."""
    return symbol.partition(":")[0].replace("/", "")


def filters_from(rows: list[JsonObject]) -> Filters:
    """Given the filters of an exchangeInfo row, return the grids."""
    by_kind = {str(row["filterType"]): row for row in rows}
    return Filters(
        tick=Decimal(str(by_kind["PRICE_FILTER"]["tickSize"])),
        step=Decimal(str(by_kind["LOT_SIZE"]["stepSize"])),
    )
