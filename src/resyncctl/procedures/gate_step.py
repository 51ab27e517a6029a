"""One step of a gate towards RUNNING, for everybody who may take it: the conditions, then the move.

Promises: every condition is looked at in the moment of moving; each step is journaled before it is
taken; a refusal lists every condition with its evidence. Called by `gate`, `resync` and `resume`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What an opening stands on.

    The last safety verdict, the newest of any kind, and the digests of policy, manifest, tool and
    belief as they are now.
    """

    verdict: VerdictRecord | None
    digests_now: Mapping[str, str]
    newest: VerdictRecord | None = None


def conditions_now(
    request: OpenRequest, grounds: Grounds, *, view: GateView, journal: Journal, clock: Clock
) -> tuple[Condition, ...]:
    """Return every condition of this step as it is now, and journal it."""
    conditions = opening_conditions(
        view.read(request.account),
        request.to,
        grounds.verdict,
        grounds.digests_now,
        clock.now_ms(),
        newest=grounds.newest,
    )
    journal.record(
        "gate_conditions",
        {
            "account": request.account,
            "to": request.to.value,
            "conditions": [[c.name, c.holds, c.evidence] for c in conditions],
        },
    )
    return conditions


def step(
    request: OpenRequest,
    grounds: Grounds,
    *,
    view: GateView,
    gate: GateControl,
    journal: Journal,
    clock: Clock,
) -> AccountOutcome:
    """Move the gate one step when every condition holds at this moment; else refuse.

    Raises:
        RefusedError, StalePlanError: Somebody moved the gate, or the evidence expired, just now.
        RecordUnwritableError: A copy of the gate, or the journal, could not be written.
    """
    conditions = conditions_now(request, grounds, view=view, journal=journal, clock=clock)
    verdict = grounds.verdict
    if verdict is None or not all(condition.holds for condition in conditions):
        return refused(request, view.read(request.account), conditions)
    journal.record(
        "gate_opening",
        {"account": request.account, "to": request.to.value, "reason": request.reason},
    )
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
            "conditions": [condition.to_json() for condition in verdict.conditions],
        },
    )
    return AccountOutcome(
        account=request.account,
        status=moved.state.value.lower(),
        exit_code=ExitCode.OK,
        actions=(move_record(request.account, moved),),
        evidence={**reading_lines(moved), "conditions": _lines(conditions)},
        next_step=_onwards(request.account, moved.state),
    )


async def confirm(request: OpenRequest, prompter: Prompter) -> None:
    """Have the account's name typed, unless it was given.

    Raises:
        DeclinedError: The typed name did not match.
        NoTerminalError: The name cannot be asked for, and was not given.
    """
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


def refused(
    request: OpenRequest, reading: GateReading, conditions: tuple[Condition, ...]
) -> AccountOutcome:
    """Return the refusal with every condition, and what to type next."""
    failing = [condition.name for condition in conditions if not condition.holds]
    verb = "verify" if reading.trusted else "gate close"
    return AccountOutcome(
        account=request.account,
        status="refused",
        exit_code=ExitCode.REFUSED,
        evidence={
            **reading_lines(reading),
            "conditions": _lines(conditions),
            "failing": failing,
        },
        next_step=f"resyncctl {verb} {request.account}",
    )


def move_record(account: str, reading: GateReading) -> ActionRecord:
    """Return the record of a move that was made."""
    return ActionRecord(
        verb="gate_move", account=account, outcome=reading.state.value, state="done", attempts=1
    )


def reading_lines(reading: GateReading) -> dict[str, object]:
    """Return a gate's reading for a document."""
    return {
        "state": reading.state.value,
        "reason": reading.reason,
        "since_ms": reading.since_ms,
        "by": reading.by,
        "sequence": reading.sequence,
        "trusted": reading.trusted,
    }


def _onwards(account: str, state: GateState) -> str | None:
    return f"resyncctl verify --resume {account}" if state is GateState.SAFE else None


def _lines(conditions: tuple[Condition, ...]) -> list[dict[str, object]]:
    return [{"name": c.name, "holds": c.holds, "evidence": c.evidence} for c in conditions]
