"""Cancel-all on an account that other runs want, take, or have left open."""

from dataclasses import replace

import pytest

from resyncctl.core.errors import LockedError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import OrderStatus
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.outcome import AccountOutcome
from resyncctl.ports.views import ClockReading
from resyncctl.procedures.cancel_all import CancelAllRequest, cancel_all
from tests.core.test_plan import order
from tests.procedures.test_cancel_all import SCOPES, World

TAKEN = "taken over by run run-2 of ada on here, process 7, because: it hangs"


@pytest.fixture
def world() -> World:
    return World().with_book()


async def run(world: World, *left_behind: OpenRequest, **changes: object) -> AccountOutcome:
    base = CancelAllRequest(
        account="main", scopes=SCOPES, reason="lost the stream", by="me", assume_yes=True
    )
    return await cancel_all(
        replace(base, **changes),  # type: ignore[arg-type]  # the tests name real fields
        venue=world.venue,
        cancel=world.venue,
        gate=world.gate,
        leases=world.leases,
        journal=world.journal,
        clock=world.clock,
        progress=world.progress,
        prompter=world.prompter,
        policy=world.policy,
        left_behind=lambda: left_behind,
    )


@pytest.mark.invariant("I31")
async def test_a_run_that_is_taken_over_while_it_proves_ends_unproved(world: World) -> None:
    def once_gone(_: object) -> None:
        if not world.venue.resting():
            world.leases.lost = TAKEN

    world.venue.on_list = once_gone
    outcome = await run(world)
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert any(TAKEN in words for words in outcome.evidence["not_proved"])  # type: ignore[attr-defined]  # a list, by the report
    assert world.leases.released == 1
    assert world.clock.monotonic_ms() < 60_000 + 10_000


@pytest.mark.invariant("I31")
async def test_a_run_that_is_taken_over_before_its_first_request_sends_nothing(
    world: World,
) -> None:
    def at_once(_: object) -> None:
        world.leases.lost = TAKEN

    world.venue.on_list = at_once
    with pytest.raises(LockedError, match="because: it hangs"):
        await run(world)
    assert not world.venue.permits


@pytest.mark.invariant("I12")
async def test_a_lost_lease_closes_the_gate_that_routine_work_had_left_open(world: World) -> None:
    def at_once(_: object) -> None:
        world.leases.lost = "its lock file was replaced or removed"

    world.venue.on_list = at_once
    with pytest.raises(LockedError):
        await run(world, closes_gate=False)
    assert world.gate.state is GateState.UNSAFE


@pytest.mark.invariant("I15")
async def test_what_another_run_left_open_is_waited_out_and_asked_for(world: World) -> None:
    theirs = order(99, client="gone-1")
    world.venue.put(replace(theirs, status=OrderStatus.CANCELED))
    left_ms = 45_000
    until_ms = world.clock.now_ms() + left_ms
    began_ms = world.clock.monotonic_ms()
    lists: list[int] = []

    def noted(_: object) -> None:
        lists.append(world.clock.monotonic_ms())

    world.venue.on_list = noted
    request = OpenRequest(
        run_id="run-1",
        intent_id="run-1:4",
        action="cancel_order",
        deadline_ms=until_ms,
        orders=(theirs,),
    )
    outcome = await run(world, request)
    assert outcome.exit_code is ExitCode.OK
    assert outcome.counts["targeted"] == 5
    proof = [at_ms for at_ms in lists if at_ms >= began_ms + left_ms]
    assert len(proof) >= world.policy.proof_reads * len(SCOPES)
    assert outcome.timings["quiesce_ms"] >= left_ms
    (kept,) = [r for r in world.journal.records if r.event == "earlier_requests"]
    assert kept.details["requests"] == [["run-1", "run-1:4", "cancel_order"]]
    first = next(index for index, r in enumerate(world.journal.records) if r.event == "intent")
    assert world.journal.records.index(kept) < first


async def test_an_order_left_open_that_nobody_knows_keeps_the_account_unproved(
    world: World,
) -> None:
    theirs = order(99, client="gone-1")
    request = OpenRequest(
        run_id="run-1", intent_id="run-1:4", action="reduce", deadline_ms=0, orders=(theirs,)
    )
    outcome = await run(world, request)
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert outcome.counts["unproven"] == 1


@pytest.mark.invariant("I31")
async def test_both_runs_learn_of_each_other(world: World) -> None:
    def asked(_: object) -> None:
        world.leases.ask("main", "run-2", 0, reason=None)

    world.venue.on_list = asked
    outcome = await run(world)
    assert "run run-2" in outcome.evidence["wanted_by"]  # type: ignore[operator]  # a list


@pytest.mark.invariant("I30")
async def test_the_measured_skew_is_part_of_what_the_lease_must_outlive(world: World) -> None:
    world.leases.lifetime_ms = world.policy.request_validity_ms + 2_000
    world.venue.clock_reading = ClockReading(-2_400, 100)
    with pytest.raises(LockedError, match="ends before"):
        await run(world)
    assert not world.venue.permits
