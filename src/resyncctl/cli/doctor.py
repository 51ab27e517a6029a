"""`resyncctl doctor`: can everything that will be needed at night be done now? Changes nothing."""

from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.arguments import Accounts
from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome


def command(
    accounts: Accounts = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Leave out what needs the exchange.")
    ] = False,
) -> Job:
    """Check the configuration, keys and their permissions, clock, exchange, records, checkpoints.

    Exit: 0 all is well, 12 something could not be checked, 69 unreachable, 74 records unwritable,
    75 try again later, 77 key refused, 78 the configuration is wrong.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import probes
        from resyncctl.cli.each import side_by_side

        specs = invocation.accounts(accounts or [])
        own = probes.installation(invocation)
        works = [probes.account(invocation, spec, offline=offline) for spec in specs]
        outcomes = await side_by_side(invocation, specs, works)
        whole = invocation.outcome(outcomes)
        code = probes.worse_of(whole.exit_code, probes.code_of(own))
        return invocation.outcome(
            outcomes, data={"probes": [one.as_data() for one in own]}, exit_code=code
        )

    return Job(name="doctor", run=run)
