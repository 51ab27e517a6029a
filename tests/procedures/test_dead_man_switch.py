"""A countdown that may still run is never forgotten, and none is armed more often than needed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.errors import LockedError
from resyncctl.core.model import Scope
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.switches import (
    ARM,
    DISARM,
    ArmedSwitch,
    SwitchState,
    SwitchTarget,
    switch_details,
)
from resyncctl.procedures.dead_man_switch import Switches, unresolved_switches
from resyncctl.procedures.held_lease import HeldLease
from tests.fakes.fake_clock import START_MS, FakeClock
from tests.fakes.fake_switch import PER_SYMBOL, FakeSwitch
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryLeases
from tests.fakes.recording_progress import RecordingProgress

BTC = SwitchTarget(product="linear", symbol="BTC/USDT:USDT", venue_symbol="BTCUSDT")
ETH = SwitchTarget(product="linear", symbol="ETH/USDT:USDT", venue_symbol="ETHUSDT")
SPOT = SwitchTarget(product="spot", symbol="BTC/USDT", venue_symbol="BTCUSDT")
COUNTDOWN_MS = 120_000
VALIDITY_MS, SKEW_MS = 5_000, 1_000


@dataclass
class Bench:
    clock: FakeClock
    power: FakeSwitch
    journal: MemoryJournal
    leases: MemoryLeases
    switches: Switches

    def unresolved(self) -> tuple[ArmedSwitch, ...]:
        return unresolved_switches(self.journal.records, "main", self.clock.now_ms())


def bench(
    *faults: str | None,
    earlier: Sequence[ArmedSwitch] = (),
    journal: MemoryJournal | None = None,
    countdown_ms: int = COUNTDOWN_MS,
) -> Bench:
    clock = FakeClock()
    power = FakeSwitch(clock=clock, faults=list(faults))
    kept, leases = journal or MemoryJournal(), MemoryLeases()
    switches = Switches(
        account="main",
        power=power,
        journal=kept,
        lease=HeldLease.acquire(leases, "main", "run", clock.now_ms()),
        clock=clock,
        progress=RecordingProgress(),
        countdown_ms=countdown_ms,
        request_validity_ms=VALIDITY_MS,
        skew_ms=SKEW_MS,
        earlier=earlier,
    )
    return Bench(clock, power, kept, leases, switches)


@pytest.mark.invariant("I22", "I23")
async def test_every_arming_and_stop_is_journaled_before_it_is_sent() -> None:
    made = bench()
    state = await made.switches.arm([BTC, ETH])
    assert {one.target for one in state.armed} == {BTC, ETH}
    assert state.blocks_resume(made.clock.now_ms())
    assert state.fires_by_ms == START_MS + VALIDITY_MS + SKEW_MS + COUNTDOWN_MS
    assert await made.switches.disarm() == SwitchState()
    assert made.power.fires(made.clock.now_ms()) == set()
    intents = [kept for kept in made.journal.records if kept.event == "intent"]
    assert [kept.details["action"] for kept in intents] == ["arm_switch"] * 2 + [
        "disarm_switch"
    ] * 2
    assert len(made.power.permits) == len(intents)
    assert made.journal.events().count("outcome") == 4
    assert made.unresolved() == ()


async def test_what_has_no_countdown_is_noted_and_stops_nothing() -> None:
    made = bench()
    state = await made.switches.arm([SPOT, BTC])
    assert [one.target for one in state.armed] == [BTC]
    assert state.notes == ("the exchange has no countdown for spot that can be armed",)


async def test_a_venue_with_one_countdown_is_armed_once() -> None:
    made = bench()
    made.power.abilities = {"spot": replace(PER_SYMBOL, per_symbol=False, covers=(Scope("spot"),))}
    state = await made.switches.arm(
        [SPOT, replace(SPOT, symbol="ETH/USDT", venue_symbol="ETHUSDT")]
    )
    assert [one.target.venue_symbol for one in state.armed] == [None]
    assert len(made.power.asked) == 1


@pytest.mark.parametrize(
    ("wanted_ms", "armed_ms"), [(10, 1_000), (120_000, 120_000), (900_000, 300_000)]
)
async def test_the_countdown_stays_within_what_the_venue_takes(
    wanted_ms: int, armed_ms: int
) -> None:
    made = bench(countdown_ms=wanted_ms)
    await made.switches.arm([BTC])
    assert [asked[2] for asked in made.power.asked] == [armed_ms]


@pytest.mark.invariant("I22")
async def test_it_is_refreshed_at_half_time_and_never_more_often() -> None:
    made = bench()
    await made.switches.arm([BTC, ETH])
    for _ in range(600):
        made.clock.advance(1_000)
        await made.switches.refresh_if_due()
        assert len(made.power.fires(made.clock.now_ms())) == 2, "a countdown ran out"
    assert len(made.power.asked) == 2 * (1 + 10)


async def test_a_failed_refresh_is_tried_again_long_before_it_fires() -> None:
    made = bench(None, "lost", "refused", "lost")
    state = await made.switches.arm([BTC])
    for _ in range(COUNTDOWN_MS // 1_000):
        made.clock.advance(1_000)
        state = await made.switches.refresh_if_due()
        assert made.power.fires(made.clock.now_ms())
    assert len(made.power.asked) == 5
    assert [one.certain for one in state.armed] == [True]
    assert any("not known" in note for note in state.notes)


async def test_a_refused_arming_runs_nowhere() -> None:
    made = bench("refused")
    state = await made.switches.arm([BTC])
    assert (state.armed, state.unresolved) == ((), ())
    assert made.unresolved() == ()
    assert "was not armed: -1021 the clock" in state.notes[0]


@pytest.mark.parametrize("fault", ["lost", "mute", "late"])
async def test_an_arming_without_an_answer_is_unresolved_until_it_is_stopped(fault: str) -> None:
    made = bench(fault)
    state = await made.switches.arm([BTC])
    assert [one.target for one in state.unresolved] == [BTC]
    assert state.blocks_resume(made.clock.now_ms())
    assert [one.certain for one in made.unresolved()] == [False]
    state = await made.switches.disarm()
    assert not state.blocks_resume(made.clock.now_ms())
    made.clock.advance(VALIDITY_MS)
    assert made.power.fires(made.clock.now_ms()) == set(), "it was armed after the stop"
    assert made.unresolved() == ()


@pytest.mark.invariant("I22")
async def test_a_stop_that_is_not_acknowledged_blocks_until_the_time_has_passed() -> None:
    made = bench(None, "lost", "refused", "lost")
    await made.switches.arm([BTC])
    state = await made.switches.disarm()
    assert [one.target for one in state.armed] == [BTC]
    assert state.blocks_resume(made.clock.now_ms())
    assert any("could not be stopped" in note for note in state.notes)
    assert state.fires_by_ms is not None
    assert [one.fires_by_ms for one in made.unresolved()] == [state.fires_by_ms]
    assert made.power.fires(made.clock.now_ms()), "it really runs"
    made.clock.advance(state.fires_by_ms - made.clock.now_ms())
    assert not made.switches.state().blocks_resume(made.clock.now_ms())
    assert made.unresolved() == ()


async def test_a_stopped_countdown_is_not_refreshed() -> None:
    made = bench(None, "lost", "lost", "lost")
    await made.switches.arm([BTC])
    await made.switches.disarm()
    made.clock.advance(COUNTDOWN_MS)
    await made.switches.refresh_if_due()
    assert [asked[0] for asked in made.power.asked] == ["arm"] + ["disarm"] * 3


@pytest.mark.invariant("I22")
async def test_a_later_run_finds_and_stops_what_a_crashed_run_left() -> None:
    crashed = bench("late")
    await crashed.switches.arm([BTC])
    made = bench(earlier=crashed.unresolved())
    made.power.running = {("linear", "BTCUSDT"): START_MS + COUNTDOWN_MS}
    assert made.switches.state().blocks_resume(made.clock.now_ms())
    state = await made.switches.disarm()
    assert state == SwitchState()
    assert made.power.asked[0][3] == START_MS + VALIDITY_MS + SKEW_MS, "it waited for the arming"
    assert made.power.fires(made.clock.now_ms()) == set()


async def test_what_cannot_be_stopped_from_here_blocks_and_sends_nothing() -> None:
    hidden = SwitchTarget(product="unknown", symbol="whatever a broken journal hides")
    left = ArmedSwitch(target=hidden, fires_by_ms=START_MS + 1, certain=False)
    made = bench(earlier=[left])
    state = await made.switches.disarm()
    assert state.blocks_resume(made.clock.now_ms())
    assert made.power.asked == []
    made.clock.advance(1)
    assert not made.switches.state().blocks_resume(made.clock.now_ms())


async def test_a_crash_between_intent_and_answer_counts_as_armed() -> None:
    made = bench()
    await made.switches.arm([BTC])
    without_answer = [kept for kept in made.journal.records if kept.event == "intent"]
    (one,) = unresolved_switches(without_answer, "main", made.clock.now_ms())
    assert (one.target, one.certain) == (BTC, False)
    assert unresolved_switches(without_answer, "other", made.clock.now_ms()) == ()


async def test_a_stop_settles_its_own_countdown_only() -> None:
    made = bench(None, None, None, "lost", "lost", "lost")
    await made.switches.arm([BTC, ETH])
    state = await made.switches.disarm()
    told = [one.target for one in made.unresolved()]
    assert told == [one.target for one in state.armed]
    assert len(told) == 1
    assert len(made.power.fires(made.clock.now_ms())) == 1


@pytest.mark.parametrize(("stopped_ms", "left"), [(5_999, 1), (6_000, 0)])
def test_a_stop_before_the_arming_could_land_settles_nothing(stopped_ms: int, left: int) -> None:
    """Another run, with another idea of validity, has stopped it too early."""
    journal = MemoryJournal()

    def note(action: str, at_ms: int, kind: OutcomeKind) -> None:
        details = switch_details(
            "main",
            BTC,
            countdown_ms=1,
            at_ms=at_ms,
            lands_by_ms=at_ms + 6_000,
            fires_by_ms=START_MS + 120_000,
        )
        permit = journal.intend(action, details, deadline_ms=at_ms + 5_000, fencing_token=1)
        journal.settle(permit, MutationOutcome(kind=kind))

    note(ARM, START_MS, OutcomeKind.UNKNOWN)
    note(DISARM, START_MS + stopped_ms, OutcomeKind.ACKNOWLEDGED)
    assert len(unresolved_switches(journal.records, "main", START_MS + 10_000)) == left


async def test_an_arming_after_the_stop_is_not_forgotten() -> None:
    made = bench()
    await made.switches.arm([BTC])
    await made.switches.disarm()
    await made.switches.arm([BTC])
    assert [one.target for one in made.unresolved()] == [BTC]


async def test_without_a_record_nothing_is_sent_and_nothing_fails() -> None:
    made = bench(journal=MemoryJournal(breaks_at=1))
    state = await made.switches.arm([BTC])
    assert made.power.asked == []
    assert (state.armed, state.unresolved) == ((), ())
    assert any("no space left" in note for note in state.notes)


async def test_a_lost_lease_sends_nothing_more() -> None:
    made = bench()
    await made.switches.arm([BTC])
    made.leases.lost_at_renewal = True
    made.clock.advance(COUNTDOWN_MS // 2)
    with pytest.raises(LockedError):
        await made.switches.refresh_if_due()
    assert len(made.power.asked) == 1


STEP = st.sampled_from(["arm btc", "arm eth", "refresh", "stop", "wait 3", "wait 40", "wait 200"])
FAULT = st.sampled_from([None, None, "lost", "mute", "late", "refused"])


@pytest.mark.invariant("I22")
@given(steps=st.lists(STEP, max_size=12), faults=st.lists(FAULT, max_size=20))
async def test_what_really_runs_is_always_known(steps: list[str], faults: list[str | None]) -> None:
    made = bench(*faults)
    for step in steps:
        match step.split():
            case ["arm", name]:
                await made.switches.arm([BTC if name == "btc" else ETH])
            case ["refresh"]:
                await made.switches.refresh_if_due()
            case ["stop"]:
                await made.switches.disarm()
            case ["wait", seconds]:
                made.clock.advance(int(seconds) * 1_000)
        now_ms = made.clock.now_ms()
        running = {("linear", key[1]) for key in made.power.fires(now_ms)}
        state = made.switches.state()
        told = {
            (one.target.product, one.target.venue_symbol)
            for one in (*state.armed, *state.unresolved)
        }
        kept = {(one.target.product, one.target.venue_symbol) for one in made.unresolved()}
        assert running <= told, "the run forgot a countdown"
        assert running <= kept, "the journal forgot a countdown"
        latest_ms = max(made.power.running.values(), default=0)
        assert not running or (state.fires_by_ms or 0) >= latest_ms
