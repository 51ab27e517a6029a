"""Snapshots survive their documents, and a document that is not right is refused with its place."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resyncctl.core.compare import compare
from resyncctl.core.discrepancy import Kind
from resyncctl.core.errors import CorruptDataError
from resyncctl.core.rows_json import BadValue, read_time, time_text
from resyncctl.core.snapshot import Claim, EngineSnapshot, NotFound, Unknown, VenueSnapshot
from resyncctl.core.snapshot_json import (
    ENGINE_SCHEMA,
    VENUE_SCHEMA,
    dumps,
    loads,
    loads_engine,
    loads_venue,
)
from tests.fakes.faults import FAULTS
from tests.fakes.worlds import NOW_MS, POLICY, make_world


def sides(seed: int, *kinds: Kind) -> tuple[EngineSnapshot, VenueSnapshot]:
    world = make_world(seed, symbols=4)
    for kind in kinds:
        FAULTS[kind](world)
    return world.engine_snapshot(), world.venue_snapshot()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), kinds=st.lists(st.sampled_from(list(Kind)), max_size=3, unique=True)
)
def test_writing_and_reading_gives_the_same_snapshot(seed: int, kinds: list[Kind]) -> None:
    engine, venue = sides(seed, *kinds)
    assert loads_engine(dumps(engine)) == engine
    assert loads(dumps(engine).encode()) == engine
    assert loads_venue(dumps(venue)) == venue
    assert loads(dumps(venue)) == venue
    saved = compare(loads_engine(dumps(engine)), loads_venue(dumps(venue)), POLICY, NOW_MS)
    assert saved == compare(engine, venue, POLICY, NOW_MS)


def test_rare_parts_survive_too() -> None:
    engine, venue = sides(3, Kind.MISSING_ORDER)
    engine = replace(
        engine,
        sequence=None,
        fills=Unknown("the checkpoint has no fills"),
        claims=(Claim("grid", symbol="BTC/USDT", until_ms=NOW_MS),),
        trouble=(("CHECKPOINT_STALE", "old"),),
    )
    reference = next(iter(make_world_references(venue)))
    venue = replace(
        venue,
        look_ups=((reference, Unknown("timeout")), (reference, NotFound(reference, "-2013"))),
        weight_used=17,
        clock_offset_ms=None,
        identity=Unknown("not read"),
    )
    assert loads_engine(dumps(engine)) == engine
    assert loads_venue(dumps(venue)) == venue


def make_world_references(venue: VenueSnapshot) -> list[Any]:
    for seed in range(20):
        _engine, other = sides(seed, Kind.MISSING_ORDER)
        if other.look_ups:
            return [reference for reference, _answer in other.look_ups]
    raise AssertionError("no world had a look-up")


@settings(max_examples=200)
@given(st.integers(-(10**13), 10**14))
def test_times_survive(at_ms: int) -> None:
    assert read_time(time_text(at_ms)) == at_ms


def test_a_time_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(BadValue):
        time_text(10**18)


Change = Callable[[dict[str, Any]], None]


def _order(document: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = document["sections"]["orders"]["data"][0]
    return row


def _set(key: str, value: object) -> Change:
    return lambda document: _order(document).__setitem__(key, value)


WRONG: list[tuple[str, Change, str]] = [
    ("schema", lambda document: document.update(schema="resyncctl/other/v9"), "$"),
    ("no schema", lambda document: document.pop("schema"), "$"),
    ("number", _set("price", 1), "$.sections.orders.data[0].price"),
    ("float text", _set("quantity", "NaN"), "$.sections.orders.data[0].quantity"),
    ("negative zero", _set("quantity", "-0"), "$.sections.orders.data[0].quantity"),
    ("words", _set("quantity", "many"), "$.sections.orders.data[0].quantity"),
    ("side", _set("side", "up"), "$.sections.orders.data[0].side"),
    ("side type", _set("side", 3), "$.sections.orders.data[0].side"),
    ("flag", _set("reduce_only", "no"), "$.sections.orders.data[0].reduce_only"),
    ("text", _set("symbol", None), "$.sections.orders.data[0].symbol"),
    ("time", _set("created_at", "yesterday"), "$.sections.orders.data[0].created_at"),
    (
        "impossible",
        _set("created_at", "2026-02-31T00:00:00Z"),
        "$.sections.orders.data[0].created_at",
    ),
    ("missing key", lambda document: _order(document).pop("status"), "$.sections.orders.data[0]"),
    ("unknown key", _set("triger_price", "1"), "$.sections.orders.data[0]"),
    (
        "row type",
        lambda document: document["sections"]["fills"]["data"].append(7),
        "$.sections.fills.data[",
    ),
    (
        "list type",
        lambda document: document["sections"]["fills"].update(data={}),
        "$.sections.fills.data",
    ),
    ("section type", lambda document: document["sections"].update(fills=[]), "$.sections.fills"),
    ("section key", lambda document: document["sections"].update(trades={}), "$.sections"),
    (
        "known",
        lambda document: document["sections"]["fills"].update(known=1),
        "$.sections.fills.known",
    ),
    (
        "no reason",
        lambda document: document["sections"].update(fills={"known": False}),
        "$.sections.fills",
    ),
    (
        "window",
        lambda document: document["sections"]["fills"].update(window={"since": 1}),
        "$.sections.fills.window.since",
    ),
    ("sequence", lambda document: document.update(sequence="7"), "$.sequence"),
    ("no account", lambda document: document.pop("account"), "$"),
]


@pytest.mark.parametrize(("name", "change", "place"), WRONG, ids=[entry[0] for entry in WRONG])
def test_a_wrong_document_is_refused_with_its_place(name: str, change: Change, place: str) -> None:
    engine, _venue = sides(1)
    document = json.loads(dumps(engine))
    change(document)
    with pytest.raises(CorruptDataError) as caught:
        loads_engine(json.dumps(document))
    assert (caught.value.place or "").startswith(place)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"schema": 1, "schema": 2}', "twice"),
        ('{"schema": 1.5}', "float"),
        ('{"schema": NaN}', "not a number"),
        ('{"schema": -Infinity}', "not a number"),
        ("{", "not JSON"),
        ("", "not JSON"),
        ("[]", "an object"),
        ("[" * 100_000, "deeply"),
        (b"\xff\xfe", "UTF-8"),
        (json.dumps({"schema": ENGINE_SCHEMA}), "missing"),
        (json.dumps({"schema": "x" * 200}), "..."),
    ],
)
def test_what_is_not_a_strict_document_is_refused(text: str | bytes, word: str) -> None:
    with pytest.raises(CorruptDataError) as caught:
        loads(text)
    assert word in caught.value.message


def test_venue_documents_are_as_strict() -> None:
    _engine, venue = sides(1)
    document = json.loads(dumps(venue))
    document["scopes"][0]["orders"][0]["scope"]["order_class"] = "secret"
    with pytest.raises(CorruptDataError) as caught:
        loads_venue(json.dumps(document))
    assert caught.value.place == "$.scopes[0].orders[0].scope.order_class"
    with pytest.raises(CorruptDataError) as caught:
        loads_venue(dumps(sides(1)[0]))
    assert VENUE_SCHEMA in caught.value.message


def test_further_keys_are_allowed_at_the_top_only() -> None:
    """The output of `engine show --json` carries an envelope around the document."""
    engine, _venue = sides(1)
    document = json.loads(dumps(engine))
    document["run_id"] = "20260101T000000Z-main"
    assert loads_engine(json.dumps(document)) == engine


def test_every_truncated_document_is_refused() -> None:
    text = dumps(make_world(5).engine_snapshot())
    for length in range(0, len(text) - 1, 37):
        with pytest.raises(CorruptDataError):
            loads_engine(text[:length])
