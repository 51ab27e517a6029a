"""What futures contracts are worth: linear ones in the quote asset, inverse ones in the coin.

An inverse contract is worth a fixed amount of dollars, so what it is worth in coins falls when the
price rises: its profit is contracts x value x (1/entry - 1/exit), and the entry price of a leg that
grew is the harmonic mean. Everything here is a pure function of the symbol's row.

Source: Binance, "COIN-M futures contract specifications" and "profit and loss calculation".
Called by the futures engine, its rows and its events.
"""

from decimal import Decimal

from resyncctl.simulator.catalogue import SymbolRow
from resyncctl.simulator.ledger import Position
from resyncctl.simulator.numbers import ZERO, cut


def worth(row: SymbolRow, quantity: Decimal, price: Decimal) -> Decimal:
    """Return what a quantity is worth at a price, in the asset that the contract settles in."""
    return quantity * row.contract_value / price if row.inverse else quantity * price


def profit(row: SymbolRow, amount: Decimal, entry: Decimal, price: Decimal) -> Decimal:
    """Return what a signed amount gains from one price to another, in the settling asset."""
    if amount == 0:
        return ZERO
    if row.inverse:
        return amount * row.contract_value * (price - entry) / (entry * price)
    return amount * (price - entry)


def unrealized(row: SymbolRow, position: Position, mark: Decimal) -> Decimal:
    """Return the open profit of a leg at that mark price."""
    return profit(row, position.amount, position.entry_price, mark)


def average(row: SymbolRow, amount: Decimal, quantity: Decimal) -> Decimal:
    """Return the average price of a quantity that was worth that amount, zero for nothing."""
    if not quantity or not amount:
        return ZERO
    whole = quantity * row.contract_value / amount if row.inverse else amount / quantity
    return round(whole, 8)


def moved(
    row: SymbolRow, position: Position, signed: Decimal, price: Decimal, now_ms: int
) -> tuple[Position, Decimal]:
    """Given a leg and a signed fill, return the new leg and the realized profit."""
    before = position.amount
    after = before + signed
    if before == 0 or (before > 0) == (signed > 0):
        held = worth(row, abs(before), position.entry_price) if before else ZERO
        return Position(
            after, average(row, held + worth(row, abs(signed), price), abs(after)), now_ms
        ), ZERO
    closed = min(abs(before), abs(signed)) * (1 if before > 0 else -1)
    realized = cut(profit(row, closed, position.entry_price, price))
    if after == 0:
        return Position(ZERO, ZERO, now_ms), realized
    entry = position.entry_price if (after > 0) == (before > 0) else price
    return Position(after, entry, now_ms), realized
