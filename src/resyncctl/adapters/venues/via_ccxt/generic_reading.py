"""Reading one section of a venue through its plan: ask, walk, parse, convert, and judge.

Promise: the answer is `Known` and complete only when every query of the listing was answered with
the venue's success envelope, was walked to its end, and every row could be read. Anything else is
`Unknown` with its reason, or `Known` with `complete=False`. No exception leaves a read, other than
a broken promise of this program.

Called by `generic.GenericVenue`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, envelope_fault, value_at
from resyncctl.adapters.venues.via_ccxt.generic_convert import (
    Instrument,
    balances_of,
    fill_of,
    order_of,
    positions_of,
)
from resyncctl.adapters.venues.via_ccxt.generic_failures import words
from resyncctl.adapters.venues.via_ccxt.generic_instruments import InstrumentTable
from resyncctl.adapters.venues.via_ccxt.generic_pages import Gathered, gather
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    WALLET,
    Listing,
    Params,
    Query,
    SymbolSource,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.adapters.venues.via_ccxt.transport import watching
from resyncctl.core.errors import InvariantBroken
from resyncctl.core.model import Balance, Fill, Order, OrderClass, Position, Scope
from resyncctl.core.snapshot import Known, Section, Unknown, Window
from resyncctl.ports.views import Clock

R = TypeVar("R")
T = TypeVar("T")


@dataclass(slots=True)
class Harvest:
    """What a listing brought: parsed rows, and how far they can be trusted."""

    raws: list[Any] = field(default_factory=list)
    complete: bool = True
    newest_first: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Reader:
    """One account's way of reading a planned venue.

    `lane` is held for each request: a lock where requests must not overtake one another, because
    the venue refuses a nonce that is not higher than the last one it saw.
    """

    account: str
    venue: str
    exchange: Any
    clock: Clock
    instruments: InstrumentTable
    timeout_ms: int = 60_000
    may_load: bool = True
    table_fault: str | None = None
    remember: Callable[[str, Mapping[str, str]], None] | None = None
    lane: AbstractAsyncContextManager[object] = field(default_factory=nullcontext)

    async def ask(self, endpoint: str, params: Params) -> object:
        """Make one native request and return its body, undecided whether it is a success."""
        filled = {
            key: self.exchange.walletAddress if value == WALLET else value
            for key, value in params.items()
        }
        async with self.lane:
            body: object = await getattr(self.exchange, endpoint)(filled)
        return body

    async def orders(self, listing: Listing[RawOrder], scope: Scope) -> Section[Order]:
        """List every order that rests in the scope."""

        def convert(harvest: Harvest) -> tuple[Order, ...]:
            found: dict[str, Order] = {}
            ended = 0
            for raw in harvest.raws:
                self._belongs(raw, scope)
                order = order_of(
                    self._countable(raw, harvest),
                    self._find(raw, scope, harvest),
                    account=self.account,
                    product=scope.product,
                )
                ended += order.is_terminal
                if raw.note is not None:
                    harvest.notes.append(f"{raw.venue_order_id}: {raw.note}")
                if raw.native and self.remember is not None:
                    self.remember(raw.venue_order_id, dict(raw.native))
                if not order.is_terminal:
                    found[raw.venue_order_id] = order
            if ended:
                harvest.notes.append(f"{ended} listed orders had ended already and are left out")
            return tuple(found.values())

        return await self._section(
            listing, convert, what=f"open orders of {scope}", product=scope.product
        )

    async def fills(
        self, listing: Listing[RawFill], product: str, window: Window, symbols: Sequence[str]
    ) -> Section[Fill]:
        """List the fills of the window."""

        def convert(harvest: Harvest) -> tuple[Fill, ...]:
            fills = tuple(
                fill_of(
                    raw,
                    self._find(raw, Scope(product), harvest),
                    account=self.account,
                    product=product,
                    asset_code=self.instruments.asset,
                )
                for raw in harvest.raws
            )
            oldest = min((fill.at_ms for fill in fills), default=None)
            if harvest.newest_first and (oldest is None or oldest > window.since_ms):
                harvest.complete = False
                harvest.notes.append("the venue shows only its newest fills, all inside the window")
            return tuple(one for one in fills if window.since_ms <= one.at_ms <= window.until_ms)

        return await self._section(
            listing,
            convert,
            what=f"fills of {product}",
            product=product,
            window=window,
            symbols=symbols,
        )

    async def positions(self, listing: Listing[RawPosition], product: str) -> Section[Position]:
        """List every position leg that is not flat."""

        def convert(harvest: Harvest) -> tuple[Position, ...]:
            pairs = ((raw, self._find(raw, Scope(product), harvest)) for raw in harvest.raws)
            return positions_of(pairs, account=self.account, product=product)

        return await self._section(
            listing, convert, what=f"positions of {product}", product=product
        )

    async def balances(self, listing: Listing[RawBalance], product: str) -> Section[Balance]:
        """List every balance that is not zero."""

        def convert(harvest: Harvest) -> tuple[Balance, ...]:
            pairs = ((raw, self.instruments.asset(raw.asset)) for raw in harvest.raws)
            return balances_of(pairs, account=self.account, product=product)

        return await self._section(listing, convert, what=f"balances of {product}", product=product)

    async def load_instruments(self) -> None:
        """Read the market table once; a failure is remembered and does not stop the reading."""
        if self.instruments.loaded or self.table_fault is not None:
            return
        if self.instruments.take_from_disk(any_age=not self.may_load):
            return
        if not self.may_load:
            self.table_fault = "the market table is not read on the way to a cancel"
            return
        await self._fetch_instruments()

    async def _fetch_instruments(self) -> None:
        with watching() as heard:
            try:
                async with asyncio.timeout(self.timeout_ms / 1000):
                    await self.instruments.fetch()
            except Exception as error:  # noqa: BLE001  # any failure has the same consequence
                self.table_fault = words(error, self.venue, heard)

    async def _know(self, harvest: Harvest, product: str) -> None:
        """Fetch a new table when the one from the disk lacks a name that was just read."""
        if not (self.may_load and self.instruments.from_disk):
            return
        names = {name for raw in harvest.raws if (name := getattr(raw, "venue_symbol", None))}
        if any(not self.instruments.find(name, product).mapped for name in names):
            await self._fetch_instruments()

    async def _section(
        self,
        listing: Listing[R],
        convert: Callable[[Harvest], tuple[T, ...]],
        *,
        what: str,
        product: str,
        window: Window | None = None,
        symbols: Sequence[str] = (),
    ) -> Section[T]:
        """Read a listing to its end and give the answer its standing."""
        began_ms = self.clock.now_ms()
        await self.load_instruments()
        with watching() as heard:
            try:
                async with asyncio.timeout(self.timeout_ms / 1000):
                    harvest = await self._harvest(listing, window, symbols)
                    await self._know(harvest, product)
                data = convert(harvest)
            except InvariantBroken:
                raise
            except Exception as error:  # noqa: BLE001  # whatever went wrong, the answer is unknown
                return Unknown(f"{what}: {words(error, self.venue, heard)}")
        if self.table_fault is not None:
            harvest.notes.append(f"symbols are the venue's own: {self.table_fault}")
        return Known(
            data,
            as_of_ms=began_ms,
            window=window,
            complete=harvest.complete,
            notes=tuple(dict.fromkeys(harvest.notes)),
        )

    async def _harvest(
        self, listing: Listing[R], window: Window | None, symbols: Sequence[str]
    ) -> Harvest:
        harvest = Harvest()
        for query in listing.queries:
            for asked in await self._per_symbol(query, symbols, harvest):
                gathered = await gather(self.ask, self.venue, asked, window)
                self._take(asked, gathered, listing.parse, harvest)
        return harvest

    async def _per_symbol(
        self, query: Query, symbols: Sequence[str], harvest: Harvest
    ) -> tuple[Query, ...]:
        """Return the query once, or once for each symbol where the venue wants to be told."""
        if query.per_symbol is None:
            return (query,)
        if query.symbols_from is not None:
            names = await self._told_symbols(query.symbols_from)
        else:
            names = tuple(self.instruments.venue_symbol(symbol) for symbol in symbols)
            if not names:
                harvest.complete = False
                harvest.notes.append(
                    f"{query.label}: the venue must be told the symbols, none is known"
                )
        return tuple(_with(query, {query.per_symbol: name}) for name in names)

    async def _told_symbols(self, source: SymbolSource) -> tuple[str, ...]:
        """Ask the venue which instruments a listing has rows for."""
        body = await self.ask(source.endpoint, source.params)
        fault = envelope_fault(self.venue, body)
        found = None if fault is not None else value_at(body, source.found_at)
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise Malformed(f"{source.label}: {fault or 'the answer is no list of names'}")
        return tuple(dict.fromkeys(found))

    def _take(
        self,
        query: Query,
        gathered: Gathered,
        parse: Callable[[Row], Any],
        harvest: Harvest,
    ) -> None:
        earlier = tuple(harvest.raws)
        for row in gathered.rows.values():
            if query.keep is not None and not query.keep(row):
                continue
            try:
                raw = parse(row)
            except Malformed as fault:
                raise Malformed(f"{query.label}: {fault.reason}") from None
            if raw is not None and raw not in earlier:  # two queries may show the same row
                harvest.raws.append(raw)
        harvest.newest_first = harvest.newest_first or gathered.newest_first
        if gathered.capped:
            harvest.complete = False
            harvest.notes.append(f"{query.label}: the venue's reply was full; rows may be missing")

    def _countable(self, raw: RawOrder, harvest: Harvest) -> RawOrder:
        """Keep an order cancellable when nothing can convert its quantity.

        On the way to a cancel there is no market table. The quantity then stays in the venue's own
        unit and the note says so; a cancel needs the id and nothing else.
        """
        if self.may_load or self.instruments.loaded or raw.unit is Unit.BASE:
            return raw
        harvest.notes.append(f"quantities are in the venue's own unit ({raw.unit.value})")
        return replace(raw, unit=Unit.BASE, filled_unit=Unit.BASE)

    def _find(self, raw: Any, scope: Scope, harvest: Harvest) -> Instrument:
        found = self.instruments.find(raw.venue_symbol, scope.product)
        if not found.mapped:
            harvest.notes.append(f"{raw.venue_symbol} is not in the market table")
        return found

    def _belongs(self, raw: RawOrder, scope: Scope) -> None:
        if raw.algo != (scope.order_class is OrderClass.ALGO):
            raise InvariantBroken(f"a plan put an order of another class into {scope}")


def _with(query: Query, more: Params) -> Query:
    return replace(query, params={**query.params, **more})
