"""Run one account's part of a command so that its failure stays its own.

Promises: an operator's or the world's error of one account becomes that account's outcome; a fault
of ours is collected too, while the other accounts finish, and is raised only when none is left.
Called by the verb modules.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from resyncctl.cli.left_behind import hand_over
from resyncctl.cli.watch import offer
from resyncctl.core.errors import ResyncError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import AccountOutcome, OutcomeError

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.settings.specs import AccountSpec


async def attempt(spec: "AccountSpec", work: Awaitable[AccountOutcome]) -> AccountOutcome:
    """Return the account's outcome; an error that an operator can read becomes one."""
    try:
        return await work
    except ResyncError as error:
        return AccountOutcome(
            account=spec.name,
            status="failed",
            exit_code=error.exit_code,
            error=OutcomeError(
                kind=error.kind, message=error.message, hint=error.hint, place=error.place
            ),
        )


async def side_by_side(
    invocation: "Invocation",
    specs: "Sequence[AccountSpec]",
    works: Sequence[Awaitable[AccountOutcome]],
) -> list[AccountOutcome]:
    """Run every account at the same time and wait for all of them.

    A fault in one account must not stop the cancelling in another, so it becomes an INTERNAL
    outcome when other accounts have an answer, and is raised when there is only one account. An
    operator whose account is held by another run may watch that run.
    """
    attempts = [attempt(spec, work) for spec, work in zip(specs, works, strict=True)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    outcomes: list[AccountOutcome] = []
    for spec, result in zip(specs, results, strict=True):
        if isinstance(result, AccountOutcome):
            outcomes.append(result)
        elif len(specs) == 1 or not isinstance(result, Exception):
            raise result
        else:
            outcomes.append(_crashed(invocation, spec, result))
    for outcome in outcomes:
        if outcome.exit_code is ExitCode.RESIDUAL:
            hand_over(invocation, outcome.account)
    await offer(invocation, outcomes)
    return outcomes


def _crashed(invocation: "Invocation", spec: "AccountSpec", error: Exception) -> AccountOutcome:
    from resyncctl.cli import crash

    return AccountOutcome(
        account=spec.name,
        status="failed",
        exit_code=ExitCode.INTERNAL,
        error=OutcomeError(
            kind="internal",
            message=f"a fault in resyncctl itself ({type(error).__name__}); "
            "treat the account as UNSAFE",
            hint=f"the details are in {crash.write_down(invocation, error)}; please report it",
        ),
    )
