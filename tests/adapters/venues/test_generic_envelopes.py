"""Each venue's success envelope lets its own successes pass and nothing else."""

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.adapters.venues.via_ccxt.envelopes import (
    ENVELOPES,
    Malformed,
    describe,
    envelope_fault,
    needs_keys,
    rows_at,
    value_at,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    at_ms,
    flag,
    nanoseconds_ms,
    number,
    price,
    seconds_ms,
    side,
    text,
)
from resyncctl.core.model import Side
from tests.adapters.venues.fail_closed_cells import ERRORS_IN_200
from tests.adapters.venues.generic_kit import BODIES

DOCUMENTED = [(venue, route) for venue in sorted(BODIES) for route in BODIES[venue]]
LABELLED = sorted(
    set(BODIES) - {"gate", "hyperliquid", "coinbase", "mexc"}
)  # the others have no label that every success carries
SAME_LABEL = {("okx", "mexc"), ("okx", "cryptocom"), ("cryptocom", "mexc"), ("cryptocom", "okx")}
"""These write `code: 0` alike; the place of the rows tells them apart."""
STRANGERS = [
    (venue, other)
    for venue in LABELLED
    for other in sorted(BODIES)
    if ENVELOPES[venue] is not ENVELOPES[other] and (venue, other) not in SAME_LABEL
]


@pytest.mark.parametrize(("venue", "route"), DOCUMENTED)
def test_a_documented_success_passes(venue: str, route: str) -> None:
    assert envelope_fault(venue, BODIES[venue][route]) is None


@pytest.mark.parametrize("venue", sorted(ENVELOPES))
@pytest.mark.parametrize("body", [None, "", "<html>", '{"cut', "null", 3, True, 2.5, {}])
def test_what_is_no_success_anywhere_has_a_fault(venue: str, body: object) -> None:
    assert envelope_fault(venue, body)


@pytest.mark.parametrize("venue", sorted(BODIES))
def test_an_error_with_status_200_has_a_fault(venue: str) -> None:
    assert envelope_fault(venue, ERRORS_IN_200[venue])


@pytest.mark.parametrize(("venue", "other"), STRANGERS)
def test_a_labelled_venue_does_not_take_anothers_envelope(venue: str, other: str) -> None:
    for body in BODIES[other].values():
        assert envelope_fault(venue, body)


@pytest.mark.parametrize("venue", LABELLED)
def test_taking_the_label_away_is_noticed(venue: str) -> None:
    for body in BODIES[venue].values():
        spoilt: Any = copy.deepcopy(body)
        for label in ("retCode", "code", "error", "jsonrpc", "status"):
            spoilt.pop(label, None)
        if venue == "krakenfutures":
            spoilt.pop("result")
        assert envelope_fault(venue, spoilt)


def test_a_venue_without_a_validator_always_has_a_fault() -> None:
    assert envelope_fault("bitfinex", []) == "no success envelope is known for bitfinex"


def test_a_failed_row_inside_a_success_is_a_fault() -> None:
    body = {"code": "0", "msg": "", "data": [{"ordId": "1", "sCode": "51400", "sMsg": "gone"}]}
    assert "51400" in str(envelope_fault("okx", body))


def test_rows_must_be_where_they_belong() -> None:
    assert rows_at({"a": {"b": [{"x": 1}]}}, "a.b") == ({"x": 1},)
    assert rows_at({"open": {"ID": {"x": 1}}}, "open", keyed_as="id") == ({"x": 1, "id": "ID"},)
    wrong: list[Any] = [{}, {"a": None}, {"a": {}}, {"a": [1]}, {"a": ["text"]}, []]
    for body in wrong:
        with pytest.raises(Malformed):
            rows_at(body, "a")
    with pytest.raises(Malformed):
        rows_at({"open": []}, "open", keyed_as="id")


def test_a_row_names_what_it_lacks() -> None:
    needs_keys({"a": {"b": 1}}, ("a.b",))
    with pytest.raises(Malformed, match=r"a\.c"):
        needs_keys({"a": {"b": 1}}, ("a.c",))
    assert value_at([{"x": 5}], "0.x") == 5


@given(st.text(max_size=200))
def test_describing_a_body_never_repeats_it(content: str) -> None:
    assert describe(content) in {
        "an empty body",
        "an HTML page",
        "truncated JSON",
        "plain text",
    }


@pytest.mark.parametrize("value", [1.5, True, None, "", " 1", "1_0", "NaN", "Infinity", [], {}])
def test_a_number_must_be_exact(value: object) -> None:
    with pytest.raises(Malformed):
        number({"x": value}, "x")


def test_values_mean_what_the_venues_write() -> None:
    assert number({"x": "-0.000"}, "x") == 0
    assert number({"x": "1e-7"}, "x") == Decimal("0.0000001")
    assert price({"x": "0.00"}, "x") is None
    assert text({"x": 12345678901234567890}, "x") == "12345678901234567890"
    assert seconds_ms({"x": "1688667796.8802"}, "x") == 1688667796880
    assert nanoseconds_ms({"x": 1558334496000000000}, "x") == 1558334496000
    assert (flag({"x": "YES"}, "x"), flag({}, "x"), flag({"x": "0"}, "x")) == (True, False, False)
    assert side({"x": "SELL-limit"}, "x") is Side.SELL
    with pytest.raises(Malformed):
        at_ms({"x": "0"}, "x")
    with pytest.raises(Malformed):
        flag({"x": "perhaps"}, "x")
    with pytest.raises(Malformed):
        text({"x": 1.5}, "x")
