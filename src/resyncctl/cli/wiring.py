"""Build what a command needs from the configuration: views, records, powers.

Promises: this is the only module outside of procedures and adapters that hands out powers; every
library is loaded by the function that needs it; whatever is opened here is closed at the end of the
run. Called by the verb modules, inside a run.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from resyncctl.core.errors import ResyncError
from resyncctl.core.model import Order, OrderClass, OrderStatus, Scope, Side
from resyncctl.core.money import ZERO
from resyncctl.core.outcome import AccountOutcome, Outcome
from resyncctl.core.safety import VerdictRecord
from resyncctl.core.snapshot import EngineSnapshot, Known, Provenance, Unknown
from resyncctl.ports.powers import GateControl, LeaseControl, VenueCancel
from resyncctl.ports.repair import CheckpointRepair
from resyncctl.ports.store import Store
from resyncctl.ports.views import EngineView, GateView, Journal, VenueView

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.settings.specs import AccountSpec

T = TypeVar("T")


class OpenedVenue(Protocol):
    """An account of an exchange: what may be read, and the power to cancel."""

    @property
    def view(self) -> VenueView:
        """Reading."""
        ...

    @property
    def cancel(self) -> VenueCancel:
        """The power to cancel."""
        ...


class Gate(GateControl, GateView, Protocol):
    """The gate files of an account: both hands of one thing."""


def _once(invocation: "Invocation", key: str, make: Callable[[], T]) -> T:
    """Make a thing at its first use in this run."""
    if key not in invocation.shelf:
        invocation.shelf[key] = make()
    made: T = invocation.shelf[key]
    return made


def journal_roots(invocation: "Invocation") -> tuple[Path, ...]:
    """Return every folder in which this host's journals may be."""
    from resyncctl.adapters.store.runs import all_roots

    return all_roots(invocation.configuration.state_dir, invocation.environ)


def store(invocation: "Invocation") -> Store:
    """Return this host's memory; one that cannot be used says why and never raises."""
    return _once(invocation, "store", lambda: _open_store(invocation))


def _open_store(invocation: "Invocation") -> Store:
    from resyncctl.adapters.store.store_opening import open_store

    opened = open_store(
        invocation.configuration.state_dir,
        invocation.clock.now_ms(),
        roots=journal_roots(invocation),
        emergency=invocation.command == "cancel-all",
    )
    invocation.closing.append(opened.close)
    return opened


def redactor(invocation: "Invocation") -> Callable[[str], str]:
    """Return the function that takes this run's secrets out of a text, also later ones."""
    from resyncctl.adapters.store.redaction import make_redactor

    def redact(text: str) -> str:
        secrets = invocation.secrets
        key = f"redactor {len(secrets)}"
        return str(_once(invocation, key, lambda: make_redactor(secrets))(text))

    return redact


def journal(
    invocation: "Invocation", accounts: Sequence[str], *, break_glass: bool = False
) -> Journal:
    """Open this run's journal, and end it with the run's exit code.

    Raises:
        RecordUnwritableError: It cannot be made durable, and the glass may not be broken.
    """
    from resyncctl import __version__
    from resyncctl.adapters.store.journal import Beginning
    from resyncctl.adapters.store.opening import JournalOptions, open_journal
    from resyncctl.ports.store import RunRow

    beginning = Beginning(command=invocation.command, accounts=tuple(accounts), version=__version__)
    options = JournalOptions(
        state_dir=invocation.configuration.state_dir,
        clock=invocation.clock,
        redact=redactor(invocation),
        break_glass=break_glass,
        environ=invocation.environ,
        mirror=invocation.stderr,
        warn=invocation.warn,
    )
    opened = open_journal(beginning, options, invocation.run_id)
    row = RunRow(
        run_id=invocation.run_id,
        command=invocation.command,
        accounts=tuple(accounts),
        started_at_ms=invocation.started_at_ms,
    )
    store(invocation).begin_run(row)

    def end(outcome: Outcome) -> None:
        from dataclasses import replace

        opened.end(int(outcome.exit_code), outcome.exit_code.name)
        store(invocation).end_run(
            replace(
                row,
                ended_at_ms=invocation.clock.now_ms(),
                exit_code=int(outcome.exit_code),
                head_sequence=opened.head.sequence,
                head_sha256=opened.head.sha256,
            )
        )

    invocation.ending.append(end)
    invocation.closing.append(opened.close)
    return opened


def gate_files(invocation: "Invocation", spec: "AccountSpec") -> Gate:
    """Return the gate of an account: this host's copy and the file that its engine reads."""
    from resyncctl.adapters.store.gate import GateFiles

    engine = invocation.configuration.engine_of(spec.name)
    engine_file = engine.gate_file if engine else None
    return GateFiles(
        invocation.configuration.state_dir,
        engine_files={spec.name: (engine_file,) if engine_file else ()},
        store=store(invocation),
    )


def leases(invocation: "Invocation") -> LeaseControl:
    """Return who may mutate which account."""
    from resyncctl.adapters.store.lease import Leases

    return _once(
        invocation,
        "leases",
        lambda: Leases(
            invocation.configuration.state_dir, store=store(invocation), clock=invocation.clock
        ),
    )


@contextlib.contextmanager
def reconcile_lock(invocation: "Invocation", account: str) -> Iterator[None]:
    """Hold the account's reconcile for this run. A cancel is never kept waiting by it.

    Raises:
        LockedError: Another reconcile of the account is running.
    """
    control = leases(invocation)
    lease = control.acquire(f"reconcile of {account}", invocation.run_id, invocation.clock.now_ms())
    try:
        yield
    finally:
        control.release(lease)


def holder(invocation: "Invocation", account: str) -> str | None:
    """Return who holds the account right now, None when nobody does."""
    from resyncctl.adapters.store.lease import read_holder

    return read_holder(invocation.configuration.state_dir, account)


def engine_view(invocation: "Invocation", spec: "AccountSpec") -> EngineView:
    """Return the engine's belief, from wherever it is kept."""
    engine = invocation.configuration.engine_of(spec.name)
    if engine is None:
        return NoEngine()
    if engine.state.kind == "command":
        from resyncctl.adapters.engine.command import CommandEngine

        return CommandEngine(
            engine.state.argv, exchange=spec.venue, timeout_ms=engine.state.timeout_ms
        )
    from resyncctl.adapters.engine.checkpoint import CheckpointEngine

    path = engine.state.path or Path()
    return CheckpointEngine(path, exchange=spec.venue, seen=store(invocation))


class NoEngine:
    """The belief of an account for which no engine is configured: nothing is known."""

    def read(self, account: str, now_ms: int) -> EngineSnapshot:
        """Return a snapshot in which every section is unknown."""
        unknown = Unknown("no engine is configured for this account")
        return EngineSnapshot(
            account=account,
            as_of_ms=now_ms,
            sequence=None,
            source=Provenance(adapter="none", place="(no engine is configured)"),
            orders=unknown,
            fills=unknown,
            positions=unknown,
            balances=unknown,
        )


def repair_of(invocation: "Invocation", spec: "AccountSpec") -> CheckpointRepair | None:
    """Return the power to write the engine's checkpoint, None where the tool does not own it."""
    engine = invocation.configuration.engine_of(spec.name)
    if engine is None or engine.state.kind != "checkpoint" or engine.state.path is None:
        return None
    from resyncctl.adapters.engine.repair import CheckpointRepairer

    return CheckpointRepairer(engine.state.path, seen=store(invocation))


@contextlib.asynccontextmanager
async def open_venue(invocation: "Invocation", spec: "AccountSpec") -> AsyncIterator[OpenedVenue]:
    """Open an account of an exchange. Nothing is sent by opening.

    Raises:
        ConfigurationError: The venue, its scopes or its credentials cannot be used.
    """
    from resyncctl.adapters.venues.via_ccxt.open_venue import VenueOptions, open_venue

    raise NotImplementedError(VenueOptions, open_venue)
    yield


def known_symbols(
    invocation: "Invocation", spec: "AccountSpec"
) -> tuple[tuple[Scope, str, str], ...]:
    """Return (scope, unified, venue symbol) of the engine's orders, for blind cancels.

    An engine that cannot be read gives none: a cancel never waits for the engine.
    """
    snapshot = engine_view(invocation, spec).read(spec.name, invocation.clock.now_ms())
    if not isinstance(snapshot.orders, Known):
        return ()
    found = {
        (order.scope, order.symbol, order.venue_symbol)
        for order in snapshot.orders.data
        if order.venue_symbol and not order.is_terminal
    }
    return tuple(sorted(found, key=str))


def unfinished_runs(invocation: "Invocation", account: str) -> list[dict[str, object]]:
    """Return the runs on the account that never came to their end."""
    from resyncctl.adapters.store.runs import unfinished_runs as find

    return [
        {
            "run_id": run.run_id,
            "command": run.command,
            "started_at_ms": run.started_at_ms,
            "user": run.user,
            "open_intents": len(run.open_intents),
            "reason": run.why(),
        }
        for run in find(journal_roots(invocation), account)
    ]


def earlier_orders(invocation: "Invocation", account: str) -> tuple[Order, ...]:
    """Return the orders of requests whose outcome an earlier run did not record.

    Only their identity is known; it is all that the question for their status needs.
    """
    from resyncctl.adapters.store.runs import open_intents

    found: list[Order] = []
    for intent in open_intents(journal_roots(invocation), account):
        product, _, order_class = str(intent.details.get("scope", "")).partition("/")
        rows = intent.details.get("orders")
        found += [
            _identity_of(account, product, order_class, intent.details, ids)
            for ids in (rows if isinstance(rows, list) else [])
            if isinstance(ids, dict) and product
        ]
    return tuple(found)


def _identity_of(
    account: str, product: str, order_class: str, details: Any, ids: dict[str, Any]
) -> Order:
    return Order(
        account=account,
        product=product,
        symbol=str(details.get("symbol", "")),
        side=Side.BUY,
        type="unknown",
        status=OrderStatus.PENDING_CANCEL,
        client_order_id=ids.get("client_order_id"),
        venue_order_id=ids.get("venue_order_id"),
        quantity=ZERO,
        filled=ZERO,
        order_class=OrderClass(order_class or "regular"),
        venue_symbol=details.get("venue_symbol"),
    )


def resolve_earlier_runs(invocation: "Invocation", account: str, by_run: str) -> None:
    """Write down that unfinished runs on the account were taken care of by this one."""
    from resyncctl.adapters.store.runs import resolve_account

    try:
        resolve_account(
            journal_roots(invocation),
            account,
            by_run=by_run,
            clock=invocation.clock,
            redact=redactor(invocation),
        )
    except ResyncError as error:
        invocation.warn(f"an earlier run could not be marked as finished: {error.message}")


def remember_verdict(invocation: "Invocation", outcome: AccountOutcome) -> None:
    """Keep the verdict for `status` and `gate open`."""
    evidence = outcome.evidence
    as_of_ms, valid_ms = evidence.get("as_of_ms"), evidence.get("valid_until_ms")
    digests = evidence.get("digests")
    if outcome.verdict is None or not isinstance(as_of_ms, int) or not isinstance(valid_ms, int):
        return
    kept = store(invocation).remember_verdict(
        VerdictRecord(
            account=outcome.account,
            verdict=outcome.verdict,
            blocks_resume=any(finding.blocks_resume for finding in outcome.findings),
            as_of_ms=as_of_ms,
            valid_until_ms=valid_ms,
            run_id=invocation.run_id,
            digests={str(name): str(text) for name, text in digests.items()}
            if isinstance(digests, dict)
            else {},
        )
    )
    if not kept:
        invocation.warn("the verdict could not be remembered; `gate open` will not find it")


def last_verdict(invocation: "Invocation", account: str) -> VerdictRecord | None:
    """Return the last verdict; one that cannot be read is none, so that the gate stays shut."""
    found = store(invocation).last_verdict(account)
    return found if isinstance(found, VerdictRecord) else None


async def digests_now(invocation: "Invocation", spec: "AccountSpec") -> dict[str, str]:
    """Return what a verdict must have been made from, as it is now."""
    from resyncctl.procedures.reconcile import digests_now as digests

    async with open_venue(invocation, spec) as venue:
        scopes = venue.view.profile.scopes
    snapshot = engine_view(invocation, spec).read(spec.name, invocation.clock.now_ms())
    policy = invocation.configuration.policy_of(spec.name)
    return {**digests(scopes, policy), "checkpoint": snapshot.source.digest or "unknown"}
