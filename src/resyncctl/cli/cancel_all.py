"""`resyncctl cancel-all`: parse, hand out the powers, run every account side by side."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.arguments import (
    Accounts,
    LockTimeout,
    Reason,
    Symbols,
    TakeOver,
    duration_ms,
    reason_of,
)
from resyncctl.cli.job import Job
from resyncctl.core.errors import ResyncError, UsageError

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.cli.wiring import Gate
    from resyncctl.core.outcome import AccountOutcome, Outcome
    from resyncctl.ports.prompts import Prompter
    from resyncctl.ports.views import Journal
    from resyncctl.procedures.cancel_planning import CancelAllRequest
    from resyncctl.settings.specs import AccountSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the operator asked for."""

    symbols: tuple[str, ...]
    prefixes: tuple[str, ...]
    stale: bool
    protective: str
    reason: str
    dry_run: bool
    yes: bool
    expect_plan: str | None
    deadline_ms: int
    lock_timeout_ms: int
    take_over: str | None


def command(
    *,
    accounts: Accounts = None,
    symbol: Symbols = None,
    prefix: Annotated[
        list[str] | None,
        typer.Option(
            "--prefix", metavar="TEXT", help="Only orders whose client order id begins so."
        ),
    ] = None,
    stale: Annotated[
        bool,
        typer.Option("--stale", help="Only orders older than policy.stale_order; the gate stays."),
    ] = False,
    include_protective: Annotated[
        bool,
        typer.Option(
            "--include-protective", help="Also cancel reduce-only stops of open positions."
        ),
    ] = False,
    reason: Reason = "cancel-all by hand",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do every check, print the plan, send nothing.")
    ] = False,
    expect_plan: Annotated[
        str | None,
        typer.Option(
            "--expect-plan", metavar="DIGEST", help="Go on only with the plan of this digest."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    deadline: Annotated[
        str, typer.Option("--deadline", metavar="TIME", help="End after this time.")
    ] = "10m",
    lock_timeout: LockTimeout = None,
    take_over: TakeOver = None,
) -> Job:
    """Close the gate, cancel orders, and prove that they are gone. Places nothing, ever.

    An acknowledgement is no proof: the end is several clean readings after the last request could
    still take effect, and a final status for every order that was seen.

    Exit: 0 proved, 13 orders remain or absence is not proved, 14 some accounts only, 20 refused,
    21 the plan has changed, 23 declined, 24 nobody to ask, 25 the account is held by another run,
    69 unreachable, 74 unrecordable, 75 banned or limited, 77 key refused, 124 deadline before
    anything was sent, 130 or 143 interrupted.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import memory
        from resyncctl.cli.each import side_by_side

        specs = invocation.accounts(accounts or [])
        if expect_plan is not None and len(specs) != 1:
            raise UsageError("--expect-plan is the digest of one account's plan; name the account")
        asked = _Asked(
            symbols=tuple(symbol or ()),
            prefixes=tuple(prefix or ()),
            stale=stale,
            protective=_protective(
                invocation, include=include_protective, silent=yes or dry_run or bool(expect_plan)
            ),
            reason=reason,
            dry_run=dry_run,
            yes=yes,
            expect_plan=expect_plan,
            deadline_ms=duration_ms(deadline, "--deadline") or 0,
            lock_timeout_ms=duration_ms(lock_timeout, "--lock-timeout") or 0,
            take_over=reason_of(take_over, "--take-over"),
        )
        journal = memory.journal(invocation, [spec.name for spec in specs], break_glass=True)
        # Something to read at once: opening the exchange takes a moment.
        invocation.announce()
        prompter = OneAtATime(invocation.prompter)
        return invocation.outcome(
            await side_by_side(
                invocation,
                specs,
                [_account(invocation, spec, asked, journal, prompter) for spec in specs],
            )
        )

    return Job(name="cancel-all", run=run, mutates=True)


def _protective(invocation: "Invocation", *, include: bool, silent: bool) -> str:
    """Ask about protective orders only where somebody can answer; the silent answer is: keep."""
    if include:
        return "cancel"
    return "keep" if silent or not invocation.prompter.can_ask() else "ask"


async def _account(
    invocation: "Invocation",
    spec: "AccountSpec",
    asked: _Asked,
    journal: "Journal",
    prompter: "Prompter",
) -> "AccountOutcome":
    from resyncctl.cli import memory, wiring
    from resyncctl.cli.left_behind import open_requests
    from resyncctl.procedures.cancel_all import cancel_all

    gate = wiring.gate_files(invocation, spec)
    async with contextlib.AsyncExitStack() as stack:
        try:
            named = bool(asked.symbols)
            opening = wiring.open_venue(invocation, spec, names_symbols=named)
            venue = await stack.enter_async_context(opening)
        except ResyncError:
            # Closing the gate needs no key and no exchange, so it never waits for them.
            _close_gate(invocation, spec, asked, gate, journal)
            raise
        outcome = await cancel_all(
            _request(invocation, spec, asked, venue.view.profile.scopes),
            venue=venue.view,
            cancel=venue.cancel,
            gate=gate,
            leases=wiring.leases(invocation),
            journal=journal,
            clock=invocation.clock,
            progress=invocation.progress,
            prompter=prompter,
            policy=invocation.configuration.policy_of(spec.name),
            interrupted=invocation.interruption.asked,
            left_behind=lambda: open_requests(invocation, spec.name),
        )
    whole = not (asked.symbols or asked.prefixes or asked.stale)
    if outcome.status == "proved_empty" and whole:
        # A narrowed run has not proved what an earlier, wider one left behind.
        memory.resolve_earlier_runs(invocation, spec.name, journal.run_id)
    return outcome


def _close_gate(
    invocation: "Invocation",
    spec: "AccountSpec",
    asked: _Asked,
    gate: "Gate",
    journal: "Journal",
) -> None:
    from resyncctl.procedures import gate as gate_procedure

    if asked.dry_run or asked.stale:
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


def _request(
    invocation: "Invocation", spec: "AccountSpec", asked: _Asked, scopes: Sequence[object]
) -> "CancelAllRequest":
    from resyncctl.cli import wiring
    from resyncctl.core.plan import Selection
    from resyncctl.procedures.cancel_planning import CancelAllRequest

    policy = invocation.configuration.policy_of(spec.name)
    old_ms = invocation.clock.now_ms() - policy.stale_order_ms
    return CancelAllRequest(
        account=spec.name,
        scopes=tuple(scopes),  # type: ignore[arg-type]  # the profile's own scopes
        selection=Selection(
            symbols=asked.symbols,
            prefixes=asked.prefixes,
            created_before_ms=old_ms if asked.stale else None,
        ),
        protective=asked.protective,
        reason=asked.reason,
        by=invocation.operator,
        mode=spec.banner,
        dry_run=asked.dry_run,
        assume_yes=asked.yes,
        expected_digest=asked.expect_plan,
        known_symbols=wiring.known_symbols(invocation, spec),
        closes_gate=not asked.stale,
        deadline_ms=asked.deadline_ms,
        lock_timeout_ms=asked.lock_timeout_ms,
        take_over=asked.take_over,
    )


class OneAtATime:
    """A prompter for accounts that run side by side: questions wait for one another."""

    def __init__(self, prompter: "Prompter") -> None:
        self._prompter = prompter
        self._turn = asyncio.Lock()

    async def confirm(self, question: str, *, flag: str, default: bool = False) -> bool:
        """Ask for yes or no; see `ports.prompts.Prompter`."""
        async with self._turn:
            return await self._prompter.confirm(question, flag=flag, default=default)

    async def choose(
        self, question: str, options: Sequence[tuple[str, str]], *, default: str, flag: str
    ) -> str:
        """Ask for one of the options; see `ports.prompts.Prompter`."""
        async with self._turn:
            return await self._prompter.choose(question, options, default=default, flag=flag)

    async def type_name(self, question: str, expected: str, *, flag: str) -> bool:
        """Ask for a name to be typed in full; see `ports.prompts.Prompter`."""
        async with self._turn:
            return await self._prompter.type_name(question, expected, flag=flag)
