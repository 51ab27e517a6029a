"""`resyncctl status`: the board. It reads this host's records and gates, and asks no exchange."""

from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.arguments import Accounts, duration_ms
from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.gate import GateReading
    from resyncctl.core.outcome import AccountOutcome, Outcome
    from resyncctl.core.safety import VerdictRecord
    from resyncctl.settings.specs import AccountSpec

_LEAST_PAUSE_MS = 200


def command(
    accounts: Accounts = None,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch", metavar="EVERY", help="Show it again and again, e.g. 2s, until interrupted."
        ),
    ] = None,
) -> Job:
    """Show the gate, unfinished runs and last verdict of every account. Asks no exchange.

    Exit: 0 no gate is UNSAFE and no run is unfinished, 11 one is, 12 the records could not be
    read, 78 the configuration is wrong.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli.printing import print_outcome

        every_ms = duration_ms(watch, "--watch")
        while every_ms is not None:
            print_outcome(board(invocation, accounts or []), invocation, clear=True)
            await invocation.clock.sleep_ms(max(every_ms, _LEAST_PAUSE_MS))
        return board(invocation, accounts or [])

    return Job(name="status", run=run)


def board(invocation: "Invocation", names: list[str]) -> "Outcome":
    """Return the board as it is now: what needs hands comes first."""
    from resyncctl.cli import memory

    outcomes = [_account(spec, invocation) for spec in invocation.accounts(names)]
    outcomes.sort(key=lambda one: not one.data["unfinished_runs"])
    trouble = list(memory.store(invocation).trouble)
    return invocation.outcome(outcomes, data={"trouble": trouble} if trouble else None)


def _account(spec: "AccountSpec", invocation: "Invocation") -> "AccountOutcome":
    from resyncctl.cli import memory, verdicts, wiring
    from resyncctl.core.exit_codes import ExitCode
    from resyncctl.core.gate import GateState
    from resyncctl.core.outcome import AccountOutcome
    from resyncctl.core.safety import VerdictRecord
    from resyncctl.core.snapshot import Unknown

    gate = wiring.gate_files(invocation, spec).read(spec.name)
    unfinished = memory.unfinished_runs(invocation, spec.name)
    verdict = memory.store(invocation).last_verdict(spec.name)
    remarks: list[str] = []
    last: dict[str, object] | None = None
    if isinstance(verdict, Unknown):
        remarks.append(f"the last verdict could not be read: {verdict.reason}")
    elif isinstance(verdict, VerdictRecord):
        last = _verdict(verdict)
    safety = verdicts.last_safety(invocation, spec.name)
    incident = _incident(invocation, spec.name, remarks)
    needs_hands = gate.state is GateState.UNSAFE or bool(unfinished)
    code = ExitCode.BLOCKED if needs_hands else ExitCode.OK
    if not needs_hands and isinstance(verdict, Unknown):
        code = ExitCode.INCOMPLETE
    return AccountOutcome(
        account=spec.name,
        status="unfinished" if unfinished else gate.state.value.lower(),
        exit_code=code,
        data={
            "mode": spec.mode.value,
            "venue": spec.venue,
            "gate": {
                "state": gate.state.value,
                "trusted": gate.trusted,
                "reason": gate.reason,
                "since_ms": gate.since_ms,
                "by": gate.by,
                "sequence": gate.sequence,
            },
            "last_reconcile": last,
            "last_safety": _verdict(safety) if safety is not None else None,
            "unfinished_runs": unfinished,
            "incident": incident,
            "held_by": wiring.holder(invocation, spec.name),
            "remarks": remarks,
        },
        next_step=_next(
            spec.name,
            gate,
            unfinished=bool(unfinished),
            safety=safety,
            now_ms=invocation.clock.now_ms(),
        ),
    )


def _verdict(record: "VerdictRecord") -> dict[str, object]:
    return {
        "kind": record.kind.value,
        "verdict": record.verdict.value,
        "blocks_resume": record.blocks_resume,
        "as_of_ms": record.as_of_ms,
        "valid_until_ms": record.valid_until_ms,
        "run_id": record.run_id,
    }


def _incident(
    invocation: "Invocation", account: str, remarks: list[str]
) -> dict[str, object] | None:
    """Return the open incident; one that cannot be read is a remark and never "none"."""
    from resyncctl.cli.incident_record import incidents
    from resyncctl.core.snapshot import Unknown

    found = incidents(invocation).current(account)
    if isinstance(found, Unknown):
        remarks.append(f"whether an incident is open is not known: {found.reason}")
        return None
    if found is None:
        return None
    return {"id": found.incident_id, "opened_ms": found.opened_ms, "reason": found.reason}


def _next(
    account: str,
    gate: "GateReading",
    *,
    unfinished: bool,
    safety: "VerdictRecord | None",
    now_ms: int,
) -> str | None:
    """Return what to type next: finish what was begun, make it safe, prove it, let it trade."""
    from resyncctl.core.gate import GateState
    from resyncctl.core.safety import opening_conditions

    if unfinished:
        return f"resyncctl cancel-all {account}"
    if gate.state is GateState.RUNNING:
        return None
    if not gate.trusted:
        return f"resyncctl gate close {account}"
    to = GateState.SAFE if gate.state is GateState.UNSAFE else GateState.RUNNING
    # What the verdict was made from is looked at when the gate moves; here only its own validity.
    if all(one.holds for one in opening_conditions(gate, to, safety, {}, now_ms)):
        return f"resyncctl verify --resume {account}"
    if gate.state is GateState.SAFE or (safety is not None and safety.opens):
        return f"resyncctl verify {account}"
    return f"resyncctl resync {account} --reason 'the gate is closed'"
