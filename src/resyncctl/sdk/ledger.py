"""What one fill does to positions and balances, so that all three change in one write.

Pure arithmetic on the rows of a checkpoint. What cannot be computed is not guessed: the caller is
told that it is not known any more, and leaves it out until the exchange was asked. Called by
`recoverable`.
"""

from dataclasses import dataclass
from decimal import Decimal

from resyncctl.sdk.canonical import JsonObject, decimal_of, decimal_text

ZERO = Decimal(0)
DERIVATIVES = frozenset({"linear", "inverse", "option"})
_OPTION_PARTS = 4
_ENTRY_STEP = Decimal("1e-12")


def product_of(symbol: str, market_type: str = "spot") -> str:
    """Given a unified symbol, return the product that it trades in.

    `BTC/USDT` is spot (or margin, where the account says so), `BTC/USDT:USDT` is linear,
    `BTC/USD:BTC` is inverse, and four parts joined by dashes are an option
    (docs.ccxt.com, section Contract naming conventions).
    """
    pair, colon, rest = symbol.partition(":")
    if not colon:
        return "margin" if market_type == "margin" else "spot"
    parts = rest.split("-")
    if len(parts) >= _OPTION_PARTS:
        return "option"
    quote = pair.partition("/")[2]
    return "linear" if parts[0] == quote else "inverse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill as the exchange reports it. `fee` is (asset, amount) pairs, None when not told."""

    trade_id: str
    symbol: str
    side: str
    price: Decimal
    amount: Decimal
    at_ms: int
    fee: tuple[tuple[str, Decimal], ...] | None = None
    leg: str | None = None
    liquidity: str | None = None

    @property
    def signed(self) -> Decimal:
        """The amount, negative for a sale."""
        return self.amount if self.side == "buy" else -self.amount


@dataclass(frozen=True, slots=True)
class Moved:
    """A position after a fill, with what the closed part has realized (None: not known)."""

    row: JsonObject | None
    realized: Decimal | None


def move_position(row: JsonObject | None, fill: Execution, product: str) -> Moved:
    """Given the position of one symbol and leg, return it after a fill. None is flat."""
    before = signed_amount(row) if row else ZERO
    after = before + fill.signed
    entry = decimal_of(row.get("entry_price")) if row else None
    closes = min(abs(before), fill.amount) if before * fill.signed < 0 else ZERO
    realized = _realized(before, closes, entry, fill.price, product)
    if after == ZERO:
        return Moved(None, realized)
    if closes and before * after > 0:
        new_entry = entry
    elif closes or before == ZERO:
        new_entry = fill.price
    else:
        new_entry = _average(before, entry, fill, product)
    moved: JsonObject = {
        **(row or {"symbol": fill.symbol}),
        "side": "long" if after > 0 else "short",
        "amount": decimal_text(abs(after)),
        "updated_ms": fill.at_ms,
    }
    if fill.leg is not None:
        moved["leg"] = fill.leg
    moved["entry_price"] = None if new_entry is None else decimal_text(new_entry)
    return Moved(moved, realized)


def signed_amount(row: JsonObject) -> Decimal:
    """Return a position's amount, negative for a short one."""
    amount = decimal_of(row["amount"]) or ZERO
    return amount if row["side"] == "long" else -amount


def changes_of(
    fill: Execution, product: str, realized: Decimal | None
) -> dict[str, Decimal] | None:
    """Return by how much a fill changes the total of each asset, or None where nobody can say."""
    if fill.fee is None:
        return None
    base, _, rest = fill.symbol.partition("/")
    quote, _, settle = rest.partition(":")
    changes: dict[str, Decimal] = {}
    if product in {"spot", "margin"}:
        changes[base] = fill.signed
        changes[quote] = -fill.signed * fill.price
    elif product == "linear" and realized is not None:
        changes[settle.partition("-")[0]] = realized
    else:
        return None
    for asset, amount in fill.fee:
        changes[asset] = changes.get(asset, ZERO) - amount
    return changes


def _realized(
    before: Decimal, closes: Decimal, entry: Decimal | None, price: Decimal, product: str
) -> Decimal | None:
    if closes == ZERO:
        return ZERO
    if entry is None or product != "linear":
        return None
    return (price - entry) * (closes if before > 0 else -closes)


def _average(
    before: Decimal, entry: Decimal | None, fill: Execution, product: str
) -> Decimal | None:
    if entry is None:
        return None
    size = abs(before)
    if product == "inverse":  # contracts are worth dollars, so coins are what adds up
        exact = (size + fill.amount) / (size / entry + fill.amount / fill.price)
    else:
        exact = (entry * size + fill.price * fill.amount) / (size + fill.amount)
    return exact.quantize(_ENTRY_STEP)
