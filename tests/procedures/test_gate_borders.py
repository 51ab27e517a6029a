"""What showing, closing, opening and guarding a gate say and write down."""

from dataclasses import replace

import pytest

from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.outcome import AccountOutcome
from resyncctl.procedures import gate as procedures
from tests.fakes.operators import MemoryGate
from tests.procedures.test_gate import World


def test_showing_a_good_gate_asks_for_nothing() -> None:
    shown = procedures.show("main", MemoryGate(state=GateState.SAFE, since_ms=1))
    assert (shown.exit_code, shown.status, shown.next_step) == (ExitCode.OK, "safe", None)


def test_showing_a_doubtful_gate_names_the_step_that_mends_it() -> None:
    gate = MemoryGate(state=GateState.UNSAFE, since_ms=None, trusted=False)
    shown = procedures.show("main", gate)
    assert shown.exit_code is ExitCode.BLOCKED
    assert shown.next_step == "resyncctl gate close main"


@pytest.mark.invariant("I12")
def test_a_closing_is_written_down_with_who_and_why() -> None:
    world = World()
    closed = procedures.close(
        "main", reason="a gap", by="me", gate=world.gate, journal=world.journal, clock=world.clock
    )
    (kept,) = [row for row in world.journal.records if row.event == "gate_closed"]
    assert kept.details == {"account": "main", "reason": "a gap", "by": "me"}
    assert closed.next_step == "resyncctl cancel-all main"
    assert closed.actions


@pytest.mark.invariant("I11")
async def test_one_condition_that_fails_is_enough_to_refuse() -> None:
    world = World()
    stale = replace(world.verdict, valid_until_ms=world.clock.now_ms() - 1)
    refused = await world.open(verdict=stale)
    assert refused.exit_code is ExitCode.REFUSED
    assert world.gate.read("main").state is GateState.UNSAFE
    assert not world.prompter.asked


def outcome(*kinds: Kind) -> AccountOutcome:
    return AccountOutcome(
        account="main",
        status="discrepant",
        exit_code=ExitCode.DISCREPANCIES,
        findings=tuple(
            Discrepancy(kind=kind, severity=Severity.CRITICAL, subject=Subject(account="main"))
            for kind in kinds
        ),
    )


@pytest.mark.invariant("I12")
def test_the_guard_returns_what_it_did_and_writes_it_down() -> None:
    world = World()
    world.gate = MemoryGate(state=GateState.RUNNING, since_ms=1)
    reading = procedures.guard(
        outcome(Kind.UNKNOWN_ORDER_STORM, Kind.ORPHAN_ORDER),
        view=world.gate,
        gate=world.gate,
        journal=world.journal,
        clock=world.clock,
    )
    assert reading is not None
    assert reading.state is GateState.UNSAFE
    (kept,) = world.journal.records
    assert kept.event == "guard_closed_gate"
    assert kept.details["reason"] == "2 findings, among them a storm of unknown orders"


def test_the_guard_leaves_a_gate_alone_that_is_closed_already() -> None:
    world = World()
    told = procedures.guard(
        outcome(Kind.UNKNOWN_ORDER_STORM),
        view=world.gate,
        gate=world.gate,
        journal=world.journal,
        clock=world.clock,
    )
    assert told is None
    assert not world.journal.records


@pytest.mark.invariant("I11")
async def test_an_opening_says_what_moved_on_what_and_what_comes_next() -> None:
    world = World()
    opened = await world.open()
    assert opened.next_step == "resyncctl verify --resume main"
    (moved,) = opened.actions
    assert (moved.verb, moved.account, moved.outcome, moved.attempts) == (
        "gate_move",
        "main",
        "SAFE",
        1,
    )
    conditions = opened.evidence["conditions"]
    assert isinstance(conditions, list)
    assert all(line["holds"] for line in conditions)
    assert {"name", "holds", "evidence"} <= set(conditions[0])
    running = await world.open(GateState.RUNNING)
    assert (running.status, running.next_step) == ("running", None)


@pytest.mark.invariant("I11")
async def test_without_any_verdict_nothing_opens() -> None:
    world = World()
    refused = await procedures.open_gate(
        procedures.OpenRequest(
            account="main",
            to=GateState.SAFE,
            reason="proved",
            by="me",
            mode="LIVE",
            confirmed_name="main",
        ),
        view=world.gate,
        gate=world.gate,
        verdict=None,
        digests_now={},
        prompter=world.prompter,
        journal=world.journal,
        clock=world.clock,
    )
    assert refused.exit_code is ExitCode.REFUSED
    assert not world.gate.moves
