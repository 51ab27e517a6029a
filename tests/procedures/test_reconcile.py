"""reconcile: sees everything or says what it did not see, and changes nothing at the exchange."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from resyncctl.core.discrepancy import Kind, Verdict
from resyncctl.core.errors import VenueUnavailableError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import Balance, Leg, OrderStatus, Position
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.plan import order_key
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import Known, Unknown
from resyncctl.procedures.reconcile import ReconcileRequest, compare_saved, reconcile
from tests.core.test_plan import ALGO, LINEAR, SPOT, order
from tests.fakes.fake_clock import FakeClock
from tests.fakes.fake_venue import FakeVenue
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryGate
from tests.fakes.recording_progress import RecordingProgress
from tests.fakes.stub_engine import StubEngine

SCOPES = (SPOT, LINEAR, ALGO)
BALANCE = Balance(
    account="main",
    product="spot",
    asset="USDT",
    free=Decimal(1000),
    locked=Decimal(0),
    total=Decimal(1000),
)
POSITION = Position(
    account="main",
    product="linear",
    symbol="BTC/USDT:USDT",
    leg=Leg.BOTH,
    quantity=Decimal("0.5"),
    entry_price=Decimal(60000),
)


@dataclass
class World:
    clock: FakeClock = field(default_factory=FakeClock)
    engine: StubEngine = field(default_factory=StubEngine)
    gate: MemoryGate = field(default_factory=lambda: MemoryGate(state=GateState.UNSAFE))
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    progress: RecordingProgress = field(default_factory=RecordingProgress)
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        self.venue = FakeVenue(clock=self.clock, scopes=SCOPES, mode="one_way")
        self.venue.balances = [BALANCE]
        self.venue.positions = [POSITION]
        self.engine.balances = Known((BALANCE,), 0)
        self.engine.positions = Known((POSITION,), 0)

    async def run(self, **changes: object) -> AccountOutcome:
        base = ReconcileRequest(account="main", scopes=SCOPES)
        return await reconcile(
            replace(base, **changes),  # type: ignore[arg-type]  # the tests name real fields
            venue=self.venue,
            engine=self.engine,
            gate=self.gate,
            journal=self.journal,
            clock=self.clock,
            progress=self.progress,
            policy=self.policy,
            repair=self.engine,
        )


async def test_two_sides_that_agree_are_clean() -> None:
    world = World()
    outcome = await world.run()
    assert (outcome.exit_code, outcome.verdict) == (ExitCode.OK, Verdict.CLEAN)
    assert outcome.findings == ()
    assert outcome.evidence["valid_until_ms"] == world.clock.now_ms() + 120_000
    assert not world.venue.permits
    assert world.journal.events() == ["reconcile_started", "verdict"]


async def test_an_orphan_order_blocks() -> None:
    world = World()
    world.venue.put(replace(order(1), price=Decimal(10), quantity=Decimal(1), filled=Decimal(0)))
    outcome = await world.run()
    assert Kind.ORPHAN_ORDER in {finding.kind for finding in outcome.findings}
    assert outcome.exit_code is ExitCode.BLOCKED
    assert outcome.next_step == "resyncctl cancel-all main"


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("scope", SCOPES)
async def test_an_unreadable_scope_is_never_clean(scope: object) -> None:
    world = World()
    world.venue.unreadable[scope] = 10_000  # type: ignore[index]  # one of SCOPES
    outcome = await world.run()
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.exit_code in {ExitCode.INCOMPLETE, ExitCode.BLOCKED}


async def test_a_scope_that_fails_in_one_of_the_two_collects_stays_unknown() -> None:
    world = World()
    world.venue.unreadable[ALGO] = 1
    world.policy = replace(world.policy, double_collect_attempts=1)
    outcome = await world.run()
    assert outcome.verdict is Verdict.UNKNOWN
    assert Kind.SECTION_UNREADABLE in {finding.kind for finding in outcome.findings}


async def test_an_unreadable_position_mode_makes_positions_unknown() -> None:
    world = World()
    world.venue.mode = Unknown("timed out")
    assert (await world.run()).verdict is Verdict.UNKNOWN


@pytest.mark.invariant("I4")
async def test_an_account_that_never_holds_still_is_moving() -> None:
    world = World()

    def churn(venue: FakeVenue) -> None:
        venue.put(order(len(venue.truth) + 100, base="SOL"))

    world.venue.on_list = churn
    outcome = await world.run()
    assert Kind.MOVING in {finding.kind for finding in outcome.findings}
    assert outcome.verdict is Verdict.UNKNOWN


async def test_a_difference_that_passes_is_not_reported_against_a_running_engine() -> None:
    world = World()
    world.gate.state = GateState.RUNNING
    resting = replace(order(1), price=Decimal(1), quantity=Decimal(1), filled=Decimal(0))
    world.venue.put(resting)

    def learns(engine: StubEngine) -> None:
        if engine.reads == 2:
            engine.orders = Known((resting,), 0)

    world.engine.on_read = learns
    outcome = await world.run()
    assert Kind.ORPHAN_ORDER not in {finding.kind for finding in outcome.findings}
    assert world.engine.reads == 2
    assert world.policy.settle_delay_ms in world.clock.slept


async def test_behind_a_closed_gate_one_look_is_enough() -> None:
    world = World()
    world.venue.put(order(1))
    await world.run()
    assert world.engine.reads == 1
    await world.run(second_look=True)
    assert world.engine.reads == 3


async def test_a_missing_order_is_looked_up_and_never_assumed() -> None:
    world = World()
    missing = replace(order(5), filled=Decimal(0))
    world.engine.orders = Known((missing,), 0)
    world.venue.truth[order_key(missing)] = replace(missing, status=OrderStatus.CANCELED)
    outcome = await world.run()
    (finding,) = [f for f in outcome.findings if f.kind is Kind.MISSING_ORDER]
    assert "CANCELED" in str(finding.venue)
    assert "look up 5" in world.venue.calls


@pytest.mark.invariant("I28")
async def test_repair_writes_the_events_and_a_second_run_finds_nothing() -> None:
    world = World()
    missing = replace(order(5), filled=Decimal(0))
    world.engine.orders = Known((missing,), 0)
    world.venue.truth[order_key(missing)] = replace(missing, status=OrderStatus.CANCELED)
    repaired = await world.run(want_repair=True, want_events=True)
    assert repaired.verdict is Verdict.CLEAN
    assert repaired.data["found_before_repair"]
    assert repaired.data["events"]
    again = await world.run()
    assert (again.exit_code, again.findings) == (ExitCode.OK, ())
    assert world.journal.events()[1:3] == ["repair_intended", "repair_written"]


async def test_nothing_to_repair_writes_nothing() -> None:
    world = World()
    outcome = await world.run(want_repair=True)
    assert world.engine.sequence == 7
    assert "repaired" not in outcome.data


async def test_first_contact_that_fails_is_an_error_not_a_verdict() -> None:
    world = World()
    world.venue.clock_error = VenueUnavailableError("connection refused")
    with pytest.raises(VenueUnavailableError):
        await world.run()


@pytest.mark.invariant("I5")
async def test_the_verdict_is_bound_to_policy_manifest_and_checkpoint() -> None:
    world = World()
    first = (await world.run()).evidence["digests"]
    world.engine.digest = "other"
    second = (await world.run()).evidence["digests"]
    world.policy = replace(world.policy, lookback_ms=1)
    third = (await world.run()).evidence["digests"]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert isinstance(third, dict)
    assert first["checkpoint"] != second["checkpoint"]
    assert second["policy"] != third["policy"]


async def test_saved_snapshots_compare_as_of_the_exchange_s_moment() -> None:
    world = World()
    await world.run()
    from resyncctl.core.snapshot import Window
    from resyncctl.procedures.gather import GatherRequest, gather_venue

    engine = world.engine.read("main", world.clock.now_ms())
    now_ms = world.clock.now_ms()
    venue = await gather_venue(
        GatherRequest(scopes=SCOPES, window=Window(now_ms - 86_400_000, now_ms)),
        venue=world.venue,
        engine=engine,
        clock=world.clock,
        policy=world.policy,
        progress=world.progress,
    )
    outcome = compare_saved(engine, venue, world.policy)
    assert (outcome.verdict, outcome.data["offline"]) == (Verdict.CLEAN, True)


async def test_a_shorter_look_back_that_was_asked_for_is_covered() -> None:
    world = World()
    hour_ago_ms = world.clock.now_ms() - 3_600_000
    assert (await world.run(since_ms=hour_ago_ms)).verdict is Verdict.CLEAN


@pytest.mark.invariant("I2")
async def test_a_scope_of_the_manifest_that_nobody_read_is_never_clean() -> None:
    world = World()
    world.venue.scopes = (SPOT,)
    complete = await world.run()
    assert complete.verdict is Verdict.CLEAN
    from resyncctl.core.compare import compare
    from resyncctl.core.snapshot import Window
    from resyncctl.procedures.gather import GatherRequest, gather_venue

    now_ms = world.clock.now_ms()
    engine = world.engine.read("main", now_ms)
    venue = await gather_venue(
        GatherRequest(scopes=(SPOT, LINEAR), window=Window(now_ms - 86_400_000, now_ms)),
        venue=world.venue,
        engine=engine,
        clock=world.clock,
        policy=world.policy,
        progress=world.progress,
    )
    asked = replace(world.policy, required_scopes=SCOPES)
    assert compare(engine, venue, asked, now_ms).verdict is Verdict.UNKNOWN


async def test_a_shortened_look_back_cannot_pass_for_the_policy_s() -> None:
    world = World()
    full = (await world.run()).evidence["digests"]
    now_ms = world.clock.now_ms()
    short = (await world.run(since_ms=now_ms - 1_000)).evidence["digests"]
    longer = (await world.run(since_ms=now_ms - 10**9)).evidence["digests"]
    assert isinstance(full, dict)
    assert isinstance(short, dict)
    assert short["policy"] != full["policy"]
    assert longer == full
