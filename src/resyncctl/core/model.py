"""The nouns of trading state: orders, fills, positions, balances, ledger entries.

Quantities are in base units, prices in quote units, times in whole milliseconds since the epoch
(UTC). The inverse contracts (product `inverse`) of a deep profile are the exception: their
quantities are contracts, because only contracts are exact and only contracts can be ordered; what
they earn and cost is in the coin that they settle in. A generic profile turns them into base units.
An optional field that is `None` was not told by its source; it never means zero.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Side(StrEnum):
    """The direction of an order or fill."""

    BUY = "buy"
    SELL = "sell"


class Leg(StrEnum):
    """The position leg. One-way accounts have BOTH, hedge-mode accounts LONG and SHORT."""

    BOTH = "both"
    LONG = "long"
    SHORT = "short"


class OrderStatus(StrEnum):
    """The order status, in the fourteen words that NautilusTrader uses."""

    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    EMULATED = "EMULATED"
    RELEASED = "RELEASED"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    TRIGGERED = "TRIGGERED"
    PENDING_UPDATE = "PENDING_UPDATE"
    PENDING_CANCEL = "PENDING_CANCEL"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"


TERMINAL_STATUSES = frozenset(
    {
        OrderStatus.DENIED,
        OrderStatus.REJECTED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.FILLED,
    }
)
IN_FLIGHT_STATUSES = frozenset(
    {
        OrderStatus.INITIALIZED,
        OrderStatus.RELEASED,
        OrderStatus.SUBMITTED,
        OrderStatus.PENDING_UPDATE,
        OrderStatus.PENDING_CANCEL,
    }
)
OPEN_STATUSES = frozenset(OrderStatus) - TERMINAL_STATUSES - IN_FLIGHT_STATUSES


class OrderClass(StrEnum):
    """Which book of the exchange holds the order: each is listed and cancelled on its own."""

    REGULAR = "regular"
    ALGO = "algo"


@dataclass(frozen=True, slots=True)
class Scope:
    """One place at the exchange where orders can rest, e.g. product `linear`, class `algo`."""

    product: str
    order_class: OrderClass = OrderClass.REGULAR

    def __str__(self) -> str:
        """Return the words that an operator reads, e.g. `linear/algo`."""
        return f"{self.product}/{self.order_class.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order, as one side sees it. At least one of the two ids is present."""

    account: str
    product: str
    symbol: str
    side: Side
    type: str
    status: OrderStatus
    client_order_id: str | None
    venue_order_id: str | None
    quantity: Decimal
    filled: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    leg: Leg = Leg.BOTH
    protective: bool = False
    order_class: OrderClass = OrderClass.REGULAR
    list_id: str | None = None
    average_price: Decimal | None = None
    created_at_ms: int | None = None
    updated_at_ms: int | None = None
    venue_symbol: str | None = None

    @property
    def scope(self) -> Scope:
        """The place where this order rests."""
        return Scope(self.product, self.order_class)

    @property
    def is_terminal(self) -> bool:
        """Whether the order can never trade again."""
        return self.status in TERMINAL_STATUSES

    @property
    def remaining(self) -> Decimal:
        """The quantity that is not filled yet."""
        return self.quantity - self.filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution. `inferred` marks a fill that was deduced and not read from the exchange."""

    account: str
    product: str
    symbol: str
    trade_id: str
    venue_order_id: str | None
    client_order_id: str | None
    side: Side
    quantity: Decimal
    price: Decimal | None
    fee: Decimal | None
    fee_asset: str | None
    at_ms: int
    leg: Leg = Leg.BOTH
    inferred: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A position leg. `quantity` is signed: a short leg is negative in every position mode.

    It is in base units, for the product `inverse` of a deep profile in contracts.
    """

    account: str
    product: str
    symbol: str
    leg: Leg
    quantity: Decimal
    entry_price: Decimal | None = None
    updated_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the account owns of one asset in one product. `free` plus `locked` is `total`."""

    account: str
    product: str
    asset: str
    free: Decimal | None
    locked: Decimal | None
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One booked change of a balance that is not itself a fill.

    `kind` is one of funding, commission, realized_pnl, transfer, deposit, withdrawal, interest,
    rebate, other.
    """

    account: str
    product: str
    asset: str
    amount: Decimal
    kind: str
    entry_id: str
    at_ms: int
    symbol: str | None = None
    trade_id: str | None = None
