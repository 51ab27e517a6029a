"""What may be asked of the world without being able to change it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from resyncctl.core.gate import GateReading
from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.model import Balance, Fill, LedgerEntry, Order, Position, Scope
from resyncctl.core.mutation import MutationOutcome, Permit
from resyncctl.core.silence import Silence
from resyncctl.core.snapshot import (
    EngineSnapshot,
    LookUp,
    NotCovered,
    OrderReference,
    Section,
    Unknown,
    Window,
)


class Clock(Protocol):
    """Time, handed in so that tests can hold it."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since the epoch, UTC."""
        ...

    def monotonic_ms(self) -> int:
        """Return a clock that never goes back, for waits and deadlines."""
        ...

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The exchange's clock minus ours, with half the round trip as uncertainty."""

    offset_ms: int
    uncertainty_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueProfile:
    """What is known about a venue, with the numbers that proofs depend on.

    `staleness_horizon_ms` is how long a listing of this venue may still show an old state, and
    `horizon_source` says where that number comes from. `request_validity_ms` is the longest time
    after which a request of the tool or the engine can still take effect. `not_covered` lists what
    this profile cannot see at all. `reduces` are the products whose holdings can be made smaller,
    `switches` those for which a dead-man switch can be armed.
    """

    venue: str
    scopes: tuple[Scope, ...]
    staleness_horizon_ms: int
    request_validity_ms: int
    not_covered: tuple[NotCovered, ...] = ()
    deep: bool = False
    horizon_source: str = "nobody told"
    reduces: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()


class VenueView(Protocol):
    """Reading one account of an exchange. Every method answers `Unknown` instead of raising.

    The exception: `CredentialsRefusedError`, `VenueUnavailableError` and `TryAgainLaterError` may
    be raised by `measure_clock` and `read_identity`, which are the first calls of every run.
    """

    @property
    def account(self) -> str:
        """The account's name in the configuration."""
        ...

    @property
    def profile(self) -> VenueProfile:
        """What this venue profile promises."""
        ...

    async def measure_clock(self) -> ClockReading | Unknown:
        """Measure the exchange's clock and use the offset for every later signature."""
        ...

    async def read_identity(self, product: str) -> Section[str]:
        """Return words that prove whose account this is (a uid, permissions)."""
        ...

    async def read_open_orders(self, scope: Scope) -> Section[Order]:
        """List every order that rests in the scope, all symbols, all pages."""
        ...

    async def read_fills(
        self, product: str, window: Window, symbols: Sequence[str]
    ) -> Section[Fill]:
        """List the fills of the window. `symbols` are unified; some venues must be told."""
        ...

    async def read_positions(self, product: str) -> Section[Position]:
        """List every non-zero position leg. Empty for a product without positions."""
        ...

    async def read_position_mode(self, product: str) -> str | Unknown | None:
        """Return `one_way`, `hedge`, or None for a product without positions."""
        ...

    async def read_balances(self, product: str) -> Section[Balance]:
        """List every balance that is not zero."""
        ...

    async def read_ledger(self, product: str, window: Window) -> Section[LedgerEntry]:
        """List booked changes that are not fills: funding, transfers, interest, deposits."""
        ...

    async def look_up_order(self, reference: OrderReference) -> LookUp:
        """Ask for one order by its ids, whatever its status."""
        ...

    def weight_used(self) -> int | None:
        """Return the request weight that the venue last reported, or None."""
        ...

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        ...


class MarketView(Protocol):
    """Reading instruments and prices. Every method answers `Unknown` instead of raising."""

    async def read_rules(self, product: str, symbol: str) -> InstrumentRules | Unknown:
        """Return what the exchange demands of an order on the unified symbol, fetched now."""
        ...

    async def read_book(self, product: str, symbol: str) -> OrderBook | Unknown:
        """Return the best levels of the book of the unified symbol, fetched now."""
        ...


class SilenceView(Protocol):
    """Whether the engine of an account still sends."""

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        """Look once. Never raises: what cannot be observed is UNPROVED, with the reason."""
        ...


class EngineView(Protocol):
    """What the trading engine believes, from wherever it keeps its state."""

    def read(self, account: str, now_ms: int) -> EngineSnapshot:
        """Read the state source once.

        A source that cannot be read gives a snapshot whose sections are `Unknown` and whose
        `trouble` says why; it does not raise for bad data.
        """
        ...


class Journal(Protocol):
    """This run's durable record: append-only, fsynced, hash-chained."""

    @property
    def run_id(self) -> str:
        """The run that the records belong to."""
        ...

    def record(self, event: str, details: Mapping[str, object]) -> int:
        """Append one record and fsync it; return its sequence number.

        Raises:
            RecordUnwritableError: The record is not known to be on disk.
        """
        ...

    def intend(
        self, action: str, details: Mapping[str, object], *, deadline_ms: int, fencing_token: int
    ) -> Permit:
        """Append and fsync the intent of one mutating request; return the permit for it.

        Raises:
            RecordUnwritableError: The intent is not known to be on disk; nothing may be sent,
                unless the act is a cancel and the caller goes on under break-glass rules.
        """
        ...

    def settle(self, permit: Permit, outcome: MutationOutcome) -> None:
        """Append what became of an intent."""
        ...


class GateView(Protocol):
    """Where the gate stands."""

    def read(self, account: str) -> GateReading:
        """Return the gate; UNSAFE and not trusted when its file is missing or corrupt."""
        ...


class Progress(Protocol):
    """Where a procedure tells what it is doing. The screen draws it, the journal may keep it."""

    def say(self, account: str, stage: str, text: str, **numbers: object) -> None:
        """Tell one step. `stage` is a stable word, `text` a sentence, `numbers` the counts."""
        ...
