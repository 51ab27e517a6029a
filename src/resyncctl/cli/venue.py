"""`resyncctl venue show`: what the exchange reports, scope by scope, with completeness."""

from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.arguments import Accounts, Symbols, duration_ms
from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import AccountOutcome, Outcome
    from resyncctl.settings.specs import AccountSpec


def show(
    accounts: Accounts = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="AGE", help="Show fills back to here, e.g. 48h."),
    ] = None,
    symbol: Symbols = None,
) -> Job:
    """Show what the exchange reports, and which parts of it could not be read. Changes nothing.

    With --json the answer for one account is a resyncctl/venue-snapshot/v1 document, which
    `reconcile --venue-snapshot` reads.

    Exit: 0 everything was read, 12 something was not, 69 unreachable, 75 try again later,
    77 key refused.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli.each import side_by_side

        specs = invocation.accounts(accounts or [])
        since_ms = duration_ms(since, "--since")
        works = [_account(invocation, spec, since_ms, tuple(symbol or ())) for spec in specs]
        return invocation.outcome(await side_by_side(invocation, specs, works))

    return Job(name="venue-show", run=run)


async def _account(
    invocation: "Invocation", spec: "AccountSpec", since_ms: int | None, symbols: tuple[str, ...]
) -> "AccountOutcome":
    from resyncctl.cli import snapshots, wiring
    from resyncctl.core.snapshot import Window
    from resyncctl.procedures.gather import GatherRequest, gather_venue

    policy = invocation.configuration.policy_of(spec.name)
    now_ms = invocation.clock.now_ms()
    reach_ms = policy.lookback_ms if since_ms is None else since_ms
    async with wiring.open_venue(invocation, spec) as venue:
        request = GatherRequest(
            scopes=venue.view.profile.scopes,
            window=Window(now_ms - reach_ms, now_ms),
            symbols=symbols,
        )
        snapshot = await gather_venue(
            request,
            venue=venue.view,
            engine=wiring.engine_view(invocation, spec).read(spec.name, now_ms),
            clock=invocation.clock,
            policy=policy,
            progress=invocation.progress,
        )
    return snapshots.venue_outcome(snapshot)
