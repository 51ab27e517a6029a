"""Gather what the exchange reports, so that it can be trusted as one picture.

Orders, positions and balances are read twice, with fills and ledger between; the picture counts
only when both collects agree, otherwise it is gathered again, and in the end called MOVING. Orders
that the engine believes in and the listings lack are looked up one by one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from resyncctl.core.compare import agree, missing_references
from resyncctl.core.model import Scope
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import (
    EngineSnapshot,
    Known,
    ProductReading,
    Section,
    Unknown,
    VenueSnapshot,
    Window,
)
from resyncctl.ports.views import Clock, Progress, VenueView
from resyncctl.procedures.look_up import look_up_all

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherRequest:
    """What to read: the scopes of the manifest, the window of fills, and symbols known so far."""

    scopes: tuple[Scope, ...]
    window: Window
    symbols: tuple[str, ...] = ()

    @property
    def products(self) -> tuple[str, ...]:
        """The products of the manifest, each once, in its order."""
        return tuple(dict.fromkeys(scope.product for scope in self.scopes))


async def gather_venue(
    request: GatherRequest,
    *,
    venue: VenueView,
    engine: EngineSnapshot,
    clock: Clock,
    policy: Policy,
    progress: Progress,
) -> VenueSnapshot:
    """Given the manifest and what the engine believes, return what the exchange reports.

    Raises:
        CredentialsRefusedError: The key was refused at first contact.
        VenueUnavailableError: The exchange cannot be reached.
        TryAgainLaterError: The exchange asks for patience at first contact.
    """
    account = venue.account
    progress.say(account, "clock", "measuring the exchange's clock")
    reading = await venue.measure_clock()
    offset_ms = None if isinstance(reading, Unknown) else reading.offset_ms
    identity = await _identity(venue, request.products)
    products, moving = await _collect_until_stable(
        request, venue=venue, engine=engine, clock=clock, policy=policy, progress=progress
    )
    references = missing_references(engine, products)
    if references:
        progress.say(account, "look_up", "asking for single orders", orders=len(references))
    look_ups = await look_up_all(venue, references)
    return VenueSnapshot(
        account=account,
        venue=venue.profile.venue,
        as_of_ms=clock.now_ms(),
        products=products,
        look_ups=look_ups,
        not_covered=venue.profile.not_covered,
        moving=moving,
        clock_offset_ms=offset_ms,
        weight_used=venue.weight_used(),
        identity=identity,
    )


async def _identity(venue: VenueView, products: tuple[str, ...]) -> Section[str]:
    """Join the identities of all products; one unreadable identity makes the whole unknown."""
    words: list[str] = []
    as_of_ms = 0
    for product in products:
        section = await venue.read_identity(product)
        if isinstance(section, Unknown):
            return Unknown(f"{product}: {section.reason}")
        words += section.data
        as_of_ms = max(as_of_ms, section.as_of_ms)
    return Known(tuple(dict.fromkeys(words)), as_of_ms)


async def _collect_until_stable(
    request: GatherRequest,
    *,
    venue: VenueView,
    engine: EngineSnapshot,
    clock: Clock,
    policy: Policy,
    progress: Progress,
) -> tuple[tuple[ProductReading, ...], str | None]:
    moved: str | None = None
    products: tuple[ProductReading, ...] = ()
    for attempt in range(1, max(1, policy.double_collect_attempts) + 1):
        progress.say(venue.account, "collect", "reading the account twice", attempt=attempt)
        first = await _collect(request.scopes, request.products, venue)
        symbols = _symbols(request.symbols, engine, first)
        # The window ends where the reading begins: a slow run must not leave a gap at its end.
        window = Window(request.window.since_ms, max(request.window.until_ms, clock.now_ms()))
        first = await _with_history(first, window, symbols, venue)
        second = await _collect(request.scopes, request.products, venue)
        products = _worse_of(first, second)
        moved = agree(first, second)
        if moved is None:
            return products, None
        progress.say(venue.account, "moving", f"the account changed while it was read: {moved}")
    return products, moved


async def _collect(
    scopes: tuple[Scope, ...], products: tuple[str, ...], venue: VenueView
) -> tuple[ProductReading, ...]:
    """Read orders, positions, balances and position mode of every product, side by side."""

    async def one(product: str) -> ProductReading:
        own = [scope for scope in scopes if scope.product == product]
        orders, positions, balances, mode = await asyncio.gather(
            asyncio.gather(*(venue.read_open_orders(scope) for scope in own)),
            venue.read_positions(product),
            venue.read_balances(product),
            venue.read_position_mode(product),
        )
        unread = Unknown("not read in this pass")
        return ProductReading(
            product=product,
            orders=tuple(zip(own, orders, strict=True)),
            fills=unread,
            positions=Unknown(mode.reason) if isinstance(mode, Unknown) else positions,
            balances=balances,
            ledger=unread,
            position_mode=None if isinstance(mode, Unknown) else mode,
        )

    return tuple(await asyncio.gather(*(one(product) for product in products)))


async def _with_history(
    products: tuple[ProductReading, ...],
    window: Window,
    symbols: Callable[[str], tuple[str, ...]],
    venue: VenueView,
) -> tuple[ProductReading, ...]:
    async def one(reading: ProductReading) -> ProductReading:
        fills, ledger = await asyncio.gather(
            venue.read_fills(reading.product, window, symbols(reading.product)),
            venue.read_ledger(reading.product, window),
        )
        return replace(reading, fills=fills, ledger=ledger)

    return tuple(await asyncio.gather(*(one(reading) for reading in products)))


def _worse_of(
    first: tuple[ProductReading, ...], second: tuple[ProductReading, ...]
) -> tuple[ProductReading, ...]:
    """Return the second pass with the first one's history; unknown in either pass stays unknown."""
    return tuple(
        replace(
            after,
            orders=tuple(
                (scope, _worse(early, late))
                for (scope, early), (_, late) in zip(before.orders, after.orders, strict=True)
            ),
            positions=_worse(before.positions, after.positions),
            balances=_worse(before.balances, after.balances),
            fills=before.fills,
            ledger=before.ledger,
        )
        for before, after in zip(first, second, strict=True)
    )


def _worse(early: Section[T], late: Section[T]) -> Section[T]:
    return early if isinstance(early, Unknown) else late


def _symbols(
    asked: tuple[str, ...], engine: EngineSnapshot, products: tuple[ProductReading, ...]
) -> Callable[[str], tuple[str, ...]]:
    """Return per product every symbol that anybody knows of; most venues need to be told."""
    known: set[tuple[str, str]] = set()
    for section in (engine.orders, engine.fills, engine.positions):
        if isinstance(section, Known):
            known |= {(row.product, row.symbol) for row in section.data}
    for reading in products:
        for _, orders in reading.orders:
            if isinstance(orders, Known):
                known |= {(row.product, row.symbol) for row in orders.data}
        if isinstance(reading.positions, Known):
            known |= {(row.product, row.symbol) for row in reading.positions.data}

    def of(product: str) -> tuple[str, ...]:
        own = {symbol for belongs_to, symbol in known if belongs_to == product}
        # Unified symbols of derivatives carry their settle asset after a colon.
        fitting = {name for name in asked if (":" in name) == (product != "spot")}
        return tuple(sorted(own | fitting))

    return of
