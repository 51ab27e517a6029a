"""Look at an account before, while and after it is flattened. This part holds no power.

Promises: a section that could not be read, or not completely, is named and never taken for empty;
every reading carries the moment at which it began, so that its age can be judged. Called by
`procedures.flatten` and `procedures.flatten_leg`.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from resyncctl.core.flatten_holdings import (
    SPOT,
    AccountReading,
    Choice,
    Holding,
    HoldingKey,
    Instrument,
    names_of,
    position_holdings,
    quote_of_pairs,
    spot_holdings,
)
from resyncctl.core.flatten_proof import FlatRead
from resyncctl.core.model import Balance, Order, Position, Scope
from resyncctl.core.snapshot import Section, Unknown
from resyncctl.ports.views import Clock, MarketView, VenueView
from resyncctl.procedures.prove_absence import list_orders

READS_AT_ONCE = 8


def products_of(scopes: Iterable[Scope]) -> tuple[str, ...]:
    """Return the products of a manifest, each once, in its order."""
    return tuple(dict.fromkeys(scope.product for scope in scopes))


PAUSES_MS = (1_000, 2_000, 4_000)
"""How long to wait before each repetition of a reading that has gaps."""


async def read_account(
    scopes: tuple[Scope, ...],
    choice: Choice,
    *,
    venue: VenueView,
    market: MarketView,
    clock: Clock,
    known_pairs: tuple[str, ...] = (),
) -> tuple[AccountReading, Choice]:
    """Read holdings, modes, resting orders, rules and books; again while some of it is missing.

    Returns the reading and the choice, with the asset to sell into filled in from the known pairs
    where the operator named none. What is still missing after the last reading is told in it.
    """
    for pause_ms in PAUSES_MS:
        found = await _read_once(
            scopes, choice, venue=venue, market=market, clock=clock, known_pairs=known_pairs
        )
        if _is_whole(found[0]):
            return found
        await clock.sleep_ms(pause_ms)
    return await _read_once(
        scopes, choice, venue=venue, market=market, clock=clock, known_pairs=known_pairs
    )


def _is_whole(reading: AccountReading) -> bool:
    gaps = (
        isinstance(one.rules, Unknown) or isinstance(one.book, Unknown)
        for one in reading.instruments.values()
    )
    return not reading.unread and not any(gaps)


async def _read_once(
    scopes: tuple[Scope, ...],
    choice: Choice,
    *,
    venue: VenueView,
    market: MarketView,
    clock: Clock,
    known_pairs: tuple[str, ...],
) -> tuple[AccountReading, Choice]:
    products = products_of(scopes)
    began_ms = clock.monotonic_ms()
    (modes, mode_trouble), (positions, balances, row_trouble), listing = await asyncio.gather(
        _modes(products, venue), _rows(products, venue), list_orders(venue, scopes, clock)
    )
    meant = tuple(order for order in listing.orders if _wants_order(choice, order))
    if choice.into is None:
        pairs = (*known_pairs, *choice.symbols, *(o.symbol for o in listing.orders))
        choice = replace(choice, into=quote_of_pairs(pairs))
    holdings = (*position_holdings(positions, choice), *spot_holdings(balances, choice))
    reading = AccountReading(
        account=venue.account,
        as_of_ms=clock.now_ms(),
        began_ms=began_ms,
        modes=modes,
        holdings=holdings,
        orders=meant,
        instruments=await _instruments(holdings, market),
        unread=(
            *mode_trouble,
            *row_trouble,
            *(f"{scope}: {why}" for scope, why in listing.unreadable),
        ),
    )
    return reading, choice


def _wants_order(choice: Choice, order: Order) -> bool:
    names = names_of(order.symbol) | {order.venue_symbol}
    return not choice.symbols or bool(names & set(choice.symbols))


async def _modes(
    products: tuple[str, ...], venue: VenueView
) -> tuple[dict[str, str | None], list[str]]:
    answers = await asyncio.gather(*(venue.read_position_mode(one) for one in products))
    modes: dict[str, str | None] = {}
    trouble: list[str] = []
    for product, answer in zip(products, answers, strict=True):
        if isinstance(answer, Unknown):
            trouble.append(f"{product}: the position mode is not known: {answer.reason}")
            modes[product] = None
        else:
            modes[product] = answer
    return modes, trouble


async def _rows(
    products: tuple[str, ...], venue: VenueView
) -> tuple[list[Position], list[Balance], list[str]]:
    """Read positions of the products that have them, and balances of spot."""
    positions: list[Position] = []
    balances: list[Balance] = []
    trouble: list[str] = []

    async def one(product: str) -> None:
        if product == SPOT:
            assets = await venue.read_balances(product)
            why = _why_unreadable(assets)
            balances.extend(() if isinstance(assets, Unknown) else assets.data)
        else:
            legs = await venue.read_positions(product)
            why = _why_unreadable(legs)
            positions.extend(() if isinstance(legs, Unknown) else legs.data)
        if why is not None:
            what = "balances" if product == SPOT else "positions"
            trouble.append(f"{product}: its {what} are not known: {why}")

    await asyncio.gather(*(one(product) for product in products))
    return positions, balances, sorted(trouble)


def _why_unreadable(section: Section[Position] | Section[Balance]) -> str | None:
    if isinstance(section, Unknown):
        return section.reason
    if not section.complete:
        return "; ".join(section.notes) or "the listing is not complete"
    return None


async def _instruments(
    holdings: Iterable[Holding], market: MarketView
) -> dict[tuple[str, str], Instrument]:
    slots = asyncio.Semaphore(READS_AT_ONCE)

    async def one(product: str, symbol: str) -> Instrument:
        async with slots:
            rules = await market.read_rules(product, symbol)
            book = await market.read_book(product, symbol)
            return Instrument(rules=rules, book=book)

    pairs = list(dict.fromkeys((h.product, h.symbol) for h in holdings if "/" in h.symbol))
    found = await asyncio.gather(*(one(product, symbol) for product, symbol in pairs))
    return dict(zip(pairs, found, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class LegReading:
    """One fresh look at one holding. `quantity` and `available` are zero when it is gone."""

    began_ms: int
    as_of_ms: int
    mode: str | None
    quantity: Decimal
    available: Decimal
    instrument: Instrument


async def read_leg(
    key: HoldingKey, choice: Choice, *, venue: VenueView, market: MarketView, clock: Clock
) -> LegReading | Unknown:
    """Read one holding, the position mode, its rules and its book, all now."""
    product, symbol, leg = key
    began_ms = clock.monotonic_ms()
    as_of_ms = clock.now_ms()
    mode, (positions, balances, trouble), rules, book = await asyncio.gather(
        venue.read_position_mode(product),
        _rows((product,), venue),
        market.read_rules(product, symbol),
        market.read_book(product, symbol),
    )
    if isinstance(mode, Unknown):
        return Unknown(f"the position mode is not known: {mode.reason}")
    if trouble:
        return Unknown(trouble[0])
    wanted = replace(choice, symbols=())
    held = {
        one.key: one
        for one in (*position_holdings(positions, wanted), *spot_holdings(balances, wanted))
    }
    holding = held.get((product, symbol, leg))
    if holding is not None and holding.available is None:
        return Unknown("the exchange does not say how much of it is free")
    return LegReading(
        began_ms=began_ms,
        as_of_ms=as_of_ms,
        mode=mode,
        quantity=holding.quantity if holding else Decimal(0),
        available=(holding.available or Decimal(0)) if holding else Decimal(0),
        instrument=Instrument(rules=rules, book=book),
    )


async def read_held(
    products: tuple[str, ...], choice: Choice, *, venue: VenueView, clock: Clock
) -> FlatRead:
    """Read what is held of every product, for the proof at the end."""
    began_ms = clock.monotonic_ms()
    held: dict[HoldingKey, Decimal] = {}
    unreadable: dict[str, str] = {}
    for product in products:
        positions, balances, trouble = await _rows((product,), venue)
        if trouble:
            unreadable[product] = trouble[0]
        rows = (*position_holdings(positions, choice), *spot_holdings(balances, choice))
        held |= {one.key: one.quantity for one in rows}
    return FlatRead(began_ms, held, unreadable)
