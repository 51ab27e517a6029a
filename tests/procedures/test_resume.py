"""verify --resume: the gate moves to RUNNING only on what holds in that moment, and is watched."""

from dataclasses import replace

import pytest

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.errors import DeclinedError, LockedError, NoTerminalError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.safety import VerdictRecord
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.core.switches import ArmedSwitch, SwitchTarget
from tests.fakes.fake_venue import FakeVenue
from tests.fakes.operators import ScriptedPrompter
from tests.fakes.safety_world import LINEAR, SafetyWorld, failing, resting_order

MOVES = [GateState.SAFE, GateState.RUNNING]


async def proved() -> tuple[SafetyWorld, VerdictRecord]:
    """Return a world that a resync made SAFE, with its verdict."""
    world = SafetyWorld().with_book()
    outcome = await world.resync()
    assert outcome.status == "safe"
    return world, world.remembered[-1]


async def test_a_closed_account_is_proved_opened_and_watched() -> None:
    world = SafetyWorld().closed()
    outcome = await world.resume()
    assert failing(outcome) == []
    assert (outcome.status, outcome.exit_code) == ("resumed", ExitCode.OK)
    assert [move for move, _ in world.gate.moves] == MOVES
    assert outcome.timings["watched_ms"] >= world.policy.watch_window_ms
    assert int(outcome.counts["looks"]) >= 10
    assert world.leases.released == 1


async def test_a_fresh_verdict_is_looked_at_again_and_used() -> None:
    world, verdict = await proved()
    began_ms = world.clock.running_ms
    outcome = await world.resume(verdict, watch_ms=0)
    assert outcome.status == "resumed"
    assert [move for move, _ in world.gate.moves] == [GateState.UNSAFE, *MOVES]
    assert world.clock.running_ms - began_ms < 5_000
    assert outcome.evidence["verdict_run"] == verdict.run_id
    assert outcome.evidence["nobody_watches"] is True


async def test_an_engine_that_was_just_started_gets_a_moment_to_acknowledge() -> None:
    world, verdict = await proved()
    began_ms = world.clock.running_ms
    soon_ms = world.clock.now_ms() + 2_000
    unproved = Silence(kind=SilenceKind.UNPROVED, how="it has just started")
    world.silence.on_observe = lambda now_ms: unproved if now_ms < soon_ms else None
    outcome = await world.resume(verdict, watch_ms=0)
    assert outcome.status == "resumed"
    assert world.clock.running_ms - began_ms < 10_000


@pytest.mark.parametrize(
    "spoil",
    [
        {"valid_until_ms": 0},
        {"gate_sequence": 7},
        {"conditions": ()},
        {"digests": {"policy": "another"}},
        {"verdict": Verdict.DISCREPANT},
    ],
)
async def test_a_verdict_that_does_not_hold_is_made_again(spoil: dict[str, object]) -> None:
    world, verdict = await proved()
    began_ms = world.clock.running_ms
    outcome = await world.resume(replace(verdict, **spoil), watch_ms=0)  # type: ignore[arg-type]  # the table names real fields
    assert outcome.status == "resumed"
    assert world.clock.running_ms - began_ms >= 45_000


async def test_an_order_that_came_after_the_verdict_keeps_the_gate_shut() -> None:
    world, verdict = await proved()
    world.venue.put(resting_order(9))
    outcome = await world.resume(verdict, watch_ms=0)
    assert outcome.exit_code in {ExitCode.BLOCKED, ExitCode.INCOMPLETE}
    assert world.gate.state is GateState.SAFE


async def test_a_later_comparison_that_differs_keeps_the_old_verdict_from_use() -> None:
    world, verdict = await proved()
    newest = replace(
        verdict, run_id="later", as_of_ms=verdict.as_of_ms + 1, verdict=Verdict.DISCREPANT
    )
    began_ms = world.clock.running_ms
    await world.resume(verdict, newest, watch_ms=0)
    assert world.clock.running_ms - began_ms >= 45_000


async def test_a_running_countdown_forbids_the_resume() -> None:
    world = SafetyWorld().closed()
    target = SwitchTarget(product="linear", symbol="BTC/USDT:USDT", venue_symbol="BTCUSDT")
    armed = ArmedSwitch(target=target, fires_by_ms=world.clock.now_ms() + 10**9)
    outcome = await world.resume(countdowns=(armed,))
    assert outcome.exit_code is ExitCode.BLOCKED
    assert world.gate.state is GateState.UNSAFE


async def test_an_engine_that_speaks_again_while_the_name_is_typed_is_not_resumed() -> None:
    world = SafetyWorld().closed()

    class Slow(ScriptedPrompter):
        async def type_name(self, question: str, expected: str, *, flag: str) -> bool:
            world.silence.kind = SilenceKind.UNPROVED
            return True

    world.prompter = Slow()
    outcome = await world.resume(confirmed_name=None)
    assert outcome.exit_code is ExitCode.BLOCKED
    assert not world.gate.moves


async def test_a_verdict_that_expires_while_the_name_is_typed_moves_nothing() -> None:
    world = SafetyWorld().closed()

    class Slow(ScriptedPrompter):
        async def type_name(self, question: str, expected: str, *, flag: str) -> bool:
            world.clock.advance(world.policy.verdict_validity_ms + 1)
            return True

    world.prompter = Slow()
    outcome = await world.resume(confirmed_name=None)
    assert outcome.exit_code is ExitCode.REFUSED
    assert "verdict is fresh" in outcome.evidence["failing"]  # type: ignore[operator]  # a list
    assert not world.gate.moves


@pytest.mark.parametrize(("name", "error"), [("other", DeclinedError), (None, NoTerminalError)])
async def test_without_the_right_name_nothing_moves(
    name: str | None, error: type[Exception]
) -> None:
    world = SafetyWorld().closed()
    with pytest.raises(error):
        await world.resume(confirmed_name=name)
    assert not world.gate.moves
    assert world.leases.released == 1


async def test_a_held_account_is_not_resumed() -> None:
    world = SafetyWorld().closed()
    world.leases.held_by_run = "run-1"
    with pytest.raises(LockedError):
        await world.resume()
    assert not world.gate.moves


async def test_a_running_account_has_nothing_to_resume() -> None:
    world = SafetyWorld()
    outcome = await world.resume()
    assert outcome.exit_code is ExitCode.REFUSED
    assert not world.gate.moves


async def test_an_account_that_is_not_safe_is_told_like_verify_does() -> None:
    world = SafetyWorld().closed()
    world.venue.put(resting_order(5))
    outcome = await world.resume()
    assert outcome.exit_code in {ExitCode.BLOCKED, ExitCode.INCOMPLETE}
    assert "no unexpected order rests" in failing(outcome)
    assert world.gate.state is GateState.UNSAFE


async def test_the_watch_closes_the_gate_on_the_first_discrepancy() -> None:
    world = SafetyWorld().closed()
    began = world.clock.now_ms()

    def orphan_appears(venue: FakeVenue) -> None:
        if world.gate.state is GateState.RUNNING and world.clock.now_ms() > began + 100_000:
            venue.on_list = None
            venue.put(resting_order(66))

    world.venue.on_list = orphan_appears
    outcome = await world.resume()
    assert (outcome.status, outcome.exit_code) == ("closed_again", ExitCode.BLOCKED)
    assert world.gate.state is GateState.UNSAFE
    assert "ORPHAN_ORDER" in str(outcome.evidence["trouble"])
    assert world.clock.now_ms() < began + 160_000


async def test_the_watch_closes_the_gate_when_it_is_blind_for_too_long() -> None:
    world = SafetyWorld().closed()
    world.venue.on_list = lambda venue: (
        venue.unreadable.update({LINEAR: 99}) if world.gate.state is GateState.RUNNING else None
    )
    outcome = await world.resume()
    assert outcome.status == "closed_again"
    assert world.gate.state is GateState.UNSAFE
    assert "3 times in a row" in str(outcome.evidence["trouble"])


async def test_an_interrupted_watch_leaves_the_gate_and_says_that_nobody_watches() -> None:
    world = SafetyWorld().closed()
    looks = 0

    def interrupt(_: FakeVenue) -> None:
        nonlocal looks
        looks += world.gate.state is GateState.RUNNING
        world.stop = looks > 8

    world.venue.on_list = interrupt
    outcome = await world.resume()
    assert outcome.status == "resumed_unwatched"
    assert outcome.evidence["nobody_watches"] is True
    assert world.gate.state is GateState.RUNNING


async def test_a_gate_that_somebody_closes_ends_the_watch() -> None:
    world = SafetyWorld().closed()

    def somebody(_: FakeVenue) -> None:
        if world.gate.state is GateState.RUNNING:
            world.gate.state = GateState.UNSAFE

    world.venue.on_list = somebody
    outcome = await world.resume()
    assert (outcome.status, outcome.exit_code) == ("closed_elsewhere", ExitCode.BLOCKED)
