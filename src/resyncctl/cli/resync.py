"""`resyncctl resync`: parse, hand out the powers, bring every account to SAFE side by side."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.arguments import (
    Accounts,
    EngineStopped,
    LockTimeout,
    TakeOver,
    duration_ms,
    reason_of,
)
from resyncctl.cli.job import Job
from resyncctl.core.errors import ResyncError, UsageError

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import AccountOutcome, Outcome
    from resyncctl.ports.prompts import Prompter
    from resyncctl.ports.views import Journal
    from resyncctl.procedures.resync import ResyncRequest
    from resyncctl.settings.specs import AccountSpec

UNTIL = ("safe", "verdict")
PROTECTIVE = ("keep", "cancel")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the operator asked for."""

    reason: str
    skip_cancel: bool
    until: str
    repair: bool
    protective: str
    engine_stopped: bool
    yes: bool
    deadline_ms: int | None
    lock_timeout_ms: int
    take_over: str | None


def command(
    *,
    accounts: Accounts = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the record. Required.")
    ],
    skip_cancel: Annotated[
        bool,
        typer.Option(
            "--skip-cancel",
            help="Leave orders that both sides know resting, if all four conditions hold.",
        ),
    ] = False,
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="safe|verdict", help="Move the gate to SAFE, or only say so."
        ),
    ] = "safe",
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="First bring our own checkpoint to what the exchange reports."
        ),
    ] = False,
    protective: Annotated[
        str | None,
        typer.Option(
            "--protective", metavar="keep|cancel", help="What becomes of reduce-only stops."
        ),
    ] = None,
    engine_stopped: EngineStopped = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    take_over: TakeOver = None,
    lock_timeout: LockTimeout = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            "--deadline", metavar="TIME", help="End after this time. Default: policy.rto."
        ),
    ] = None,
) -> Job:
    """Close the gate, cancel, compare, prove: bring a lost account to SAFE in one command.

    Fit for an engine's disconnect hook: it needs no terminal, and a second call while one runs ends
    at once. It repeats what can be mended and ends with exactly what is missing. The gate goes to
    SAFE and never further: `verify --resume` lets the engine trade.

    Exit: 0 SAFE, 11 differences forbid it, 12 not everything is known, 13 orders remain or are not
    proved gone, 14 some accounts only, 23 declined, 24 nobody to ask, 25 the account is held by
    another run, 69 unreachable, 74 unrecordable, 75 banned or limited, 77 key refused, 130 or 143
    interrupted.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import memory
        from resyncctl.cli.cancel_all import OneAtATime
        from resyncctl.cli.each import side_by_side

        specs = invocation.accounts(accounts or [])
        asked = _Asked(
            reason=reason_of(reason, "--reason") or "",
            skip_cancel=skip_cancel,
            until=_one_of(until, UNTIL, "--until"),
            repair=repair,
            protective=_protective(invocation, protective, silent=yes),
            engine_stopped=engine_stopped,
            yes=yes,
            deadline_ms=duration_ms(deadline, "--deadline"),
            lock_timeout_ms=duration_ms(lock_timeout, "--lock-timeout") or 0,
            take_over=reason_of(take_over, "--take-over"),
        )
        journal = memory.journal(invocation, [spec.name for spec in specs], break_glass=True)
        invocation.announce()
        prompter = OneAtATime(invocation.prompter)
        return invocation.outcome(
            await side_by_side(
                invocation,
                specs,
                [_account(invocation, spec, asked, journal, prompter) for spec in specs],
            )
        )

    return Job(name="resync", run=run, mutates=True)


def _one_of(word: str, words: tuple[str, ...], option: str) -> str:
    if word not in words:
        raise UsageError(f"{option} is one of {', '.join(words)}")
    return word


def _protective(invocation: "Invocation", choice: str | None, *, silent: bool) -> str:
    """Ask about protective orders only where somebody can answer; the silent answer is: keep."""
    if choice is not None:
        return _one_of(choice, PROTECTIVE, "--protective")
    return "keep" if silent or not invocation.prompter.can_ask() else "ask"


async def _account(
    invocation: "Invocation",
    spec: "AccountSpec",
    asked: _Asked,
    journal: "Journal",
    prompter: "Prompter",
) -> "AccountOutcome":
    from resyncctl.cli import attest, memory, verdicts, wiring
    from resyncctl.cli.left_behind import open_requests
    from resyncctl.cli.wiring_switch import switch_maker
    from resyncctl.procedures.resync import resync

    gate = wiring.gate_files(invocation, spec)
    try:
        async with wiring.open_venue(invocation, spec) as venue:
            outcome = await resync(
                _request(invocation, spec, asked, venue.view.profile.scopes),
                venue=venue.view,
                cancel=venue.cancel,
                gate=gate,
                gate_view=gate,
                leases=wiring.leases(invocation),
                engine=wiring.engine_view(invocation, spec),
                silence=attest.silence(invocation, spec, journal, stopped=asked.engine_stopped),
                journal=journal,
                clock=invocation.clock,
                progress=invocation.progress,
                prompter=prompter,
                policy=invocation.configuration.policy_of(spec.name),
                switches=switch_maker(invocation, spec, venue, journal),
                remember=lambda record: verdicts.keep(invocation, record),
                interrupted=invocation.interruption.asked,
                repair=wiring.repair_of(invocation, spec) if asked.repair else None,
                left_behind=lambda: open_requests(invocation, spec.name),
            )
    except ResyncError:
        # Closing the gate needs no key and no exchange, so it never waits for them.
        _close_gate(invocation, spec, asked, journal)
        raise
    if outcome.evidence.get("safety") == "safe":
        memory.resolve_earlier_runs(invocation, spec.name, journal.run_id)
    return outcome


def _request(
    invocation: "Invocation", spec: "AccountSpec", asked: _Asked, scopes: object
) -> "ResyncRequest":
    from resyncctl.cli import wiring
    from resyncctl.procedures.resync import ResyncRequest

    return ResyncRequest(
        account=spec.name,
        scopes=tuple(scopes),  # type: ignore[arg-type]  # the profile's own scopes
        reason=asked.reason,
        by=invocation.operator,
        mode=spec.banner,
        skip_cancel=asked.skip_cancel,
        until=asked.until,
        protective=asked.protective,
        want_repair=asked.repair,
        # Whoever calls it from a hook has decided; a person at a terminal is shown what goes.
        assume_yes=asked.yes or not invocation.prompter.can_ask(),
        known_symbols=wiring.known_symbols(invocation, spec),
        deadline_ms=asked.deadline_ms,
        lock_timeout_ms=asked.lock_timeout_ms,
        take_over=asked.take_over,
    )


def _close_gate(
    invocation: "Invocation", spec: "AccountSpec", asked: _Asked, journal: "Journal"
) -> None:
    from resyncctl.cli import wiring
    from resyncctl.core.gate import GateState
    from resyncctl.procedures import gate as gate_procedure

    gate = wiring.gate_files(invocation, spec)
    reading = gate.read(spec.name)
    if reading.trusted and reading.state is not GateState.RUNNING:
        return
    try:
        gate_procedure.close(
            spec.name,
            reason=asked.reason,
            by=invocation.operator,
            gate=gate,
            journal=journal,
            clock=invocation.clock,
        )
    except ResyncError as error:
        invocation.warn(f"the gate of {spec.name} could not be closed: {error.message}")
