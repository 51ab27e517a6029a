"""Seeded worlds: an engine and an exchange that agree, with every noun in play.

A world keeps its own simple books (two sides, each a set of dictionaries) and turns them into
snapshots. It shares no arithmetic with the comparison: what a fill does to positions and balances
is written down here a second time, on purpose.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from resyncctl.core.model import (
    Fill,
    LedgerEntry,
    Leg,
    Order,
    OrderClass,
    OrderStatus,
    Position,
    Scope,
    Side,
)
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import (
    Claim,
    EngineSnapshot,
    Known,
    LookUp,
    NotCovered,
    OrderReference,
    ProductReading,
    Provenance,
    Unknown,
    VenueSnapshot,
    Window,
)
from tests.fakes.world_books import ACCOUNT, Books

NOW_MS = 1_770_000_000_000
HOUR_MS = 3_600_000
POLICY = Policy(client_id_prefixes=("mm1-",))
CENT = Decimal("0.01")
T = TypeVar("T")


@dataclass
class World:
    """Two sides that agree, until somebody injects a fault."""

    rng: random.Random
    engine: Books = field(default_factory=Books)
    venue: Books = field(default_factory=Books)
    ledger: list[LedgerEntry] = field(default_factory=list)
    modes: dict[str, str | None] = field(default_factory=dict)
    symbols: dict[str, list[str]] = field(default_factory=dict)
    look_ups: dict[OrderReference, LookUp] = field(default_factory=dict)
    trouble: list[tuple[str, str]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    not_covered: list[NotCovered] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    moving: str | None = None
    offset_ms: int | None = 12
    option_since_ms: int = NOW_MS - 25 * HOUR_MS
    serial: int = 1000

    def next_id(self) -> str:
        self.serial += 1
        return str(self.serial)

    def amount(self, low: int = 1, high: int = 500) -> Decimal:
        return Decimal(self.rng.randint(low, high)) * CENT

    def take_symbol(self, product: str) -> str:
        """Hand out a symbol that nobody else may disturb."""
        return self.symbols[product].pop()

    def legs(self, product: str) -> list[Leg]:
        return [Leg.LONG, Leg.SHORT] if self.modes[product] == "hedge" else [Leg.BOTH]

    def place(
        self,
        product: str,
        symbol: str,
        *,
        on: tuple[str, ...] = ("engine", "venue"),
        client_id: str | None = None,
        created_ms: int | None = None,
        **terms: object,
    ) -> Order:
        """Put a resting order into the books of the named sides."""
        rng = self.rng
        leg = rng.choice(self.legs(product))
        created = created_ms or NOW_MS - rng.randint(2 * HOUR_MS, 20 * HOUR_MS)
        venue_id = self.next_id()
        order = Order(
            account=ACCOUNT,
            product=product,
            symbol=symbol,
            side=rng.choice(list(Side)),
            type="limit",
            status=OrderStatus.ACCEPTED,
            client_order_id=client_id or f"mm1-{venue_id}",
            venue_order_id=venue_id,
            quantity=self.amount(100, 900),
            filled=Decimal(0),
            price=self.amount(1000, 9000),
            leg=leg,
            created_at_ms=created,
            updated_at_ms=created,
        )
        order = replace(order, **terms)  # type: ignore[arg-type]  # terms are named by the caller
        for name in on:
            self.side(name).orders[venue_id] = order
        return order

    def side(self, name: str) -> Books:
        return self.engine if name == "engine" else self.venue

    def fill_of(
        self, order: Order, quantity: Decimal, *, price: Decimal | None = None, fee: bool = True
    ) -> Fill:
        """Make a fill of an order; nobody's books change."""
        quote = order.symbol.split("/")[1].split(":")[0]
        settle = order.symbol.partition(":")[2] or quote
        charge = self.amount(1, 20) if fee else None
        return Fill(
            account=ACCOUNT,
            product=order.product,
            symbol=order.symbol,
            trade_id=f"t{self.next_id()}",
            venue_order_id=order.venue_order_id,
            client_order_id=order.client_order_id,
            side=order.side,
            quantity=quantity,
            price=price or order.price or self.amount(1000, 9000),
            fee=charge,
            fee_asset=settle if charge else None,
            at_ms=NOW_MS - self.rng.randint(HOUR_MS // 2, 19 * HOUR_MS),
            leg=order.leg,
        )

    def execute(self, fill: Fill, *, on: tuple[str, ...] = ("engine", "venue")) -> None:
        """Let a fill happen in the books of the named sides: rows, order, position, balances."""
        for name in on:
            side = self.side(name)
            side.fills.append(fill)
            side.shift(fill)
            order = side.orders.get(fill.venue_order_id or "")
            if order is not None:
                filled = order.filled + fill.quantity
                status = OrderStatus.PARTIALLY_FILLED
                if filled >= order.quantity:
                    status = OrderStatus.FILLED
                side.orders[fill.venue_order_id or ""] = replace(
                    order, filled=filled, status=status, updated_at_ms=fill.at_ms
                )
        if "venue" in on and fill.product != "spot":
            self._book(fill, on)

    def _book(self, fill: Fill, on: tuple[str, ...]) -> None:
        """Write commission and realised profit into the exchange's ledger, as Binance does."""
        if fill.fee and fill.fee_asset:
            self._enter(fill.product, fill.fee_asset, -fill.fee, "commission", fill)
        settle = fill.symbol.partition(":")[2]
        profit = self.amount(0, 300) - Decimal(1)
        if profit:
            self._enter(fill.product, settle, profit, "realized_pnl", fill)
            for name in on:
                self.side(name).move(fill.product, settle, profit)

    def _enter(self, product: str, asset: str, amount: Decimal, kind: str, fill: Fill) -> None:
        self.ledger.append(
            LedgerEntry(
                account=ACCOUNT,
                product=product,
                asset=asset,
                amount=amount,
                kind=kind,
                entry_id=f"l{self.next_id()}",
                at_ms=fill.at_ms,
                symbol=fill.symbol,
                trade_id=fill.trade_id,
            )
        )

    def engine_snapshot(self) -> EngineSnapshot:
        engine, as_of = self.engine, NOW_MS - 1000
        return EngineSnapshot(
            account=ACCOUNT,
            as_of_ms=as_of,
            sequence=7,
            source=Provenance("checkpoint", "checkpoint.json", "d" * 64),
            orders=Known(self._shuffled(engine.orders.values()), as_of),
            fills=Known(
                self._shuffled(engine.fills), as_of, Window(as_of - 24 * HOUR_MS - 5000, as_of)
            ),
            positions=Known(
                self._shuffled(row for row in engine.positions.values() if row.quantity), as_of
            ),
            balances=Known(self._shuffled(engine.balances()), as_of),
            trouble=tuple(self.trouble),
            claims=tuple(self.claims),
        )

    def venue_snapshot(self) -> VenueSnapshot:
        return VenueSnapshot(
            account=ACCOUNT,
            venue="practice",
            as_of_ms=NOW_MS,
            products=tuple(self._reading(product) for product in sorted(self.modes)),
            look_ups=tuple(self.look_ups.items()),
            not_covered=tuple(self.not_covered),
            moving=self.moving,
            clock_offset_ms=self.offset_ms,
            identity=Known(("uid 7",), NOW_MS),
        )

    def _reading(self, product: str) -> ProductReading:
        venue = self.venue
        window = Window(NOW_MS - 25 * HOUR_MS, NOW_MS)
        if product == "option":
            window = Window(self.option_since_ms, NOW_MS)
        scopes = []
        for order_class in OrderClass if product != "spot" else (OrderClass.REGULAR,):
            scope = Scope(product, order_class)
            rows = self._shuffled(
                order
                for order in venue.orders.values()
                if order.scope == scope and not order.is_terminal
            )
            scopes.append((scope, Known(rows, NOW_MS)))
        fills = Known(
            self._shuffled(row for row in venue.fills if row.product == product), NOW_MS, window
        )
        reason = self.unreadable.get(product)
        return ProductReading(
            product=product,
            orders=tuple(scopes),
            fills=Unknown(reason) if reason else fills,
            positions=Known(
                self._shuffled(
                    row
                    for row in venue.positions.values()
                    if row.product == product and row.quantity
                ),
                NOW_MS,
            ),
            balances=Known(self._shuffled(venue.balances(product)), NOW_MS),
            ledger=Known(
                self._shuffled(row for row in self.ledger if row.product == product),
                NOW_MS,
                window,
            ),
            position_mode=self.modes[product],
        )

    def _shuffled(self, rows: Iterable[T]) -> tuple[T, ...]:
        mixed = list(rows)
        self.rng.shuffle(mixed)
        return tuple(mixed)


def make_world(seed: int, symbols: int | None = None) -> World:
    """Given a seed, return a world in which both sides agree."""
    rng = random.Random(seed)
    world = World(rng)
    hedged = rng.random() < 0.5
    world.modes = {
        "spot": None,
        "linear": "hedge" if hedged else "one_way",
        "inverse": "one_way" if hedged else "hedge",
        "option": None,
    }
    for product, pattern in (
        ("spot", "S{}/USDT"),
        ("linear", "L{}/USDT:USDT"),
        ("inverse", "I{}/USD:I{}"),
    ):
        count = rng.randint(0, 4) if symbols is None else symbols
        names = [pattern.format(number, number) for number in range(count)]
        world.symbols[product] = names.copy()
        for side in (world.engine, world.venue):
            side.totals[product, "USDT"] = Decimal(10_000_000)
        for symbol in names:
            _populate(world, product, symbol)
    for number in range(rng.randint(0, 3) if symbols is None else 12):
        value = world.amount(1000, 90000)
        for side in (world.engine, world.venue):
            side.totals["spot", f"A{number}"] = value
    return world


def _populate(world: World, product: str, symbol: str) -> None:
    rng = world.rng
    base = symbol.split("/", maxsplit=1)[0]
    for side in (world.engine, world.venue):
        if product == "spot":
            side.totals["spot", base] = Decimal(100_000)
        elif product == "inverse":
            side.totals["inverse", base] = Decimal(1_000)
    if product != "spot":
        for leg in world.legs(product):
            _anchor(world, product, symbol, leg)
    for _ in range(rng.randint(2, 4)):
        world.place(product, symbol)
    partly = world.place(product, symbol)
    world.execute(world.fill_of(partly, partly.quantity / 4))
    for _ in range(rng.randint(1, 3)):
        done = world.place(product, symbol)
        world.execute(world.fill_of(done, done.quantity))
        if rng.random() < 0.5:
            world.engine.orders.pop(done.venue_order_id or "")
    if product != "spot":
        world.place(
            product,
            symbol,
            type="stop_market",
            price=None,
            trigger_price=world.amount(1000, 9000),
            reduce_only=world.modes[product] == "one_way",
            protective=True,
            order_class=OrderClass.ALGO,
        )


def _anchor(world: World, product: str, symbol: str, leg: Leg) -> None:
    quantity = Decimal(world.rng.randint(100, 900))
    if leg is Leg.SHORT or (leg is Leg.BOTH and world.rng.random() < 0.5):
        quantity = -quantity
    position = Position(
        account=ACCOUNT,
        product=product,
        symbol=symbol,
        leg=leg,
        quantity=quantity,
        entry_price=world.amount(1000, 9000),
    )
    for side in (world.engine, world.venue):
        side.positions[product, symbol, leg] = position
