"""`resyncctl reconcile`: parse and run the comparison; cron's manners are in `cli.cron`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.arguments import Accounts, Symbols, duration_ms
from resyncctl.cli.job import Job
from resyncctl.core.errors import UsageError

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome


def command(
    *,
    accounts: Accounts = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="AGE", help="Compare fills back to here, e.g. 48h."),
    ] = None,
    symbol: Symbols = None,
    second_look: Annotated[
        bool | None,
        typer.Option(
            "--second-look/--no-second-look",
            help="Count a finding only if it survives a second look. Default: when the gate is"
            " RUNNING.",
        ),
    ] = None,
    emit_events: Annotated[
        Path | None,
        typer.Option(
            "--emit-events",
            metavar="FILE",
            help="Write the events that bring the engine to the exchange's truth, one JSON line"
            " each; - is standard output.",
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Apply these events to the engine's checkpoint."),
    ] = False,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="TIME", help="Run again and again, e.g. 5m."),
    ] = None,
    splay: Annotated[
        str | None,
        typer.Option("--splay", metavar="TIME", help="Wait a random time up to this first."),
    ] = None,
    metrics_file: Annotated[
        Path | None,
        typer.Option(
            "--metrics-file", metavar="FILE", help="Write Prometheus metrics; ends in .prom."
        ),
    ] = None,
    heartbeat: Annotated[
        str | None,
        typer.Option("--heartbeat", metavar="URL", help="Ping this address at start and end."),
    ] = None,
    engine_snapshot: Annotated[
        Path | None,
        typer.Option(
            "--engine-snapshot", metavar="FILE", help="Compare a saved engine snapshot, offline."
        ),
    ] = None,
    venue_snapshot: Annotated[
        Path | None,
        typer.Option(
            "--venue-snapshot", metavar="FILE", help="Compare a saved venue snapshot, offline."
        ),
    ] = None,
) -> Job:
    """Compare what the engine believes with what the exchange reports. Cancels nothing.

    Every difference is explained by named fills and ledger entries where that is possible; what
    could not be read is never called clean. A storm of unknown orders closes the gate.

    Exit: 0 clean, 10 differences that do not block, 11 blocked, 12 not everything could be seen,
    25 another reconcile of the account is running, 65 corrupt snapshot, 69 exchange unreachable,
    74 records unwritable, 75 try again later, 77 key refused, 78 configuration.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import cron, reconcile_run

        options = reconcile_run.Asked(
            since_ms=duration_ms(since, "--since"),
            symbols=tuple(symbol or ()),
            second_look=second_look,
            emit_events=emit_events,
            repair=repair,
        )
        if (engine_snapshot is None) != (venue_snapshot is None):
            raise UsageError("--engine-snapshot and --venue-snapshot belong together")
        if engine_snapshot is not None and venue_snapshot is not None:
            if accounts or repair or every or splay or emit_events:
                raise UsageError(
                    "two saved snapshots are compared as they are",
                    hint="leave out account names, --repair, --emit-events, --every and --splay",
                )
            return reconcile_run.offline(invocation, engine_snapshot, venue_snapshot)
        manners = cron.Manners(
            every_ms=duration_ms(every, "--every"),
            splay_ms=duration_ms(splay, "--splay"),
            metrics_file=metrics_file,
            heartbeat_url=heartbeat,
        )
        return await cron.run(
            invocation,
            manners,
            lambda once: reconcile_run.once(once, accounts or [], options),
            lambda: [spec.name for spec in invocation.accounts(accounts or [])],
        )

    return Job(name="reconcile", run=run)
