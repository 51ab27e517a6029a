"""Laws of the comparison, held over seeded worlds with any mixture of faults."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resyncctl.core.compare import Comparison, compare
from resyncctl.core.discrepancy import EVIDENCE_KINDS, Discrepancy, Kind, Verdict
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import (
    EngineSnapshot,
    Known,
    NotCovered,
    ProductReading,
    Section,
    Unknown,
    VenueSnapshot,
    Window,
)
from resyncctl.core.verdict import judge
from tests.fakes.faults import FAULTS
from tests.fakes.worlds import HOUR_MS, NOW_MS, POLICY, World, make_world

SYMBOLS = 8
KINDS = list(Kind)
LAWS = settings(max_examples=50, deadline=None)
seeds = st.integers(0, 10**6)
kinds = st.lists(st.sampled_from(KINDS), max_size=5, unique=True)


def world_with(seed: int, wanted: list[Kind]) -> World:
    world = make_world(seed, symbols=SYMBOLS)
    for kind in wanted:
        FAULTS[kind](world)
    return world


def look(engine: EngineSnapshot, venue: VenueSnapshot, policy: Policy = POLICY) -> Comparison:
    return compare(engine, venue, policy, NOW_MS)


def rows(section: Section[Any]) -> tuple[Any, ...]:
    return section.data if isinstance(section, Known) else ()


def mirror(venue: VenueSnapshot) -> EngineSnapshot:
    """An engine that believes exactly what the exchange reports."""
    readings = venue.products
    orders = [row for reading in readings for _, section in reading.orders for row in rows(section)]
    return replace(
        World(random.Random(0)).engine_snapshot(),
        orders=Known(tuple(orders), NOW_MS),
        fills=Known(tuple(row for reading in readings for row in rows(reading.fills)), NOW_MS),
        positions=Known(tuple(row for one in readings for row in rows(one.positions)), NOW_MS),
        balances=Known(tuple(row for one in readings for row in rows(one.balances)), NOW_MS),
    )


@LAWS
@given(seed=seeds, wanted=kinds)
def test_comparing_a_state_with_itself_finds_no_difference(seed: int, wanted: list[Kind]) -> None:
    venue = world_with(seed, wanted).venue_snapshot()
    about_age_or_reading = EVIDENCE_KINDS | {Kind.STALE_ORDER, Kind.UNMAPPED_INSTRUMENT}
    found = {finding.kind for finding in look(mirror(venue), venue).findings}
    assert found <= about_age_or_reading


@pytest.mark.invariant("I8")
@LAWS
@given(seed=seeds, wanted=kinds)
def test_the_order_of_the_rows_does_not_matter(seed: int, wanted: list[Kind]) -> None:
    world = world_with(seed, wanted)
    first = look(world.engine_snapshot(), world.venue_snapshot())
    second = look(world.engine_snapshot(), world.venue_snapshot())
    assert first == second
    assert [finding.id for finding in first.findings] == [one.id for one in second.findings]


@LAWS
@given(seed=seeds, wanted=kinds, size=st.integers(1, 40))
def test_splitting_and_overlapping_pages_changes_nothing(
    seed: int, wanted: list[Kind], size: int
) -> None:
    world = world_with(seed, wanted)
    engine, venue = world.engine_snapshot(), world.venue_snapshot()

    def paged(section: Section[Any]) -> Section[Any]:
        if not isinstance(section, Known):
            return section
        pages = [section.data[start : start + size + 2] for start in range(0, 10_000, size)]
        return replace(section, data=tuple(row for page in pages for row in page))

    overlapping = replace(
        venue,
        products=tuple(
            replace(
                reading,
                orders=tuple((scope, paged(section)) for scope, section in reading.orders),
                fills=paged(reading.fills),
                positions=paged(reading.positions),
                balances=paged(reading.balances),
                ledger=paged(reading.ledger),
            )
            for reading in venue.products
        ),
    )
    plain, doubled = look(engine, venue), look(engine, overlapping)
    assert doubled.findings == plain.findings
    assert doubled.explained == plain.explained
    twice = replace(engine, orders=replace(engine.orders, data=rows(engine.orders) * 2))  # type: ignore[arg-type]  # worlds know their orders
    assert look(twice, venue).findings == plain.findings


@LAWS
@given(seed=seeds, wanted=kinds)
def test_renaming_ids_renames_findings_and_nothing_else(seed: int, wanted: list[Kind]) -> None:
    world = world_with(seed, wanted)
    engine, venue = world.engine_snapshot(), world.venue_snapshot()
    plain = look(engine, venue)
    renamed = look(_rename(engine), _rename(venue))
    assert renamed.verdict is plain.verdict
    assert _essence(renamed, lambda name: name) == _essence(plain, _new_name)


def _new_name(name: str | None) -> str | None:
    """Rename ids by reversing them, so that no order among them is kept."""
    if name is None or not name:
        return name
    prefix = "mm1-" if name.startswith("mm1-") else ""
    return f"{prefix}{name.removeprefix(prefix)[::-1]}z"


IDS = ("venue_order_id", "client_order_id", "trade_id")


def _rename(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_rename(part) for part in value)
    if not hasattr(value, "__dataclass_fields__"):
        return value
    changes = {}
    for name in value.__dataclass_fields__:
        part = getattr(value, name)
        changes[name] = _new_name(part) if name in IDS else _rename(part)
    return replace(value, **changes)


def _essence(comparison: Comparison, name_of: Any) -> list[str]:
    return sorted(
        repr(
            (
                finding.kind,
                finding.severity,
                sorted(
                    (key, name_of(value) if key in IDS and "inferred" not in value else "")
                    for key, value in finding.subject.present().items()
                    if key in IDS
                ),
                finding.subject.symbol,
                finding.subject.asset,
                finding.delta,
                finding.unexplained,
            )
        )
        for finding in comparison.findings
    )


@LAWS
@given(seed=seeds, wanted=kinds)
def test_every_finding_is_derivable_from_the_inputs(seed: int, wanted: list[Kind]) -> None:
    world = world_with(seed, wanted)
    engine, venue = world.engine_snapshot(), world.venue_snapshot()
    text = repr((engine, venue))
    for finding in look(engine, venue).findings:
        for key, value in finding.subject.present().items():
            assert "inferred-" in value or repr(value) in text, (key, value)
        assert finding.remedy
        assert finding.id == Discrepancy(**{**_fields(finding), "id": ""}).id
        if finding.kind not in EVIDENCE_KINDS:
            assert finding.engine is not None or finding.venue is not None


def _fields(finding: Discrepancy) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in Discrepancy.__dataclass_fields__}


RANK = {Verdict.CLEAN: 0, Verdict.DISCREPANT: 1, Verdict.UNKNOWN: 2}
SECTIONS = ("fills", "positions", "balances", "ledger")


def _degrade_section(section: Section[Any], picker: random.Random) -> Section[Any]:
    """Take evidence away from a section, and the rows that go with it."""
    if not isinstance(section, Known):
        return section
    match picker.randrange(4):
        case 0:
            return Unknown("HTTP 502")
        case 1:
            keep = picker.randint(0, len(section.data))
            return replace(section, data=section.data[:keep], complete=False)
        case 2 if section.window is not None:
            since = picker.randint(NOW_MS - 23 * HOUR_MS, NOW_MS)
            kept = tuple(row for row in section.data if row.at_ms >= since)
            return replace(section, data=kept, window=Window(since, section.window.until_ms))
        case 3 if section.window is not None:
            until = picker.randint(NOW_MS - 23 * HOUR_MS, NOW_MS - 3000)
            kept = tuple(row for row in section.data if row.at_ms <= until)
            return replace(section, data=kept, window=Window(section.window.since_ms, until))
        case _:
            return Unknown("HTTP 503")


def _degrade_reading(reading: ProductReading, picker: random.Random) -> ProductReading:
    name = picker.choice((*SECTIONS, "orders", "scope"))
    if name == "orders" and reading.orders:
        scopes = list(reading.orders)
        index = picker.randrange(len(scopes))
        scopes[index] = (scopes[index][0], _degrade_section(scopes[index][1], picker))
        return replace(reading, orders=tuple(scopes))
    if name in {"orders", "scope"}:
        return replace(reading, orders=reading.orders[:-1])
    changed: Any = {name: _degrade_section(getattr(reading, name), picker)}
    return replace(reading, **changed)


def _degrade(
    engine: EngineSnapshot, venue: VenueSnapshot, picker: random.Random
) -> tuple[EngineSnapshot, VenueSnapshot]:
    choice = picker.randrange(9)
    if choice <= 3 and venue.products:
        products = list(venue.products)
        index = picker.randrange(len(products))
        products[index] = _degrade_reading(products[index], picker)
        return engine, replace(venue, products=tuple(products))
    if choice == 4 and venue.products:
        products = list(venue.products)
        del products[picker.randrange(len(products))]
        return engine, replace(venue, products=tuple(products))
    if choice == 5:
        return engine, replace(venue, not_covered=(NotCovered("papi", "not read"),))
    if choice == 6:
        return engine, replace(venue, clock_offset_ms=None)
    if choice == 7:
        return engine, replace(venue, moving="orders changed")
    name = picker.choice(["orders", "fills", "positions", "balances"])
    changed: Any = {name: _degrade_section(getattr(engine, name), picker)}
    return replace(engine, **changed), venue


@pytest.mark.invariant("I2", "I7")
@settings(max_examples=150, deadline=None)
@given(seed=seeds, wanted=kinds, steps=st.integers(1, 6))
def test_less_evidence_never_improves_the_verdict(
    seed: int, wanted: list[Kind], steps: int
) -> None:
    world = world_with(seed, wanted)
    engine, venue = world.engine_snapshot(), world.venue_snapshot()
    scopes = tuple(scope for reading in venue.products for scope, _ in reading.orders)
    policy = replace(POLICY, required_scopes=scopes)
    picker = random.Random(seed)
    before = look(engine, venue, policy)
    for _ in range(steps):
        engine, venue = _degrade(engine, venue, picker)
        after = look(engine, venue, policy)
        assert RANK[after.verdict] >= RANK[before.verdict]
        before = after


@pytest.mark.invariant("I7")
@LAWS
@given(seed=seeds, wanted=kinds, cut=st.integers(0, 10))
def test_more_findings_never_improve_the_verdict(seed: int, wanted: list[Kind], cut: int) -> None:
    world = world_with(seed, wanted)
    findings = look(world.engine_snapshot(), world.venue_snapshot()).findings
    assert RANK[judge(findings)] >= RANK[judge(findings[:cut])]


_PRINT_DIGEST = """
import hashlib
from resyncctl.core.compare import compare
from resyncctl.core.discrepancy import Kind
from resyncctl.core.events import emit
from tests.core.test_compare_laws import NOW_MS, POLICY, world_with
world = world_with(11, [kind for kind in Kind if kind is not Kind.SECTION_UNREADABLE][:8])
ours, theirs = world.engine_snapshot(), world.venue_snapshot()
comparison = compare(ours, theirs, POLICY, NOW_MS)
events = [event.to_json() for event in emit(ours, theirs, comparison)]
print(hashlib.sha256(repr((comparison, events)).encode()).hexdigest())
"""


@pytest.mark.invariant("I8")
@pytest.mark.process
def test_the_report_is_the_same_in_every_process() -> None:
    """Sets iterate in another order in every process; a report must not."""
    root = Path(__file__).parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", _PRINT_DIGEST],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{root / 'src'}:{root}"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(digests) == 1
