"""verify: every condition alone keeps an account from being called SAFE."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import Balance, OrderStatus
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.safety import Name, VerdictKind
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.core.snapshot import Known, NotCovered, Section, Unknown
from resyncctl.core.switches import ArmedSwitch, SwitchTarget
from tests.fakes.fake_venue import FakeVenue
from tests.fakes.safety_world import ALGO, LINEAR, SPOT, SafetyWorld, failing, resting_order
from tests.fakes.stub_engine import StubEngine


async def test_a_quiet_account_behind_a_closed_gate_is_safe() -> None:
    world = SafetyWorld().closed()
    outcome = await world.verify()
    assert failing(outcome) == []
    assert (outcome.exit_code, outcome.status) == (ExitCode.OK, "safe")
    assert not world.venue.permits
    assert not world.gate.moves


@pytest.mark.invariant("I5")
async def test_the_verdict_says_what_it_was_made_from() -> None:
    """I5: as_of, valid_until, digests, gate and conditions stand in the record."""
    world = SafetyWorld().closed()
    outcome = await world.verify()
    record = next(kept for kept in world.journal.records if kept.event == "verdict")
    assert record.details["kind"] == VerdictKind.SAFETY.value
    assert record.details["valid_until_ms"] == outcome.evidence["as_of_ms"] + 120_000  # type: ignore[operator]  # numbers
    assert set(record.details["digests"]) == {"policy", "manifest", "tool", "checkpoint"}  # type: ignore[call-overload]  # a mapping
    assert len(record.details["conditions"]) == len(Name)  # type: ignore[arg-type]  # a list


async def test_a_running_account_is_blocked_at_once() -> None:
    world = SafetyWorld()
    outcome = await world.verify()
    assert (outcome.exit_code, outcome.status) == (ExitCode.BLOCKED, "blocked")
    assert world.clock.running_ms < 70_000
    assert "the engine may trade" in str(outcome.evidence["missing"])
    assert not [kept for kept in world.journal.records if kept.event == "verdict"]


def untrusted_gate(world: SafetyWorld) -> None:
    world.gate.trusted = False


def nobody_knows_since_when(world: SafetyWorld) -> None:
    world.gate.since_ms = None


def sending_engine(world: SafetyWorld) -> None:
    world.silence.kind = SilenceKind.UNPROVED


def unmeasured_clock(world: SafetyWorld) -> None:
    world.venue.clock_reading = Unknown("timed out")


def unreadable_scope(world: SafetyWorld) -> None:
    world.venue.unreadable = {ALGO: 10_000}


def incomplete_scope(world: SafetyWorld) -> None:
    world.venue.incomplete = {SPOT}


def uncovered_place(world: SafetyWorld) -> None:
    world.venue.not_covered = (NotCovered("margin orders", "no endpoint"),)


def order_that_nobody_finds(world: SafetyWorld) -> None:
    world.left = (left_behind(resting_order(7)),)


def unread_journals(world: SafetyWorld) -> None:
    world.changes["left_behind"] = Unknown("the journals cannot be read")


def unanswered_request(world: SafetyWorld) -> None:
    world.left = (replace(left_behind(), action="transfer"),)


def doubtful_countdown(world: SafetyWorld) -> None:
    world.changes["countdowns"] = (countdown(world, certain=False),)


def unread_belief(world: SafetyWorld) -> None:
    world.engine.positions = Unknown("the file is torn")


def left_behind(*orders: object) -> OpenRequest:
    return OpenRequest(
        run_id="run-0",
        intent_id="run-0:4",
        action="cancel_order",
        deadline_ms=0,
        orders=orders,  # type: ignore[arg-type]  # orders
    )


def countdown(world: SafetyWorld, *, certain: bool = True) -> ArmedSwitch:
    target = SwitchTarget(product="linear", symbol="BTC/USDT:USDT", venue_symbol="BTCUSDT")
    return ArmedSwitch(target=target, fires_by_ms=world.clock.now_ms() + 10**9, certain=certain)


@pytest.mark.invariant("I2", "I6")
@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (untrusted_gate, {Name.GATE}),
        (nobody_knows_since_when, {Name.GATE, Name.SILENCE}),
        (sending_engine, {Name.SILENCE}),
        (unmeasured_clock, {Name.CLOCK, Name.AGREED}),
        (unreadable_scope, {Name.SCOPES, Name.ABSENCE, Name.AGREED}),
        (incomplete_scope, {Name.SCOPES, Name.ABSENCE, Name.AGREED}),
        (uncovered_place, {Name.SCOPES, Name.AGREED}),
        (order_that_nobody_finds, {Name.SETTLED}),
        (unread_journals, {Name.ANSWERED}),
        (unanswered_request, {Name.ANSWERED}),
        (doubtful_countdown, {Name.COUNTDOWNS}),
        (unread_belief, {Name.AGREED}),
    ],
)
async def test_what_is_not_known_alone_makes_the_whole_unknown(
    spoil: Callable[[SafetyWorld], None], names: set[Name]
) -> None:
    """I2, I6: never SAFE, and never merely a discrepancy."""
    world = SafetyWorld().closed()
    spoil(world)
    outcome = await world.verify()
    assert set(failing(outcome)) == {str(name) for name in names}
    assert (outcome.exit_code, outcome.status) == (ExitCode.INCOMPLETE, "unknown")
    assert outcome.verdict is Verdict.UNKNOWN
    assert len(outcome.evidence["missing"]) == len(names)  # type: ignore[arg-type]  # a list


def armed_countdown(world: SafetyWorld) -> None:
    world.changes["countdowns"] = (countdown(world),)


def wrong_belief(world: SafetyWorld) -> None:
    row = world.venue.balances[0]
    world.engine.balances = Known((replace(row, total=Decimal(7), free=Decimal(7)),), 0)


def money_without_a_cause(world: SafetyWorld) -> None:
    began_ms = world.clock.now_ms()

    def vanish(venue: FakeVenue) -> None:
        if world.clock.now_ms() > began_ms + 20_000:
            venue.on_list = None
            row = replace(venue.balances[0], total=Decimal(900), free=Decimal(900))
            venue.balances[0] = row
            world.engine.balances = Known((row,), 0)  # the engine believes it at once

    world.venue.on_list = vanish


def somebodys_order(world: SafetyWorld) -> None:
    world.venue.put(resting_order(5))
    world.clock.advance(60_000)


def order_in_the_algo_service(world: SafetyWorld) -> None:
    world.venue.put(resting_order(5, scope=ALGO))
    world.clock.advance(60_000)


RESTING = {Name.ABSENCE, Name.SETTLED, Name.AGREED}


@pytest.mark.invariant("I1", "I3", "I4")
@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (armed_countdown, {Name.COUNTDOWNS}),
        (wrong_belief, {Name.AGREED}),
        (money_without_a_cause, {Name.CONSERVED}),
        (somebodys_order, RESTING),
        (order_in_the_algo_service, RESTING),
    ],
)
async def test_what_fails_alone_forbids_safe(
    spoil: Callable[[SafetyWorld], None], names: set[Name]
) -> None:
    """I1, I3, I4: what was seen and is wrong is a discrepancy, and blocks."""
    world = SafetyWorld().closed()
    spoil(world)
    outcome = await world.verify()
    assert set(failing(outcome)) == {str(name) for name in names}
    assert (outcome.exit_code, outcome.status) == (ExitCode.BLOCKED, "discrepant")


async def test_an_account_that_moves_while_it_is_read_is_not_known() -> None:
    world = SafetyWorld().closed()
    flips = 0

    def flip(venue: FakeVenue) -> None:
        nonlocal flips
        flips += 1
        row = venue.balances[0]
        venue.balances[0] = replace(row, total=row.total + (1 if flips % 2 else -1))

    world.venue.on_list = flip
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.INCOMPLETE
    assert str(Name.STABLE) in failing(outcome)


async def test_an_unproved_silence_is_told_where_the_policy_does_not_demand_it() -> None:
    world = SafetyWorld().closed()
    world.policy = replace(world.policy, require_engine_silence=False)
    world.silence.kind = SilenceKind.UNPROVED
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.OK
    assert "NOT PROVED" in str(outcome.evidence["conditions"])


async def test_a_word_of_a_named_person_is_told_as_such() -> None:
    world = SafetyWorld().closed()
    world.silence.kind = SilenceKind.ATTESTED
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.OK
    assert "attested" in str(outcome.evidence["conditions"])


@pytest.mark.invariant("I15")
async def test_an_engine_that_goes_on_sending_is_never_outwaited() -> None:
    """I15: nothing counts before its last request can have landed."""
    world = SafetyWorld().closed()
    world.silence.on_observe = lambda now_ms: Silence(
        kind=SilenceKind.PROVED, how="quiet for a moment", since_ms=now_ms - 100
    )
    outcome = await world.verify(deadline_ms=120_000)
    assert outcome.exit_code is ExitCode.INCOMPLETE
    assert str(Name.ABSENCE) in failing(outcome)


async def test_readings_before_the_last_landing_do_not_count() -> None:
    world = SafetyWorld().closed()
    silent_ms = world.clock.now_ms() + 20_000
    world.silence.since_ms = silent_ms
    began_ms = world.clock.running_ms
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.OK
    assert world.clock.running_ms - began_ms >= 20_000 + 5_000 + 45_000


async def test_a_gate_that_says_nothing_counts_as_open_until_now() -> None:
    """An unreadable gate file says nothing of when the engine stopped, so it may just have sent."""
    world = SafetyWorld().closed()
    world.silence.kind = SilenceKind.UNPROVED
    world.gate.trusted = False
    began_ms = world.clock.running_ms
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.INCOMPLETE
    assert world.clock.running_ms - began_ms >= 5_000 + 45_000


async def test_an_order_that_lands_late_is_found() -> None:
    """The engine's last request lands at the end of its validity; the listing lags behind."""
    world = SafetyWorld()
    world.gate.state, world.gate.since_ms = GateState.UNSAFE, world.clock.now_ms()
    world.venue.lag_ms = 30_000
    lands_ms = world.clock.now_ms() + 4_900

    def land(venue: FakeVenue) -> None:
        if world.clock.now_ms() >= lands_ms:
            venue.on_list = None
            venue.put(resting_order(12, scope=LINEAR))

    world.venue.on_list = land
    outcome = await world.verify()
    assert outcome.exit_code is not ExitCode.OK
    assert str(Name.ABSENCE) in failing(outcome)


async def test_an_echo_of_a_cancelled_order_delays_and_does_not_condemn() -> None:
    world = SafetyWorld().closed()
    world.venue.put(resting_order(5))
    world.clock.advance(60_000)
    world.venue.lag_ms = 20_000
    gone = replace(resting_order(5), status=OrderStatus.CANCELED)
    world.venue.put(gone)
    began_ms = world.clock.running_ms
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.OK
    assert outcome.counts["orders_settled"] == 1
    assert world.clock.running_ms - began_ms >= 45_000


async def test_orders_of_a_crashed_run_are_settled_by_their_final_status() -> None:
    world = SafetyWorld().closed()
    gone = replace(resting_order(7), status=OrderStatus.CANCELED)
    world.venue.put(gone)
    world.left = (left_behind(resting_order(7)),)
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.OK
    assert outcome.counts["orders_settled"] == 1


async def test_the_deadline_of_a_crashed_run_is_waited_out() -> None:
    world = SafetyWorld().closed()
    world.left = (replace(left_behind(), deadline_ms=world.clock.now_ms() + 30_000),)
    began_ms = world.clock.running_ms
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.OK
    assert world.clock.running_ms - began_ms >= 30_000 + 45_000


async def test_an_order_that_only_the_engine_believes_in_must_be_settled() -> None:
    world = SafetyWorld().closed()
    world.engine.orders = Known((resting_order(8),), 0)
    outcome = await world.verify()
    assert {str(Name.SETTLED), str(Name.AGREED)} <= set(failing(outcome))
    assert outcome.exit_code is ExitCode.INCOMPLETE


async def test_a_kept_protective_order_is_expected_and_named() -> None:
    world = SafetyWorld().closed()
    stop = resting_order(6, scope=ALGO, protective=True)
    world.venue.put(stop)
    world.engine.orders = Known((stop,), 0)
    world.clock.advance(60_000)
    outcome = await world.verify()
    assert failing(outcome) == []
    assert outcome.counts["orders_kept"] == 1
    assert "BTC/USDT:USDT buy 6" in str(outcome.evidence["conditions"])


async def test_an_interrupted_proof_proves_nothing() -> None:
    world = SafetyWorld().closed()
    world.venue.on_list = lambda _: setattr(world, "stop", True)
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.INCOMPLETE


async def test_a_gate_that_is_closed_again_in_the_middle_moves_the_landing() -> None:
    """Somebody opened it for a moment: what the engine sent then has to be waited out too."""
    world = SafetyWorld().closed()
    began_ms = world.clock.now_ms()

    def close_again(_: FakeVenue) -> None:
        if world.clock.now_ms() > began_ms + 30_000:
            world.venue.on_list = None
            world.gate.since_ms = world.clock.now_ms()

    world.venue.on_list = close_again
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.OK
    assert world.clock.now_ms() - began_ms >= 30_000 + 5_000 + 45_000


async def test_a_balance_that_appears_between_needs_a_cause() -> None:
    world = SafetyWorld().closed()
    coin = Balance(
        account="main",
        product="spot",
        asset="BTC",
        free=Decimal(1),
        locked=Decimal(0),
        total=Decimal(1),
    )

    def deposit(venue: FakeVenue) -> None:
        venue.on_list = None
        venue.balances.append(coin)
        world.engine.balances = Known((*venue.balances,), 0)

    world.venue.on_list = deposit
    outcome = await world.verify()
    assert failing(outcome) == [str(Name.CONSERVED)]
    assert "balance of BTC (spot) changed by 1 without a cause" in str(outcome.evidence["missing"])


@dataclass(slots=True, kw_only=True)
class Nameless(FakeVenue):
    """An exchange that does not say whose account it shows."""

    identity: Section[str]

    async def read_identity(self, product: str) -> Section[str]:
        return self.identity


@pytest.mark.invariant("I6")
@pytest.mark.parametrize("identity", [Known((), 0), Unknown("the answer names no account")])
async def test_an_empty_account_of_nobody_is_not_safe(identity: Section[str]) -> None:
    """I6: what was not authenticated as this account is no emptiness."""
    world = SafetyWorld().closed()
    nameless = Nameless(clock=world.clock, scopes=world.venue.scopes, identity=identity)
    nameless.balances = world.venue.balances
    world.venue = nameless
    outcome = await world.verify()
    assert str(Name.IDENTITY) in failing(outcome)
    assert outcome.exit_code is ExitCode.INCOMPLETE


READS_BEFORE_THE_LAST_LOOK = 3
"""The engine's belief is read for the beginning, for the settling, and for the comparison."""


async def test_an_engine_that_sends_after_the_readings_takes_the_proof_back() -> None:
    world = SafetyWorld().closed()

    def speaks_late(now_ms: int) -> Silence | None:
        if world.engine.reads < READS_BEFORE_THE_LAST_LOOK:
            return None
        return Silence(kind=SilenceKind.PROVED, how="quiet again", since_ms=now_ms)

    world.silence.on_observe = speaks_late
    outcome = await world.verify()
    assert failing(outcome) == [str(Name.ABSENCE)]
    assert outcome.exit_code is ExitCode.INCOMPLETE


async def test_an_order_that_only_the_last_picture_shows_is_unexpected() -> None:
    world = SafetyWorld().closed()

    def appears(engine: StubEngine) -> None:
        if engine.reads == READS_BEFORE_THE_LAST_LOOK:
            world.venue.put(resting_order(31))

    world.engine.on_read = appears
    outcome = await world.verify()
    assert str(Name.ABSENCE) in failing(outcome)
    assert outcome.counts["orders_unexpected"] == 1
    assert outcome.exit_code is ExitCode.BLOCKED
