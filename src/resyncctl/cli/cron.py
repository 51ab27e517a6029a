"""The manners of an unattended run: jitter, repetition, heartbeat, metrics.

Promises: the start, the success and the failure of every run are told to the heartbeat, and the
metrics file is written, also when the run fails; neither ever changes the result. Called by the
`reconcile` verb.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from resyncctl.core.errors import ResyncError
from resyncctl.core.outcome import AccountOutcome, Outcome, OutcomeError

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation

_LEAST_PAUSE_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How an unattended run behaves; None means: not asked for on the command line."""

    every_ms: int | None = None
    splay_ms: int | None = None
    metrics_file: Path | None = None
    heartbeat_url: str | None = None


Once = Callable[["Invocation"], Awaitable[Outcome]]


async def run(
    invocation: "Invocation",
    manners: Manners,
    once: Once,
    names: Callable[[], list[str]],
) -> Outcome:
    """Run once, or again and again until interrupted; every run but the last prints itself."""
    from resyncctl.cli.printing import print_outcome

    if manners.splay_ms:
        await invocation.clock.sleep_ms(secrets.randbelow(manners.splay_ms + 1))
    if manners.every_ms is None:
        return await _told(invocation, manners, once, names)
    while True:
        began_ms = invocation.clock.monotonic_ms()
        this_run = invocation.renewed()
        outcome = await _told(this_run, manners, once, names)
        this_run.finish(outcome)
        print_outcome(outcome, this_run)
        spent_ms = invocation.clock.monotonic_ms() - began_ms
        await invocation.clock.sleep_ms(max(_LEAST_PAUSE_MS, manners.every_ms - spent_ms))


async def _told(
    invocation: "Invocation",
    manners: Manners,
    once: Once,
    names: Callable[[], list[str]],
) -> Outcome:
    """Run once and tell heartbeat and metrics how it went, whatever happens.

    Raises:
        ResyncError: What ended the run; it was told before.
    """
    from resyncctl.cli import telling

    await _say_when_unconfigured(invocation, manners)
    heartbeat = telling.heartbeat_of(invocation, manners.heartbeat_url)
    metrics_file = telling.metrics_path(invocation, manners.metrics_file)
    await telling.ping_start(heartbeat, invocation)
    # What is told if this run ends in a way that nobody expected.
    told = _failed(invocation, _UnfinishedError("the run did not come to its end"), names)
    try:
        told = await once(invocation)
    except ResyncError as error:
        told = _failed(invocation, error, names)
        raise
    finally:
        await telling.tell_end(heartbeat, metrics_file, invocation, told)
    return told


class _UnfinishedError(ResyncError):
    """A run that ended by a fault of ours or by an interruption."""


async def _say_when_unconfigured(invocation: "Invocation", manners: Manners) -> None:
    """Tell an address from the command line that there is not even a configuration.

    Raises:
        ConfigurationError: The configuration cannot be used.
    """
    from resyncctl.cli import telling

    try:
        _ = invocation.configuration
    except ResyncError as error:
        await telling.ping_unconfigured(manners.heartbeat_url, invocation, error)
        raise


def _failed(
    invocation: "Invocation", error: ResyncError, names: Callable[[], list[str]]
) -> Outcome:
    """Return the outcome that metrics see when the whole run failed."""
    told = OutcomeError(kind=error.kind, message=error.message, hint=error.hint, place=error.place)
    try:
        accounts = names()
    except ResyncError:
        accounts = []
    outcome = invocation.outcome(
        [
            AccountOutcome(account=name, status="failed", exit_code=error.exit_code, error=told)
            for name in accounts
        ],
        exit_code=error.exit_code,
    )
    return replace(outcome, error=told)
