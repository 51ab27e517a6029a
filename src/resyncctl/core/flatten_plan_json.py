"""A flatten plan as a file, and back, strictly.

Promises: reading gives the very plan that was written, or says where the file is wrong; a file
that was changed after it was written is refused, because its checksum covers every number in it.
Called by the command line for `--plan-out` and `--apply`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

from resyncctl.core.errors import CorruptDataError
from resyncctl.core.flatten_holdings import Choice
from resyncctl.core.flatten_plan import FlattenPlan, FlattenWish, Target
from resyncctl.core.model import Leg, Side
from resyncctl.core.reduction import Protection
from resyncctl.core.rows_json import (
    DECIMAL,
    MAYBE_DECIMAL,
    MAYBE_TEXT,
    TEXT,
    TIME,
    BadValue,
    Codec,
    Entry,
    read_at,
    read_integer,
    read_object,
    read_text,
    read_word,
    refuse_unknown_keys,
    shown,
)
from resyncctl.core.snapshot_reading import parse

T = TypeVar("T")
SCHEMA: Final = "resyncctl/flatten-plan/v1"
_WHAT_NEXT: Final = "make a new plan: resyncctl flatten ACCOUNT --plan-out FILE"


def _each(read: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    def read_list(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise BadValue(f"expected a list, found {shown(value)}")
        return tuple(read_at(f"[{index}]", read, one) for index, one in enumerate(value))

    return read_list


def _read_amounts(value: object) -> dict[str, Decimal]:
    return {
        name: read_at(name, DECIMAL.read, amount) for name, amount in read_object(value).items()
    }


def _read_protection(value: object) -> Protection | None:
    return None if value is None else read_word(Protection)(value)


_COUNT = Codec(lambda value: value, read_integer)
_TEXTS = Codec(list, _each(read_text))
_AMOUNTS = Codec(
    lambda value: {name: DECIMAL.write(amount) for name, amount in sorted(value.items())},
    _read_amounts,
)
_DUST = Codec(
    lambda value: {name: DECIMAL.write(amount) for name, amount in value},
    lambda value: tuple(_read_amounts(value).items()),
)
_SIDE = Codec(lambda value: value.value, read_word(Side))
_LEG = Codec(lambda value: value.value, read_word(Leg))
_PROTECTION = Codec(lambda value: value.value if value else None, _read_protection)

_CHOICE: Final = (
    Entry("symbols", "symbols", _TEXTS),
    Entry("into", "into", MAYBE_TEXT),
    Entry("ignored_assets", "ignored_assets", _TEXTS),
)
_TARGET: Final = (
    Entry("product", "product", TEXT),
    Entry("symbol", "symbol", TEXT),
    Entry("venue_symbol", "venue_symbol", TEXT),
    Entry("leg", "leg", _LEG),
    Entry("base", "base", TEXT),
    Entry("quote", "quote", TEXT),
    Entry("side", "side", _SIDE),
    Entry("holding", "holding", DECIMAL),
    Entry("protection", "protection", _PROTECTION),
    Entry("quantity", "quantity", DECIMAL),
    Entry("price", "price", MAYBE_DECIMAL),
    Entry("value", "value", MAYBE_DECIMAL),
    Entry("slippage", "slippage", MAYBE_DECIMAL),
    Entry("slices", "slices", _COUNT),
    Entry("rest", "rest", DECIMAL),
    Entry("rest_value", "rest_value", MAYBE_DECIMAL),
    Entry("flat_below", "flat_below", DECIMAL),
    Entry("blocked", "blocked", MAYBE_TEXT),
)


def _write(row: object, table: tuple[Entry, ...]) -> dict[str, Any]:
    return {entry.key: entry.codec.write(getattr(row, entry.attribute)) for entry in table}


def _reader(make: Callable[..., T], table: tuple[Entry, ...]) -> Callable[[object], T]:
    def read(value: object) -> T:
        content = read_object(value)
        refuse_unknown_keys(content, {entry.key for entry in table})
        fields = {}
        for entry in table:
            if entry.key not in content:
                raise BadValue(f"the key {entry.key!r} is missing")
            fields[entry.attribute] = read_at(entry.key, entry.codec.read, content[entry.key])
        return make(**fields)

    return read


_WISH: Final = (
    Entry("choice", "choice", Codec(lambda row: _write(row, _CHOICE), _reader(Choice, _CHOICE))),
    Entry("slippage_max", "slippage_max", DECIMAL),
    Entry("notional_max", "notional_max", MAYBE_DECIMAL),
    Entry("slice_notional_max", "slice_notional_max", MAYBE_DECIMAL),
    Entry("dust", "dust", _DUST),
)
_PLAN: Final = (
    Entry("account", "account", TEXT),
    Entry("made_at", "made_at_ms", TIME),
    Entry("expires_at", "expires_ms", TIME),
    Entry("fingerprint", "fingerprint", TEXT),
    Entry("wish", "wish", Codec(lambda row: _write(row, _WISH), _reader(FlattenWish, _WISH))),
    Entry(
        "targets",
        "targets",
        Codec(lambda rows: [_write(row, _TARGET) for row in rows], _each(_reader(Target, _TARGET))),
    ),
    Entry("caps", "caps", _AMOUNTS),
    Entry("orders", "orders", _COUNT),
    Entry("stops", "stops", _COUNT),
    Entry("unread", "unread", _TEXTS),
)


def plan_to_text(plan: FlattenPlan) -> str:
    """Return the plan as the text of a file."""
    content = _write(plan, _PLAN)
    document = {
        "schema": SCHEMA,
        "digest": plan.digest,
        "checksum": _checksum(content),
        "plan": content,
    }
    return json.dumps(document, indent=2) + "\n"


def plan_from_text(text: str | bytes, place: str) -> FlattenPlan:
    """Given the text of a file, return the plan.

    Raises:
        CorruptDataError: It is not such a plan, or it was changed after it was written. The place
            names the file and the value.
    """
    try:
        return _read_document(read_object(parse(text)))
    except BadValue as error:
        path = "".join(
            step if step.startswith("[") else f".{step}" for step in reversed(error.steps)
        )
        raise CorruptDataError(
            f"this is not a flatten plan that can be used: {error.message}",
            place=f"{place}{' at ' + path.lstrip('.') if path else ''}",
            hint=_WHAT_NEXT,
        ) from None


def _read_document(document: Mapping[str, object]) -> FlattenPlan:
    for key in ("schema", "digest", "checksum", "plan"):
        if key not in document:
            raise BadValue(f"the key {key!r} is missing")
    refuse_unknown_keys(document, {"schema", "digest", "checksum", "plan"})
    if document["schema"] != SCHEMA:
        raise BadValue(f"its schema is {shown(document['schema'])}, expected {SCHEMA}")
    plan = read_at("plan", _reader(FlattenPlan, _PLAN), document["plan"])
    if document["checksum"] != _checksum(_write(plan, _PLAN)):
        raise BadValue("it was changed after it was written: its checksum does not fit")
    if document["digest"] != plan.digest:
        raise BadValue("its digest does not belong to its content")
    return plan


def _checksum(content: Mapping[str, object]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
