"""cancel-all: closes the gate, cancels, and says "gone" only with proof."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from resyncctl.core.errors import (
    CredentialsRefusedError,
    DeadlineError,
    DeclinedError,
    LockedError,
    NoTerminalError,
    RecordUnwritableError,
    StalePlanError,
)
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import OrderStatus
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.plan import Selection, order_key
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import NotCovered, Unknown
from resyncctl.procedures.cancel_all import CancelAllRequest, cancel_all
from tests.core.test_plan import ALGO, LINEAR, SPOT, order
from tests.fakes.fake_clock import FakeClock
from tests.fakes.fake_venue import FakeVenue
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryGate, MemoryLeases, ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress

SCOPES = (SPOT, LINEAR, ALGO)


@dataclass
class World:
    """One account with everything that a run needs, before anything happened."""

    clock: FakeClock = field(default_factory=FakeClock)
    gate: MemoryGate = field(default_factory=MemoryGate)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    progress: RecordingProgress = field(default_factory=RecordingProgress)
    prompter: ScriptedPrompter = field(default_factory=ScriptedPrompter)
    policy: Policy = field(default_factory=Policy)
    stop: bool = False

    def __post_init__(self) -> None:
        self.venue = FakeVenue(clock=self.clock, scopes=SCOPES)

    def with_book(self) -> "World":
        self.venue.put(
            order(1, client="mm1-a"),
            order(2, base="ETH", client="other-b"),
            order(3, scope=LINEAR, client="mm1-c"),
            order(4, scope=ALGO, client="mm1-d"),
        )
        self.clock.advance(60_000)
        return self

    async def run(self, **changes: object) -> AccountOutcome:
        base = CancelAllRequest(
            account="main", scopes=SCOPES, reason="lost the stream", by="me", assume_yes=True
        )
        return await cancel_all(
            replace(base, **changes),  # type: ignore[arg-type]  # the tests name real fields
            venue=self.venue,
            cancel=self.venue,
            gate=self.gate,
            leases=self.leases,
            journal=self.journal,
            clock=self.clock,
            progress=self.progress,
            prompter=self.prompter,
            policy=self.policy,
            interrupted=lambda: self.stop,
        )


@pytest.fixture
def world() -> World:
    return World().with_book()


async def test_everything_is_cancelled_and_proved(world: World) -> None:
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.OK
    assert outcome.status == "proved_empty"
    assert not world.venue.resting()
    assert world.gate.state is GateState.UNSAFE
    assert outcome.counts["gone"] == 4
    assert outcome.evidence["not_proved"] == []
    assert world.leases.released == 1


@pytest.mark.invariant("I12")
async def test_the_gate_is_closed_before_the_first_request(world: World) -> None:
    seen: list[GateState] = []
    world.venue.on_list = lambda _: seen.append(world.gate.state)
    await world.run()
    assert set(seen) == {GateState.UNSAFE}


@pytest.mark.invariant("I23")
async def test_every_request_has_its_own_earlier_intent(world: World) -> None:
    await world.run()
    intents = [kept for kept in world.journal.records if kept.event == "intent"]
    assert len(world.venue.permits) == len(intents) == 4
    assert len({permit.intent_id for permit in world.venue.permits}) == 4


@pytest.mark.invariant("I1", "I15")
async def test_the_proof_waits_for_late_landings_and_spans_the_horizon(world: World) -> None:
    outcome = await world.run()
    assert outcome.timings["quiesce_ms"] >= 5_000
    assert outcome.timings["proof_ms"] >= 45_000
    assert outcome.evidence["proof_reads"] == 3


@pytest.mark.invariant("I1")
async def test_a_stale_listing_does_not_fool_the_proof(world: World) -> None:
    """The replica hides an order that landed after the gate closed, for thirty seconds."""
    world.venue.lag_ms = 30_000
    late = order(9, scope=LINEAR, base="SOL")

    def land(venue: FakeVenue) -> None:
        venue.on_cancel = None
        venue.put(late)

    world.venue.on_cancel = land
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.OK
    assert not world.venue.resting()
    assert outcome.counts["gone"] == 5


@pytest.mark.invariant("I15")
async def test_an_order_of_a_live_engine_restarts_the_proof(world: World) -> None:
    listings = 0

    def engine_sends(venue: FakeVenue) -> None:
        nonlocal listings
        listings += 1
        if listings == 12:
            venue.put(order(77, scope=SPOT, base="SOL"))

    world.venue.on_list = engine_sends
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.OK
    assert not world.venue.resting()
    assert outcome.counts["reappeared"] == 1


@pytest.mark.invariant("I20")
@pytest.mark.parametrize("knob", ["ignored_cancels", "lost_answers"])
async def test_lying_and_lost_answers_are_repeated_until_gone(world: World, knob: str) -> None:
    setattr(world.venue, knob, 6)
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.OK
    assert not world.venue.resting()


async def test_an_exchange_that_never_cancels_is_residual(world: World) -> None:
    world.venue.ignored_cancels = 10_000
    outcome = await world.run(deadline_ms=120_000)
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert outcome.status == "residual"
    assert outcome.counts["left"] == 4
    assert outcome.counts["unproven"] == 4
    assert {action.state for action in outcome.actions} == {"unproven"}


@pytest.mark.invariant("I2")
async def test_one_scope_that_stays_unreadable_is_residual(world: World) -> None:
    world.venue.unreadable[ALGO] = 10_000
    outcome = await world.run(deadline_ms=200_000)
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert {o.scope for o in world.venue.resting()} == {ALGO}


@pytest.mark.invariant("I2")
async def test_an_incomplete_listing_is_not_a_proof(world: World) -> None:
    world.venue.incomplete.add(LINEAR)
    outcome = await world.run(deadline_ms=200_000)
    assert outcome.exit_code is ExitCode.RESIDUAL


async def test_an_unreadable_scope_is_cancelled_blindly_on_known_symbols(world: World) -> None:
    world.venue.unreadable[LINEAR] = 3
    outcome = await world.run(known_symbols=((LINEAR, "BTC/USDT:USDT", "BTCUSDT"),))
    blind = [a for a in outcome.actions if a.orders == 0]
    assert [a.scope for a in blind] == ["linear/regular"]
    assert outcome.exit_code is ExitCode.OK


@pytest.mark.invariant("I21")
async def test_blind_cancels_never_touch_stops_that_should_stay(world: World) -> None:
    world.venue.unreadable[ALGO] = 10_000
    await world.run(known_symbols=((ALGO, "BTC/USDT:USDT", "BTCUSDT"),), deadline_ms=100_000)
    assert [o.scope for o in world.venue.resting()] == [ALGO]
    other = World().with_book()
    other.venue.unreadable[ALGO] = 10_000
    await other.run(
        known_symbols=((ALGO, "BTC/USDT:USDT", "BTCUSDT"),),
        protective="cancel",
        deadline_ms=100_000,
    )
    assert not other.venue.resting()


@pytest.mark.invariant("I3")
async def test_orders_without_a_terminal_status_are_not_proved(world: World) -> None:
    world.venue.broken_look_ups = True
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert outcome.evidence["not_proved"] == ["4 orders have no terminal status"]


@pytest.mark.invariant("I3")
async def test_not_found_is_asked_again_and_is_no_terminal_status(world: World) -> None:
    world.venue.not_found_look_ups = 6
    assert (await world.run()).exit_code is ExitCode.OK


async def test_a_fill_between_listing_and_cancel_is_reported(world: World) -> None:
    def fill(venue: FakeVenue) -> None:
        venue.on_cancel = None
        key = order_key(order(1, client="mm1-a"))
        filled = replace(venue.truth[key], status=OrderStatus.FILLED, filled=Decimal(2))
        venue.truth[key] = filled

    world.venue.on_cancel = fill
    outcome = await world.run()
    assert outcome.counts["filled_meanwhile"] == 1
    assert outcome.exit_code is ExitCode.OK


@pytest.mark.invariant("I21")
async def test_protective_stops_stay_and_are_expected(world: World) -> None:
    stop = order(5, scope=ALGO, protective=True)
    world.venue.put(stop)
    outcome = await world.run()
    assert world.venue.resting() == [stop]
    assert outcome.exit_code is ExitCode.OK
    assert outcome.counts["kept_protective"] == 1
    assert outcome.evidence["kept_protective"] == [order_key(stop)]


@pytest.mark.invariant("I21")
async def test_the_operator_may_choose_to_cancel_protective_stops(world: World) -> None:
    world.venue.put(order(5, scope=ALGO, protective=True))
    world.prompter.script = [
        ("1 protective stop on BTC/USDT:USDT", "cancel"),
        ("cancel 5 orders", True),
    ]
    outcome = await world.run(protective="ask", assume_yes=False)
    assert outcome.exit_code is ExitCode.OK
    assert not world.venue.resting()


@pytest.mark.invariant("I14")
async def test_the_confirmation_tells_the_blast_radius(world: World) -> None:
    world.prompter.script = [("LIVE fake/main: cancel 4 orders on 3 symbols, 600 USDT?", True)]
    assert (await world.run(assume_yes=False)).exit_code is ExitCode.OK


@pytest.mark.invariant("I42")
@pytest.mark.parametrize(
    ("script", "error"), [([("cancel", False)], DeclinedError), ([], NoTerminalError)]
)
async def test_without_a_yes_nothing_is_sent(
    world: World, script: list[tuple[str, object]], error: type[Exception]
) -> None:
    world.prompter.script = script
    with pytest.raises(error):
        await world.run(assume_yes=False)
    assert not world.venue.permits
    assert world.gate.state is GateState.UNSAFE
    assert world.leases.released == 1


@pytest.mark.invariant("I41")
async def test_a_dry_run_changes_nothing_and_prints_the_digest_of_the_real_run(
    world: World,
) -> None:
    rehearsal = await world.run(dry_run=True)
    assert rehearsal.status == "planned"
    assert world.gate.state is GateState.RUNNING
    assert not world.venue.permits
    digest = str(rehearsal.evidence["plan_digest"])
    assert (await world.run(expected_digest=digest[:16])).evidence["plan_digest"] == digest


async def test_a_dry_run_that_cannot_see_everything_is_incomplete(world: World) -> None:
    world.venue.unreadable[SPOT] = 1
    assert (await world.run(dry_run=True)).exit_code is ExitCode.INCOMPLETE


@pytest.mark.invariant("I41")
@pytest.mark.parametrize("digest", ["0" * 16, "", "abc"])
async def test_another_plan_than_expected_is_refused(world: World, digest: str) -> None:
    with pytest.raises(StalePlanError):
        await world.run(expected_digest=digest)
    assert not world.venue.permits


@pytest.mark.invariant("I31")
async def test_a_locked_account_is_left_alone_but_its_gate_is_closed(world: World) -> None:
    world.leases.held_by_run = "run-1"
    with pytest.raises(LockedError):
        await world.run()
    assert not world.venue.permits
    assert world.gate.state is GateState.UNSAFE


@pytest.mark.invariant("I30")
async def test_a_lost_lease_stops_before_the_next_request(world: World) -> None:
    world.leases.lifetime_ms = 5_000
    world.leases.lost_at_renewal = True
    with pytest.raises(LockedError):
        await world.run()
    assert not world.venue.permits


@pytest.mark.invariant("I30")
async def test_a_lease_lost_in_the_middle_is_residual_not_locked(world: World) -> None:
    world.leases.lifetime_ms = 8_000
    world.leases.lost_at_renewal = True
    world.venue.ignored_cancels = 10_000
    outcome = await world.run()
    assert world.venue.permits
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert "the lease of main was lost" in str(outcome.evidence["not_proved"])


@pytest.mark.invariant("I12")
async def test_a_gate_that_cannot_be_written_stops_no_cancel(world: World) -> None:
    world.gate.broken = True
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.OK
    assert outcome.evidence["gate_trouble"] == "the gate file cannot be written"


@pytest.mark.invariant("I23")
async def test_a_journal_that_cannot_be_written_sends_nothing(world: World) -> None:
    world.journal.breaks_at = 1
    with pytest.raises(RecordUnwritableError):
        await world.run()
    assert not world.venue.permits


async def test_an_unmeasured_clock_stops_no_cancel(world: World) -> None:
    world.venue.clock_reading = Unknown("timed out")
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.OK
    assert outcome.evidence["clock_trouble"] == "timed out"


async def test_a_refused_key_ends_the_run_before_anything_is_sent(world: World) -> None:
    world.venue.clock_error = CredentialsRefusedError("the key was refused")
    with pytest.raises(CredentialsRefusedError):
        await world.run()
    assert world.gate.state is GateState.UNSAFE


@pytest.mark.invariant("I35")
async def test_a_deadline_before_the_first_request_says_so(world: World) -> None:
    with pytest.raises(DeadlineError):
        await world.run(deadline_ms=0)
    assert not world.venue.permits


async def test_an_interrupt_starts_nothing_new(world: World) -> None:
    def interrupt(_: FakeVenue) -> None:
        world.stop = True

    world.venue.by_symbol = False
    world.venue.on_cancel = interrupt
    outcome = await world.run()
    assert len(world.venue.permits) < 4
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert "the run was interrupted" in str(outcome.evidence["not_proved"])


@pytest.mark.invariant("I14")
async def test_filters_cancel_only_what_they_name(world: World) -> None:
    outcome = await world.run(selection=Selection(prefixes=("mm1-",)))
    assert outcome.exit_code is ExitCode.OK
    assert [o.client_order_id for o in world.venue.resting()] == ["other-b"]


async def test_stale_hygiene_leaves_the_gate_alone(world: World) -> None:
    world.venue.put(order(8, base="SOL", created_ms=world.clock.now_ms()))
    cutoff_ms = world.clock.now_ms() - 1_000
    outcome = await world.run(selection=Selection(created_before_ms=cutoff_ms), closes_gate=False)
    assert outcome.exit_code is ExitCode.OK
    assert world.gate.state is GateState.RUNNING
    assert [o.venue_order_id for o in world.venue.resting()] == ["8"]


@pytest.mark.invariant("I3", "I26")
async def test_orders_of_an_unfinished_run_are_settled_too(world: World) -> None:
    earlier = order(1, client="mm1-a")
    world.venue.truth[order_key(earlier)] = replace(earlier, status=OrderStatus.CANCELED)
    outcome = await world.run(earlier=(earlier,))
    assert outcome.exit_code is ExitCode.OK
    assert outcome.counts["gone"] == 4


@pytest.mark.invariant("I28")
async def test_an_empty_account_is_proved_too() -> None:
    empty = World()
    outcome = await empty.run()
    assert outcome.exit_code is ExitCode.OK
    assert outcome.counts["requests"] == 0
    assert outcome.timings["proof_ms"] >= 45_000


async def test_the_exchange_s_wish_to_wait_is_honoured(world: World) -> None:
    world.venue.retry_after_ms = 7_777
    await world.run()
    assert 7_777 in world.clock.slept


async def test_the_policy_may_set_the_horizon(world: World) -> None:
    world.policy = replace(world.policy, staleness_horizon_ms=2_000)
    outcome = await world.run()
    assert 2_000 <= outcome.timings["proof_ms"] < 10_000


@pytest.mark.invariant("I2")
async def test_a_venue_that_is_not_wholly_seen_is_cancelled_but_never_proved(
    world: World,
) -> None:
    world.venue.not_covered = (NotCovered("margin orders", "no profile reads them"),)
    outcome = await world.run()
    assert not world.venue.resting()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert outcome.evidence["not_proved"] == [
        "margin orders is not seen here: no profile reads them"
    ]


async def test_a_key_that_cannot_even_list_ends_the_run_before_anything_is_sent(
    world: World,
) -> None:
    world.venue.unreadable = dict.fromkeys(SCOPES, 10_000)
    world.venue.identity_error = CredentialsRefusedError("the key was refused")
    with pytest.raises(CredentialsRefusedError):
        await world.run(known_symbols=((SPOT, "BTC/USDT", "BTCUSDT"),))
    assert not world.venue.permits


async def test_a_selection_that_means_nothing_says_so(world: World) -> None:
    outcome = await world.run(selection=Selection(symbols=("NOPE/USDT",)))
    assert outcome.status == "nothing_selected"
    assert outcome.evidence["selection"] == "symbol NOPE/USDT"
    assert outcome.evidence["outside_selection"] == 4
