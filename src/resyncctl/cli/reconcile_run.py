"""One run of `reconcile` over the chosen accounts, or offline over two saved snapshots.

Promises: accounts are compared side by side, each under its own lock, so that two overlapping runs
never work on the same account; a storm of unknown orders closes the gate; the verdict is
remembered for `gate open`. Called by the `reconcile` verb.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resyncctl.core.errors import CorruptDataError, RecordUnwritableError, RefusedError, UsageError
from resyncctl.core.outcome import AccountOutcome, Outcome

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.ports.views import Journal
    from resyncctl.settings.specs import AccountSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the operator asked for."""

    since_ms: int | None
    symbols: tuple[str, ...]
    second_look: bool | None
    emit_events: Path | None
    repair: bool


async def once(invocation: "Invocation", names: list[str], asked: Asked) -> Outcome:
    """Compare every account once."""
    from resyncctl.cli import memory
    from resyncctl.cli.each import side_by_side

    specs = invocation.accounts(names)
    journal = memory.journal(invocation, [spec.name for spec in specs])
    invocation.announce()
    outcomes = await side_by_side(
        invocation, specs, [_account(invocation, spec, asked, journal) for spec in specs]
    )
    if asked.emit_events is not None:
        _write_events(invocation, asked.emit_events, outcomes)
    return invocation.outcome(outcomes)


async def _account(
    invocation: "Invocation", spec: "AccountSpec", asked: Asked, journal: "Journal"
) -> AccountOutcome:
    from resyncctl.cli import memory, wiring
    from resyncctl.procedures import gate as gate_procedure
    from resyncctl.procedures.reconcile import ReconcileRequest, reconcile

    policy = invocation.configuration.policy_of(spec.name)
    now_ms = invocation.clock.now_ms()
    gate = wiring.gate_files(invocation, spec)
    repair = wiring.repair_of(invocation, spec) if asked.repair else None
    if asked.repair and repair is None:
        raise RefusedError(
            f"the state of {spec.name} is not a checkpoint that resyncctl may write",
            hint="use --emit-events and let the engine apply the events itself",
        )
    with wiring.reconcile_lock(invocation, spec.name):
        async with wiring.open_venue(invocation, spec) as venue:
            request = ReconcileRequest(
                account=spec.name,
                scopes=venue.view.profile.scopes,
                symbols=asked.symbols,
                since_ms=None if asked.since_ms is None else now_ms - asked.since_ms,
                second_look=asked.second_look,
                want_events=asked.emit_events is not None,
                want_repair=asked.repair,
            )
            outcome = await reconcile(
                request,
                venue=venue.view,
                engine=wiring.engine_view(invocation, spec),
                gate=gate,
                journal=journal,
                clock=invocation.clock,
                progress=invocation.progress,
                policy=policy,
                repair=repair,
            )
        gate_procedure.guard(outcome, view=gate, gate=gate, journal=journal, clock=invocation.clock)
        if not asked.symbols:
            # A look at some symbols only is no verdict about the account.
            memory.remember_verdict(invocation, outcome)
    return outcome


def offline(invocation: "Invocation", engine_file: Path, venue_file: Path) -> Outcome:
    """Compare two saved snapshots. It needs neither keys nor an exchange.

    Raises:
        CorruptDataError: A snapshot does not hold what its format promises.
    """
    from resyncctl.core import snapshot_json
    from resyncctl.core.policy import Policy
    from resyncctl.procedures.reconcile import compare_saved

    with _placed(engine_file):
        engine = snapshot_json.loads_engine(_text(engine_file))
    with _placed(venue_file):
        venue = snapshot_json.loads_venue(_text(venue_file))
    if engine.account != venue.account:
        raise UsageError(
            f"the snapshots are of two accounts: `{engine.account}` and `{venue.account}`",
            hint="take both snapshots of the same account",
        )
    policy = Policy()
    if invocation.options.config is not None or invocation.configuration_path.exists():
        configuration = invocation.configuration
        policy = configuration.policy
        if venue.account in configuration.accounts:
            policy = configuration.policy_of(venue.account)
    return invocation.outcome([compare_saved(engine, venue, policy)])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CorruptDataError("the snapshot is not UTF-8 text", place=str(path)) from None
    except OSError as trouble:
        raise UsageError(
            f"the snapshot cannot be read: {trouble.strerror}", place=str(path)
        ) from None


@contextlib.contextmanager
def _placed(path: Path) -> Iterator[None]:
    """Add the file's name to the place of what is wrong inside it."""
    try:
        yield
    except CorruptDataError as error:
        inside = f" {error.place}" if error.place else ""
        raise CorruptDataError(error.message, place=f"{path}{inside}", hint=error.hint) from None


def _write_events(invocation: "Invocation", path: Path, outcomes: list[AccountOutcome]) -> None:
    """Write one JSON line per event, whole or not at all."""
    lines = "".join(
        json.dumps(event, sort_keys=True) + "\n"
        for outcome in outcomes
        for event in _events(outcome)
    )
    if str(path) == "-":
        invocation.stdout.write(lines)
        return
    scratch = path.with_name(f".{path.name}.new")
    try:
        scratch.write_text(lines, encoding="utf-8")
        scratch.replace(path)
    except OSError as trouble:
        raise RecordUnwritableError(
            f"the events cannot be written: {trouble.strerror}", place=str(path)
        ) from None


def _events(outcome: AccountOutcome) -> list[object]:
    events = outcome.data.get("events")
    return events if isinstance(events, list) else []
