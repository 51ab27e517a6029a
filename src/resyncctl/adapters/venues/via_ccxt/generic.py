"""Every venue that has no deep profile: one view and one power to cancel, driven by a plan.

Promise: the reads keep the port's promise that `Unknown` never looks like an empty answer, and the
cancels that nothing is acknowledged which the venue did not say of that very order. The profile
lists what it does not cover, so a reconciliation through it never ends clean.

Invariants: a cancel makes exactly one mutating request, against a permit; a scope without a safe
mass cancel refuses it (`traps` says why); creating or amending orders does not exist here.
Called by `open_venue`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from resyncctl.adapters.venues.via_ccxt.connect import Connection
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, envelope_fault
from resyncctl.adapters.venues.via_ccxt.generic_cache import MarketCache
from resyncctl.adapters.venues.via_ccxt.generic_convert import order_of
from resyncctl.adapters.venues.via_ccxt.generic_failures import (
    first_contact,
    is_not_found,
    outcome_of,
    words,
)
from resyncctl.adapters.venues.via_ccxt.generic_instruments import InstrumentTable
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    CancelSymbol,
    LookUpQuery,
    Question,
    Unacknowledged,
    VenuePlan,
)
from resyncctl.adapters.venues.via_ccxt.generic_reading import Reader
from resyncctl.adapters.venues.via_ccxt.permits import lend
from resyncctl.adapters.venues.via_ccxt.transport import Attempt, watching
from resyncctl.adapters.venues.via_ccxt.traps import (
    goes_single_file,
    mass_cancel_is_refused,
    mass_cancel_refusal,
)
from resyncctl.core.errors import ConfigurationError, InvariantBroken
from resyncctl.core.model import Balance, Fill, LedgerEntry, Order, Position, Scope
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.snapshot import (
    Known,
    LookUp,
    NotFound,
    OrderReference,
    Section,
    Unknown,
    Window,
)
from resyncctl.ports.powers import CancelAbilities
from resyncctl.ports.views import Clock, ClockReading, VenueProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericOptions:
    """What the generic profile needs to know. `scopes` empty means every scope of the plan.

    `may_load_markets` False keeps the market table off the way to a cancel.
    """

    account: str
    scopes: tuple[Scope, ...] = ()
    read_timeout_ms: int = 60_000
    cancel_timeout_ms: int = 10_000
    may_load_markets: bool = True
    staleness_horizon_ms: int = 0
    cache: MarketCache | None = None


class GenericVenue:
    """A planned venue: `ports.views.VenueView` and `ports.powers.VenueCancel` in one object."""

    def __init__(
        self, connection: Connection, plan: VenuePlan, clock: Clock, options: GenericOptions
    ) -> None:
        exchange = connection.exchange
        unknown = [scope for scope in options.scopes if scope not in plan.orders]
        if unknown:
            raise ConfigurationError(
                f"{plan.venue} has no scope {unknown[0]}",
                hint=f"its scopes are {', '.join(str(scope) for scope in plan.orders)}",
            )
        self._connection = connection
        self._exchange = exchange
        self._plan = plan
        self._clock = clock
        self._options = options
        self._native: dict[str, Mapping[str, str]] = {}
        self._closed = False
        self._lane: AbstractAsyncContextManager[object] = (
            asyncio.Lock() if goes_single_file(plan.venue) else nullcontext()
        )
        self._reader = Reader(
            account=options.account,
            venue=plan.venue,
            exchange=exchange,
            clock=clock,
            instruments=InstrumentTable(exchange, options.cache),
            timeout_ms=options.read_timeout_ms,
            may_load=options.may_load_markets,
            remember=self._remember,
            lane=self._lane,
        )
        self._profile = plan.profile(options.scopes, options.staleness_horizon_ms)

    @property
    def account(self) -> str:
        """The account's name in the configuration."""
        return self._options.account

    @property
    def profile(self) -> VenueProfile:
        """What this venue profile promises, and what it does not cover."""
        return self._profile

    async def measure_clock(self) -> ClockReading | Unknown:
        """Measure the venue's clock and sign with the offset from now on.

        Raises:
            VenueUnavailableError: The venue cannot be reached at all.
            TryAgainLaterError: It asks for patience.
        """
        if self._exchange.has.get("fetchTime") is not True:
            return Unknown(f"{self._plan.venue} has no request that tells its time")
        with watching() as heard:
            try:
                reading = await self._connection.clock.measure(self._told_time)
            except Exception as error:  # noqa: BLE001  # told apart by `first_contact`
                return self._at_first_contact(error, heard, "the clock")
        return reading or Unknown("the clock: the answer holds no time")

    async def _told_time(self) -> int:
        """Ask for the venue's time once."""
        async with asyncio.timeout(self._options.cancel_timeout_ms / 1000):
            told = await self._exchange.fetch_time()
        if not isinstance(told, int) or isinstance(told, bool) or told <= 0:
            raise Malformed("the answer holds no time")
        return told

    async def read_identity(self, product: str) -> Section[str]:
        """Return words that prove whose account this is, where the venue tells.

        Raises:
            CredentialsRefusedError: The venue refused the key.
            VenueUnavailableError: The venue cannot be reached at all.
            TryAgainLaterError: It asks for patience.
        """
        if self._plan.venue == "hyperliquid" and self._exchange.walletAddress:
            return Known((f"address {self._exchange.walletAddress}",), self._clock.now_ms())
        question = self._plan.identity
        if question is None:
            return Unknown(
                f"{self._plan.venue} has no request that tells whose key this is ({product})"
            )
        began_ms = self._clock.now_ms()
        with watching() as heard:
            try:
                return Known((await self._answer(question),), began_ms)
            except Exception as error:  # noqa: BLE001  # told apart by `first_contact`
                return self._at_first_contact(error, heard, "the identity")

    async def read_open_orders(self, scope: Scope) -> Section[Order]:
        """List every order that rests in the scope, all symbols, all pages."""
        listing = self._plan.orders.get(scope)
        if listing is None:
            return Unknown(f"the generic profile of {self._plan.venue} does not list {scope}")
        if scope in self._plan.refusals:
            return Unknown(f"open orders of {scope}: {self._plan.refusals[scope]}")
        return await self._reader.orders(listing, scope)

    async def read_fills(
        self, product: str, window: Window, symbols: Sequence[str]
    ) -> Section[Fill]:
        """List the fills of the window."""
        listing = self._plan.fills.get(product)
        if listing is None:
            return Unknown(f"the generic profile of {self._plan.venue} reads no fills of {product}")
        return await self._reader.fills(listing, product, window, symbols)

    async def read_positions(self, product: str) -> Section[Position]:
        """List every position leg that is not flat; empty for a product without positions."""
        listing = self._plan.positions.get(product)
        if listing is not None:
            return await self._reader.positions(listing, product)
        if product not in self._plan.products or product not in _WITHOUT_POSITIONS:
            return Unknown(
                f"the generic profile of {self._plan.venue} reads no positions of {product}"
            )
        return Known((), self._clock.now_ms())

    async def read_position_mode(self, product: str) -> str | Unknown | None:
        """Return `one_way`, `hedge`, or None for a product without positions."""
        answer = self._plan.position_modes.get(product)
        if answer is None:
            return None if product in _WITHOUT_POSITIONS else Unknown("the mode is not read")
        if isinstance(answer, str):
            return answer
        with watching() as heard:
            try:
                found = await self._answer(answer)
            except Exception as error:  # noqa: BLE001  # whatever went wrong, the mode is unknown
                return Unknown(f"position mode: {words(error, self._plan.venue, heard)}")
        if found in {"one_way", "hedge"}:
            return found
        return Unknown("position mode: the answer names neither one-way nor hedge")

    async def read_balances(self, product: str) -> Section[Balance]:
        """List every balance that is not zero. A wallet that all products share is read once."""
        listing = self._plan.balances.get(product)
        if self._plan.shared_wallet:
            first = self._profile.scopes[0].product
            if product != first:
                note = f"one wallet backs every product; it is reported under {first}"
                return Known((), self._clock.now_ms(), notes=(note,))
            listing = next(iter(self._plan.balances.values()))
        if listing is None:
            return Unknown(
                f"the generic profile of {self._plan.venue} reads no balances of {product}"
            )
        return await self._reader.balances(listing, product)

    async def read_ledger(self, product: str, window: Window) -> Section[LedgerEntry]:
        """Say that the ledger is not read by the generic profile."""
        return Unknown(
            f"the generic profile of {self._plan.venue} does not read the ledger of {product} "
            f"({window.since_ms} to {window.until_ms})"
        )

    async def look_up_order(self, reference: OrderReference) -> LookUp:
        """Ask for one order by its ids, whatever its status."""
        answered = False
        await self._reader.load_instruments()
        for query in self._plan.look_ups.get(reference.scope, ()):
            symbol = self._reader.instruments.venue_symbol(reference.symbol)
            if query.params(reference, symbol) is None:
                continue
            found = await self._look_up(query, reference, symbol)
            if isinstance(found, Order | Unknown):
                return found
            answered = True
        if not answered:
            return Unknown(f"{self._plan.venue} cannot be asked for this order by the known ids")
        return NotFound(reference, f"{self._plan.venue} answered that it does not know the order")

    def abilities(self, scope: Scope) -> CancelAbilities:
        """Return how this scope can be cancelled."""
        return CancelAbilities(
            by_symbol=self._whole(scope) is not None,
            single=scope in self._plan.cancels,
            parallel=1 if goes_single_file(self._plan.venue) else self._plan.parallel,
        )

    async def cancel_order(self, order: Order, permit: Permit) -> MutationOutcome:
        """Cancel one order by its venue order id. Never raises."""
        recipe = self._plan.cancels.get(order.scope)
        if recipe is None:
            return _refused(f"{self._plan.venue} has no cancel for {order.scope} in this profile")
        if order.venue_order_id is None:
            return _refused(
                "the venue's own order id is not known; list or look up the order first"
            )
        native = self._native.get(order.venue_order_id, {})
        return await self._mutate(
            lambda: recipe.send(self._exchange, order, native),
            lambda body: recipe.judge(body, order),
            permit,
        )

    async def cancel_symbol(
        self, scope: Scope, symbol: str, venue_symbol: str, permit: Permit
    ) -> MutationOutcome:
        """Cancel every order of the scope on one symbol, where the venue does that safely."""
        recipe = self._whole(scope)
        if recipe is None:
            return _refused(
                f"all of {symbol} is not cancelled at once at {self._plan.venue} ({scope}): "
                f"{mass_cancel_refusal(self._plan.venue)}"
            )
        return await self._mutate(
            lambda: getattr(self._exchange, recipe.endpoint)(dict(recipe.params(venue_symbol))),
            recipe.judge,
            permit,
        )

    async def set_countdown(self, countdown_ms: int, permit: Permit) -> MutationOutcome:
        """Start, refresh or (with zero) stop the account's countdown. Never raises."""
        recipe, seconds = self._plan.countdown, -(-countdown_ms // 1000)
        if recipe is None:
            return _refused(f"{self._plan.venue} has no countdown that this version can set")
        return await self._mutate(
            lambda: getattr(self._exchange, recipe.endpoint)(dict(recipe.params(seconds))),
            lambda body: recipe.judge(body, seconds),
            permit,
        )

    def _whole(self, scope: Scope) -> CancelSymbol | None:
        """Return how everything on a symbol is cancelled, unless a trap of the venue forbids it."""
        if mass_cancel_is_refused(self._plan.venue):
            return None
        return self._plan.symbol_cancels.get(scope)

    def weight_used(self) -> int | None:
        """Return None: these venues do not report one request weight."""
        return None

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        if not self._closed:
            self._closed = True
            await self._connection.close()

    def _remember(self, order_id: str, native: Mapping[str, str]) -> None:
        self._native[order_id] = native

    async def _answer(self, question: Question) -> str:
        async with asyncio.timeout(self._options.read_timeout_ms / 1000):
            body = await self._reader.ask(question.endpoint, question.params)
        fault = envelope_fault(self._plan.venue, body)
        if fault is not None:
            raise Malformed(fault)
        return question.read(body)

    def _at_first_contact(self, error: Exception, heard: Sequence[Attempt], what: str) -> Unknown:
        if isinstance(error, InvariantBroken):
            raise error
        typed = first_contact(error, self._plan.venue, heard)
        if typed is not None:
            raise typed from None
        return Unknown(f"{what}: {words(error, self._plan.venue, heard)}")

    async def _look_up(
        self, query: LookUpQuery, reference: OrderReference, symbol: str
    ) -> LookUp | None:
        """Ask one way; None means that this way does not know the order."""
        params = query.params(reference, symbol)
        with watching() as heard:
            try:
                async with asyncio.timeout(self._options.read_timeout_ms / 1000):
                    body = await self._reader.ask(query.endpoint, params or {})
                fault = envelope_fault(self._plan.venue, body)
                if fault is not None:
                    raise Malformed(fault)
                rows = query.rows(body)
                raws = [raw for row in rows if (raw := query.parse(row)) is not None]
                if not raws:
                    return None
                if len(raws) > 1:
                    raise Malformed("more than one order answers to these ids")
                raw = raws[0]
                asked = reference.venue_order_id or reference.client_order_id
                if asked not in {raw.venue_order_id, raw.client_order_id}:
                    raise Malformed("the venue answered with another order")
                instrument = self._reader.instruments.find(raw.venue_symbol, reference.product)
                return order_of(raw, instrument, account=self.account, product=reference.product)
            except Exception as error:  # whatever went wrong, nothing is known
                if isinstance(error, InvariantBroken):
                    raise
                if is_not_found(error, self._plan.venue, heard):
                    return None
                return Unknown(f"{query.label}: {words(error, self._plan.venue, heard)}")

    async def _mutate(
        self,
        send: Callable[[], Awaitable[object]],
        judge: Callable[[object], Unacknowledged | None],
        permit: Permit,
    ) -> MutationOutcome:
        """Send one mutating request and classify what came of it; UNKNOWN unless proved."""
        with watching() as heard, lend(permit):
            try:
                async with asyncio.timeout(self._options.cancel_timeout_ms / 1000), self._lane:
                    body = await send()
            except Exception as error:  # noqa: BLE001  # the power promises never to raise
                return outcome_of(error, self._plan.venue, heard)
        status = heard[-1].status if heard else None
        fault = envelope_fault(self._plan.venue, body)
        doubt = Unacknowledged(fault) if fault is not None else judge(body)
        if doubt is None:
            return MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED, http_status=status)
        return MutationOutcome(
            kind=OutcomeKind.REJECTED if doubt.definite else OutcomeKind.UNKNOWN,
            message=doubt.reason,
            http_status=status,
            already_gone=doubt.gone and doubt.definite,
            expected=doubt.gone and doubt.definite,
        )


_WITHOUT_POSITIONS = frozenset({"spot"})


def _refused(reason: str) -> MutationOutcome:
    """Return the outcome of a request that never left this process."""
    return MutationOutcome(kind=OutcomeKind.REJECTED, message=reason, sent=False)
