"""The shape of a checkpoint: which keys there are, what each may hold, and which must be there.

One table for each kind of row, read by the writer before it writes and by the reader before it
believes. Unknown keys are allowed and kept. A section that is absent is not known; an empty list
says that there is none. An optional key may be absent or null; both mean "not told".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from resyncctl.sdk.canonical import JsonValue, decimal_of
from resyncctl.sdk.errors import FormatError

CHECKPOINT_SCHEMA = "resync.checkpoint/1"
SECTIONS = ("orders", "positions", "balances", "fills", "external_claims")

LIVE_STATES = frozenset(
    {"pending_new", "open", "partially_filled", "pending_cancel", "lost", "unknown"}
)
TERMINAL_STATES = frozenset({"filled", "canceled", "expired", "rejected"})
"""An engine may list orders that have ended, so that a late fill still finds its order."""
ROLES = frozenset({"entry", "exit", "stop", "take_profit", "quote", "hedge"})
PRODUCTS = frozenset({"spot", "margin", "linear", "inverse", "option"})
MARKET_TYPES = frozenset({"spot", "margin", "swap", "future", "option"})


@dataclass(frozen=True, slots=True)
class Rule:
    """What one key may hold, in code and in words."""

    allows: Callable[[JsonValue], bool]
    words: str
    required: bool = True


def _one_of(words: frozenset[str]) -> Rule:
    return Rule(lambda value: isinstance(value, str) and value in words, _listed(words))


def _listed(words: frozenset[str]) -> str:
    return "one of " + ", ".join(sorted(words))


def _optional(rule: Rule) -> Rule:
    return Rule(rule.allows, rule.words, required=False)


def _is_amount(value: JsonValue) -> bool:
    number = decimal_of(value)
    return number is not None and number >= 0


def _is_fee(value: JsonValue) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, dict)
        and isinstance(row.get("asset"), str)
        and decimal_of(row.get("amount")) is not None
        for row in value
    )


_TEXT_MAX = 512
_SHA256_DIGITS = 64

TEXT = Rule(
    lambda value: isinstance(value, str) and 0 < len(value) <= _TEXT_MAX, "text that is not empty"
)
FLAG = Rule(lambda value: isinstance(value, bool), "true or false")
NUMBER = Rule(lambda value: decimal_of(value) is not None, "a number as a plain string")
AMOUNT = Rule(_is_amount, "a number from 0 as a plain string")
TIME = Rule(
    lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    "whole milliseconds",
)
COUNT = Rule(TIME.allows, "a whole number from 0")
NAMES = Rule(
    lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    "a list of texts",
)
FEES = Rule(_is_fee, "a list of {asset, amount}")
OBJECT = Rule(lambda value: isinstance(value, dict), "an object")
LEG = _one_of(frozenset({"both", "long", "short"}))
SIDE = _one_of(frozenset({"buy", "sell"}))
SHA256 = Rule(
    lambda value: (
        isinstance(value, str)
        and len(value) == _SHA256_DIGITS
        and set(value) <= set("0123456789abcdef")
    ),
    "a SHA-256 in hex",
)

Rules = Mapping[str, Rule]

HEADER: Rules = {
    "engine": OBJECT,
    "account": OBJECT,
    "sequence": COUNT,
    "prev_sha256": _optional(SHA256),
    "written_ms": TIME,
    "next_write_ms": TIME,
    "state_as_of_ms": TIME,
    "event_cursor": _optional(OBJECT),
    "complete": FLAG,
    "clean_shutdown": FLAG,
    "fills_since_ms": _optional(TIME),
}
ENGINE: Rules = {
    "name": TEXT,
    "version": _optional(TEXT),
    "instance_id": _optional(TEXT),
    "pid": _optional(COUNT),
    "host": _optional(TEXT),
}
ACCOUNT: Rules = {
    "exchange": TEXT,
    "market_type": _one_of(MARKET_TYPES),
    "account_ref": TEXT,
    "sandbox": FLAG,
    "dry_run": FLAG,
}
ORDER: Rules = {
    "client_id": _optional(TEXT),
    "exchange_id": _optional(TEXT),
    "symbol": TEXT,
    "side": SIDE,
    "type": TEXT,
    "role": _one_of(ROLES),
    "state": _one_of(LIVE_STATES | TERMINAL_STATES),
    "price": _optional(AMOUNT),
    "stop_price": _optional(AMOUNT),
    "amount": AMOUNT,
    "filled": AMOUNT,
    "remaining": AMOUNT,
    "average_price": _optional(AMOUNT),
    "reduce_only": _optional(FLAG),
    "tif": _optional(TEXT),
    "created_ms": TIME,
    "updated_ms": TIME,
    "strategy": _optional(TEXT),
    "parent_position": _optional(TEXT),
    "leg": _optional(LEG),
    "product": _optional(_one_of(PRODUCTS)),
    "order_class": _optional(_one_of(frozenset({"regular", "algo"}))),
    "list_id": _optional(TEXT),
}
POSITION: Rules = {
    "symbol": TEXT,
    "side": _one_of(frozenset({"long", "short"})),
    "amount": AMOUNT,
    "entry_price": _optional(AMOUNT),
    "leverage": _optional(AMOUNT),
    "contract_size": _optional(AMOUNT),
    "liquidation_price": _optional(AMOUNT),
    "margin_mode": _optional(TEXT),
    "protective_order_ids": _optional(NAMES),
    "strategy": _optional(TEXT),
    "updated_ms": _optional(TIME),
    "leg": _optional(LEG),
    "product": _optional(_one_of(PRODUCTS)),
}
BALANCE: Rules = {
    "asset": TEXT,
    "free": _optional(NUMBER),
    "used": _optional(NUMBER),
    "total": NUMBER,
    "as_of_ms": TIME,
    "source": _one_of(frozenset({"exchange", "computed"})),
    "product": _optional(_one_of(PRODUCTS)),
}
FILL: Rules = {
    "trade_id": TEXT,
    "order_exchange_id": _optional(TEXT),
    "order_client_id": _optional(TEXT),
    "symbol": TEXT,
    "side": SIDE,
    "price": _optional(AMOUNT),
    "amount": AMOUNT,
    "fee": _optional(FEES),
    "ts_ms": TIME,
    "liquidity": _optional(TEXT),
    "leg": _optional(LEG),
    "product": _optional(_one_of(PRODUCTS)),
    "inferred": _optional(FLAG),
}
CLAIM: Rules = {
    "exchange_id": _optional(TEXT),
    "client_id": _optional(TEXT),
    "symbol": _optional(TEXT),
    "owner": TEXT,
    "note": _optional(Rule(lambda value: isinstance(value, str), "text")),
    "until_ms": _optional(TIME),
}
ROWS: Mapping[str, Rules] = {
    "orders": ORDER,
    "positions": POSITION,
    "balances": BALANCE,
    "fills": FILL,
    "external_claims": CLAIM,
}


def check_document(document: Mapping[str, JsonValue]) -> None:
    """Given a whole checkpoint, do nothing if it has the shape of version 1.

    Raises:
        FormatError: A key is missing or holds something else; `place` says which one.
    """
    _check_row(document, HEADER, "$")
    _check_row(_object(document["engine"]), ENGINE, "$.engine")
    _check_row(_object(document["account"]), ACCOUNT, "$.account")
    if document["sequence"] == 0:
        raise FormatError("the first checkpoint has sequence 1", place="$.sequence")
    for name, rules in ROWS.items():
        if name in document:
            _check_section(document[name], rules, f"$.{name}")


def check_order(row: Mapping[str, JsonValue], place: str = "$") -> None:
    """Given one order row, do nothing if it has the shape of an order.

    Raises:
        FormatError: A key is missing or holds something else; `place` says which one.
    """
    _check_row(row, ORDER, place)
    _check_selectors(row, ORDER, place)


def _check_section(rows: JsonValue, rules: Rules, place: str) -> None:
    if not isinstance(rows, list):
        raise FormatError("expected a list (leave the key out when it is not known)", place=place)
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise FormatError("expected an object", place=f"{place}[{index}]")
        _check_row(row, rules, place, index)
        if rules is ORDER or rules is CLAIM:
            _check_selectors(row, rules, f"{place}[{index}]")


def _check_row(
    row: Mapping[str, JsonValue], rules: Rules, place: str, index: int | None = None
) -> None:
    for name, value in row.items():
        rule = rules.get(name)
        if rule is None or (value is None and not rule.required):
            continue
        if value is None or not rule.allows(value):
            break
    else:
        if row.keys() >= _required(rules):
            return
    _complain(row, rules, place if index is None else f"{place}[{index}]")


def _complain(row: Mapping[str, JsonValue], rules: Rules, place: str) -> NoReturn:
    """Name the first key that is missing or wrong, in the order of the table."""
    for name, rule in rules.items():
        value = row.get(name)
        if value is None and not rule.required:
            continue
        if value is None or not rule.allows(value):
            words = f"expected {rule.words}, found {_shown(row, name)}"
            raise FormatError(words, place=f"{place}.{name}")
    raise AssertionError("a row was refused without a reason")


def _required(rules: Rules) -> frozenset[str]:
    return _REQUIRED[id(rules)]


_REQUIRED = {
    id(rules): frozenset(name for name, rule in rules.items() if rule.required)
    for rules in (HEADER, ENGINE, ACCOUNT, *ROWS.values())
}
"""Made once: a checkpoint has many rows and few tables."""


def _check_selectors(row: Mapping[str, JsonValue], rules: Rules, place: str) -> None:
    if rules is ORDER:
        if row.get("client_id") is None and row.get("exchange_id") is None:
            raise FormatError("an order needs client_id or exchange_id", place=place)
        return
    named = [name for name in ("exchange_id", "client_id", "symbol") if row.get(name) is not None]
    if len(named) != 1:
        raise FormatError(
            "a claim names exactly one of exchange_id, client_id and symbol", place=place
        )


def _object(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _shown(row: Mapping[str, JsonValue], name: str) -> str:
    return repr(row[name])[:60] if name in row else "nothing"
