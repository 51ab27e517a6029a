"""`resyncctl engine`: the configured engines, and what one believes."""

from typing import TYPE_CHECKING

from resyncctl.cli.arguments import Accounts
from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import AccountOutcome, Outcome
    from resyncctl.settings.specs import AccountSpec


def list_command() -> Job:
    """List the configured engines, their state, how they are stopped and how silence is observed.

    Exit: 0, 78 the configuration is wrong.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        rows = [
            {
                "name": engine.name,
                "accounts": list(engine.accounts),
                "state": f"{engine.state.kind} {engine.state.path or engine.state.argv[0]}",
                "control": engine.control.describe(),
                "silence": engine.silence.describe(),
                "gate_file": str(engine.gate_file) if engine.gate_file else None,
            }
            for engine in invocation.configuration.engines.values()
        ]
        return invocation.outcome(data={"engines": rows})

    return Job(name="engine-list", run=run)


def show(accounts: Accounts = None) -> Job:
    """Show what the engine believes: orders, fills, positions, balances, from its state source.

    With --json the answer for one account is a resyncctl/engine-snapshot/v1 document, which
    `reconcile --engine-snapshot` reads.

    Exit: 0 everything was readable, 12 a section is not known, 65 the checkpoint is corrupt.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli.each import attempt

        specs = invocation.accounts(accounts or [])
        return invocation.outcome(
            [await attempt(spec, _account(invocation, spec)) for spec in specs]
        )

    return Job(name="engine-show", run=run)


async def _account(invocation: "Invocation", spec: "AccountSpec") -> "AccountOutcome":
    from resyncctl.cli import snapshots, wiring

    now_ms = invocation.clock.now_ms()
    return snapshots.engine_outcome(wiring.engine_view(invocation, spec).read(spec.name, now_ms))
