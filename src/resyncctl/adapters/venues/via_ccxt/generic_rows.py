"""Rows of an exchange, read strictly: what a value must be, and what its absence means.

Promise: every number is an exact `Decimal`, every time whole milliseconds, every word one of the
words that the venue documents. A row that lacks a needed value raises `Malformed`; it is never
read as zero and never dropped. The raw nouns below still speak the venue's own units.

Called by the venue plans (`generic_<venue>.py`) and by `generic_convert`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, describe, value_at
from resyncctl.core.model import Leg, OrderStatus, Side
from resyncctl.core.money import ZERO, NotANumber, decimal_from

QUOTE_ASSET = "(quote)"
SETTLE_ASSET = "(settle)"
"""Stand-ins for a fee asset that follows from the instrument and is not named in the row."""

_MS = 1000
_NS_PER_MS = 1_000_000


class Unit(StrEnum):
    """What a venue's quantity counts.

    BASE is units of the base asset, CONTRACTS is multiples of the contract size, QUOTE is units
    of the quote currency (inverse contracts of Deribit).
    """

    BASE = "base"
    CONTRACTS = "contracts"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawOrder:
    """An order in the venue's own units.

    `filled_unit` is set where what was executed is counted otherwise than what was ordered (a
    market buy orders quote units and executes base units). `native` holds what the venue wants to
    be told again when this order is cancelled, and `note` what the reader of the listing must
    know about the row.
    """

    venue_order_id: str
    client_order_id: str | None
    venue_symbol: str
    side: Side
    type: str
    status: OrderStatus
    quantity: Decimal
    filled: Decimal
    unit: Unit = Unit.BASE
    filled_unit: Unit | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    average_price: Decimal | None = None
    reduce_only: bool = False
    leg: Leg = Leg.BOTH
    algo: bool = False
    list_id: str | None = None
    created_at_ms: int | None = None
    updated_at_ms: int | None = None
    native: tuple[tuple[str, str], ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFill:
    """An execution in the venue's own units."""

    trade_id: str
    venue_order_id: str | None
    client_order_id: str | None
    venue_symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    at_ms: int
    unit: Unit = Unit.BASE
    fee: Decimal | None = None
    fee_asset: str | None = None
    leg: Leg = Leg.BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPosition:
    """A position leg in the venue's own units; `quantity` is signed."""

    venue_symbol: str
    quantity: Decimal
    leg: Leg = Leg.BOTH
    unit: Unit = Unit.BASE
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    updated_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBalance:
    """What is owned of one asset, under the venue's name of the asset."""

    asset: str
    total: Decimal
    free: Decimal | None = None
    locked: Decimal | None = None


def text(row: Row, key: str) -> str:
    """Return a value that must be there, as text. Ids may be numbers on the wire."""
    found = optional_text(row, key)
    if found is None:
        raise Malformed(f"a row lacks {key!r}")
    return found


def optional_text(row: Row, key: str) -> str | None:
    """Return a value as text, or None when it is absent, null or blank."""
    value = _optional(row, key)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Malformed(f"{key!r} should be text, got {describe(value)}")


def number(row: Row, key: str) -> Decimal:
    """Return an exact number that must be there."""
    value = _optional(row, key)
    if value is None or value == "":
        raise Malformed(f"a row lacks {key!r}")
    return _decimal(key, value)


def optional_number(row: Row, key: str) -> Decimal | None:
    """Return an exact number, or None when it is absent, null or blank."""
    value = _optional(row, key)
    return None if value is None or value == "" else _decimal(key, value)


def price(row: Row, key: str) -> Decimal | None:
    """Return a price, or None when it is absent or zero: venues write 0 for "no price"."""
    found = optional_number(row, key)
    return None if found is None or found == ZERO else found


def flag(row: Row, key: str) -> bool:
    """Return a truth value. Absent and null mean False; venues also write it as text."""
    value = _optional(row, key)
    if value is None or value == "":
        return False
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in {"true", "yes", "1"}:
        return True
    if word in {"false", "no", "0"}:
        return False
    raise Malformed(f"{key!r} should be true or false")


def side(row: Row, key: str) -> Side:
    """Return buy or sell from the first word of a value such as `Buy`, `buy-limit`, `BUY`."""
    word = text(row, key).lower()
    if word.startswith("buy"):
        return Side.BUY
    if word.startswith("sell"):
        return Side.SELL
    raise Malformed(f"{key!r} is neither buy nor sell: {word[:20]!r}")


def word(row: Row, key: str, meanings: Mapping[str, OrderStatus]) -> OrderStatus:
    """Return the status for one of the venue's documented words. Another word is a fault."""
    found = text(row, key)
    if found not in meanings:
        raise Malformed(f"{key!r} holds {found[:30]!r}, which this profile does not know")
    return meanings[found]


def at_ms(row: Row, key: str) -> int:
    """Return a time that must be there and is in whole milliseconds."""
    found = optional_ms(row, key)
    if found is None:
        raise Malformed(f"a row lacks the time {key!r}")
    return found


def optional_ms(row: Row, key: str) -> int | None:
    """Return a time in milliseconds; absent, blank and zero mean that there is none."""
    found = optional_number(row, key)
    return None if found is None or found <= ZERO else int(found)


def seconds_ms(row: Row, key: str) -> int | None:
    """Return a time that the venue gives in (fractional) seconds, cut to milliseconds."""
    found = optional_number(row, key)
    return None if found is None or found <= ZERO else int(found * _MS)


def nanoseconds_ms(row: Row, key: str) -> int | None:
    """Return a time that the venue gives in nanoseconds, cut to milliseconds."""
    found = optional_number(row, key)
    return None if found is None or found <= ZERO else int(found) // _NS_PER_MS


def open_status(quantity: Decimal, filled: Decimal) -> OrderStatus:
    """Return the status of an order that the venue lists as working."""
    return OrderStatus.PARTIALLY_FILLED if ZERO < filled < quantity else OrderStatus.ACCEPTED


def ended_status(quantity: Decimal, filled: Decimal) -> OrderStatus:
    """Return the status of an order that the venue calls finished without saying how."""
    return OrderStatus.FILLED if filled >= quantity > ZERO else OrderStatus.CANCELED


def positive(value: Decimal, what: str) -> Decimal:
    """Return a quantity that must be above zero."""
    if value <= ZERO:
        raise Malformed(f"{what} is {value}, which cannot be")
    return value


def _optional(row: Row, key: str) -> object:
    try:
        return value_at(row, key)
    except Malformed:
        return None


def _decimal(key: str, value: object) -> Decimal:
    if isinstance(value, str) and value.startswith("-") and not value.strip("-0."):
        return ZERO  # some venues write -0 for a flat position
    try:
        return decimal_from(value)
    except NotANumber:
        raise Malformed(f"{key!r} is not an exact number") from None
