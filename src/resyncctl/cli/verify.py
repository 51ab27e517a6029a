"""`resyncctl verify`: is the account safe? With `--resume` its gate moves to RUNNING."""

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
from resyncctl.core.errors import UsageError

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import AccountOutcome, Outcome
    from resyncctl.ports.views import Journal
    from resyncctl.settings.specs import AccountSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the operator asked for."""

    engine_stopped: bool
    resume: bool
    confirmed_name: str | None
    watch_ms: int | None
    reason: str
    deadline_ms: int
    lock_timeout_ms: int
    take_over: str | None


def command(
    *,
    accounts: Accounts = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Let the engine trade again, if every condition holds."),
    ] = False,
    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="ACCOUNT", help="The account's name, instead of typing it."
        ),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch",
            metavar="TIME",
            help="Watch this long after the resume. Default: policy.watch_window.",
        ),
    ] = None,
    no_watch: Annotated[
        bool, typer.Option("--no-watch", help="Do not watch after the resume.")
    ] = False,
    engine_stopped: EngineStopped = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the record of a resume.")
    ] = "proved safe",
    take_over: TakeOver = None,
    lock_timeout: LockTimeout = None,
    deadline: Annotated[
        str, typer.Option("--deadline", metavar="TIME", help="End the proof after this time.")
    ] = "5m",
) -> Job:
    """Say whether an account is SAFE: every condition with its evidence and age. Changes nothing.

    With --resume the gate goes UNSAFE, SAFE, RUNNING, each step on conditions that hold in that
    moment. Afterwards the account is watched, and the first new difference closes the gate again.

    Exit: 0 SAFE (or resumed, and the watch saw no trouble), 11 blocked, 12 not everything is known,
    20 the resume is refused, 23 another name was typed, 24 the name cannot be asked for, 25 the
    account is held by another run, 69 unreachable, 74 unrecordable, 75 banned or limited, 77 key
    refused.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import memory
        from resyncctl.cli.each import side_by_side

        specs = invocation.accounts(accounts or [])
        if resume and len(specs) != 1:
            raise UsageError(
                "--resume opens one gate at a time",
                hint=f"name the account: {', '.join(spec.name for spec in specs)}",
            )
        if not resume and (confirm or watch or no_watch or take_over or lock_timeout):
            raise UsageError(
                "--confirm, --watch, --no-watch, --take-over and --lock-timeout belong to --resume"
            )
        if watch is not None and no_watch:
            raise UsageError("--watch and --no-watch contradict each other")
        asked = _Asked(
            engine_stopped=engine_stopped,
            resume=resume,
            confirmed_name=confirm,
            watch_ms=0 if no_watch else duration_ms(watch, "--watch"),
            reason=reason,
            deadline_ms=duration_ms(deadline, "--deadline") or 0,
            lock_timeout_ms=duration_ms(lock_timeout, "--lock-timeout") or 0,
            take_over=reason_of(take_over, "--take-over"),
        )
        journal = memory.journal(invocation, [spec.name for spec in specs])
        invocation.announce()
        work = _resume if resume else _verify
        return invocation.outcome(
            await side_by_side(
                invocation, specs, [work(invocation, spec, asked, journal) for spec in specs]
            )
        )

    return Job(name="verify", run=run, mutates=resume)


async def _verify(
    invocation: "Invocation", spec: "AccountSpec", asked: _Asked, journal: "Journal"
) -> "AccountOutcome":
    from resyncctl.cli import attest, verdicts, wiring
    from resyncctl.cli.countdowns import left_running
    from resyncctl.cli.left_behind import open_requests
    from resyncctl.procedures.verify import VerifyRequest, verify

    async with wiring.open_venue(invocation, spec) as venue:
        return await verify(
            VerifyRequest(
                account=spec.name,
                scopes=venue.view.profile.scopes,
                left_behind=open_requests(invocation, spec.name),
                countdowns=left_running(invocation, spec.name),
                deadline_ms=asked.deadline_ms,
            ),
            venue=venue.view,
            engine=wiring.engine_view(invocation, spec),
            gate=wiring.gate_files(invocation, spec),
            silence=attest.silence(invocation, spec, journal, stopped=asked.engine_stopped),
            journal=journal,
            clock=invocation.clock,
            progress=invocation.progress,
            policy=invocation.configuration.policy_of(spec.name),
            interrupted=invocation.interruption.asked,
            remember=lambda record: verdicts.keep(invocation, record),
        )


async def _resume(
    invocation: "Invocation", spec: "AccountSpec", asked: _Asked, journal: "Journal"
) -> "AccountOutcome":
    from resyncctl.cli import attest, memory, verdicts, wiring
    from resyncctl.cli.countdowns import left_running
    from resyncctl.cli.left_behind import open_requests
    from resyncctl.cli.wiring_switch import switch_maker
    from resyncctl.procedures.resume import ResumeRequest, resume

    gate = wiring.gate_files(invocation, spec)
    async with wiring.open_venue(invocation, spec) as venue:
        outcome = await resume(
            ResumeRequest(
                account=spec.name,
                scopes=venue.view.profile.scopes,
                reason=asked.reason,
                by=invocation.operator,
                mode=spec.banner,
                confirmed_name=asked.confirmed_name,
                watch_ms=asked.watch_ms,
                countdowns=left_running(invocation, spec.name),
                deadline_ms=asked.deadline_ms,
                lock_timeout_ms=asked.lock_timeout_ms,
                take_over=asked.take_over,
            ),
            venue=venue.view,
            engine=wiring.engine_view(invocation, spec),
            gate=gate,
            gate_view=gate,
            leases=wiring.leases(invocation),
            silence=attest.silence(invocation, spec, journal, stopped=asked.engine_stopped),
            journal=journal,
            clock=invocation.clock,
            progress=invocation.progress,
            prompter=invocation.prompter,
            policy=invocation.configuration.policy_of(spec.name),
            switches=switch_maker(invocation, spec, venue, journal),
            remember=lambda record: verdicts.keep(invocation, record),
            verdict=verdicts.last_safety(invocation, spec.name),
            newest=verdicts.newest(invocation, spec.name),
            interrupted=invocation.interruption.asked,
            left_behind=lambda: open_requests(invocation, spec.name),
        )
    if outcome.status.startswith("resumed"):
        memory.resolve_earlier_runs(invocation, spec.name, journal.run_id)
    return outcome
