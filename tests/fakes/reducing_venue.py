"""An exchange in memory that holds positions and balances, and takes reducing orders.

Implements `ports.views.VenueView` and `MarketView`, `ports.powers.VenueCancel` and `VenueReduce`.
The ground truth is in `held` and `assets`; a script says how each order is treated. The exchange
keeps watch: whatever must never happen to a holding is written into `violations`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.model import (
    Balance,
    Fill,
    LedgerEntry,
    Leg,
    Order,
    OrderStatus,
    Position,
    Scope,
    Side,
)
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.reduction import Protection, Reduction
from resyncctl.core.snapshot import (
    Known,
    LookUp,
    NotFound,
    OrderReference,
    Section,
    Unknown,
    Window,
)
from resyncctl.ports.powers import CancelAbilities, VenueCancel, VenueReduce
from resyncctl.ports.views import Clock, ClockReading, MarketView, VenueProfile, VenueView

Key = tuple[str, str, str]
ZERO = Decimal(0)
SKEW_MS = 25


def linear_rules(symbol: str, **changes: object) -> InstrumentRules:
    """Rules like those of a USD-M contract."""
    base, _, rest = symbol.partition("/")
    rules = InstrumentRules(
        product="linear",
        symbol=symbol,
        venue_symbol=f"{base}{rest.partition(':')[0]}",
        base=base,
        quote=rest.partition(":")[0],
        quantity_step=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(1000),
        price_tick=Decimal("0.1"),
        notional_min=Decimal(100),
        notional_min_applies_to_reducing=False,
    )
    return replace(rules, **changes)  # type: ignore[arg-type]  # tests name real fields


def spot_rules(symbol: str, **changes: object) -> InstrumentRules:
    """Rules like those of a spot pair."""
    rules = linear_rules(symbol, product="spot", notional_min=Decimal(5))
    rules = replace(rules, notional_min_applies_to_reducing=True)
    return replace(rules, **changes)  # type: ignore[arg-type]  # tests name real fields


@dataclass(slots=True)
class Pending:
    """An order that has not landed yet."""

    reduction: Reduction
    due_ms: int
    deadline_ms: int


@dataclass(slots=True, kw_only=True)
class ReducingVenue:
    """The knobs.

    `script` is consumed by one word per order: `ok`, `lost` (lands, no answer), `never` (does not
    land, no answer), `late:MS` (lands that much later, no answer), `reject`, `unsent`, `silent`
    (acknowledged and then not known). When it is empty every order is `ok`. `lag_ms` lets positions
    and balances show an older state, `look_up_lag_ms` keeps a landed order unknown for that long.
    `before_read` and `before_reduce` are hooks for what others do meanwhile. `clips` is False for
    an exchange that forgets the reduce-only flag.
    """

    clock: Clock
    scopes: tuple[Scope, ...] = (Scope("spot"), Scope("linear"))
    account: str = "main"
    held: dict[Key, Decimal] = field(default_factory=dict)
    assets: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    mode: str | Unknown | None = "one_way"
    rules: dict[tuple[str, str], InstrumentRules] = field(default_factory=dict)
    books: dict[tuple[str, str], tuple[list[tuple[str, str]], list[tuple[str, str]]]] = field(
        default_factory=dict
    )
    resting: dict[str, Order] = field(default_factory=dict)
    script: list[str] = field(default_factory=list)
    cannot: Mapping[str, str] = field(default_factory=dict)
    lag_ms: int = 0
    look_up_lag_ms: int = 0
    broken_look_ups: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)
    before_read: Callable[["ReducingVenue"], None] | None = None
    before_reduce: Callable[["ReducingVenue"], None] | None = None
    clips: bool = True
    clock_reading: ClockReading | Unknown = field(
        default_factory=lambda: ClockReading(20, SKEW_MS - 20)
    )
    reductions: list[Reduction] = field(default_factory=list)
    permits: list[Permit] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    landed: dict[str, tuple[int, Order]] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    history: list[tuple[int, dict[Key, Decimal]]] = field(default_factory=list)
    last_deadline: dict[tuple[str, Key], int] = field(default_factory=dict)
    notional: Decimal = ZERO

    # -- setting the scene ----------------------------------------------------------------------

    def position(
        self, symbol: str, quantity: str, *, leg: Leg = Leg.BOTH, price: str = "100"
    ) -> None:
        """Hold a linear position, with a deep book around the price."""
        self._remember()
        self.held[("linear", symbol, leg.value)] = Decimal(quantity)
        self.rules.setdefault(("linear", symbol), linear_rules(symbol))
        self.quote("linear", symbol, price)

    def asset(self, name: str, free: str, locked: str = "0", *, price: str = "100") -> None:
        """Hold a spot asset that can be sold into USDT."""
        self.assets[name] = (Decimal(free), Decimal(locked))
        symbol = f"{name}/USDT"
        self.rules.setdefault(("spot", symbol), spot_rules(symbol))
        self.quote("spot", symbol, price)

    def quote(self, product: str, symbol: str, price: str, depth: str = "1000000") -> None:
        """Put one level on both sides, a tick apart."""
        tick = Decimal("0.1")
        bid, ask = Decimal(price), Decimal(price) + tick
        self.books[(product, symbol)] = ([(str(bid), depth)], [(str(ask), depth)])

    def quantity(self, symbol: str, leg: Leg = Leg.BOTH) -> Decimal:
        """What is really held now."""
        self._land()
        return self.held.get(("linear", symbol, leg.value), ZERO)

    # -- reading --------------------------------------------------------------------------------

    @property
    def profile(self) -> VenueProfile:
        return VenueProfile(
            venue="fake",
            scopes=self.scopes,
            staleness_horizon_ms=45_000,
            request_validity_ms=5_000,
            deep=True,
        )

    async def measure_clock(self) -> ClockReading | Unknown:
        return self.clock_reading

    async def read_identity(self, product: str) -> Section[str]:
        return Known((f"uid-1 {product}",), self.clock.now_ms())

    async def read_open_orders(self, scope: Scope) -> Section[Order]:
        rows = tuple(o for o in self.resting.values() if o.scope == scope and not o.is_terminal)
        return Known(rows, self.clock.now_ms())

    async def read_fills(
        self, product: str, window: Window, symbols: Sequence[str]
    ) -> Section[Fill]:
        return Known((), self.clock.now_ms(), window)

    async def read_positions(self, product: str) -> Section[Position]:
        if trouble := self._unreadable("positions"):
            return trouble
        if self.before_read is not None:
            self.before_read(self)
        self._land()
        held = self._as_of(self.clock.now_ms() - self.lag_ms)
        rows = tuple(
            Position(
                account=self.account,
                product=key[0],
                symbol=key[1],
                leg=Leg(key[2]),
                quantity=held[key],
            )
            for key in sorted(held)
            if key[0] == product and held[key]
        )
        return Known(rows, self.clock.now_ms())

    async def read_position_mode(self, product: str) -> str | Unknown | None:
        if trouble := self._unreadable("mode"):
            return trouble
        return None if product == "spot" else self.mode

    async def read_balances(self, product: str) -> Section[Balance]:
        if trouble := self._unreadable("balances"):
            return trouble
        if self.before_read is not None:
            self.before_read(self)
        self._land()
        rows = tuple(
            Balance(
                account=self.account,
                product=product,
                asset=name,
                free=free,
                locked=locked,
                total=free + locked,
            )
            for name, (free, locked) in sorted(self.assets.items())
            if product == "spot" and free + locked
        )
        return Known(rows, self.clock.now_ms())

    async def read_ledger(self, product: str, window: Window) -> Section[LedgerEntry]:
        return Known((), self.clock.now_ms(), window)

    async def look_up_order(self, reference: OrderReference) -> LookUp:
        self._land()
        if self.broken_look_ups:
            self.broken_look_ups -= 1
            return Unknown("the exchange did not answer")
        for order in self.resting.values():
            if reference.venue_order_id == order.venue_order_id:
                return order
        found = self.landed.get(reference.client_order_id or "")
        if found is None or self.clock.now_ms() - found[0] < self.look_up_lag_ms:
            return NotFound(reference, "-2013 Order does not exist.")
        return found[1]

    def weight_used(self) -> int | None:
        return None

    async def close(self) -> None:
        return None

    async def read_rules(self, product: str, symbol: str) -> InstrumentRules | Unknown:
        found = self.rules.get((product, symbol))
        return found if found is not None else Unknown(f"there is no instrument {symbol}")

    async def read_book(self, product: str, symbol: str) -> OrderBook | Unknown:
        if trouble := self._unreadable("book"):
            return trouble
        bids, asks = self.books.get((product, symbol), ([], []))
        return OrderBook(
            product=product,
            symbol=symbol,
            bids=tuple((Decimal(p), Decimal(q)) for p, q in bids),
            asks=tuple((Decimal(p), Decimal(q)) for p, q in asks),
            as_of_ms=self.clock.now_ms(),
        )

    # -- acting ---------------------------------------------------------------------------------

    def abilities(self, scope: Scope) -> CancelAbilities:
        return CancelAbilities(by_symbol=True, single=True, parallel=4)

    async def cancel_order(self, order: Order, permit: Permit) -> MutationOutcome:
        self.permits.append(permit)
        return self._cancel([order.venue_order_id])

    async def cancel_symbol(
        self, scope: Scope, symbol: str, venue_symbol: str, permit: Permit
    ) -> MutationOutcome:
        self.permits.append(permit)
        mine = [o for o in self.resting.values() if o.scope == scope and o.symbol == symbol]
        return self._cancel([order.venue_order_id for order in mine])

    def why_not(self, product: str) -> str | None:
        return self.cannot.get(product)

    async def reduce(self, reduction: Reduction, permit: Permit) -> MutationOutcome:
        self._land()
        if self.before_reduce is not None:
            self.before_reduce(self)
        key = (reduction.product, reduction.symbol, reduction.leg.value)
        self._watch(reduction, permit, key)
        self.permits.append(permit)
        self.reductions.append(reduction)
        word, _, number = (self.script.pop(0) if self.script else "ok").partition(":")
        now_ms = self.clock.now_ms()
        match word:
            case "reject":
                return MutationOutcome(
                    kind=OutcomeKind.REJECTED, code="-2022", message="ReduceOnly Order is rejected."
                )
            case "unsent":
                return MutationOutcome(kind=OutcomeKind.REJECTED, message="refused", sent=False)
            case "never":
                return MutationOutcome(kind=OutcomeKind.UNKNOWN, message="connection lost")
            case "late":
                self.pending.append(Pending(reduction, now_ms + int(number), permit.deadline_ms))
                return MutationOutcome(kind=OutcomeKind.UNKNOWN, message="timed out")
            case "silent":
                return MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED, venue_order_id="404")
        self._execute(reduction)
        if word == "lost":
            return MutationOutcome(kind=OutcomeKind.UNKNOWN, message="connection lost")
        return MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED, http_status=200)

    # -- the ground truth -----------------------------------------------------------------------

    def move(self, symbol: str, difference: str, leg: Leg = Leg.BOTH) -> None:
        """Somebody else trades."""
        self._remember()
        key = ("linear", symbol, leg.value)
        self.held[key] = self.held.get(key, ZERO) + Decimal(difference)

    def _watch(self, reduction: Reduction, permit: Permit, key: Key) -> None:
        """Check what the exchange itself cannot: permits, and one order at a time."""
        run = (permit.intent_id.rpartition(":")[0], key)
        if permit.reduces != reduction:
            self.violations.append("an order came without a permit of its own")
        if permit in self.permits:
            self.violations.append("a permit was used twice")
        if reduction.read_at_ms < self.last_deadline.get(run, 0) + SKEW_MS:
            self.violations.append("sized from a reading older than the last order's deadline")
        if any(one.reduction.client_order_id == reduction.client_order_id for one in self.pending):
            self.violations.append("an order was sent again")
        if reduction.client_order_id in {one.client_order_id for one in self.reductions}:
            self.violations.append("a client order id was used twice")
        self.last_deadline[run] = permit.deadline_ms

    def _land(self) -> None:
        now_ms = self.clock.now_ms()
        due = [one for one in self.pending if one.due_ms <= now_ms]
        self.pending = [one for one in self.pending if one.due_ms > now_ms]
        for one in due:
            if one.due_ms <= one.deadline_ms:
                self._execute(one.reduction, at_ms=one.due_ms)

    def _execute(self, reduction: Reduction, at_ms: int | None = None) -> None:
        """Match an immediate-or-cancel order and keep its final status."""
        wanted = self._allowed(reduction)
        bids, asks = self.books[(reduction.product, reduction.symbol)]
        levels = bids if reduction.side is Side.SELL else asks
        filled, paid = ZERO, ZERO
        for price_text, depth_text in levels:
            price = Decimal(price_text)
            inside = (
                price >= reduction.limit_price
                if reduction.side is Side.SELL
                else price <= reduction.limit_price
            )
            if inside and filled < wanted:
                taken = min(wanted - filled, Decimal(depth_text))
                filled += taken
                paid += taken * price
        self._apply(reduction, filled)
        self.notional += paid
        order = Order(
            account=self.account,
            product=reduction.product,
            symbol=reduction.symbol,
            side=reduction.side,
            type="limit",
            status=OrderStatus.FILLED if filled == reduction.quantity else OrderStatus.EXPIRED,
            client_order_id=reduction.client_order_id,
            venue_order_id=str(9000 + len(self.landed)),
            quantity=reduction.quantity,
            filled=filled,
            average_price=paid / filled if filled else None,
        )
        landed_ms = self.clock.now_ms() if at_ms is None else at_ms
        self.landed[reduction.client_order_id] = (landed_ms, order)

    def _allowed(self, reduction: Reduction) -> Decimal:
        """How much of an order this exchange lets through: it clips what is reduce-only."""
        if reduction.protection is Protection.FREE_BALANCE:
            free, _ = self.assets.get(reduction.symbol.partition("/")[0], (ZERO, ZERO))
            return reduction.quantity if reduction.quantity <= free else ZERO
        if not self.clips:
            return reduction.quantity
        position = self.held.get((reduction.product, reduction.symbol, reduction.leg.value), ZERO)
        closes = position > 0 if reduction.side is Side.SELL else position < 0
        return min(reduction.quantity, abs(position)) if closes else ZERO

    def _apply(self, reduction: Reduction, filled: Decimal) -> None:
        moved = -filled if reduction.side is Side.SELL else filled
        if reduction.protection is Protection.FREE_BALANCE:
            asset, _, _quote = reduction.symbol.partition("/")
            free, locked = self.assets.get(asset, (ZERO, ZERO))
            self.assets[asset] = (free + moved, locked)
            if free + moved < 0:
                self.violations.append(f"{asset} was sold short")
            return
        key = (reduction.product, reduction.symbol, reduction.leg.value)
        before = self.held.get(key, ZERO)
        self._remember()
        self.held[key] = before + moved
        after = self.held[key]
        if abs(after) > abs(before) or (after and (after > 0) is not (before > 0)):
            self.violations.append(f"{reduction.symbol} went from {before} to {after}")

    def _cancel(self, ids: Sequence[str | None]) -> MutationOutcome:
        for name, order in self.resting.items():
            if order.venue_order_id in ids:
                self.resting[name] = replace(order, status=OrderStatus.CANCELED)
                free_asset = order.symbol.partition("/")[0]
                if order.product == "spot" and free_asset in self.assets:
                    free, locked = self.assets[free_asset]
                    self.assets[free_asset] = (free + locked, ZERO)
        return MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED, http_status=200)

    def _unreadable(self, what: str) -> Unknown | None:
        failures = self.unreadable.get(what, 0)
        if not failures:
            return None
        self.unreadable[what] = failures - 1
        return Unknown("timed out")

    def _remember(self) -> None:
        self.history.append((self.clock.now_ms(), dict(self.held)))

    def _as_of(self, moment_ms: int) -> dict[Key, Decimal]:
        for changed_ms, before in self.history:
            if changed_ms > moment_ms:
                return before
        return self.held


_view: type[VenueView] = ReducingVenue
_market: type[MarketView] = ReducingVenue
_cancels: type[VenueCancel] = ReducingVenue
_reduces: type[VenueReduce] = ReducingVenue
