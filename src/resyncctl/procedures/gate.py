"""Show, close and open the gate of an account.

Closing needs nothing and is always allowed. Opening goes UNSAFE -> SAFE -> RUNNING, each step only
on a fresh safety verdict of `verify` or `resync` that was made with the same configuration, and on
a typed confirmation. A comparison alone opens nothing: it proves neither silence nor absence.
"""

from collections.abc import Mapping

from resyncctl.core.discrepancy import Kind
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.safety import VerdictRecord
from resyncctl.ports.powers import GateControl
from resyncctl.ports.prompts import Prompter
from resyncctl.ports.views import Clock, GateView, Journal
from resyncctl.procedures.gate_step import (
    Grounds,
    OpenRequest,
    conditions_now,
    confirm,
    move_record,
    reading_lines,
    refused,
    step,
)

__all__ = ["OpenRequest", "close", "guard", "open_gate", "show"]


def show(account: str, gate: GateView) -> AccountOutcome:
    """Return where the gate stands; an untrusted gate file is BLOCKED, because it means UNSAFE."""
    reading = gate.read(account)
    return AccountOutcome(
        account=account,
        status=reading.state.value.lower(),
        exit_code=ExitCode.OK if reading.trusted else ExitCode.BLOCKED,
        evidence=reading_lines(reading),
        next_step=None if reading.trusted else f"resyncctl gate close {account}",
    )


def close(
    account: str, *, reason: str, by: str, gate: GateControl, journal: Journal, clock: Clock
) -> AccountOutcome:
    """Close the gate.

    Raises:
        RecordUnwritableError: Not one copy of the gate could be written or removed.
    """
    reading = gate.move(
        account,
        GateState.UNSAFE,
        reason=reason,
        by=by,
        run_id=journal.run_id,
        now_ms=clock.now_ms(),
    )
    journal.record("gate_closed", {"account": account, "reason": reason, "by": by})
    return AccountOutcome(
        account=account,
        status=reading.state.value.lower(),
        exit_code=ExitCode.OK,
        actions=(move_record(account, reading),),
        evidence=reading_lines(reading),
        next_step=f"resyncctl cancel-all {account}",
    )


async def open_gate(
    request: OpenRequest,
    *,
    view: GateView,
    gate: GateControl,
    verdict: VerdictRecord | None,
    digests_now: Mapping[str, str],
    prompter: Prompter,
    journal: Journal,
    clock: Clock,
    newest: VerdictRecord | None = None,
) -> AccountOutcome:
    """Move the gate one step towards RUNNING, when every condition holds.

    `verdict` is the last safety verdict, `newest` the newest of any kind. A refusal is an outcome
    (REFUSED) that lists every condition with its evidence.

    Raises:
        DeclinedError: The typed name did not match.
        NoTerminalError: The name cannot be asked for, and was not given.
        RecordUnwritableError: A copy of the gate, or the journal, could not be written.
    """
    grounds = Grounds(verdict=verdict, digests_now=digests_now, newest=newest)
    conditions = conditions_now(request, grounds, view=view, journal=journal, clock=clock)
    if not all(condition.holds for condition in conditions):
        return refused(request, view.read(request.account), conditions)
    await confirm(request, prompter)
    # Time passed while the operator typed: the evidence must still hold at this moment.
    return step(request, grounds, view=view, gate=gate, journal=journal, clock=clock)


def guard(
    outcome: AccountOutcome, *, view: GateView, gate: GateControl, journal: Journal, clock: Clock
) -> GateReading | None:
    """Close the gate when a reconcile saw a storm of unknown orders; return the new reading.

    This is the one thing that an unattended `reconcile` may do by itself, because it only reduces
    risk. Findings that say "this could not be known" never move the gate.
    """
    storm = [f for f in outcome.findings if f.kind is Kind.UNKNOWN_ORDER_STORM]
    before = view.read(outcome.account)
    # A gate that cannot be trusted reads as UNSAFE while a copy may still let an engine trade.
    if not storm or (before.trusted and before.state is GateState.UNSAFE):
        return None
    reason = f"{len(outcome.findings)} findings, among them a storm of unknown orders"
    reading = gate.move(
        outcome.account,
        GateState.UNSAFE,
        reason=reason,
        by="guard",
        run_id=journal.run_id,
        now_ms=clock.now_ms(),
    )
    journal.record("guard_closed_gate", {"account": outcome.account, "reason": reason})
    return reading
