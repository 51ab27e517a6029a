"""`resyncctl gate`: show, close and open the gate of accounts."""

from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.arguments import Accounts, OneOrMoreAccounts, Reason
from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import AccountOutcome, Outcome
    from resyncctl.settings.specs import AccountSpec


def show(accounts: Accounts = None) -> Job:
    """Show whether the engine may trade. A missing or corrupt gate file means UNSAFE.

    Exit: 0 the gate could be read, 11 its file is missing, corrupt or foreign.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import wiring
        from resyncctl.procedures import gate

        specs = invocation.accounts(accounts or [])
        return invocation.outcome(
            [gate.show(spec.name, wiring.gate_files(invocation, spec)) for spec in specs]
        )

    return Job(name="gate-show", run=run)


def close(accounts: Accounts = None, reason: Reason = "closed by hand") -> Job:
    """Close the gate: the engine may send no more orders. One key; needs no store and no exchange.

    Exit: 0 closed, 74 not one copy of the gate could be written or removed.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import memory, wiring
        from resyncctl.cli.each import attempt
        from resyncctl.procedures import gate

        specs = invocation.accounts(accounts or [])
        journal = memory.journal(invocation, [spec.name for spec in specs])

        async def one(spec: "AccountSpec") -> "AccountOutcome":
            return gate.close(
                spec.name,
                reason=reason,
                by=invocation.operator,
                gate=wiring.gate_files(invocation, spec),
                journal=journal,
                clock=invocation.clock,
            )

        return invocation.outcome([await attempt(spec, one(spec)) for spec in specs])

    return Job(name="gate-close", run=run, mutates=True)


def open_command(
    accounts: OneOrMoreAccounts,
    to: Annotated[
        str, typer.Option("--to", metavar="STATE", help="SAFE, or RUNNING once it is SAFE.")
    ] = "SAFE",
    reason: Reason = "opened by hand",
    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="ACCOUNT", help="The account's name, instead of typing it."
        ),
    ] = None,
) -> Job:
    """Open the gate one step: UNSAFE to SAFE, SAFE to RUNNING. Needs a fresh safety verdict.

    Such a verdict comes from `verify` or `resync`; a comparison alone opens nothing.

    Exit: 0 moved, 20 a condition fails (each is listed), 23 the typed name did not match,
    24 the name cannot be asked for.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import memory, verdicts, wiring
        from resyncctl.cli.each import attempt
        from resyncctl.core.errors import UsageError
        from resyncctl.core.gate import GateState
        from resyncctl.procedures import gate

        if to.upper() not in {"SAFE", "RUNNING"}:
            raise UsageError(
                f"the gate cannot be opened to `{to}`", hint="--to SAFE or --to RUNNING"
            )
        specs = invocation.accounts(accounts)
        if confirm is not None and len(specs) > 1:
            raise UsageError("--confirm names one account; open one gate at a time")
        journal = memory.journal(invocation, [spec.name for spec in specs])

        async def one(spec: "AccountSpec") -> "AccountOutcome":
            files = wiring.gate_files(invocation, spec)
            return await gate.open_gate(
                gate.OpenRequest(
                    account=spec.name,
                    to=GateState(to.upper()),
                    reason=reason,
                    by=invocation.operator,
                    mode=spec.banner,
                    confirmed_name=confirm,
                ),
                view=files,
                gate=files,
                verdict=verdicts.last_safety(invocation, spec.name),
                newest=verdicts.newest(invocation, spec.name),
                digests_now=await wiring.digests_now(invocation, spec),
                prompter=invocation.prompter,
                journal=journal,
                clock=invocation.clock,
            )

        return invocation.outcome([await attempt(spec, one(spec)) for spec in specs])

    return Job(name="gate-open", run=run, mutates=True)
