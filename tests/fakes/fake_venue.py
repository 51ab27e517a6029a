"""An exchange in memory, with the ways in which a real one misleads.

Implements `ports.views.VenueView` and `ports.powers.VenueCancel`. The ground truth is `truth`;
knobs make the answers differ from it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from resyncctl.core.model import Balance, Fill, LedgerEntry, Order, OrderStatus, Position, Scope
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.plan import order_key
from resyncctl.core.snapshot import (
    Known,
    LookUp,
    NotCovered,
    NotFound,
    OrderReference,
    Section,
    Unknown,
    Window,
)
from resyncctl.ports.powers import CancelAbilities, VenueCancel
from resyncctl.ports.views import ClockReading, VenueProfile, VenueView
from tests.fakes.fake_clock import FakeClock

ACKNOWLEDGED = MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED, http_status=200)
GONE = MutationOutcome(
    kind=OutcomeKind.REJECTED, code="-2011", http_status=400, already_gone=True, expected=True
)


@dataclass(slots=True, kw_only=True)
class FakeVenue:
    """The knobs.

    `lag_ms` lets listings show the state of that long ago. `unreadable` names scopes whose listing
    fails, each as often as the number says. `ignored_cancels` is how many cancels are acknowledged
    and do nothing. `lost_answers` is how many cancels work and are answered with UNKNOWN.
    `on_cancel` and `on_list` are hooks for events in the middle of a run.
    """

    clock: FakeClock
    scopes: tuple[Scope, ...]
    account: str = "main"
    truth: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    lag_ms: int = 0
    by_symbol: bool = True
    not_covered: tuple[NotCovered, ...] = ()
    unreadable: dict[Scope, int] = field(default_factory=dict)
    incomplete: set[Scope] = field(default_factory=set)
    ignored_cancels: int = 0
    lost_answers: int = 0
    not_found_look_ups: int = 0
    broken_look_ups: bool = False
    clock_reading: ClockReading | Unknown = field(default_factory=lambda: ClockReading(20, 5))
    clock_error: Exception | None = None
    identity_error: Exception | None = None
    mode: str | Unknown | None = None
    retry_after_ms: int | None = None
    on_cancel: Callable[["FakeVenue"], None] | None = None
    on_list: Callable[["FakeVenue"], None] | None = None
    permits: list[Permit] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    history: list[tuple[int, dict[str, Order]]] = field(default_factory=list)

    def put(self, *orders: Order) -> None:
        """Let orders rest."""
        self._remember()
        for order in orders:
            self.truth[order_key(order)] = order

    def resting(self) -> list[Order]:
        """The orders that really rest now."""
        return [order for order in self.truth.values() if not order.is_terminal]

    @property
    def profile(self) -> VenueProfile:
        return VenueProfile(
            venue="fake",
            scopes=self.scopes,
            staleness_horizon_ms=45_000,
            request_validity_ms=5_000,
            not_covered=self.not_covered,
            deep=not self.not_covered,
        )

    async def measure_clock(self) -> ClockReading | Unknown:
        if self.clock_error is not None:
            raise self.clock_error
        return self.clock_reading

    async def read_identity(self, product: str) -> Section[str]:
        if self.identity_error is not None:
            raise self.identity_error
        return Known((f"uid-1 {product}",), self.clock.now_ms())

    async def read_open_orders(self, scope: Scope) -> Section[Order]:
        self.calls.append(f"list {scope}")
        if self.on_list is not None:
            self.on_list(self)
        failures = self.unreadable.get(scope, 0)
        if failures:
            self.unreadable[scope] = failures - 1
            return Unknown("timed out")
        rows = [o for o in self._as_of(self.clock.now_ms() - self.lag_ms) if o.scope == scope]
        complete = scope not in self.incomplete
        return Known(tuple(rows), self.clock.now_ms(), complete=complete)

    async def read_fills(
        self, product: str, window: Window, symbols: Sequence[str]
    ) -> Section[Fill]:
        rows = tuple(fill for fill in self.fills if fill.product == product)
        return Known(rows, self.clock.now_ms(), window)

    async def read_positions(self, product: str) -> Section[Position]:
        rows = tuple(row for row in self.positions if row.product == product)
        return Known(rows, self.clock.now_ms())

    async def read_position_mode(self, product: str) -> str | Unknown | None:
        return self.mode

    async def read_balances(self, product: str) -> Section[Balance]:
        rows = tuple(row for row in self.balances if row.product == product)
        return Known(rows, self.clock.now_ms())

    async def read_ledger(self, product: str, window: Window) -> Section[LedgerEntry]:
        return Known((), self.clock.now_ms(), window)

    async def look_up_order(self, reference: OrderReference) -> LookUp:
        self.calls.append(f"look up {reference.venue_order_id}")
        if self.broken_look_ups:
            return Unknown("the exchange did not answer")
        if self.not_found_look_ups:
            self.not_found_look_ups -= 1
            return NotFound(reference, "-2013 Order does not exist.")
        for order in self.truth.values():
            same_id = order.venue_order_id == reference.venue_order_id
            if order.scope == reference.scope and same_id:
                return order
        return NotFound(reference, "-2013 Order does not exist.")

    def weight_used(self) -> int | None:
        return len(self.calls)

    async def close(self) -> None:
        self.calls.append("close")

    def abilities(self, scope: Scope) -> CancelAbilities:
        return CancelAbilities(by_symbol=self.by_symbol, single=True, parallel=4)

    async def cancel_order(self, order: Order, permit: Permit) -> MutationOutcome:
        self.permits.append(permit)
        return self._cancel([order])

    async def cancel_symbol(
        self, scope: Scope, symbol: str, venue_symbol: str, permit: Permit
    ) -> MutationOutcome:
        self.permits.append(permit)
        matching = [
            order
            for order in self.resting()
            if order.scope == scope and order.venue_symbol == venue_symbol
        ]
        return self._cancel(matching)

    def _cancel(self, orders: list[Order]) -> MutationOutcome:
        if self.on_cancel is not None:
            self.on_cancel(self)
        if self.ignored_cancels:
            self.ignored_cancels -= 1
            return replace(ACKNOWLEDGED, retry_after_ms=self.retry_after_ms)
        resting = [o for o in orders if not self.truth[order_key(o)].is_terminal]
        if orders and not resting:
            return GONE
        self._remember()
        for order in resting:
            canceled = replace(self.truth[order_key(order)], status=OrderStatus.CANCELED)
            self.truth[order_key(order)] = canceled
        if self.lost_answers:
            self.lost_answers -= 1
            return MutationOutcome(kind=OutcomeKind.UNKNOWN, message="connection lost")
        return replace(ACKNOWLEDGED, retry_after_ms=self.retry_after_ms)

    def _remember(self) -> None:
        self.history.append((self.clock.now_ms(), dict(self.truth)))

    def _as_of(self, moment_ms: int) -> list[Order]:
        """What rested at that moment: the state before the first change made after it."""
        for changed_ms, before in self.history:
            if changed_ms > moment_ms:
                return [order for order in before.values() if not order.is_terminal]
        return self.resting()


_view: type[VenueView] = FakeVenue
_power: type[VenueCancel] = FakeVenue
