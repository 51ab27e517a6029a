"""What was read, and what was not. `Unknown` can never look like an empty answer."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from resyncctl.core.model import Balance, Fill, LedgerEntry, Order, Position, Scope

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, both ends included, in milliseconds since the epoch."""

    since_ms: int
    until_ms: int

    def covers(self, other: "Window") -> bool:
        """Whether the whole of `other` lies inside this window."""
        return self.since_ms <= other.since_ms and other.until_ms <= self.until_ms


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A section that was read and validated.

    `complete` is False when rows are known to be missing (a cap without a cursor, a partial
    dump). `notes` says what was filtered, unmapped or assumed; nothing is dropped in silence.
    """

    data: tuple[T, ...]
    as_of_ms: int
    window: Window | None = None
    complete: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A section that could not be read. The reason is for the operator's eyes."""

    reason: str


Section = Known[T] | Unknown


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an engine snapshot came from."""

    adapter: str
    place: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """What the trading engine believes about one account.

    `sequence` counts the checkpoint's generations. `trouble` carries findings about the source
    itself (stale, rolled back, foreign), each as (kind name, reason). A section that the source
    cannot know is `Unknown`.
    """

    account: str
    as_of_ms: int
    sequence: int | None
    source: Provenance
    orders: Section[Order]
    fills: Section[Fill]
    positions: Section[Position]
    balances: Section[Balance]
    trouble: tuple[tuple[str, str], ...] = ()
    claims: tuple["Claim", ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A strategy's word that an order which the engine does not list is its own.

    Exactly one of the three selectors is set. `until_ms` ends the claim.
    """

    owner: str
    venue_order_id: str | None = None
    client_order_id: str | None = None
    symbol: str | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OrderReference:
    """Enough to ask the exchange about one order."""

    product: str
    symbol: str
    venue_order_id: str | None
    client_order_id: str | None
    scope: Scope


@dataclass(frozen=True, slots=True)
class NotFound:
    """The exchange answered, validly, that it does not know the order. Not proof of anything."""

    reference: OrderReference
    detail: str


LookUp = Order | NotFound | Unknown


@dataclass(frozen=True, slots=True)
class ProductReading:
    """Everything that was read of one product (`spot`, `linear`, ...) of an account.

    `orders` has one section for each order class of the manifest. `position_mode` is `one_way`,
    `hedge`, or None where the product has no positions or the mode was not read.
    """

    product: str
    orders: tuple[tuple[Scope, Section[Order]], ...]
    fills: Section[Fill]
    positions: Section[Position]
    balances: Section[Balance]
    ledger: Section[LedgerEntry]
    position_mode: str | None = None


@dataclass(frozen=True, slots=True)
class NotCovered:
    """A place at the exchange that the manifest names, or may need, and nobody can read."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class VenueSnapshot:
    """What the exchange reports about one account, scope by scope.

    `look_ups` answers for engine orders that the listings lack, keyed by reference.
    `not_covered` lists what the venue profile cannot see; a non-empty tuple forbids `clean`.
    `moving` is a reason when two collects in a row did not agree, else None.
    `clock_offset_ms` is the exchange's clock minus ours, None when it was not measured.
    """

    account: str
    venue: str
    as_of_ms: int
    products: tuple[ProductReading, ...]
    look_ups: tuple[tuple[OrderReference, LookUp], ...] = ()
    not_covered: tuple[NotCovered, ...] = ()
    moving: str | None = None
    clock_offset_ms: int | None = None
    weight_used: int | None = None
    identity: "Section[str]" = field(default_factory=lambda: Unknown("identity was not read"))
