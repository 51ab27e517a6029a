"""resync: from RUNNING to SAFE in one command, or the exact words for why not."""

from dataclasses import dataclass, field, replace

import pytest

from resyncctl.core.errors import (
    CredentialsRefusedError,
    DeclinedError,
    LockedError,
    NoTerminalError,
    VenueUnavailableError,
)
from resyncctl.core.exit_codes import NO_MUTATION, ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import OrderStatus
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.plan import order_key
from resyncctl.core.safety import Name, VerdictKind
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.core.snapshot import Known, NotCovered, Unknown
from resyncctl.ports.powers import Lease, LeaseKeeper, SwitchAbility
from resyncctl.ports.views import ClockReading
from resyncctl.procedures.dead_man_switch import Switches
from tests.fakes.fake_venue import ACKNOWLEDGED, FakeVenue
from tests.fakes.operators import MemoryLeases
from tests.fakes.safety_world import ALGO, LINEAR, SPOT, SafetyWorld, failing, resting_order

CLOSED = [GateState.UNSAFE]
SAFE = [GateState.UNSAFE, GateState.SAFE]


def moves(world: SafetyWorld) -> list[GateState]:
    return [move for move, _ in world.gate.moves]


async def test_a_lost_account_becomes_safe() -> None:
    world = SafetyWorld().with_book()
    outcome = await world.resync()
    assert failing(outcome) == []
    assert (outcome.exit_code, outcome.status) == (ExitCode.OK, "safe")
    assert not world.venue.resting()
    assert moves(world) == SAFE
    assert outcome.counts["orders_before"] == 4
    assert outcome.counts["orders_after"] == 0
    assert outcome.evidence["cancel_sent"] is True
    assert outcome.evidence["reason"] == "lost the stream"
    assert world.leases.released == 1
    record = world.remembered[-1]
    assert record.opens
    assert record.kind is VerdictKind.SAFETY


async def test_without_faults_it_takes_less_than_a_minute() -> None:
    world = SafetyWorld().with_book()
    outcome = await world.resync()
    assert 50_000 <= outcome.timings["unsafe_ms"] < 60_000


async def test_the_gate_is_closed_before_the_first_request() -> None:
    world = SafetyWorld().with_book()
    seen: list[GateState] = []
    world.venue.on_list = lambda _: seen.append(world.gate.state)
    await world.resync()
    assert set(seen) == {GateState.UNSAFE}


@pytest.mark.invariant("I28")
async def test_a_second_call_on_a_safe_account_ends_safe_again_and_cancels_nothing() -> None:
    """I28: twice equals once."""
    world = SafetyWorld().with_book()
    await world.resync()
    sent = len(world.venue.permits)
    outcome = await world.resync()
    assert outcome.status == "safe"
    assert len(world.venue.permits) == sent
    assert outcome.evidence["cancel_sent"] is False


async def test_a_second_run_ends_at_once_with_the_gate_closed() -> None:
    world = SafetyWorld().with_book()
    world.leases.held_by_run = "run-1"
    began_ms = world.clock.running_ms
    with pytest.raises(LockedError):
        await world.resync()
    assert world.clock.running_ms == began_ms
    assert moves(world) == CLOSED
    assert not world.venue.permits


async def test_a_closed_gate_is_not_closed_again() -> None:
    """Closing again would take the ground from under another run's proof."""
    world = SafetyWorld().with_book().closed()
    outcome = await world.resync()
    assert moves(world) == [GateState.SAFE]
    assert outcome.timings["unsafe_ms"] >= 60_000


async def test_until_verdict_leaves_the_gate_closed() -> None:
    world = SafetyWorld().with_book()
    outcome = await world.resync(until="verdict")
    assert (outcome.exit_code, outcome.status) == (ExitCode.OK, "safe")
    assert moves(world) == CLOSED
    assert world.remembered[-1].opens


async def test_a_gate_that_cannot_be_written_stops_no_cancel_and_is_not_safe() -> None:
    world = SafetyWorld().with_book()
    world.gate.broken = True
    outcome = await world.resync()
    assert not world.venue.resting()
    assert outcome.exit_code not in {ExitCode.OK} | NO_MUTATION
    assert str(Name.GATE) in failing(outcome)


async def test_a_verdict_that_cannot_be_remembered_moves_no_gate() -> None:
    world = SafetyWorld().with_book()
    world.remembers = False
    outcome = await world.resync()
    assert moves(world) == CLOSED
    assert outcome.exit_code not in {ExitCode.OK} | NO_MUTATION
    assert "could not be remembered" in str(outcome.evidence["missing"])


@pytest.mark.parametrize("knob", ["ignored_cancels", "lost_answers"])
async def test_lying_and_lost_answers_are_repeated(knob: str) -> None:
    world = SafetyWorld().with_book()
    setattr(world.venue, knob, 3)
    outcome = await world.resync()
    assert outcome.status == "safe"
    assert not world.venue.resting()


async def test_an_order_that_lands_late_is_cancelled_by_another_attempt() -> None:
    world = SafetyWorld().with_book()
    world.venue.lag_ms = 30_000
    lands_ms = world.clock.now_ms() + 4_500

    def land(venue: FakeVenue) -> None:
        if world.clock.now_ms() >= lands_ms:
            venue.on_list = None
            venue.put(resting_order(99, scope=LINEAR))

    world.venue.on_list = land
    outcome = await world.resync()
    assert outcome.status == "safe"
    assert not world.venue.resting()
    assert int(outcome.counts["attempts"]) == 2


@pytest.mark.invariant("I47")
async def test_an_engine_that_sends_for_ever_ends_in_an_escalation() -> None:
    """I47: a precise reason within the recovery time, and never SAFE."""
    world = SafetyWorld().with_book()
    number = 1_000

    def send(venue: FakeVenue) -> None:
        nonlocal number
        number += 1
        venue.put(resting_order(number))

    world.venue.on_list = send
    began_ms = world.clock.running_ms
    outcome = await world.resync()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert outcome.evidence["escalated"]
    assert str(Name.ABSENCE) in failing(outcome)
    assert moves(world) == CLOSED
    assert world.clock.running_ms - began_ms <= world.policy.rto_ms + 60_000
    assert "escalated" in world.progress.stages
    assert "resync_escalated" in world.journal.events()


async def test_an_unproved_engine_is_cancelled_and_not_called_safe() -> None:
    world = SafetyWorld().with_book()
    world.silence.kind = SilenceKind.UNPROVED
    outcome = await world.resync()
    assert not world.venue.resting()
    assert outcome.exit_code is ExitCode.INCOMPLETE
    assert failing(outcome) == [str(Name.SILENCE)]
    assert outcome.next_step == "resyncctl verify main --engine-stopped"
    assert outcome.counts["attempts"] == 1


async def test_an_engine_that_acknowledges_a_little_later_is_waited_for() -> None:
    world = SafetyWorld().with_book()
    quiet_ms = world.clock.now_ms() + 8_000
    unproved = Silence(kind=SilenceKind.UNPROVED, how="it has not acknowledged yet")
    proved = Silence(kind=SilenceKind.PROVED, how="it acknowledged", since_ms=quiet_ms)
    world.silence.on_observe = lambda now_ms: proved if now_ms >= quiet_ms else unproved
    outcome = await world.resync()
    assert outcome.status == "safe"
    assert outcome.timings["unsafe_ms"] >= 8_000 + 5_000 + 45_000


async def test_a_wrong_belief_blocks_and_is_repaired_when_asked() -> None:
    world = SafetyWorld().with_book()
    world.engine.orders = Known((resting_order(1),), 0)
    blocked = await world.resync()
    assert blocked.exit_code is ExitCode.BLOCKED
    assert failing(blocked) == [str(Name.AGREED)]
    assert moves(world) == CLOSED
    world.repair = world.engine
    repaired = await world.resync(want_repair=True)
    assert repaired.status == "safe"
    assert int(repaired.counts["repaired"]) >= 1


async def test_a_place_that_nobody_can_see_is_never_safe_and_not_tried_for_ever() -> None:
    world = SafetyWorld().with_book()
    world.venue.not_covered = (NotCovered("margin orders", "no endpoint"),)
    outcome = await world.resync()
    assert outcome.exit_code is ExitCode.INCOMPLETE
    assert outcome.counts["attempts"] == 1
    assert moves(world) == CLOSED


async def test_a_checkpoint_that_is_not_there_is_named_and_not_waited_for() -> None:
    world = SafetyWorld().with_book()
    missing = Unknown("there is no checkpoint at /var/lib/mm1/checkpoint.json")
    world.engine.orders = world.engine.fills = missing
    world.engine.positions = world.engine.balances = missing
    began_ms = world.clock.running_ms
    outcome = await world.resync()
    assert outcome.exit_code is ExitCode.INCOMPLETE
    assert outcome.counts["attempts"] == 1
    assert world.clock.running_ms - began_ms < 90_000
    words = [str(one) for one in outcome.evidence["conditions"] if "agree" in str(one)]  # type: ignore[attr-defined]  # a list of rows
    assert any(missing.reason in line for line in words)
    assert sum(line.count(missing.reason) for line in words) == 1


async def test_a_lost_lease_after_cancels_is_no_code_that_promises_nothing_was_sent() -> None:
    world = SafetyWorld().with_book()
    world.leases.lifetime_ms = 20_000
    world.venue.on_cancel = lambda _: setattr(world.leases, "lost_at_renewal", True)
    outcome = await world.resync()
    assert outcome.exit_code not in {ExitCode.OK} | NO_MUTATION
    assert moves(world) == CLOSED


async def test_an_exchange_that_comes_back_is_waited_for() -> None:
    world = SafetyWorld().with_book()
    back_ms = world.clock.now_ms() + 20_000
    world.venue.clock_error = VenueUnavailableError("no route")

    @dataclass(slots=True)
    class Leases(MemoryLeases):
        def renew(self, lease: Lease, now_ms: int, needed_ms: int = 0) -> Lease:
            if now_ms > back_ms:
                world.venue.clock_error = None
            return MemoryLeases.renew(self, lease, now_ms, needed_ms)

    world.leases = Leases(lifetime_ms=12_000)
    outcome = await world.resync()
    assert outcome.status == "safe"


async def test_an_exchange_that_stays_away_ends_the_run_with_its_own_code() -> None:
    world = SafetyWorld().with_book()
    world.venue.clock_error = VenueUnavailableError("no route")
    began_ms = world.clock.running_ms
    with pytest.raises(VenueUnavailableError):
        await world.resync(deadline_ms=60_000)
    assert world.clock.running_ms - began_ms <= 60_000
    assert moves(world) == CLOSED


async def test_a_refused_key_ends_it_at_once() -> None:
    world = SafetyWorld().with_book()
    world.venue.clock_error = CredentialsRefusedError("-2015")
    began_ms = world.clock.running_ms
    with pytest.raises(CredentialsRefusedError):
        await world.resync()
    assert world.clock.running_ms == began_ms


async def test_the_operator_may_say_no() -> None:
    world = SafetyWorld().with_book()
    world.prompter.script = [("cancel 4 orders", False)]
    with pytest.raises(DeclinedError):
        await world.resync(assume_yes=False)
    with pytest.raises(NoTerminalError):
        await world.resync(assume_yes=False)
    assert not world.venue.permits
    assert moves(world) == CLOSED


async def test_orders_of_an_earlier_crashed_run_are_settled_first() -> None:
    world = SafetyWorld().with_book()
    world.left = (
        OpenRequest(
            run_id="run-0",
            intent_id="run-0:4",
            action="cancel_order",
            deadline_ms=world.clock.now_ms() + 20_000,
            orders=(resting_order(70),),
        ),
    )
    outcome = await world.resync()
    assert str(Name.SETTLED) in failing(outcome), "nobody knows what became of order 70"
    assert outcome.exit_code is ExitCode.RESIDUAL
    world.venue.put(replace(resting_order(70), status=OrderStatus.CANCELED))
    assert (await world.resync()).status == "safe"


@pytest.mark.invariant("I21")
async def test_protective_stops_stay_and_are_expected() -> None:
    """I21: a naked position is a danger of its own."""
    world = SafetyWorld().with_book()
    stop = resting_order(50, scope=ALGO, base="SOL", protective=True)
    world.venue.put(stop)
    world.engine.orders = Known((stop,), 0)
    world.clock.advance(60_000)
    outcome = await world.resync()
    assert outcome.status == "safe"
    assert [order_key(one) for one in world.venue.resting()] == [order_key(stop)]
    assert outcome.counts["orders_after"] == 1
    taken = await world.resync(protective="cancel")
    assert not world.venue.resting()
    assert taken.status == "discrepant", "the engine still believes in its stop"


def known_book() -> SafetyWorld:
    """Return a world whose engine knows every order that rests, exactly."""
    world = SafetyWorld().with_book()
    fresh = [replace(one, created_at_ms=world.clock.now_ms()) for one in world.venue.resting()]
    world.venue.put(*fresh)
    world.engine.orders = Known(tuple(fresh), 0)
    world.clock.advance(60_000)
    return world


async def test_nothing_is_cancelled_when_all_four_conditions_hold() -> None:
    world = known_book()
    outcome = await world.resync(skip_cancel=True)
    assert outcome.status == "safe"
    assert not world.venue.permits
    assert outcome.evidence["cancel_skipped"] is True
    assert (outcome.counts["orders_before"], outcome.counts["orders_after"]) == (4, 4)


def slow(world: SafetyWorld) -> None:
    world.venue.clock_reading = ClockReading(20, 900)


def unread_scope(world: SafetyWorld) -> None:
    world.venue.unreadable = {SPOT: 8}


def unread_fills(world: SafetyWorld) -> None:
    world.engine.fills = Unknown("torn")


def wrong_balance(world: SafetyWorld) -> None:
    world.engine.balances = Known((), 0)


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (slow, "latency is not critical"),
        (unread_scope, "open orders were fetched"),
        (unread_fills, "fills are fully reconciled"),
        (wrong_balance, "inventory is verified"),
    ],
)
async def test_one_condition_that_fails_cancels_after_all(spoil: object, name: str) -> None:
    world = known_book()
    spoil(world)  # type: ignore[operator]  # each is a function over the world
    outcome = await world.resync(skip_cancel=True)
    assert outcome.evidence["cancel_skipped"] is False
    assert outcome.evidence["cancel_sent"] is True
    assert not world.venue.resting()
    lines = outcome.evidence["skip_conditions"]
    assert name in [one["name"] for one in lines if not one["holds"]]  # type: ignore[attr-defined]  # a list
    record = next(kept for kept in world.journal.records if kept.event == "skip_cancel")
    assert record.details["skipped"] is False


@dataclass(slots=True)
class FakeSwitch:
    """A dead-man switch of an exchange that remembers what was asked."""

    refuses_to_stop: bool = False
    asked: list[tuple[str, str | None, int]] = field(default_factory=list)

    def switch(self, product: str) -> SwitchAbility | None:
        if product != "linear":
            return None
        return SwitchAbility(
            per_symbol=True, countdown_min_ms=1_000, countdown_max_ms=600_000, covers=(LINEAR,)
        )

    async def arm(
        self, product: str, venue_symbol: str | None, countdown_ms: int, permit: Permit
    ) -> MutationOutcome:
        self.asked.append((product, venue_symbol, countdown_ms))
        return ACKNOWLEDGED

    async def disarm(
        self, product: str, venue_symbol: str | None, permit: Permit
    ) -> MutationOutcome:
        self.asked.append((product, venue_symbol, 0))
        kind = OutcomeKind.UNKNOWN if self.refuses_to_stop else OutcomeKind.ACKNOWLEDGED
        return replace(ACKNOWLEDGED, kind=kind)


def with_switch(world: SafetyWorld, power: FakeSwitch) -> SafetyWorld:
    def make(lease: LeaseKeeper) -> Switches:
        return Switches(
            account="main",
            power=power,
            journal=world.journal,
            lease=lease,
            clock=world.clock,
            progress=world.progress,
            countdown_ms=world.policy.countdown_ms,
            request_validity_ms=world.policy.request_validity_ms,
        )

    world.switches = make
    return world


@pytest.mark.invariant("I22")
async def test_the_countdown_is_armed_as_a_backstop_and_stopped_before_safe() -> None:
    """I22."""
    power = FakeSwitch()
    world = with_switch(SafetyWorld().with_book(), power)
    outcome = await world.resync()
    assert outcome.status == "safe"
    assert power.asked[0] == ("linear", "BTCUSDT", 120_000)
    assert power.asked[-1] == ("linear", "BTCUSDT", 0)


async def test_a_countdown_that_cannot_be_stopped_is_outwaited() -> None:
    power = FakeSwitch(refuses_to_stop=True)
    world = with_switch(SafetyWorld().with_book(), power)
    began_ms = world.clock.running_ms
    outcome = await world.resync()
    assert outcome.status == "safe"
    assert world.clock.running_ms - began_ms > 120_000


async def test_no_countdown_is_armed_where_it_would_take_a_protective_stop() -> None:
    power = FakeSwitch()
    world = with_switch(SafetyWorld().with_book(), power)
    world.venue.put(resting_order(50, scope=LINEAR, protective=True))
    await world.resync()
    assert power.asked == []
