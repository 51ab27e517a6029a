"""Remember what a whole run has seen and sent, whichever procedure did it.

SAFE needs a final status for every order that was ever seen resting in the run, and nothing counts
before the last of the run's own requests can have landed. So the run reads and journals through
these two, and asks them at the end. They hold no power and change nothing. Called by `verify`,
`resync` and `resume`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resyncctl.core.model import Balance, Fill, LedgerEntry, Order, Position, Scope
from resyncctl.core.mutation import MutationOutcome, Permit
from resyncctl.core.plan import order_key
from resyncctl.core.snapshot import Known, LookUp, OrderReference, Section, Unknown, Window
from resyncctl.ports.views import ClockReading, Journal, VenueProfile, VenueView


@dataclass(slots=True)
class WitnessedVenue:
    """An account's view that notes every order it ever listed as resting. See `VenueView`.

    `skew_ms` is how far the exchange's clock may be from ours, None until it was measured.
    `round_trip_ms` is how long that measurement took at the most.
    """

    inner: VenueView
    seen: dict[str, Order] = field(default_factory=dict)
    skew_ms: int | None = None
    offset_ms: int | None = None
    round_trip_ms: int | None = None

    @property
    def account(self) -> str:
        """The account's name in the configuration."""
        return self.inner.account

    @property
    def profile(self) -> VenueProfile:
        """What this venue profile promises."""
        return self.inner.profile

    async def measure_clock(self) -> ClockReading | Unknown:
        """Measure the exchange's clock, and remember how far it is from ours."""
        reading = await self.inner.measure_clock()
        if isinstance(reading, ClockReading):
            self.offset_ms = reading.offset_ms
            self.skew_ms = max(self.skew_ms or 0, abs(reading.offset_ms) + reading.uncertainty_ms)
            self.round_trip_ms = 2 * reading.uncertainty_ms
        return reading

    async def read_identity(self, product: str) -> Section[str]:
        """Return words that prove whose account this is."""
        return await self.inner.read_identity(product)

    async def read_open_orders(self, scope: Scope) -> Section[Order]:
        """List what rests in the scope, and remember it."""
        section = await self.inner.read_open_orders(scope)
        if isinstance(section, Known):
            for order in section.data:
                self.seen.setdefault(order_key(order), order)
        return section

    async def read_fills(
        self, product: str, window: Window, symbols: Sequence[str]
    ) -> Section[Fill]:
        """List the fills of the window."""
        return await self.inner.read_fills(product, window, symbols)

    async def read_positions(self, product: str) -> Section[Position]:
        """List every non-zero position leg."""
        return await self.inner.read_positions(product)

    async def read_position_mode(self, product: str) -> str | Unknown | None:
        """Return the position mode."""
        return await self.inner.read_position_mode(product)

    async def read_balances(self, product: str) -> Section[Balance]:
        """List every balance that is not zero."""
        return await self.inner.read_balances(product)

    async def read_ledger(self, product: str, window: Window) -> Section[LedgerEntry]:
        """List booked changes that are not fills."""
        return await self.inner.read_ledger(product, window)

    async def look_up_order(self, reference: OrderReference) -> LookUp:
        """Ask for one order by its ids."""
        return await self.inner.look_up_order(reference)

    def weight_used(self) -> int | None:
        """Return the request weight that the venue last reported."""
        return self.inner.weight_used()

    async def close(self) -> None:
        """Release connections."""
        await self.inner.close()


@dataclass(slots=True)
class WitnessedJournal:
    """This run's journal, with the requests of this run that have no answer yet. See `Journal`.

    `last_deadline_ms` is the last moment at which a request of this run may still land.
    """

    inner: Journal
    last_deadline_ms: int | None = None
    sent: int = 0
    cancels: int = 0
    _open: dict[str, str] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The run that the records belong to."""
        return self.inner.run_id

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The requests whose outcome is not in the journal."""
        return tuple(self._open.values())

    def record(self, event: str, details: Mapping[str, object]) -> int:
        """Append one record and fsync it."""
        return self.inner.record(event, details)

    def intend(
        self, action: str, details: Mapping[str, object], *, deadline_ms: int, fencing_token: int
    ) -> Permit:
        """Append and fsync the intent of one mutating request, and remember until when it lands."""
        permit = self.inner.intend(
            action, details, deadline_ms=deadline_ms, fencing_token=fencing_token
        )
        self._open[permit.intent_id] = f"{action} {details.get('symbol', '')}".strip()
        self.last_deadline_ms = max(self.last_deadline_ms or 0, permit.deadline_ms)
        self.sent += 1
        self.cancels += action.startswith("cancel")
        return permit

    def settle(self, permit: Permit, outcome: MutationOutcome) -> None:
        """Append what became of an intent."""
        self.inner.settle(permit, outcome)
        self._open.pop(permit.intent_id, None)


_view: type[VenueView] = WitnessedVenue
_journal: type[Journal] = WitnessedJournal
