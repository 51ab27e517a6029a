"""The gate closes for anybody, and opens one step at a time on evidence and a typed name."""

from dataclasses import dataclass, field, replace

import pytest

from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject, Verdict
from resyncctl.core.errors import DeclinedError, NoTerminalError, RecordUnwritableError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.safety import Condition, Name, VerdictKind, VerdictRecord
from resyncctl.procedures import gate as procedures
from resyncctl.procedures.gate import OpenRequest
from tests.fakes.fake_clock import FakeClock
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryGate, ScriptedPrompter

DIGESTS = {"policy": "p"}


@dataclass
class World:
    clock: FakeClock = field(default_factory=FakeClock)
    gate: MemoryGate = field(default_factory=lambda: MemoryGate(state=GateState.UNSAFE, since_ms=1))
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    prompter: ScriptedPrompter = field(default_factory=ScriptedPrompter)

    def __post_init__(self) -> None:
        now_ms = self.clock.now_ms()
        self.verdict = VerdictRecord(
            account="main",
            verdict=Verdict.CLEAN,
            blocks_resume=False,
            as_of_ms=now_ms,
            valid_until_ms=now_ms + 60_000,
            run_id="run-1",
            digests=DIGESTS,
            kind=VerdictKind.SAFETY,
            gate_sequence=0,
            conditions=tuple(Condition(name, True, "seen") for name in Name),
        )

    async def open(
        self,
        to: GateState = GateState.SAFE,
        *,
        name: str | None = "main",
        verdict: VerdictRecord | None = None,
    ) -> AccountOutcome:
        return await procedures.open_gate(
            OpenRequest(
                account="main", to=to, reason="proved", by="me", mode="LIVE", confirmed_name=name
            ),
            view=self.gate,
            gate=self.gate,
            verdict=self.verdict if verdict is None else verdict,
            digests_now=DIGESTS,
            prompter=self.prompter,
            journal=self.journal,
            clock=self.clock,
        )


async def test_a_clean_verdict_and_a_typed_name_open_to_safe() -> None:
    world = World()
    world.prompter.script = [("LIVE: the gate of main goes to SAFE", "main")]
    outcome = await world.open(name=None)
    assert (outcome.exit_code, world.gate.state) == (ExitCode.OK, GateState.SAFE)
    assert world.journal.events() == ["gate_conditions", "gate_conditions", "gate_opening"]


async def test_running_comes_only_after_safe() -> None:
    world = World()
    refused = await world.open(GateState.RUNNING)
    assert refused.exit_code is ExitCode.REFUSED
    assert refused.evidence["failing"] == ["move is allowed"]
    assert world.gate.state is GateState.UNSAFE


async def test_a_refusal_lists_every_condition() -> None:
    world = World()
    dirty = replace(world.verdict, verdict=Verdict.DISCREPANT, digests={})
    outcome = await world.open(verdict=dirty)
    assert outcome.exit_code is ExitCode.REFUSED
    assert outcome.evidence["failing"] == ["last verdict is safe", "policy is unchanged"]
    assert not world.gate.moves


async def test_what_would_be_refused_is_not_asked_for() -> None:
    world = World()
    outcome = await world.open(GateState.RUNNING, name=None)
    assert outcome.exit_code is ExitCode.REFUSED
    assert not world.prompter.asked


@pytest.mark.invariant("I5")
async def test_evidence_that_expires_while_typing_refuses() -> None:
    world = World()

    class SlowPrompter(ScriptedPrompter):
        async def type_name(self, question: str, expected: str, *, flag: str) -> bool:
            world.clock.advance(61_000)
            return True

    world.prompter = SlowPrompter()
    outcome = await world.open(name=None)
    assert outcome.exit_code is ExitCode.REFUSED
    assert world.gate.state is GateState.UNSAFE


@pytest.mark.invariant("I42")
@pytest.mark.parametrize("name", ["", "Main", "other"])
async def test_a_wrong_name_moves_nothing(name: str) -> None:
    world = World()
    with pytest.raises(DeclinedError):
        await world.open(name=name)
    assert not world.gate.moves


async def test_without_a_terminal_the_flag_is_named() -> None:
    with pytest.raises(NoTerminalError) as refusal:
        await World().open(name=None)
    assert refusal.value.hint == "Pass --confirm main."


@pytest.mark.invariant("I12", "I28")
def test_closing_needs_nothing_and_works_twice() -> None:
    world = World()
    for _ in range(2):
        outcome = procedures.close(
            "main", reason="r", by="me", gate=world.gate, journal=world.journal, clock=world.clock
        )
        assert outcome.exit_code is ExitCode.OK
    world.gate.broken = True
    with pytest.raises(RecordUnwritableError):
        procedures.close(
            "main", reason="r", by="me", gate=world.gate, journal=world.journal, clock=world.clock
        )


def test_showing_an_untrusted_gate_blocks() -> None:
    assert procedures.show("main", MemoryGate()).exit_code is ExitCode.OK
    shown = procedures.show("main", MemoryGate(trusted=False))
    assert (shown.exit_code, shown.status) == (ExitCode.BLOCKED, "unsafe")


@pytest.mark.invariant("I12")
def test_the_guard_closes_the_gate_on_a_storm_of_unknown_orders_only() -> None:
    storm = Discrepancy(
        kind=Kind.UNKNOWN_ORDER_STORM, severity=Severity.CRITICAL, subject=Subject(account="main")
    )
    unreadable = replace(storm, kind=Kind.SECTION_UNREADABLE, id="")
    for finding, expected in ((storm, GateState.UNSAFE), (unreadable, GateState.RUNNING)):
        gate = MemoryGate()
        outcome = AccountOutcome(
            account="main", status="x", exit_code=ExitCode.BLOCKED, findings=(finding,)
        )
        procedures.guard(outcome, view=gate, gate=gate, journal=MemoryJournal(), clock=FakeClock())
        assert gate.state is expected


def test_the_guard_closes_a_gate_that_only_seems_to_be_closed() -> None:
    """Copies that disagree read as UNSAFE, and one of them may still let an engine trade."""
    storm = Discrepancy(
        kind=Kind.UNKNOWN_ORDER_STORM, severity=Severity.CRITICAL, subject=Subject(account="main")
    )
    outcome = AccountOutcome(
        account="main", status="x", exit_code=ExitCode.BLOCKED, findings=(storm,)
    )
    for trusted, moves in ((False, 1), (True, 0)):
        gate = MemoryGate(state=GateState.UNSAFE, trusted=trusted)
        procedures.guard(outcome, view=gate, gate=gate, journal=MemoryJournal(), clock=FakeClock())
        assert len(gate.moves) == moves
