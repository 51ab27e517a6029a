"""One text for one value, and no value that two programs could read in two ways."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.sdk.canonical import (
    JsonObject,
    JsonValue,
    canonical,
    decimal_of,
    decimal_text,
    parse,
    payload_sha256,
    read_sealed,
    sealed_bytes,
)
from resyncctl.sdk.errors import FormatError

VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS: st.SearchStrategy[JsonObject] = st.dictionaries(st.text(), VALUES, max_size=6)


@given(document=DOCUMENTS)
def test_what_is_sealed_reads_back_and_has_one_hash(document: JsonObject) -> None:
    document.pop("integrity", None)
    data, digest = sealed_bytes(document)
    read, read_digest = read_sealed(data)
    read.pop("integrity")
    assert read == document
    assert read_digest == digest == payload_sha256(document)
    assert data.isascii()


@given(document=DOCUMENTS, seed=st.randoms(use_true_random=False))
def test_the_order_of_keys_and_the_layout_do_not_change_the_hash(
    document: JsonObject, seed: object
) -> None:
    keys = list(document)
    seed.shuffle(keys)  # type: ignore[attr-defined]
    shuffled = {key: document[key] for key in keys}
    spaced = json.dumps(shuffled, indent=3, ensure_ascii=False)
    if "\ud800" <= max(spaced, default="") <= "\udfff":
        return
    assert payload_sha256(parse(spaced.encode())) == payload_sha256(document)


@given(document=DOCUMENTS, data=st.data())
def test_every_changed_byte_is_noticed(document: JsonObject, data: st.DataObject) -> None:
    sealed, digest = sealed_bytes(document)
    at = data.draw(st.integers(0, len(sealed) - 2))
    flip = data.draw(st.integers(1, 255))
    broken = sealed[:at] + bytes([sealed[at] ^ flip]) + sealed[at + 1 :]
    try:
        read, read_digest = read_sealed(broken)
    except FormatError:
        return
    # Two spellings of one value (such as an escape in upper case) are the same value.
    assert read_digest == digest
    assert payload_sha256(read) == digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"a": 1, "a": 1}', "occurs twice"),
        (b'{"x": [{"a": 1, "b": 2, "a": 3}]}', "'a' occurs twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1.5}', "1.5 is a float"),
        (b'{"a": 1e400}', "1e400 is a float"),
        (b"[]", "not a JSON object"),
        (b"", "not JSON"),
        (b"{}{}", "Extra data"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
    ],
)
def test_ambiguous_or_broken_text_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parse(text)


@pytest.mark.invariant("I36")
@pytest.mark.parametrize("value", [1.5, float("nan"), float("inf"), 2.0])
def test_floats_are_refused_when_writing_and_the_place_is_named(value: float) -> None:
    with pytest.raises(FormatError, match=r"\$\.a\[1\]\.b is the float"):
        sealed_bytes({"a": [0, {"b": value}]})  # type: ignore[dict-item]


def test_what_json_does_not_know_is_refused() -> None:
    with pytest.raises(FormatError, match="cannot be written"):
        canonical({"a": Decimal(1)})


def test_a_key_that_is_not_text_cannot_slip_through() -> None:
    with pytest.raises(FormatError):
        sealed_bytes({1: "a", "1": "b"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "broken",
    [
        b'{"a":1}',
        b'{"a":1,"integrity":null}',
        b'{"a":1,"integrity":{"algo":"md5","payload_sha256":"x"}}',
        b'{"a":1,"integrity":{"algo":"sha256","payload_sha256":"x"}}',
        b'{"a":1,"integrity":{"algo":"sha256"}}',
    ],
)
def test_a_document_without_its_own_hash_is_refused(broken: bytes) -> None:
    with pytest.raises(FormatError):
        read_sealed(broken)


@given(
    number=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
)
def test_numbers_survive_as_text(number: Decimal) -> None:
    try:
        text = decimal_text(number)
    except FormatError:
        assert abs(number.adjusted()) > 60 or -number.as_tuple().exponent > 60  # type: ignore[operator]
        return
    assert decimal_of(text) == number


@pytest.mark.invariant("I36")
@pytest.mark.parametrize(
    "value",
    [
        "",
        " 1",
        "1 ",
        "1e5",
        "NaN",
        "Infinity",
        "-0",
        "-0.0",
        "1_0",
        "+1",
        ".",
        "--1",
        1,
        1.5,
        None,
        True,
        "1" * 81,
        "\u0661",
    ],
)
def test_what_is_not_a_plain_number_is_no_number(value: object) -> None:
    assert decimal_of(value) is None


@pytest.mark.parametrize(
    "value", [1.5, True, None, "x", "NaN", Decimal("Infinity"), Decimal("1e999999")]
)
def test_what_is_not_exact_is_not_written(value: object) -> None:
    with pytest.raises(FormatError):
        decimal_text(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.500", "1.5"),
        (Decimal("1E+3"), "1000"),
        (7, "7"),
        ("-0", "0"),
        (Decimal("1E-8"), "0.00000001"),
    ],
)
def test_numbers_are_written_plainly(value: Decimal | int | str, text: str) -> None:
    assert decimal_text(value) == text
