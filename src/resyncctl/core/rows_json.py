"""Rows of trading state as JSON and back, exactly and strictly.

One table for each noun says which key holds which field, so that writing and reading cannot drift
apart. Decimals are text, times RFC 3339 with milliseconds in UTC. Reading refuses a wrong type, a
missing key and a key that no table knows: a misspelt field must not vanish. Called by
`snapshot_json` and `events`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

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
from resyncctl.core.money import NotANumber, decimal_from, plain

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|\+00:00)", re.ASCII)


class BadValue(ValueError):  # noqa: N818  # the name is the message
    """A value is not what its key promises. `steps` leads to it, innermost first."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.steps: list[str] = []


@dataclass(frozen=True, slots=True)
class Codec:
    """How one value is written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a row. An optional key may be absent, and is then the noun's default."""

    key: str
    attribute: str
    codec: Codec
    required: bool = True


def time_text(at_ms: int) -> str:
    """Return milliseconds since the epoch as RFC 3339 in UTC."""
    try:
        moment = _EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        raise BadValue(f"{at_ms} is not a time") from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(value: object) -> int:
    """Given RFC 3339 text in UTC, return milliseconds since the epoch."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise BadValue(f"expected a time like 2026-01-31T23:59:59.000Z, found {shown(value)}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise BadValue(f"{shown(value)} is not a time") from None
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def read_text(value: object) -> str:
    """Return text, refuse anything else."""
    if not isinstance(value, str):
        raise BadValue(f"expected text, found {shown(value)}")
    return value


def read_flag(value: object) -> bool:
    """Return true or false, refuse anything else."""
    if not isinstance(value, bool):
        raise BadValue(f"expected true or false, found {shown(value)}")
    return value


def read_integer(value: object) -> int:
    """Return a whole number, refuse anything else."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadValue(f"expected a whole number, found {shown(value)}")
    return value


def read_object(value: object) -> Mapping[str, object]:
    """Return a JSON object, refuse anything else."""
    if not isinstance(value, dict):
        raise BadValue(f"expected an object, found {shown(value)}")
    return value


def shown(value: object) -> str:
    """Return a short description of a value for a message."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."  # noqa: PLR2004  # one line of a terminal


def _read_decimal(value: object) -> Decimal:
    if not isinstance(value, str):
        raise BadValue(f"expected a decimal as text, found {shown(value)}")
    try:
        return decimal_from(value)
    except NotANumber as error:
        raise BadValue(str(error)) from None


def read_word(enum: type[E]) -> Callable[[object], E]:
    """Return a reader of the words of an enumeration."""

    def read(value: object) -> E:
        text = read_text(value)
        if text not in set(enum):
            raise BadValue(f"expected one of {', '.join(enum)}, found {shown(text)}")
        return enum(text)

    return read


def _word(enum: type[E]) -> Codec:
    return Codec(lambda value: value.value, read_word(enum))


def _optional(codec: Codec) -> Codec:
    return Codec(
        lambda value: None if value is None else codec.write(value),
        lambda value: None if value is None else codec.read(value),
    )


TEXT: Final = Codec(lambda value: value, read_text)
FLAG: Final = Codec(lambda value: value, read_flag)
DECIMAL: Final = Codec(plain, _read_decimal)
TIME: Final = Codec(time_text, read_time)
MAYBE_TEXT: Final = _optional(TEXT)
MAYBE_DECIMAL: Final = _optional(DECIMAL)
MAYBE_TIME: Final = _optional(TIME)

_PLACE = (
    Entry("account", "account", TEXT),
    Entry("product", "product", TEXT),
)
_LEG = Entry("leg", "leg", _word(Leg), required=False)

ORDER: Final = (
    *_PLACE,
    Entry("symbol", "symbol", TEXT),
    Entry("side", "side", _word(Side)),
    Entry("type", "type", TEXT),
    Entry("status", "status", _word(OrderStatus)),
    Entry("client_order_id", "client_order_id", MAYBE_TEXT),
    Entry("venue_order_id", "venue_order_id", MAYBE_TEXT),
    Entry("quantity", "quantity", DECIMAL),
    Entry("filled", "filled", DECIMAL),
    Entry("price", "price", MAYBE_DECIMAL, required=False),
    Entry("trigger_price", "trigger_price", MAYBE_DECIMAL, required=False),
    Entry("reduce_only", "reduce_only", FLAG, required=False),
    _LEG,
    Entry("protective", "protective", FLAG, required=False),
    Entry("order_class", "order_class", _word(OrderClass), required=False),
    Entry("list_id", "list_id", MAYBE_TEXT, required=False),
    Entry("average_price", "average_price", MAYBE_DECIMAL, required=False),
    Entry("created_at", "created_at_ms", MAYBE_TIME, required=False),
    Entry("updated_at", "updated_at_ms", MAYBE_TIME, required=False),
    Entry("venue_symbol", "venue_symbol", MAYBE_TEXT, required=False),
)
FILL: Final = (
    *_PLACE,
    Entry("symbol", "symbol", TEXT),
    Entry("trade_id", "trade_id", TEXT),
    Entry("venue_order_id", "venue_order_id", MAYBE_TEXT),
    Entry("client_order_id", "client_order_id", MAYBE_TEXT),
    Entry("side", "side", _word(Side)),
    Entry("quantity", "quantity", DECIMAL),
    Entry("price", "price", MAYBE_DECIMAL),
    Entry("fee", "fee", MAYBE_DECIMAL),
    Entry("fee_asset", "fee_asset", MAYBE_TEXT),
    Entry("at", "at_ms", TIME),
    _LEG,
    Entry("inferred", "inferred", FLAG, required=False),
)
POSITION: Final = (
    *_PLACE,
    Entry("symbol", "symbol", TEXT),
    Entry("leg", "leg", _word(Leg)),
    Entry("quantity", "quantity", DECIMAL),
    Entry("entry_price", "entry_price", MAYBE_DECIMAL, required=False),
    Entry("updated_at", "updated_at_ms", MAYBE_TIME, required=False),
)
BALANCE: Final = (
    *_PLACE,
    Entry("asset", "asset", TEXT),
    Entry("free", "free", MAYBE_DECIMAL),
    Entry("locked", "locked", MAYBE_DECIMAL),
    Entry("total", "total", DECIMAL),
)
LEDGER: Final = (
    *_PLACE,
    Entry("asset", "asset", TEXT),
    Entry("amount", "amount", DECIMAL),
    Entry("kind", "kind", TEXT),
    Entry("entry_id", "entry_id", TEXT),
    Entry("at", "at_ms", TIME),
    Entry("symbol", "symbol", MAYBE_TEXT, required=False),
    Entry("trade_id", "trade_id", MAYBE_TEXT, required=False),
)

TABLES: Final[Mapping[type, tuple[Entry, ...]]] = {
    Order: ORDER,
    Fill: FILL,
    Position: POSITION,
    Balance: BALANCE,
    LedgerEntry: LEDGER,
}
"""The table of each noun."""


def row_to_json(row: Order | Fill | Position | Balance | LedgerEntry) -> dict[str, object]:
    """Return a row as a JSON object with every key of its table."""
    return {
        entry.key: entry.codec.write(getattr(row, entry.attribute)) for entry in TABLES[type(row)]
    }


def row_from_json(noun: type[T], value: object) -> T:
    """Given a JSON object, return the row.

    Raises:
        BadValue: A key is missing or unknown, or a value is not what its key promises.
    """
    table = TABLES[noun]
    content = read_object(value)
    fields: dict[str, object] = {}
    for entry in table:
        if entry.key in content:
            fields[entry.attribute] = read_at(entry.key, entry.codec.read, content[entry.key])
        elif entry.required:
            raise BadValue(f"the key {entry.key!r} is missing")
    refuse_unknown_keys(content, {entry.key for entry in table})
    return noun(**fields)


def refuse_unknown_keys(content: Mapping[str, object], known: set[str]) -> None:
    """Raise `BadValue` for a key that nobody reads."""
    unknown = sorted(content.keys() - known)
    if unknown:
        raise BadValue(f"the key {shown(unknown[0])} is not known here")


def read_at(step: str, read: Callable[[Any], T], value: object) -> T:
    """Read a value, and remember the step in the path of a `BadValue`."""
    try:
        return read(value)
    except BadValue as error:
        error.steps.append(step)
        raise
