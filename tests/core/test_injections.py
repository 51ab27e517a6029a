"""Every kind of discrepancy is injected, alone and together: nothing is missed or invented."""

import random

import pytest

from resyncctl.core.compare import Comparison, compare
from resyncctl.core.discrepancy import Kind, Verdict
from resyncctl.core.events import emit
from resyncctl.core.repair import apply_events
from tests.fakes.fault_tools import Expected, Finding, name_of
from tests.fakes.faults import FAULTS
from tests.fakes.worlds import NOW_MS, POLICY, World, make_world

ALONE_SEEDS = 15
TOGETHER_SEEDS = 60
SYMBOLS = 30


def look(world: World) -> Comparison:
    return compare(world.engine_snapshot(), world.venue_snapshot(), POLICY, NOW_MS)


def names(comparison: Comparison) -> set[Finding]:
    return {name_of(finding) for finding in comparison.findings}


def inject(world: World, kinds: list[Kind]) -> Expected:
    whole = Expected()
    for kind in kinds:
        part = FAULTS[kind](world)
        whole.findings |= part.findings
        whole.lasting |= part.lasting
    return whole


def repaired(world: World) -> Comparison:
    engine, venue = world.engine_snapshot(), world.venue_snapshot()
    events = emit(engine, venue, compare(engine, venue, POLICY, NOW_MS))
    healed = apply_events(engine, events)
    again = apply_events(healed, events)
    for section in ("orders", "fills", "positions", "balances"):
        assert set(getattr(again, section).data) == set(getattr(healed, section).data)
    return compare(healed, venue, POLICY, NOW_MS)


def test_there_is_a_fault_for_every_kind() -> None:
    assert set(FAULTS) == set(Kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_alone_is_found_and_nothing_else(kind: Kind) -> None:
    for seed in range(ALONE_SEEDS):
        world = make_world(seed, symbols=3)
        expected = inject(world, [kind])
        comparison = look(world)
        assert names(comparison) == expected.findings, f"seed {seed}"
        assert kind in {finding.kind for finding in comparison.findings}
        assert names(repaired(world)) == expected.lasting, f"seed {seed} after repair"


@pytest.mark.slow
def test_random_subsets_are_found_and_nothing_else() -> None:
    for seed in range(TOGETHER_SEEDS):
        world = make_world(seed, symbols=SYMBOLS)
        picker = random.Random(seed)
        kinds = picker.sample(list(Kind), picker.randint(2, len(Kind) - 1))
        expected = inject(world, _readable(kinds))
        assert names(look(world)) == expected.findings, f"seed {seed}"
        assert names(repaired(world)) == expected.lasting, f"seed {seed} after repair"


@pytest.mark.slow
def test_all_kinds_together_are_found_and_nothing_else() -> None:
    for seed in range(TOGETHER_SEEDS):
        world = make_world(seed, symbols=SYMBOLS)
        kinds = list(Kind)
        random.Random(seed).shuffle(kinds)
        expected = inject(world, _readable(kinds))
        comparison = look(world)
        assert names(comparison) == expected.findings, f"seed {seed}"
        assert {finding.kind for finding in comparison.findings} >= set(Kind) - {
            Kind.WINDOW_NOT_COVERED
        }
        assert comparison.verdict is Verdict.UNKNOWN
        assert names(repaired(world)) == expected.lasting, f"seed {seed} after repair"


def test_a_world_without_faults_has_no_findings() -> None:
    compared = 0
    for seed in range(1000):
        comparison = look(make_world(seed))
        assert comparison.findings == (), f"seed {seed}"
        assert comparison.verdict is Verdict.CLEAN
        assert not comparison.blocks_resume
        compared += comparison.counts["orders_matched"] + comparison.counts["fills_matched"]
    assert compared > 20_000


def _readable(kinds: list[Kind]) -> list[Kind]:
    """An unreadable section has no window to judge: inject that fault first."""
    return sorted(kinds, key=lambda kind: kind is not Kind.SECTION_UNREADABLE)
