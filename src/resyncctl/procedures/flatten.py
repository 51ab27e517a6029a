"""Cancel first, then reduce an account to flat; never increase and never flip a holding.

The order of steps: the gate is closed, the account is taken, orders of earlier runs are looked up,
the account is read and a plan is agreed on, resting orders are cancelled and proved gone, every
holding is reduced order by order, and the end is a proof by readings. Closing the gate fails open.
Sending fails closed: without a lease, a journaled intent or a fresh reading no order leaves.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from resyncctl.core.flatten_order import EarlierReduction
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.ports.powers import (
    GateControl,
    LeaseControl,
    LeaseKeeper,
    VenueCancel,
    VenueReduce,
)
from resyncctl.ports.prompts import Interrupted, Prompter
from resyncctl.ports.views import Clock, Journal, MarketView, Progress, VenueView
from resyncctl.procedures.flatten_planning import (
    FlattenRequest,
    ShowPlan,
    show_nothing,
)
from resyncctl.procedures.flatten_report import FlattenState
from resyncctl.procedures.flatten_run import FlattenRun
from resyncctl.procedures.take_over import Waiting, Wish, take_account, who_asked

__all__ = ["FlattenRequest", "flatten"]


async def flatten(
    request: FlattenRequest,
    *,
    venue: VenueView,
    market: MarketView,
    cancel: VenueCancel,
    reduce: VenueReduce,
    gate: GateControl,
    leases: LeaseControl,
    journal: Journal,
    clock: Clock,
    progress: Progress,
    prompter: Prompter,
    policy: Policy,
    interrupted: Interrupted = lambda: False,
    under: LeaseKeeper | None = None,
    show_plan: ShowPlan = show_nothing,
    left_behind: Callable[[], Sequence[OpenRequest]] = tuple,
    earlier: Callable[[], Sequence[EarlierReduction]] = tuple,
) -> AccountOutcome:
    """Reduce the chosen holdings of one account to flat and prove it.

    `under` is the lease of a larger procedure; it is neither acquired nor released here.
    `show_plan` is called once, before the operator is asked. `left_behind` and `earlier` are asked
    once the account is ours: requests and reducing orders of other runs without a known outcome.

    Raises:
        LockedError, CredentialsRefusedError, VenueUnavailableError, TryAgainLaterError,
        RefusedError, StalePlanError, DeclinedError, NoTerminalError, DeadlineError,
        RecordUnwritableError: Nothing was sent; the message says why.
    """
    run = FlattenRun(
        request=request,
        venue=venue,
        market=market,
        cancel=cancel,
        reduce=reduce,
        gate=gate,
        leases=leases,
        journal=journal,
        clock=clock,
        progress=progress,
        prompter=prompter,
        policy=policy,
        interrupted=interrupted,
        show_plan=show_plan,
        left_behind=left_behind,
        earlier=earlier,
        state=FlattenState(began_ms=clock.monotonic_ms()),
    )
    if request.dry_run:
        return await run.rehearse()
    run.close_gate()
    if under is not None:
        return await run.carry_out(under)
    return await _with_own_lease(run)


async def _with_own_lease(run: FlattenRun) -> AccountOutcome:
    """Take the account, carry the run out, give the account back."""
    request = run.request
    wish = Wish(
        account=request.account,
        request_validity_ms=run.policy.request_validity_ms,
        wait_ms=request.lock_timeout_ms,
        take_over=request.take_over,
    )
    waiting = Waiting(
        leases=run.leases,
        journal=run.journal,
        clock=run.clock,
        progress=run.progress,
        interrupted=run.interrupted,
    )
    lease = await take_account(wish, waiting)
    try:
        outcome = await run.carry_out(lease)
        # Both runs learn of each other: the other one was told who holds the account.
        wanted_by = who_asked(lease, waiting)
        return replace(outcome, evidence={**outcome.evidence, "wanted_by": wanted_by})
    finally:
        lease.release()
