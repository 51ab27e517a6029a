"""Build what a command needs from the configuration: views, records, powers.

Promises: this is the only module outside of procedures and adapters that hands out powers; every
library is loaded by the function that needs it; whatever is opened here is closed at the end of the
run. Called by the verb modules, inside a run.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from resyncctl.cli.incident_record import incidents
from resyncctl.cli.memory import once, store
from resyncctl.core.errors import ConfigurationError
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.snapshot import EngineSnapshot, Known, Provenance, Unknown
from resyncctl.ports.powers import (
    DeadManSwitch,
    GateControl,
    LeaseControl,
    VenueCancel,
    VenueReduce,
)
from resyncctl.ports.repair import CheckpointRepair
from resyncctl.ports.store import Fence
from resyncctl.ports.views import EngineView, GateView, MarketView, SilenceView, VenueView

if TYPE_CHECKING:
    from resyncctl.adapters.store.lease import Leases
    from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets
    from resyncctl.cli.invocation import Invocation
    from resyncctl.settings.specs import AccountSpec


REDUCES_RISK_ONLY = frozenset({"cancel-all", "resync"})
"""Commands that cancel, and go on where no lock and no record can be written."""
NEEDS_STORE = frozenset({"flatten", "verify"})
"""Commands that send orders or open a gate: they are refused where the store cannot be used."""


class OpenedVenue(Protocol):
    """An account of an exchange: what may be read, and each power by its name."""

    @property
    def view(self) -> VenueView:
        """Reading."""
        ...

    @property
    def cancel(self) -> VenueCancel:
        """The power to cancel."""
        ...

    @property
    def market(self) -> MarketView:
        """Reading instruments and books."""
        ...

    @property
    def reduce(self) -> VenueReduce:
        """The power to reduce."""
        ...

    @property
    def switch(self) -> DeadManSwitch:
        """The power over the exchange's countdown."""
        ...


class Gate(GateControl, GateView, Protocol):
    """The gate files of an account: both hands of one thing."""


def gate_files(invocation: "Invocation", spec: "AccountSpec") -> Gate:
    """Return the gate of an account: this host's copy and the file that its engine reads.

    Every move of it is written into the account's incident, whoever makes it.
    """
    from resyncctl.adapters.store.gate import GateFiles
    from resyncctl.adapters.store.recorded_gate import RecordedGate, Teller

    engine = invocation.configuration.engine_of(spec.name)
    engine_file = engine.gate_file if engine else None
    files = GateFiles(
        invocation.configuration.state_dir,
        engine_files={spec.name: (engine_file,) if engine_file else ()},
        store=store(invocation),
        own_token=lambda account: _leases(invocation).token_of(account),
    )
    teller = Teller(
        command=invocation.command,
        asked_ms=invocation.started_at_ms,
        rto_ms=invocation.configuration.policy_of(spec.name).rto_ms,
        warn=invocation.warn,
    )
    return RecordedGate(files, incidents(invocation), store(invocation), teller)


def leases(invocation: "Invocation") -> LeaseControl:
    """Return who may mutate which account. A cancel goes on where no lock can be written."""
    return _leases(invocation)


def vouch(invocation: "Invocation", account: str, fencing_token: int, deadline_ms: int) -> None:
    """Hold an intent against the leases of this run; see `adapters.store.lease_fence`.

    Raises:
        InvariantBroken: No lease of this run carries it.
    """
    _leases(invocation).vouch(account, fencing_token, deadline_ms)


def fence_of(invocation: "Invocation", account: str) -> Fence | None:
    """Return the lease under which this run judges the account, None when it judges without one."""
    for name in (account, reconcile_lease(account)):
        token = _leases(invocation).token_of(name)
        if token is not None:
            return Fence(name, token)
    return None


def reconcile_lease(account: str) -> str:
    """Return the name of the lease that keeps two reconciles of an account apart."""
    return f"reconcile of {account}"


def _leases(invocation: "Invocation") -> "Leases":
    return once(invocation, "leases", lambda: _make_leases(invocation))


def _make_leases(invocation: "Invocation") -> "Leases":
    from resyncctl.adapters.store.lease import Leases
    from resyncctl.adapters.store.places import fallback_roots

    state_dir = invocation.configuration.state_dir
    return Leases(
        state_dir,
        store=store(invocation),
        clock=invocation.clock,
        break_glass=invocation.command in REDUCES_RISK_ONLY,
        needs_store=invocation.command in NEEDS_STORE,
        fallbacks=fallback_roots(state_dir, invocation.environ),
    )


@contextlib.contextmanager
def reconcile_lock(invocation: "Invocation", account: str) -> Iterator[None]:
    """Hold the account's reconcile for this run. A cancel is never kept waiting by it.

    Raises:
        LockedError: Another reconcile of the account is running.
    """
    control = leases(invocation)
    lease = control.acquire(reconcile_lease(account), invocation.run_id, invocation.clock.now_ms())
    try:
        yield
    finally:
        control.release(lease)


def holder(invocation: "Invocation", account: str) -> str | None:
    """Return who holds the account right now, None when nobody does."""
    from resyncctl.adapters.store.lease_words import read_holder

    return read_holder(invocation.configuration.state_dir, account)


def holding_run(invocation: "Invocation", account: str) -> str | None:
    """Return the run that holds the account right now, None when nobody does or it has no name."""
    held = _leases(invocation).held_by(account, invocation.clock.now_ms())
    return held.run_id if held is not None else None


def engine_view(invocation: "Invocation", spec: "AccountSpec") -> EngineView:
    """Return the engine's belief, from wherever it is kept."""
    engine = invocation.configuration.engine_of(spec.name)
    if engine is None:
        return NoEngine()
    if engine.state.kind == "command":
        from resyncctl.adapters.engine.command import CommandEngine

        return CommandEngine(
            engine.state.argv,
            exchange=spec.venue,
            sandbox=_sandbox(spec),
            timeout_ms=engine.state.timeout_ms,
            seen=store(invocation),
        )
    from resyncctl.adapters.engine.checkpoint import CheckpointEngine

    path = engine.state.path or Path()
    return CheckpointEngine(
        path, exchange=spec.venue, sandbox=_sandbox(spec), seen=store(invocation)
    )


def _sandbox(spec: "AccountSpec") -> bool | None:
    """Whether the belief must be about a sandbox; the practice exchange takes either."""
    return {"live": False, "testnet": True}.get(spec.mode.value)


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


def silence_of(invocation: "Invocation", spec: "AccountSpec") -> SilenceView:
    """Return what observes whether the engine of the account sends; one for the whole run."""
    from resyncctl.cli.wiring_silence import make

    return once(invocation, f"silence of {spec.name}", lambda: make(invocation, spec))


def repair_of(invocation: "Invocation", spec: "AccountSpec") -> CheckpointRepair | None:
    """Return the power to write the engine's checkpoint, None where the tool does not own it."""
    engine = invocation.configuration.engine_of(spec.name)
    if engine is None or engine.state.kind != "checkpoint" or engine.state.path is None:
        return None
    from resyncctl.adapters.engine.repair import CheckpointRepairer
    from resyncctl.adapters.store.lease_fence import FencedRepair

    def still_ours() -> None:
        control, now_ms = _leases(invocation), invocation.clock.now_ms()
        control.demand((spec.name, reconcile_lease(spec.name)), now_ms)

    repairer = CheckpointRepairer(engine.state.path, seen=store(invocation))
    return FencedRepair(repairer, still_ours)


@contextlib.asynccontextmanager
async def open_venue(
    invocation: "Invocation", spec: "AccountSpec", *, names_symbols: bool = False
) -> AsyncIterator[OpenedVenue]:
    """Open an account of an exchange. Nothing is sent by opening.

    A cancel does without the exchange's table of instruments, unless the operator named symbols:
    without the table `BTC/USDT` would select nothing of what is listed as `BTCUSDT`.

    Raises:
        ConfigurationError: The venue, its scopes or its credentials cannot be used.
    """
    from resyncctl.adapters.venues.via_ccxt.open_venue import (
        PracticePlace,
        VenueOptions,
        open_venue,
    )

    place = spec.practice
    policy = invocation.configuration.policy_of(spec.name)
    cancels = invocation.command in REDUCES_RISK_ONLY

    def waits(wait_ms: int) -> None:
        seconds = -(-wait_ms // 1000)
        words = "waiting for request weight, so that the exchange does not ban this host"
        invocation.progress.say(spec.name, "weight", words, seconds_left=seconds)

    options = VenueOptions(
        account=spec.name,
        venue=spec.venue,
        secrets=_secrets(invocation, spec),
        clock=invocation.clock,
        scopes=_scopes(spec),
        mode=spec.mode.value,
        practice=PracticePlace(place.host, place.port, str(place.ca_file)) if place else None,
        request_validity_ms=policy.request_validity_ms,
        staleness_horizon_ms=policy.staleness_horizon_ms,
        cache_dir=invocation.configuration.cache_dir,
        may_load_markets=names_symbols or invocation.command != "cancel-all",
        may_use_reserve=cancels or invocation.command in NEEDS_STORE,
        on_wait=waits,
    )
    async with open_venue(options) as venue:
        yield venue


def _secrets(invocation: "Invocation", spec: "AccountSpec") -> "Secrets":
    """Load the key from where it is kept, and hide it everywhere from now on.

    Raises:
        ConfigurationError: It cannot be read.
        CredentialsRefusedError: Others could have read it.
    """
    from resyncctl.adapters.store.credentials import Surroundings, load_credentials
    from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets

    found = load_credentials(spec.name, spec.credentials, Surroundings(environ=invocation.environ))
    invocation.secrets.extend(found.secrets())
    parts = found.reveal()
    return Secrets(
        api_key=parts.get("api_key", ""),
        secret=parts.get("secret", ""),
        password=parts.get("password"),
        uid=parts.get("uid"),
        wallet_address=parts.get("wallet_address"),
        private_key=parts.get("private_key"),
    )


def _scopes(spec: "AccountSpec") -> tuple[Scope, ...]:
    """Return the manifest as scopes; a product alone means all of its order classes.

    Raises:
        ConfigurationError: An order class has no such name.
    """
    from resyncctl.adapters.venues.via_ccxt.generic_plans import plan_for
    from resyncctl.adapters.venues.via_ccxt.open_venue import DEEP

    known: tuple[Scope, ...] = ()
    if spec.scopes and spec.venue not in DEEP:
        plan = plan_for(spec.venue)
        known = tuple(plan.orders) if plan is not None else ()
    found: list[Scope] = []
    for text in spec.scopes:
        product, _, order_class = text.partition("/")
        if order_class:
            found.append(Scope(product, _order_class(spec, order_class)))
        else:
            whole = [scope for scope in known if scope.product == product]
            found += whole or [Scope(product)]
    return tuple(dict.fromkeys(found))


def _order_class(spec: "AccountSpec", text: str) -> OrderClass:
    try:
        return OrderClass(text)
    except ValueError:
        raise ConfigurationError(
            f"accounts.{spec.name}.scopes: there is no such order class",
            hint=f"write a product, or a product and one of {', '.join(OrderClass)}",
        ) from None


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


async def digests_now(invocation: "Invocation", spec: "AccountSpec") -> dict[str, str]:
    """Return what a verdict must have been made from, as it is now."""
    from resyncctl.procedures.reconcile import digests_now as digests

    async with open_venue(invocation, spec) as venue:
        scopes = venue.view.profile.scopes
    snapshot = engine_view(invocation, spec).read(spec.name, invocation.clock.now_ms())
    policy = invocation.configuration.policy_of(spec.name)
    return {**digests(scopes, policy), "checkpoint": snapshot.source.digest or "unknown"}
