"""Read the documents of snapshots strictly. The reading half of `snapshot_json`, which calls it.

Every function raises `BadValue` with the steps that lead to the wrong value.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Never, TypeVar

from resyncctl.core.model import Balance, Fill, LedgerEntry, Order, OrderClass, Position, Scope
from resyncctl.core.rows_json import (
    BadValue,
    read_at,
    read_flag,
    read_integer,
    read_object,
    read_text,
    read_time,
    read_word,
    refuse_unknown_keys,
    row_from_json,
    shown,
)
from resyncctl.core.snapshot import (
    Claim,
    EngineSnapshot,
    Known,
    LookUp,
    NotCovered,
    NotFound,
    OrderReference,
    ProductReading,
    Provenance,
    Section,
    Unknown,
    VenueSnapshot,
    Window,
)

T = TypeVar("T")


def parse(text: str | bytes) -> object:
    """Parse JSON; refuse duplicate keys, floats, NaN and infinities.

    Raises:
        BadValue: The text is not such JSON.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_float=_refuse_float,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError:
        raise BadValue("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadValue(f"it is not JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise BadValue("it is nested too deeply") from None


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadValue(f"the key {shown(twice)} occurs twice in one object")
    return content


def _refuse_float(text: str) -> Never:
    raise BadValue(f"the number {text} is a float; decimals are written as text")


def _refuse_constant(text: str) -> Never:
    raise BadValue(f"{text} is not a number that can be compared")


def read_engine(content: Mapping[str, object]) -> EngineSnapshot:
    """Given the document of an engine snapshot, return the snapshot, or raise `BadValue`."""
    sections = _get(content, "sections", read_object)
    read_at(
        "sections",
        lambda value: refuse_unknown_keys(value, {"orders", "fills", "positions", "balances"}),
        sections,
    )
    return EngineSnapshot(
        account=_get(content, "account", read_text),
        as_of_ms=_get(content, "as_of", read_time),
        sequence=_maybe(content, "sequence", read_integer),
        source=_get(content, "source", _provenance),
        orders=read_at("sections", lambda value: _get(value, "orders", _rows(Order)), sections),
        fills=read_at("sections", lambda value: _get(value, "fills", _rows(Fill)), sections),
        positions=read_at(
            "sections", lambda value: _get(value, "positions", _rows(Position)), sections
        ),
        balances=read_at(
            "sections", lambda value: _get(value, "balances", _rows(Balance)), sections
        ),
        trouble=tuple(_maybe(content, "trouble", _list_of(_trouble)) or ()),
        claims=tuple(_maybe(content, "claims", _list_of(_claim)) or ()),
    )


def read_venue(content: Mapping[str, object]) -> VenueSnapshot:
    """Given the document of a venue snapshot, return the snapshot, or raise `BadValue`."""
    return VenueSnapshot(
        account=_get(content, "account", read_text),
        venue=_get(content, "venue", read_text),
        as_of_ms=_get(content, "as_of", read_time),
        products=tuple(_get(content, "scopes", _list_of(_reading))),
        look_ups=tuple(_get(content, "look_ups", _list_of(_look_up))),
        not_covered=tuple(_get(content, "not_covered", _list_of(_not_covered))),
        moving=_get(content, "moving", _or_null(read_text)),
        clock_offset_ms=_get(content, "clock_offset_ms", _or_null(read_integer)),
        weight_used=_maybe(content, "weight_used", read_integer),
        identity=_get(content, "identity", _section(read_text)),
    )


def _get(content: Mapping[str, object], key: str, read: Callable[[Any], T]) -> T:
    if key not in content:
        raise BadValue(f"the key {key!r} is missing")
    return read_at(key, read, content[key])


def _maybe(content: Mapping[str, object], key: str, read: Callable[[Any], T]) -> T | None:
    """Read a key that may be absent or null."""
    value = content.get(key)
    return None if value is None else read_at(key, read, value)


def _or_null(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else read(value)


def _only(value: object, *keys: str) -> Mapping[str, object]:
    content = read_object(value)
    refuse_unknown_keys(content, set(keys))
    return content


def _list_of(read: Callable[[Any], T]) -> Callable[[object], list[T]]:
    def read_list(value: object) -> list[T]:
        if not isinstance(value, list):
            raise BadValue(f"expected a list, found {shown(value)}")
        rows = []
        for index, entry in enumerate(value):
            try:
                rows.append(read(entry))
            except BadValue as error:
                error.steps.append(f"[{index}]")
                raise
        return rows

    return read_list


def _rows(noun: type[T]) -> Callable[[object], Section[T]]:
    return _section(lambda value: row_from_json(noun, value))


def _section(read: Callable[[Any], T], *further: str) -> Callable[[object], Known[T] | Unknown]:
    def read_section(value: object) -> Known[T] | Unknown:
        content = read_object(value)
        if not _get(content, "known", read_flag):
            refuse_unknown_keys(content, {"known", "reason", *further})
            return Unknown(_get(content, "reason", read_text))
        refuse_unknown_keys(
            content, {"known", "as_of", "complete", "window", "notes", "data", *further}
        )
        return Known(
            data=tuple(_get(content, "data", _list_of(read))),
            as_of_ms=_get(content, "as_of", read_time),
            window=_get(content, "window", _or_null(_window)),
            complete=_get(content, "complete", read_flag),
            notes=tuple(_maybe(content, "notes", _list_of(read_text)) or ()),
        )

    return read_section


def _window(value: object) -> Window:
    content = _only(value, "since", "until")
    return Window(_get(content, "since", read_time), _get(content, "until", read_time))


def _provenance(value: object) -> Provenance:
    content = _only(value, "adapter", "place", "digest")
    return Provenance(
        _get(content, "adapter", read_text),
        _get(content, "place", read_text),
        _maybe(content, "digest", read_text),
    )


def _trouble(value: object) -> tuple[str, str]:
    content = _only(value, "kind", "reason")
    return _get(content, "kind", read_text), _get(content, "reason", read_text)


def _claim(value: object) -> Claim:
    content = _only(value, "owner", "venue_order_id", "client_order_id", "symbol", "until")
    return Claim(
        owner=_get(content, "owner", read_text),
        venue_order_id=_maybe(content, "venue_order_id", read_text),
        client_order_id=_maybe(content, "client_order_id", read_text),
        symbol=_maybe(content, "symbol", read_text),
        until_ms=_maybe(content, "until", read_time),
    )


def _scope(value: object) -> Scope:
    content = _only(value, "product", "order_class")
    return Scope(
        _get(content, "product", read_text),
        _get(content, "order_class", read_word(OrderClass)),
    )


def _reading(value: object) -> ProductReading:
    content = _only(
        value, "product", "position_mode", "orders", "fills", "positions", "balances", "ledger"
    )
    return ProductReading(
        product=_get(content, "product", read_text),
        orders=tuple(_get(content, "orders", _list_of(_scoped_orders))),
        fills=_get(content, "fills", _rows(Fill)),
        positions=_get(content, "positions", _rows(Position)),
        balances=_get(content, "balances", _rows(Balance)),
        ledger=_get(content, "ledger", _rows(LedgerEntry)),
        position_mode=_get(content, "position_mode", _or_null(read_text)),
    )


def _scoped_orders(value: object) -> tuple[Scope, Section[Order]]:
    content = read_object(value)
    read = _section(lambda row: row_from_json(Order, row), "scope")
    return _get(content, "scope", _scope), read(content)


def _reference(value: object) -> OrderReference:
    content = _only(value, "product", "symbol", "venue_order_id", "client_order_id", "scope")
    return OrderReference(
        _get(content, "product", read_text),
        _get(content, "symbol", read_text),
        _maybe(content, "venue_order_id", read_text),
        _maybe(content, "client_order_id", read_text),
        _get(content, "scope", _scope),
    )


def _look_up(value: object) -> tuple[OrderReference, LookUp]:
    content = _only(value, "reference", "answer")
    return _get(content, "reference", _reference), _get(content, "answer", _answer)


def _answer(value: object) -> LookUp:
    content = _only(value, "order", "not_found", "asked", "unknown")
    if "order" in content:
        return _get(content, "order", lambda row: row_from_json(Order, row))
    if "not_found" in content:
        return NotFound(_get(content, "asked", _reference), _get(content, "not_found", read_text))
    return Unknown(_get(content, "unknown", read_text))


def _not_covered(value: object) -> NotCovered:
    content = _only(value, "what", "reason")
    return NotCovered(_get(content, "what", read_text), _get(content, "reason", read_text))
