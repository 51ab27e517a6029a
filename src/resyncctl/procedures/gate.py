"""Show, close and open the gate of an account.

Closing needs nothing and is always allowed. Opening goes UNSAFE -> SAFE -> RUNNING, each step only
on a fresh, clean verdict that was made with the same configuration, and on a typed confirmation.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from resyncctl.core.discrepancy import Kind
from resyncctl.core.errors import DeclinedError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.outcome import AccountOutcome, ActionRecord
from resyncctl.core.safety import Condition, VerdictRecord, opening_conditions
from resyncctl.ports.powers import GateControl
from resyncctl.ports.prompts import Prompter
from resyncctl.ports.views import Clock, GateView, Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """What is asked: which account, to SAFE or RUNNING, why, and by whom.

    `confirmed_name` answers the typed confirmation (`--confirm ACCOUNT`).
    """

    account: str
    to: GateState
    reason: str
    by: str
    mode: str
    confirmed_name: str | None = None


def show(account: str, gate: GateView) -> AccountOutcome:
    """Return where the gate stands; an untrusted gate file is BLOCKED, because it means UNSAFE."""
    reading = gate.read(account)
    return AccountOutcome(
        account=account,
        status=reading.state.value.lower(),
        exit_code=ExitCode.OK if reading.trusted else ExitCode.BLOCKED,
        evidence=_reading(reading),
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
        actions=(_moved(account, reading),),
        evidence=_reading(reading),
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
) -> AccountOutcome:
    """Move the gate one step towards RUNNING, when every condition holds.

    A refusal is an outcome (REFUSED) that lists every condition with its evidence.

    Raises:
        DeclinedError: The typed name did not match.
        NoTerminalError: The name cannot be asked for, and was not given.
        RecordUnwritableError: A copy of the gate, or the journal, could not be written.
    """
    reading = view.read(request.account)
    conditions = opening_conditions(reading, request.to, verdict, digests_now, clock.now_ms())
    journal.record(
        "gate_conditions",
        {
            "account": request.account,
            "to": request.to.value,
            "conditions": [[c.name, c.holds, c.evidence] for c in conditions],
        },
    )
    if not all(condition.holds for condition in conditions):
        return _refused(request, reading, conditions)
    await _confirm(request, prompter)
    # Time passed while the operator typed: the evidence must still hold at this moment.
    conditions = opening_conditions(
        view.read(request.account), request.to, verdict, digests_now, clock.now_ms()
    )
    if verdict is None or not all(condition.holds for condition in conditions):
        return _refused(request, reading, conditions)
    journal.record("gate_opening", {"account": request.account, "to": request.to.value})
    moved = gate.move(
        request.account,
        request.to,
        reason=request.reason,
        by=request.by,
        run_id=journal.run_id,
        now_ms=clock.now_ms(),
        evidence={
            "verdict_run": verdict.run_id,
            "as_of_ms": verdict.as_of_ms,
            "valid_until_ms": verdict.valid_until_ms,
            "digests": dict(verdict.digests),
        },
    )
    return AccountOutcome(
        account=request.account,
        status=moved.state.value.lower(),
        exit_code=ExitCode.OK,
        actions=(_moved(request.account, moved),),
        evidence={**_reading(moved), "conditions": _lines(conditions)},
    )


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


async def _confirm(request: OpenRequest, prompter: Prompter) -> None:
    if request.confirmed_name is not None:
        matches = request.confirmed_name == request.account
    else:
        question = (
            f"{request.mode}: the gate of {request.account} goes to {request.to.value}. "
            "Type the account's name to go on:"
        )
        matches = await prompter.type_name(
            question, request.account, flag=f"--confirm {request.account}"
        )
    if not matches:
        raise DeclinedError("the typed name does not match; the gate did not move")


def _refused(
    request: OpenRequest, reading: GateReading, conditions: tuple[Condition, ...]
) -> AccountOutcome:
    failing = [condition.name for condition in conditions if not condition.holds]
    return AccountOutcome(
        account=request.account,
        status="refused",
        exit_code=ExitCode.REFUSED,
        evidence={
            **_reading(reading),
            "conditions": _lines(conditions),
            "failing": failing,
        },
        next_step=f"resyncctl {'reconcile' if reading.trusted else 'gate close'} {request.account}",
    )


def _lines(conditions: tuple[Condition, ...]) -> list[dict[str, object]]:
    return [{"name": c.name, "holds": c.holds, "evidence": c.evidence} for c in conditions]


def _reading(reading: GateReading) -> dict[str, object]:
    return {
        "state": reading.state.value,
        "reason": reading.reason,
        "since_ms": reading.since_ms,
        "by": reading.by,
        "sequence": reading.sequence,
        "trusted": reading.trusted,
    }


def _moved(account: str, reading: GateReading) -> ActionRecord:
    return ActionRecord(
        verb="gate_move", account=account, outcome=reading.state.value, state="done", attempts=1
    )
