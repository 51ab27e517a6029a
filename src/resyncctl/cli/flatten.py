"""`resyncctl flatten`: parse, hand out the powers, reduce one account to flat."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
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
    from resyncctl.core.flatten_holdings import AccountReading
    from resyncctl.core.flatten_plan import FlattenPlan
    from resyncctl.core.model import Scope
    from resyncctl.core.outcome import AccountOutcome, Outcome
    from resyncctl.ports.prompts import Prompter
    from resyncctl.ports.views import Journal
    from resyncctl.procedures.flatten_planning import FlattenRequest
    from resyncctl.settings.specs import AccountSpec

PROTECTIVE = ("keep", "cancel")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the operator asked for."""

    symbols: tuple[str, ...]
    into: str | None
    slippage_max: Decimal | None
    notional_max: Decimal | None
    protective: str
    plan_out: Path | None
    plan: "FlattenPlan | None"
    dry_run: bool
    confirmed_name: str | None
    reason: str
    deadline_ms: int
    lock_timeout_ms: int
    take_over: str | None


def command(
    *,
    accounts: Accounts = None,
    symbol: Symbols = None,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="ASSET", help="Sell spot assets into this one."),
    ] = None,
    max_slippage: Annotated[
        str | None,
        typer.Option(
            "--max-slippage",
            metavar="RATIO",
            help="Stop at a price this much worse, e.g. 0.005 or 0.5%.",
        ),
    ] = None,
    max_notional: Annotated[
        str | None,
        typer.Option("--max-notional", metavar="N", help="Trade at most this, per quote asset."),
    ] = None,
    protective: Annotated[
        str | None,
        typer.Option(
            "--protective", metavar="keep|cancel", help="What becomes of reduce-only stops."
        ),
    ] = None,
    plan_out: Annotated[
        Path | None,
        typer.Option("--plan-out", metavar="FILE", help="Write the plan, send nothing."),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option("--apply", metavar="FILE", help="Carry out this plan, or nothing."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do every check, print the plan, send nothing.")
    ] = False,
    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="ACCOUNT", help="The account's name, instead of typing it."
        ),
    ] = None,
    reason: Reason = "flatten by hand",
    deadline: Annotated[
        str, typer.Option("--deadline", metavar="TIME", help="End after this time.")
    ] = "20m",
    lock_timeout: LockTimeout = None,
    take_over: TakeOver = None,
) -> Job:
    """Close the gate, cancel orders, and reduce one account to flat. Never increases, never flips.

    Every order is reduce-only, or names its hedge leg, or sells spot that was free a moment ago.
    The end is a proof by readings. What cannot be reduced is named with quantity and value.

    Exit: 0 flat and proved (or the plan of a dry run), 12 a dry run could not see everything,
    13 something remains or is not proved, 20 a cap forbids it, 21 the plan is out of date,
    23 another name was typed, 24 the name cannot be asked for, 25 the account is held by another
    run, 65 the plan file is damaged, 69 unreachable, 74 unrecordable, 75 banned or limited, 77 key
    refused, 124 deadline before anything was sent, 130 or 143 interrupted.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import memory
        from resyncctl.cli.each import side_by_side
        from resyncctl.cli.saved_plan import read_plan

        specs = invocation.accounts(accounts or [])
        rehearse = dry_run or plan_out is not None
        if len(specs) != 1 and (not rehearse or plan_out is not None):
            raise UsageError(
                "flatten works on exactly one account",
                hint=f"name it: {', '.join(spec.name for spec in specs)}",
            )
        if apply is not None and (plan_out or symbol or into or max_slippage or max_notional):
            raise UsageError("--apply takes everything from the plan; give no other choice with it")
        asked = _Asked(
            symbols=tuple(symbol or ()),
            into=into,
            slippage_max=_ratio(max_slippage),
            notional_max=_amount(max_notional),
            protective=_protective(invocation, protective, silent=rehearse),
            plan_out=plan_out,
            plan=read_plan(apply) if apply is not None else None,
            dry_run=rehearse,
            confirmed_name=confirm,
            reason=reason,
            deadline_ms=duration_ms(deadline, "--deadline") or 0,
            lock_timeout_ms=duration_ms(lock_timeout, "--lock-timeout") or 0,
            take_over=reason_of(take_over, "--take-over"),
        )
        journal = memory.journal(invocation, [spec.name for spec in specs])
        invocation.announce()
        return invocation.outcome(
            await side_by_side(
                invocation, specs, [_account(invocation, spec, asked, journal) for spec in specs]
            )
        )

    return Job(name="flatten", run=run, mutates=True)


def _ratio(text: str | None) -> Decimal | None:
    if text is None:
        return None
    percent = text.endswith("%")
    number = _number(text.removesuffix("%").rstrip(), "--max-slippage")
    ratio = number / 100 if percent else number
    if not 0 < ratio < 1:
        raise UsageError("--max-slippage is a ratio between 0 and 1, or a percentage")
    return ratio


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    amount = _number(text, "--max-notional")
    if amount <= 0:
        raise UsageError("--max-notional is an amount above zero")
    return amount


def _number(text: str, option: str) -> Decimal:
    from resyncctl.core.money import NotANumber, decimal_from

    try:
        return decimal_from(text)
    except NotANumber as trouble:
        raise UsageError(f"{option}: {trouble}") from None


def _protective(invocation: "Invocation", choice: str | None, *, silent: bool) -> str:
    """Ask about protective orders only where somebody can answer; the silent answer is: keep."""
    if choice is not None and choice not in PROTECTIVE:
        raise UsageError(f"--protective is one of {', '.join(PROTECTIVE)}")
    if choice is not None:
        return choice
    return "keep" if silent or not invocation.prompter.can_ask() else "ask"


async def _account(
    invocation: "Invocation", spec: "AccountSpec", asked: _Asked, journal: "Journal"
) -> "AccountOutcome":
    from resyncctl.cli import memory, wiring
    from resyncctl.cli.cancel_all import OneAtATime
    from resyncctl.cli.left_behind import open_requests
    from resyncctl.cli.saved_plan import earlier_reductions
    from resyncctl.procedures.flatten import flatten

    gate = wiring.gate_files(invocation, spec)
    plans: list[FlattenPlan] = []

    def show(plan: "FlattenPlan", reading: "AccountReading") -> None:
        plans.append(plan)
        if not asked.dry_run:
            _show(invocation, spec, plan, reading)

    prompter: Prompter = OneAtATime(invocation.prompter)
    try:
        async with wiring.open_venue(invocation, spec) as venue:
            outcome = await flatten(
                _request(invocation, spec, asked, venue.view.profile.scopes),
                venue=venue.view,
                market=venue.market,
                cancel=venue.cancel,
                reduce=venue.reduce,
                gate=gate,
                leases=wiring.leases(invocation),
                journal=journal,
                clock=invocation.clock,
                progress=invocation.progress,
                prompter=prompter,
                policy=invocation.configuration.policy_of(spec.name),
                interrupted=invocation.interruption.asked,
                show_plan=show,
                left_behind=lambda: open_requests(invocation, spec.name),
                earlier=lambda: earlier_reductions(invocation, spec.name),
            )
    except ResyncError:
        _close_gate(invocation, spec, asked, journal)
        raise
    if asked.plan_out is not None:
        return _saved(outcome, plans[-1], asked.plan_out)
    symbols = asked.plan.wish.choice.symbols if asked.plan else asked.symbols
    if outcome.status == "flat" and not symbols:
        # A narrowed run has not proved what an earlier, wider one left behind.
        memory.resolve_earlier_runs(invocation, spec.name, journal.run_id)
    return outcome


def _close_gate(
    invocation: "Invocation", spec: "AccountSpec", asked: _Asked, journal: "Journal"
) -> None:
    """Close the gate also when the exchange or its key could not even be opened."""
    from resyncctl.cli import wiring
    from resyncctl.procedures import gate as gate_procedure

    if asked.dry_run:
        return
    try:
        gate_procedure.close(
            spec.name,
            reason=asked.reason,
            by=invocation.operator,
            gate=wiring.gate_files(invocation, spec),
            journal=journal,
            clock=invocation.clock,
        )
    except ResyncError as error:
        invocation.warn(f"the gate of {spec.name} could not be closed: {error.message}")


def _saved(outcome: "AccountOutcome", plan: "FlattenPlan", path: Path) -> "AccountOutcome":
    """Write the plan of a rehearsal; a plan of which a part is not known is not one."""
    from dataclasses import replace

    from resyncctl.cli.saved_plan import write_plan

    if plan.unread:
        refused = f"{path}: a part of the account is not known, so there is no plan to keep"
        return replace(outcome, evidence={**outcome.evidence, "plan_refused": refused})
    write_plan(path, plan)
    apply = f"resyncctl flatten {plan.account} --apply {path} --confirm {plan.account}"
    return replace(outcome, evidence={**outcome.evidence, "plan_file": str(path)}, next_step=apply)


def _show(
    invocation: "Invocation", spec: "AccountSpec", plan: "FlattenPlan", reading: "AccountReading"
) -> None:
    """Print the plan on standard error, before the operator is asked."""
    from resyncctl.procedures.flatten_report import rehearsed
    from resyncctl.screen.flatten import draw
    from resyncctl.screen.terminal import look_at, show

    if invocation.options.quiet:
        return
    invocation.progress.finish()
    stops = [order for order in reading.orders if order.protective]
    planned = rehearsed(spec.name, plan, kept=stops, earlier=0, as_of_ms=invocation.clock.now_ms())
    look = look_at(invocation.stderr)
    show(tuple(draw(planned, look)), invocation.stderr, look, colour=False)


def _request(
    invocation: "Invocation", spec: "AccountSpec", asked: _Asked, scopes: "Sequence[Scope]"
) -> "FlattenRequest":
    from resyncctl.cli import wiring
    from resyncctl.core.flatten_holdings import Choice
    from resyncctl.procedures.flatten_planning import FlattenRequest

    known = wiring.known_symbols(invocation, spec)
    return FlattenRequest(
        account=spec.name,
        scopes=tuple(scopes),
        choice=Choice(symbols=asked.symbols, into=asked.into),
        slippage_max=asked.slippage_max,
        notional_max=asked.notional_max,
        protective=asked.protective,
        reason=asked.reason,
        by=invocation.operator,
        mode=spec.banner,
        dry_run=asked.dry_run,
        confirmed_name=asked.confirmed_name,
        plan=asked.plan,
        known_symbols=known,
        known_pairs=tuple(unified for scope, unified, _ in known if scope.product == "spot"),
        deadline_ms=asked.deadline_ms,
        lock_timeout_ms=asked.lock_timeout_ms,
        take_over=asked.take_over,
    )
