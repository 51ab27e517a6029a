"""flatten: cancels first, reduces without ever increasing, and says flat only with proof."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from resyncctl.core.errors import (
    DeadlineError,
    DeclinedError,
    LockedError,
    NoTerminalError,
    RecordUnwritableError,
    RefusedError,
    StalePlanError,
)
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.flatten_holdings import Choice
from resyncctl.core.flatten_order import EarlierReduction, reduction_of
from resyncctl.core.flatten_plan import Target
from resyncctl.core.flatten_slice import Slice
from resyncctl.core.gate import GateState
from resyncctl.core.model import Leg, OrderStatus, Side
from resyncctl.core.mutation import Permit
from resyncctl.core.policy import Policy
from resyncctl.core.reduction import Protection
from resyncctl.core.snapshot import Unknown
from tests.fakes.reducing_venue import ReducingVenue
from tests.procedures.flatten_world import (
    ALGO,
    BTC,
    ETH,
    LINEAR,
    SOL,
    SPOT,
    World,
    holding,
    resting,
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.invariant("I16")
async def test_longs_and_shorts_become_flat_and_it_is_proved(world: World) -> None:
    world.venue.position(BTC, "0.5")
    world.venue.position(ETH, "-3.25")
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.OK
    assert outcome.status == "flat"
    assert world.venue.quantity(BTC) == world.venue.quantity(ETH) == 0
    assert outcome.evidence["proof_reads"] == 3
    assert outcome.timings["proof_ms"] >= 45_000
    assert {one.protection for one in world.venue.reductions} == {Protection.REDUCE_ONLY}
    assert world.gate.state is GateState.UNSAFE
    assert world.leases.released == 1
    assert not world.venue.violations


async def test_orders_are_cancelled_before_anything_is_reduced(world: World) -> None:
    world.venue.position(BTC, "0.5")
    world.venue.resting["a"] = resting(1, BTC, LINEAR)
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.OK
    events = world.events()
    assert events.index("cancel_symbol") < events.index("cancel_all_ended") < events.index("reduce")
    assert world.venue.resting["a"].status is OrderStatus.CANCELED


@pytest.mark.invariant("I12")
async def test_the_gate_is_closed_before_the_first_reading(world: World) -> None:
    seen: list[GateState] = []
    world.venue.position(BTC, "0.5")
    world.venue.before_read = lambda _: seen.append(world.gate.state)
    await world.run()
    assert set(seen) == {GateState.UNSAFE}


async def test_a_gate_that_cannot_be_written_stops_nothing(world: World) -> None:
    world.gate.broken = True
    world.venue.position(BTC, "0.5")
    outcome = await world.run()
    assert world.venue.quantity(BTC) == 0
    assert "cannot be written" in str(outcome.evidence["gate_trouble"])


@pytest.mark.invariant("I16")
async def test_hedge_legs_are_closed_each_by_its_name(world: World) -> None:
    world.venue.mode = "hedge"
    world.venue.position(BTC, "0.5", leg=Leg.LONG)
    world.venue.position(BTC, "-0.2", leg=Leg.SHORT)
    outcome = await world.run()
    assert outcome.status == "flat"
    assert {one.leg for one in world.venue.reductions} == {Leg.LONG, Leg.SHORT}
    assert {one.protection for one in world.venue.reductions} == {Protection.HEDGE_LEG}
    assert not world.venue.violations


@pytest.mark.invariant("I28")
async def test_running_again_on_a_flat_account_sends_nothing(world: World) -> None:
    world.venue.position(BTC, "0.5")
    await world.run()
    sent = len(world.venue.permits)
    again = await world.run()
    assert again.exit_code is ExitCode.OK
    assert again.status == "flat"
    assert len(world.venue.permits) == sent


@pytest.mark.invariant("I17")
async def test_large_positions_go_in_slices_each_from_a_later_reading(world: World) -> None:
    world.policy = Policy(flatten_slice_notional_max=Decimal(1000))
    world.venue.position(BTC, "35")
    outcome = await world.run()
    assert outcome.status == "flat"
    assert len(world.venue.reductions) == 4
    assert max(one.quantity for one in world.venue.reductions) == 10
    assert len({one.client_order_id for one in world.venue.reductions}) == 4
    assert not world.venue.violations


@pytest.mark.invariant("I16", "I19")
@pytest.mark.parametrize("word", ["lost", "never", "late:3000", "late:5000", "late:5020"])
async def test_an_unknown_outcome_is_looked_up_and_never_resent(world: World, word: str) -> None:
    world.venue.position(BTC, "0.5")
    world.venue.script = [word]
    outcome = await world.run()
    assert outcome.status == "flat", outcome.evidence
    assert world.venue.quantity(BTC) == 0
    assert len(world.venue.reductions) == (2 if word in {"never", "late:5020"} else 1)
    assert not world.venue.violations


@pytest.mark.invariant("I19")
async def test_no_such_order_counts_only_after_the_horizon(world: World) -> None:
    """The order landed, but the exchange does not show it for thirty seconds."""
    world.venue.position(BTC, "0.5")
    world.venue.script = ["lost"]
    world.venue.look_up_lag_ms = 30_000
    world.venue.lag_ms = 30_000
    world.clock.advance(60_000)
    outcome = await world.run()
    assert outcome.status == "flat", outcome.evidence
    assert len(world.venue.reductions) == 1
    assert not world.venue.violations


async def test_an_order_that_nobody_can_tell_about_ends_the_leg(world: World) -> None:
    world.venue.position(BTC, "0.5")
    world.venue.position(ETH, "1")
    world.venue.script = ["silent", "ok"]
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert len(world.venue.reductions) == 2
    assert any("is not known" in str(one) for one in _missing(outcome.evidence))
    assert holding(outcome, ETH)["state"] == "flat"


@pytest.mark.invariant("I17")
async def test_stale_positions_do_not_make_a_second_order(world: World) -> None:
    world.venue.lag_ms = 40_000
    world.venue.position(BTC, "0.5")
    world.clock.advance(60_000)
    outcome = await world.run()
    assert outcome.status == "flat", outcome.evidence
    assert len(world.venue.reductions) == 1


async def test_a_refused_order_keeps_its_protection_and_the_leg_stops(world: World) -> None:
    world.venue.position(BTC, "0.5")
    world.venue.script = ["reject"] * 10
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert len(world.venue.reductions) == 3
    assert {one.protection for one in world.venue.reductions} == {Protection.REDUCE_ONLY}
    assert "-2022" in holding(outcome, BTC)["why"]
    assert holding(outcome, BTC)["left"] == "0.5"
    assert holding(outcome, BTC)["left_value"] == "50.00"


async def test_a_refusal_because_it_is_flat_already_is_no_trouble(world: World) -> None:
    world.venue.position(BTC, "0.5")
    world.venue.script = ["reject"]

    def somebody_else_flattens(venue: ReducingVenue) -> None:
        venue.before_reduce = None
        venue.move(BTC, "-0.5")

    world.venue.before_reduce = somebody_else_flattens
    outcome = await world.run()
    assert outcome.status == "flat", outcome.evidence
    assert len(world.venue.reductions) == 1


@pytest.mark.parametrize(
    ("difference", "words"), [("0.7", "grew"), ("-0.2", "shrank"), ("-3", "direction")]
)
async def test_a_change_that_is_not_ours_stops_the_leg(
    world: World, difference: str, words: str
) -> None:
    world.policy = Policy(flatten_slice_notional_max=Decimal(20))
    world.venue.position(BTC, "1")
    orders = 0

    def engine_trades(venue: ReducingVenue) -> None:
        nonlocal orders
        orders += 1
        if orders == 2:
            venue.move(BTC, difference)

    world.venue.before_reduce = engine_trades
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert words in holding(outcome, BTC)["why"]
    assert len(world.venue.reductions) == 2
    assert not world.venue.violations


@pytest.mark.invariant("I16")
async def test_a_position_that_grew_since_the_plan_is_not_reduced(world: World) -> None:
    world.venue.position(BTC, "1")
    world.venue.resting["a"] = resting(1, BTC, LINEAR)

    def fill_while_cancelling(venue: ReducingVenue) -> None:
        if venue.resting["a"].is_terminal:
            venue.before_read = None
            venue.move(BTC, "1")

    world.venue.before_read = fill_while_cancelling
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert "grew" in holding(outcome, BTC)["why"]
    assert not world.venue.reductions


async def test_another_position_mode_ends_the_leg(world: World) -> None:
    world.policy = Policy(flatten_slice_notional_max=Decimal(20))
    world.venue.position(BTC, "1")

    def switch(venue: ReducingVenue) -> None:
        venue.mode = "hedge"

    world.venue.before_reduce = switch
    outcome = await world.run()
    assert len(world.venue.reductions) == 1
    assert "position mode is hedge" in holding(outcome, BTC)["why"]


async def test_an_unknown_position_mode_is_waited_for_and_never_guessed(world: World) -> None:
    world.venue.position(BTC, "1")
    world.venue.unreadable = {"mode": 10_000}
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert not world.venue.reductions
    assert "position mode is not known" in holding(outcome, BTC)["why"]


@pytest.mark.invariant("I18")
async def test_a_thin_book_makes_small_orders_and_then_a_stop(world: World) -> None:
    world.venue.position(BTC, "1")
    world.venue.books[("linear", BTC)] = ([("100", "0.3"), ("90", "50")], [("100.1", "1")])

    def eaten(venue: ReducingVenue) -> None:
        if len(venue.reductions) == 2:
            venue.books[("linear", BTC)] = ([("90", "50")], [("100.1", "1")])

    world.venue.before_read = eaten
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert [one.quantity for one in world.venue.reductions] == [Decimal("0.3")] * 3
    assert "beyond the agreed bound" in holding(outcome, BTC)["why"]
    assert holding(outcome, BTC)["left"] == "0.4"
    assert min(one.limit_price for one in world.venue.reductions) >= Decimal(99)


@pytest.mark.invariant("I18")
async def test_the_cap_of_the_run_stops_it_with_what_is_left(world: World) -> None:
    world.venue.position(BTC, "1")
    world.venue.position(ETH, "1")
    outcome = await world.run(notional_max=Decimal(120))
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert world.venue.notional <= 120
    assert "cap of this run" in str(outcome.evidence["not_proved"])
    assert Decimal(outcome.evidence["spent"]["USDT"]) <= 120  # type: ignore[index]  # JSON


async def test_a_cap_below_the_smallest_order_refuses_and_sends_nothing(world: World) -> None:
    world.venue.position(BTC, "1")
    outcome = await world.run(notional_max=Decimal("0.05"))
    assert outcome.exit_code is ExitCode.REFUSED
    assert outcome.status == "refused"
    assert not world.venue.permits


async def test_a_cap_of_the_policy_refuses_before_anything(world: World) -> None:
    world.policy = Policy(flatten_notional_max=Decimal(50))
    world.venue.position(BTC, "1")
    world.venue.resting["a"] = resting(1, BTC, LINEAR)
    with pytest.raises(RefusedError, match="more than the policy"):
        await world.run()
    assert not world.venue.permits
    within = await world.run(notional_max=Decimal(40))
    assert within.exit_code is ExitCode.RESIDUAL
    assert world.venue.notional <= 40
    with pytest.raises(RefusedError, match="slippage"):
        await world.run(slippage_max=Decimal("0.5"))


async def test_dust_is_residual_unless_the_policy_calls_it_flat(world: World) -> None:
    world.venue.position(BTC, "0.5004")
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    row = holding(outcome, BTC)
    assert row["left"] == "0.0004"
    assert row["left_value"] == "0.04"
    assert "smaller than the smallest order" in row["why"]
    assert row["dust"]
    assert outcome.next_step == "resyncctl verify main"
    world.policy = Policy(dust=(("BTC", Decimal("0.001")),))
    again = await world.run()
    assert again.status == "flat"
    assert holding(again, BTC)["left"] == "0.0004"


async def test_the_policy_s_dust_needs_no_market(world: World) -> None:
    world.venue.asset("OLD", "3")
    del world.venue.rules[("spot", "OLD/USDT")]
    outcome = await world.run(choice=Choice(into="USDT"))
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert "no instrument" in holding(outcome, "OLD/USDT")["why"]
    world.policy = Policy(dust=(("OLD", Decimal(3)),))
    assert (await world.run(choice=Choice(into="USDT"))).status == "flat"


@pytest.mark.invariant("I35")
async def test_somebody_who_watches_hears_something_at_least_every_five_seconds(
    world: World,
) -> None:
    world.venue.position(BTC, "0.5")
    world.venue.script = ["lost"]
    world.venue.look_up_lag_ms = world.venue.lag_ms = 30_000
    world.clock.advance(60_000)
    began_ms = world.clock.monotonic_ms()
    told: list[int] = [began_ms]
    say = world.progress.say

    def listen(account: str, stage: str, text: str, **numbers: object) -> None:
        told.append(world.clock.monotonic_ms())
        say(account, stage, text, **numbers)

    world.listen = listen
    outcome = await world.run()
    assert outcome.status == "flat"
    cancelled_ms = began_ms + outcome.timings["cancel_ms"]
    ours = [at_ms for at_ms in told if at_ms >= cancelled_ms]
    assert max(after - before for before, after in pairwise(ours)) <= 5_100


async def test_spot_assets_are_sold_into_the_named_asset_only(world: World) -> None:
    world.policy = Policy(ignored_assets=("BNB",))
    world.venue.asset("USDT", "1000")
    world.venue.asset("BNB", "5")
    world.venue.asset("SOL", "2", "1")
    world.venue.resting["a"] = resting(1, "SOL/USDT", SPOT)
    outcome = await world.run(choice=Choice(into="USDT"))
    assert outcome.status == "flat", outcome.evidence
    assert world.venue.assets["SOL"] == (Decimal(0), Decimal(0))
    assert world.venue.assets["BNB"] == (Decimal(5), Decimal(0))
    assert world.venue.assets["USDT"] == (Decimal(1000), Decimal(0))
    assert {one.protection for one in world.venue.reductions} == {Protection.FREE_BALANCE}


async def test_without_an_asset_to_sell_into_nothing_is_sold(world: World) -> None:
    world.venue.asset("SOL", "2")
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert not world.venue.reductions
    assert "--into" in str(outcome.evidence["not_proved"])
    assert "--into" in str(outcome.next_step)
    told = await world.run(known_pairs=("SOL/USDT", "ETH/USDT"))
    assert told.status == "flat"


async def test_what_orders_hold_is_not_sold_and_is_named(world: World) -> None:
    world.venue.asset("SOL", "2", "1")
    outcome = await world.run(choice=Choice(into="USDT"))
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert world.venue.assets["SOL"] == (Decimal(0), Decimal(1))
    assert "orders hold it" in holding(outcome, "SOL/USDT")["why"]


async def test_a_product_without_the_power_is_residual_with_the_reason(world: World) -> None:
    world.venue.position(BTC, "1")
    world.venue.cannot = {"linear": "holdings of linear cannot be reduced here"}
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert "cannot be reduced" in holding(outcome, BTC)["why"]
    assert not world.venue.reductions


async def test_a_halted_symbol_is_left_with_the_reason_and_others_go_on(world: World) -> None:
    world.venue.position(BTC, "1")
    world.venue.position(ETH, "1")
    halted = replace(world.venue.rules[("linear", BTC)], trading=False, status="SETTLING")
    world.venue.rules[("linear", BTC)] = halted
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert "SETTLING" in holding(outcome, BTC)["why"]
    assert holding(outcome, ETH)["state"] == "flat"


@pytest.mark.invariant("I2")
async def test_positions_that_cannot_be_read_are_never_called_flat(world: World) -> None:
    world.venue.unreadable = {"positions": 10_000}
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert outcome.status != "flat"
    assert "not known" in str(outcome.evidence["not_proved"])


async def test_an_unmeasured_clock_makes_every_wait_longer(world: World) -> None:
    """A deadline counts by the exchange's clock; what is not known of it is allowed for."""
    world.venue.position(BTC, "1")
    world.venue.clock_reading = Unknown("timed out")
    sent_ms: list[int] = []
    read_ms: list[int] = []

    def send(_: ReducingVenue) -> None:
        sent_ms.append(world.clock.monotonic_ms())
        world.venue.before_read = lambda _: read_ms.append(world.clock.monotonic_ms())

    world.venue.before_reduce = send
    outcome = await world.run()
    assert outcome.status == "flat"
    assert outcome.evidence["clock_trouble"] == "timed out"
    assert read_ms[0] - sent_ms[0] >= 5_000 + 1_000


async def test_a_position_that_appears_at_the_end_is_named(world: World) -> None:
    world.venue.position(BTC, "1")

    def engine_opens(venue: ReducingVenue) -> None:
        venue.before_reduce = None
        venue.position(SOL, "4")

    world.venue.before_reduce = engine_opens
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert "after the plan" in holding(outcome, SOL)["why"]


@pytest.mark.invariant("I21")
@pytest.mark.parametrize("choice", ["keep", "cancel"])
async def test_protective_stops_are_named_and_kept_or_cancelled_by_choice(
    world: World, choice: str
) -> None:
    world.venue.position(BTC, "1")
    world.venue.resting["stop"] = resting(
        7, BTC, ALGO, protective=True, reduce_only=True, trigger_price=Decimal(90)
    )
    world.prompter.script = [("BTC/USDT:USDT sell 1 at 90", choice), ("LIVE fake/main", "main")]
    outcome = await world.run(protective="ask", confirmed_name=None)
    assert outcome.status == "flat", outcome.evidence
    rests = not world.venue.resting["stop"].is_terminal
    assert rests is (choice == "keep")
    assert bool(outcome.evidence["orphaned_protective"]) is rests
    assert ("--include-protective" in str(outcome.next_step)) is rests


@pytest.mark.invariant("I42")
async def test_only_the_typed_name_satisfies_the_confirmation(world: World) -> None:
    world.venue.position(BTC, "1")
    with pytest.raises(NoTerminalError):
        await world.run(confirmed_name=None)
    with pytest.raises(DeclinedError):
        await world.run(confirmed_name="other")
    world.prompter.script = [("reduce 1 holding worth 100.00 USDT, at most 101.00 USDT", "yes")]
    with pytest.raises(DeclinedError):
        await world.run(confirmed_name=None)
    assert not world.venue.permits
    assert world.gate.state is GateState.UNSAFE
    assert len(world.shown) == 3


async def test_a_held_account_is_refused(world: World) -> None:
    world.leases.held_by_run = "another run"
    with pytest.raises(LockedError):
        await world.run()
    assert world.gate.state is GateState.UNSAFE


@pytest.mark.invariant("I30")
async def test_a_lost_lease_stops_before_the_next_order(world: World) -> None:
    world.policy = Policy(flatten_slice_notional_max=Decimal(5))
    world.venue.position(BTC, "1")

    def lose(_: ReducingVenue) -> None:
        world.leases.lost_at_renewal = True

    world.venue.before_reduce = lose
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert "was lost" in str(outcome.evidence["not_proved"])
    assert 1 < len(world.venue.reductions) < 10


@pytest.mark.invariant("I23")
async def test_without_a_journal_no_order_leaves(world: World) -> None:
    world.venue.position(BTC, "1")
    needed = 0

    def count(_: ReducingVenue) -> None:
        nonlocal needed
        needed = len(world.journal.records)

    world.venue.before_reduce = count
    await world.run()
    second = World()
    second.venue.position(BTC, "1")
    second.journal.breaks_at = needed
    with pytest.raises(RecordUnwritableError):
        await second.run()
    assert not second.venue.permits


async def test_a_full_disk_after_sending_resolves_the_order_and_stops(world: World) -> None:
    world.policy = Policy(flatten_slice_notional_max=Decimal(20))
    world.venue.position(BTC, "1")

    def fill_the_disk(venue: ReducingVenue) -> None:
        if len(venue.reductions) == 1:
            world.journal.breaks_at = len(world.journal.records) + 1

    world.venue.before_reduce = fill_the_disk
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert len(world.venue.reductions) == 2
    assert holding(outcome, BTC)["filled"] == "0.4"
    assert "no space left" in str(outcome.evidence["not_proved"])
    assert "no space left" in str(outcome.evidence["record_trouble"])


async def test_an_interruption_finishes_the_order_in_flight(world: World) -> None:
    world.policy = Policy(flatten_slice_notional_max=Decimal(20))
    world.venue.position(BTC, "1")
    world.venue.script = ["ok", "lost"]

    def interrupt(venue: ReducingVenue) -> None:
        world.stop = len(venue.reductions) == 1

    world.venue.before_reduce = interrupt
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert len(world.venue.reductions) == 2
    assert holding(outcome, BTC)["filled"] == "0.4"
    assert world.events().count("reduce_resolved") == 2
    assert outcome.next_step == "resyncctl flatten main"


async def test_a_deadline_that_passes_first_sends_nothing(world: World) -> None:
    world.venue.position(BTC, "1")
    with pytest.raises(DeadlineError):
        await world.run(deadline_ms=0)
    assert not world.venue.permits


@pytest.mark.invariant("I41")
async def test_a_dry_run_sends_nothing_and_tells_the_digest_that_will_run(world: World) -> None:
    world.venue.position(BTC, "1")
    world.venue.asset("SOL", "2")
    planned = await world.run(dry_run=True, choice=Choice(into="USDT"))
    assert planned.exit_code is ExitCode.OK
    assert not world.venue.permits
    assert world.gate.state is GateState.RUNNING
    world.venue.quote("linear", BTC, "99.9")
    real = await world.run(choice=Choice(into="USDT"))
    assert real.evidence["plan_digest"] == planned.evidence["plan_digest"]


async def test_a_dry_run_that_could_not_see_everything_says_so(world: World) -> None:
    world.venue.unreadable = {"positions": 9}
    planned = await world.run(dry_run=True)
    assert planned.exit_code is ExitCode.INCOMPLETE


async def test_a_saved_plan_runs_and_a_stale_one_sends_nothing(world: World) -> None:
    world.venue.position(BTC, "1")
    world.venue.resting["a"] = resting(1, BTC, LINEAR)
    await world.run(dry_run=True)
    (plan,) = world.shown
    with pytest.raises(StalePlanError, match="for account other"):
        await world.run(plan=replace(plan, account="other"))
    world.venue.resting["b"] = resting(2, BTC, LINEAR)
    with pytest.raises(StalePlanError, match="not in the state"):
        await world.run(plan=plan)
    del world.venue.resting["b"]
    world.venue.position(BTC, "1.001")
    with pytest.raises(StalePlanError, match="not in the state"):
        await world.run(plan=plan)
    world.venue.position(BTC, "1")
    world.venue.mode = "hedge"
    with pytest.raises(StalePlanError, match="not in the state"):
        await world.run(plan=plan)
    world.venue.mode = "one_way"
    world.venue.unreadable = {"positions": 10_000}
    with pytest.raises(StalePlanError, match="cannot be compared"):
        await world.run(plan=plan)
    world.venue.unreadable = {}
    assert not world.venue.permits
    done = await world.run(plan=plan)
    assert done.status == "flat"
    assert done.evidence["plan_digest"] == plan.digest


async def test_an_expired_plan_sends_nothing(world: World) -> None:
    world.venue.position(BTC, "1")
    await world.run(dry_run=True)
    world.clock.advance(120_001)
    with pytest.raises(StalePlanError, match="expired"):
        await world.run(plan=world.shown[0])
    assert not world.venue.permits


async def test_only_the_chosen_symbols_are_touched(world: World) -> None:
    world.venue.position(BTC, "1")
    world.venue.position(ETH, "1")
    world.venue.resting["a"] = resting(1, ETH, LINEAR)
    outcome = await world.run(choice=Choice(symbols=("BTCUSDT",)))
    assert outcome.status == "flat"
    assert world.venue.quantity(BTC) == 0
    assert world.venue.quantity(ETH) == 1
    assert not world.venue.resting["a"].is_terminal
    nothing = await world.run(choice=Choice(symbols=("XRPUSDT",)))
    assert nothing.status == "nothing_selected"


async def killed_after_sending(world: World, word: str) -> None:
    """Leave behind what a run leaves that was killed before it learned of its order's fate."""
    world.venue.position(BTC, "1")
    world.venue.script = [word]
    deadline_ms = world.clock.now_ms() + 5_000
    order = reduction_of(
        "main",
        plan_target(),
        Slice(side=Side.SELL, quantity=Decimal(1), limit_price=Decimal(99), value=Decimal(100)),
        protection=Protection.REDUCE_ONLY,
        holding=Decimal(1),
        read_at_ms=world.clock.now_ms(),
        client_order_id="rsc-dead-001",
    )
    await world.venue.reduce(order, Permit("dead:7", deadline_ms, 1, reduces=order))
    world.earlier = [
        EarlierReduction(
            product="linear",
            symbol=BTC,
            leg=Leg.BOTH,
            client_order_id="rsc-dead-001",
            deadline_ms=deadline_ms,
            run_id="dead",
        )
    ]


def plan_target() -> Target:
    return Target(
        product="linear",
        symbol=BTC,
        venue_symbol="BTCUSDT",
        leg=Leg.BOTH,
        base="BTC",
        quote="USDT",
        side=Side.SELL,
        holding=Decimal(1),
        protection=Protection.REDUCE_ONLY,
    )


@pytest.mark.invariant("I19", "I25")
@pytest.mark.parametrize("word", ["ok", "never", "late:4500"])
async def test_an_order_of_a_run_that_was_killed_is_resolved_first(world: World, word: str) -> None:
    await killed_after_sending(world, word)
    outcome = await world.run()
    assert outcome.status == "flat", outcome.evidence
    assert world.venue.quantity(BTC) == 0
    assert len(world.venue.reductions) == (2 if word == "never" else 1)
    assert world.venue.violations == []
    events = world.events()
    assert events.index("earlier_resolved") < events.index("plan")
    assert "rsc-dead-001" in str(outcome.evidence["earlier_runs"])


async def test_a_holding_whose_earlier_order_is_not_known_gets_no_new_one(world: World) -> None:
    await killed_after_sending(world, "never")
    world.venue.position(ETH, "1")
    world.venue.broken_look_ups = 150
    outcome = await world.run()
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert [one.symbol for one in world.venue.reductions[1:]] == [ETH]
    assert "of run dead is not known" in str(outcome.evidence["not_proved"])


def _missing(evidence: object) -> list[object]:
    assert isinstance(evidence, dict)
    found = evidence["not_proved"]
    assert isinstance(found, list)
    return found
