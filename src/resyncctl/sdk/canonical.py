"""One text for one value: strict JSON reading and the canonical form that hashes are made of.

Canonical JSON is sorted by key, without spaces, ASCII only. A document carries its own hash in
`integrity`, taken over everything else. Reading refuses what two programs could understand in two
ways: duplicate keys, NaN and the infinities, floats (quantities are strings, times are whole
numbers), bytes that are not UTF-8, a byte order mark. Called by `checkpoint`, `gate` and `writer`.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Never

from resyncctl.sdk.errors import FormatError

JsonValue = None | bool | int | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]

INTEGRITY = "integrity"
_DECIMAL_TEXT_MAX = 80
_PLAIN_NUMBER = frozenset("0123456789.-")


def canonical(value: object) -> bytes:
    """Given a JSON value, return its one canonical text.

    Raises:
        FormatError: The value holds something that JSON does not know.
    """
    try:
        text = _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as trouble:
        raise FormatError(f"this cannot be written as JSON: {trouble}") from None
    return text.encode("ascii")


def payload_sha256(document: Mapping[str, JsonValue]) -> str:
    """Return the hash over the canonical form of everything except `integrity`."""
    payload = {key: value for key, value in document.items() if key != INTEGRITY}
    return hashlib.sha256(canonical(payload)).hexdigest()


def read_sealed(data: bytes) -> tuple[JsonObject, str]:
    """Given the bytes of a file, return its document and hash after verifying that hash.

    Raises:
        FormatError: The bytes are not strict JSON, or the document does not match its own hash.
    """
    document = parse(data)
    return document, verified_sha256(document)


def verified_sha256(document: JsonObject) -> str:
    """Return the hash that a document states, after computing it again.

    Raises:
        FormatError: There is none, or it is not the hash of the content.
    """
    integrity = document.get(INTEGRITY)
    if not isinstance(integrity, dict):
        raise FormatError("there is no integrity section")
    if integrity.get("algo") != "sha256":
        raise FormatError(f"unknown integrity algorithm {integrity.get('algo')!r}")
    digest = payload_sha256(document)
    if integrity.get("payload_sha256") != digest:
        raise FormatError(
            f"the content does not match its hash (stated {integrity.get('payload_sha256')!r},"
            f" computed {digest})"
        )
    return digest


def sealed_bytes(document: Mapping[str, JsonValue]) -> tuple[bytes, str]:
    """Return the bytes of a document with its `integrity`, and the hash, proved by reading back.

    Raises:
        FormatError: The document holds something that a reader would refuse, such as a float.
    """
    payload = {key: value for key, value in document.items() if key != INTEGRITY}
    text = canonical(payload)
    try:
        same = parse(text) == payload
    except FormatError as trouble:
        where = find_float(payload)
        raise FormatError(f"{where or trouble}: write quantities as strings") from None
    if not same:
        raise FormatError("it does not read back as it was written: use text as keys, and lists")
    digest = hashlib.sha256(text).hexdigest()
    seal = canonical({INTEGRITY: {"algo": "sha256", "payload_sha256": digest}})
    # Both texts are objects: the seal becomes the last key of the document.
    comma = b"," if payload else b""
    return text[:-1] + comma + seal[1:] + b"\n", digest


def parse(data: bytes) -> JsonObject:
    """Given bytes, return the JSON object that they hold, read strictly.

    Raises:
        FormatError: The bytes are not UTF-8, not JSON, not one object, or ambiguous.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_refuse_float,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as trouble:
        raise FormatError(f"not UTF-8 (byte {trouble.start})") from None
    except json.JSONDecodeError as trouble:
        where = f"line {trouble.lineno} column {trouble.colno}"
        raise FormatError(f"not JSON: {trouble.msg} ({where})") from None
    except RecursionError:
        raise FormatError("not JSON: nested too deeply") from None
    except ValueError as trouble:
        raise FormatError(f"not JSON: {trouble}") from None
    if not isinstance(value, dict):
        raise FormatError("not a JSON object")
    return value


def decimal_of(value: object) -> Decimal | None:
    """Given a JSON value, return the exact number that its text spells, or None if it is not one.

    A number is a string of digits with at most one point and a leading minus: no exponent, no
    blanks, no NaN, no infinity, no negative zero.
    """
    if not isinstance(value, str) or not 0 < len(value) <= _DECIMAL_TEXT_MAX:
        return None
    if not _PLAIN_NUMBER.issuperset(value):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return None if number.is_zero() and number.is_signed() else number


def decimal_text(number: Decimal | int | str) -> str:
    """Given an exact number, return the plain text that the formats carry.

    Raises:
        FormatError: The value is a float, is not finite, or is not a number.
    """
    if isinstance(number, bool) or not isinstance(number, Decimal | int | str):
        raise FormatError(
            f"{number!r} is a {type(number).__name__}; give a Decimal, a whole number or text"
        )
    try:
        exact = Decimal(number)
    except InvalidOperation:
        raise FormatError(f"{number!r} is not a number") from None
    if not exact.is_finite():
        raise FormatError(f"{number!r} is not finite")
    if abs(exact.adjusted()) < _DECIMAL_TEXT_MAX:
        text = f"{exact:f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        text = "0" if text == "-0" else text
        if len(text) <= _DECIMAL_TEXT_MAX:
            return text
    raise FormatError(f"{number!r} needs more than {_DECIMAL_TEXT_MAX} characters")


def find_float(value: object, place: str = "$") -> str | None:
    """Return the place of the first float in a value that is to be written, or None.

    The encoder of the standard library writes floats without a word, so that the reader, which
    refuses them, is what catches them; this walk then says where it is.
    """
    if isinstance(value, float):
        return f"{place} is the float {value!r}"
    if isinstance(value, Mapping):
        inner = ((f"{place}.{key}", item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        inner = ((f"{place}[{index}]", item) for index, item in enumerate(value))
    else:
        return None
    found = (find_float(item, where) for where, item in inner)
    return next((where for where in found if where is not None), None)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _object(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return found


def _refuse_float(text: str) -> Never:
    raise ValueError(f"{text} is a float; quantities are strings and times are whole numbers")


def _refuse_constant(text: str) -> Never:
    raise ValueError(f"{text} is not a number")
