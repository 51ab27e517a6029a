"""A venue without a plan: readable through ccxt's unified methods, never trusted as complete.

Promise: an empty answer is `Unknown`, because nobody has said what this venue's success looks
like; a non-empty one is `Known` with `complete=False`. Nothing is cancelled here: no endpoint of
the venue is known to be a cancel and nothing else, so the transport would refuse it.

Called by `generic_open`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.connect import Connection
from resyncctl.adapters.venues.via_ccxt.coverage import not_covered
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed
from resyncctl.adapters.venues.via_ccxt.generic import GenericOptions
from resyncctl.adapters.venues.via_ccxt.generic_convert import in_base
from resyncctl.adapters.venues.via_ccxt.generic_failures import first_contact, words
from resyncctl.adapters.venues.via_ccxt.generic_instruments import InstrumentTable
from resyncctl.adapters.venues.via_ccxt.generic_rows import Unit
from resyncctl.adapters.venues.via_ccxt.horizons import (
    UNPLANNED_MS,
    UNPLANNED_SOURCE,
    lengthened,
)
from resyncctl.adapters.venues.via_ccxt.transport import watching
from resyncctl.core.errors import InvariantBroken
from resyncctl.core.model import (
    Balance,
    Fill,
    LedgerEntry,
    Leg,
    Order,
    OrderStatus,
    Position,
    Scope,
)
from resyncctl.core.money import ZERO
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.snapshot import (
    Known,
    LookUp,
    OrderReference,
    Section,
    Unknown,
    Window,
)
from resyncctl.ports.powers import CancelAbilities
from resyncctl.ports.views import Clock, ClockReading, VenueProfile

T = TypeVar("T")

_UNTRUSTED = "the venue has no checked plan; rows may be missing"
_STATUSES = {"open": OrderStatus.ACCEPTED}


class UnplannedVenue:
    """Any other ccxt venue, read with every reservation."""

    def __init__(
        self, connection: Connection, venue: str, clock: Clock, options: GenericOptions
    ) -> None:
        self._connection = connection
        self._exchange = connection.exchange
        self._venue = venue
        self._clock = clock
        self._options = options
        self._instruments = InstrumentTable(connection.exchange)
        self._closed = False
        horizon_ms, source = lengthened(
            UNPLANNED_MS, UNPLANNED_SOURCE, options.staleness_horizon_ms
        )
        self._profile = VenueProfile(
            venue=venue,
            scopes=options.scopes or (Scope("spot"),),
            staleness_horizon_ms=horizon_ms,
            horizon_source=source,
            request_validity_ms=60_000,
            not_covered=not_covered(venue),
        )

    @property
    def account(self) -> str:
        """The account's name in the configuration."""
        return self._options.account

    @property
    def profile(self) -> VenueProfile:
        """What this profile promises: very little."""
        return self._profile

    async def measure_clock(self) -> ClockReading | Unknown:
        """Say that the clock is not measured.

        Raises:
            VenueUnavailableError: Never; the first read tells.
        """
        return Unknown(f"{self._venue} has no checked plan: its clock is not measured")

    async def read_identity(self, product: str) -> Section[str]:
        """Say that nothing proves whose account this is, after one read that shows the key works.

        Raises:
            CredentialsRefusedError: The venue refused the key.
            VenueUnavailableError: The venue cannot be reached at all.
            TryAgainLaterError: It asks for patience.
        """
        with watching() as heard:
            try:
                await self._exchange.fetch_balance({"type": product})
            except Exception as error:  # noqa: BLE001  # told apart by `first_contact`
                typed = first_contact(error, self._venue, heard)
                if typed is not None:
                    raise typed from None
        return Unknown(f"{self._venue} has no request that tells whose key this is")

    async def read_open_orders(self, scope: Scope) -> Section[Order]:
        """List what ccxt lists, never as complete."""
        if scope.order_class != Scope(scope.product).order_class:
            return Unknown(f"{self._venue} has no checked plan: trigger orders are not listed")

        def order(row: Mapping[str, Any]) -> Order:
            instrument, unit = self._unit(row, scope.product)
            quantity, filled = read.number(row, "amount"), read.number(row, "filled")
            price = read.price(row, "price")
            return Order(
                account=self.account,
                product=scope.product,
                symbol=instrument.symbol,
                side=read.side(row, "side"),
                type=read.optional_text(row, "type") or "unknown",
                status=read.word(row, "status", _STATUSES),
                client_order_id=read.optional_text(row, "clientOrderId"),
                venue_order_id=read.text(row, "id"),
                quantity=in_base(quantity, unit, instrument, price),
                filled=in_base(filled, unit, instrument, price),
                price=price,
                trigger_price=read.price(row, "triggerPrice"),
                reduce_only=read.flag(row, "reduceOnly"),
                venue_symbol=instrument.venue_symbol,
            )

        return await self._listed(
            lambda: self._exchange.fetch_open_orders(params={"type": scope.product}),
            order,
            f"open orders of {scope}",
        )

    async def read_fills(
        self, product: str, window: Window, symbols: Sequence[str]
    ) -> Section[Fill]:
        """List what ccxt lists of the window, symbol by symbol, never as complete."""

        def fill(row: Mapping[str, Any]) -> Fill:
            instrument, unit = self._unit(row, product)
            price = read.number(row, "price")
            return Fill(
                account=self.account,
                product=product,
                symbol=instrument.symbol,
                trade_id=read.text(row, "id"),
                venue_order_id=read.optional_text(row, "order"),
                client_order_id=None,
                side=read.side(row, "side"),
                quantity=in_base(read.number(row, "amount"), unit, instrument, price),
                price=price,
                fee=read.optional_number(row, "fee.cost"),
                fee_asset=read.optional_text(row, "fee.currency"),
                at_ms=read.at_ms(row, "timestamp"),
            )

        async def rows() -> list[Any]:
            found: list[Any] = []
            for symbol in symbols:
                found += await self._exchange.fetch_my_trades(symbol, window.since_ms)
            return found

        listed = await self._listed(rows, fill, f"fills of {product}")
        if isinstance(listed, Unknown):
            return listed
        inside = tuple(f for f in listed.data if window.since_ms <= f.at_ms <= window.until_ms)
        return Known(inside, listed.as_of_ms, window, complete=False, notes=listed.notes)

    async def read_positions(self, product: str) -> Section[Position]:
        """List what ccxt lists, never as complete; spot has no positions."""
        if product == "spot":
            return Known((), self._clock.now_ms())

        def position(row: Mapping[str, Any]) -> Position:
            instrument, unit = self._unit(row, product)
            entry = read.price(row, "entryPrice")
            size = in_base(abs(read.number(row, "contracts")), unit, instrument, entry)
            side = read.text(row, "side")
            if side not in {"long", "short"}:
                raise Malformed("'side' is neither long nor short")
            hedged = row.get("hedged") is True
            return Position(
                account=self.account,
                product=product,
                symbol=instrument.symbol,
                leg=Leg(side) if hedged else Leg.BOTH,
                quantity=size if side == "long" else ZERO - size,
                entry_price=entry,
            )

        return await self._listed(
            self._exchange.fetch_positions, position, f"positions of {product}"
        )

    async def read_position_mode(self, product: str) -> str | Unknown | None:
        """Say that the mode is not known; spot has none."""
        return None if product == "spot" else Unknown("the position mode is not read")

    async def read_balances(self, product: str) -> Section[Balance]:
        """List what ccxt lists, never as complete."""

        async def rows() -> list[Mapping[str, Any]]:
            found = await self._exchange.fetch_balance({"type": product})
            return [
                {"asset": asset, **found[asset]}
                for asset in found.get("total", {})
                if isinstance(found.get(asset), Mapping)
            ]

        def balance(row: Mapping[str, Any]) -> Balance:
            return Balance(
                account=self.account,
                product=product,
                asset=read.text(row, "asset"),
                free=read.optional_number(row, "free"),
                locked=read.optional_number(row, "used"),
                total=read.number(row, "total"),
            )

        return await self._listed(rows, balance, f"balances of {product}")

    async def read_ledger(self, product: str, window: Window) -> Section[LedgerEntry]:
        """Say that the ledger is not read."""
        return Unknown(f"the ledger of {product} is not read at {self._venue} ({window.since_ms})")

    async def look_up_order(self, reference: OrderReference) -> LookUp:
        """Say that a single order cannot be asked for with any trust."""
        return Unknown(f"{self._venue} has no checked plan: {reference.symbol} cannot be asked for")

    def abilities(self, scope: Scope) -> CancelAbilities:  # noqa: ARG002  # the port's signature
        """Return that nothing can be cancelled here."""
        return CancelAbilities(by_symbol=False, single=False)

    async def cancel_order(self, order: Order, permit: Permit) -> MutationOutcome:
        """Refuse: nothing leaves."""
        return self._refused(f"{order.venue_order_id} (intent {permit.intent_id})")

    async def cancel_symbol(
        self, scope: Scope, symbol: str, venue_symbol: str, permit: Permit
    ) -> MutationOutcome:
        """Refuse: nothing leaves."""
        return self._refused(f"{scope} {symbol} {venue_symbol} (intent {permit.intent_id})")

    def weight_used(self) -> int | None:
        """Return None: the venue reports no weight that this profile knows."""
        return None

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        if not self._closed:
            self._closed = True
            await self._connection.close()

    async def _listed(
        self,
        ask: Callable[[], Awaitable[Any]],
        parse: Callable[[Mapping[str, Any]], T],
        what: str,
    ) -> Section[T]:
        began_ms = self._clock.now_ms()
        with watching() as heard:
            try:
                async with asyncio.timeout(self._options.read_timeout_ms / 1000):
                    if not self._instruments.loaded:
                        await self._instruments.fetch()
                    rows = await ask()
                if not isinstance(rows, list):
                    raise Malformed("the answer is not a list")
                data = tuple(parse(row) for row in rows)
            except InvariantBroken:
                raise
            except Exception as error:  # noqa: BLE001  # whatever went wrong, the answer is unknown
                return Unknown(f"{what}: {words(error, self._venue, heard)}")
        if not data:
            return Unknown(
                f"{what}: nothing was listed, and no one can tell an empty answer of "
                f"{self._venue} from a broken one"
            )
        return Known(data, began_ms, complete=False, notes=(_UNTRUSTED,))

    def _unit(self, row: Mapping[str, Any], product: str) -> tuple[Any, Unit]:
        symbol = read.text(row, "symbol")
        instrument = self._instruments.find(self._instruments.venue_symbol(symbol), product)
        is_contract = ":" in symbol
        return instrument, Unit.CONTRACTS if is_contract else Unit.BASE

    def _refused(self, what: str) -> MutationOutcome:
        return MutationOutcome(
            kind=OutcomeKind.REJECTED,
            message=f"{self._venue} has no checked plan, so nothing is cancelled there: {what}. "
            "Cancel at the venue itself",
            sent=False,
        )
