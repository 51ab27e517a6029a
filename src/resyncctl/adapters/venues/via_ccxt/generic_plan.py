"""What a venue plan is made of: listings with their paging, look-ups and cancels, as data.

Promise: a plan says for each scope every request that has to be made, so that a scope that nobody
asks for can be seen by reading the plan. A plan holds no state and sends nothing; `generic_pages`
walks the listings and `generic` gives the answers their meaning.

Invariants: an order listing names its native cursor, or its cap; a cap without a cursor makes a
full page incomplete. A parser returns None only for a row that means "flat".
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from resyncctl.adapters.venues.via_ccxt.envelopes import (
    Malformed,
    Row,
    rows_at,
    value_at,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
)
from resyncctl.adapters.venues.via_ccxt.horizons import PLANNED_MS, PLANNED_SOURCE, lengthened
from resyncctl.core.model import Order, OrderClass, Scope
from resyncctl.core.snapshot import NotCovered, OrderReference
from resyncctl.ports.views import VenueProfile

T_co = TypeVar("T_co", covariant=True)

Params = Mapping[str, object]
RowsOf = Callable[[object], tuple[Row, ...]]
Native = Mapping[str, str]

WALLET = "(wallet address)"
"""Stands for the account's own address in the parameters of venues that want it in each read."""
Send = Callable[[Any, Order, Native], Awaitable[object]]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Complete:
    """One reply holds everything; the venue documents no cap."""


@dataclass(frozen=True, slots=True)
class Capped:
    """One reply holds at most `cap` rows and there is no way to ask for the rest."""

    cap: int


@dataclass(frozen=True, slots=True)
class NewestFirst:
    """The newest `cap` rows, without a way further back.

    A full page is still whole when its oldest row is older than the window asked for.
    """

    cap: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """The reply carries an opaque cursor for the next page; blank or absent means the end."""

    send: str
    found_at: str


@dataclass(frozen=True, slots=True)
class After:
    """The next page begins after the last row's key; a page below `size` rows is the last."""

    send: str
    row_key: str
    size: int


@dataclass(frozen=True, slots=True)
class Offset:
    """The request says how many rows to skip and the reply says how many there are."""

    send: str
    total_at: str


@dataclass(frozen=True, slots=True)
class Forward:
    """Rows come oldest first; the next request starts at the last row's own time.

    The border is asked for twice and rows are told apart by id, so that fills of the same
    millisecond are not lost. `more_at` is where the reply says that there is more; where it is
    None, a page of `size` rows means that there is.
    """

    send: str
    row_time: str
    more_at: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Skip:
    """The request says how many rows to skip; a page below `size` rows is the last."""

    send: str
    size: int


@dataclass(frozen=True, slots=True)
class Pages:
    """The request gives a page number, beginning with 1.

    The reply gives the number of pages at `total_at` and the number of rows at `count_at`; where
    they are None, a page below `size` rows is the last one.
    """

    send: str
    size: int
    total_at: str | None = None
    count_at: str | None = None


Paging = Complete | Capped | NewestFirst | Cursor | After | Offset | Forward | Skip | Pages


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpan:
    """How a request names its window of time, and the longest window that the venue accepts.

    `divisor` turns milliseconds into the venue's unit (1000 for seconds). `multiplier` does so for
    finer units.
    """

    since: str
    until: str
    longest_ms: int
    divisor: int = 1
    multiplier: int = 1
    iso: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolSource:
    """Where a venue tells for which instruments a listing by instrument has rows."""

    label: str
    endpoint: str
    found_at: str
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One listing at the venue. `label` is what the operator reads when it fails.

    `row_id` names the keys that make a row unique, so that pages may overlap. `per_symbol` is the
    request parameter that must name one instrument: the venue has no listing over all of them.
    `symbols_from` asks the venue for those instruments; without it the caller must know them.
    `keep` tells which rows of a shared listing belong to this product; the others belong to a
    product of the same plan.
    """

    label: str
    endpoint: str
    rows: RowsOf
    row_id: tuple[str, ...]
    params: Params = field(default_factory=dict)
    paging: Paging = field(default_factory=Complete)
    span: TimeSpan | None = None
    per_symbol: str | None = None
    symbols_from: SymbolSource | None = None
    keep: Callable[[Row], bool] | None = None


@dataclass(frozen=True, slots=True)
class Listing(Generic[T_co]):
    """Every query of one section, and how its rows are read."""

    queries: tuple[Query, ...]
    parse: Callable[[Row], T_co | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpQuery:
    """One way to ask for an order by its ids. `params` is None where the ids do not suffice."""

    label: str
    endpoint: str
    params: Callable[[OrderReference, str], Params | None]
    rows: RowsOf
    parse: Callable[[Row], RawOrder | None]


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """Why a success envelope still does not acknowledge a cancel.

    `definite` says that the venue refused, `gone` that it refused because there is no such open
    order. Neither set: nobody can tell, so the outcome stays unknown.
    """

    reason: str
    definite: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOne:
    """How one order is cancelled. `send` makes exactly one mutating request.

    `judge` returns why a success envelope still does not acknowledge this cancel, or None.
    """

    send: Send
    judge: Callable[[object, Order], Unacknowledged | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSymbol:
    """How everything on one symbol is cancelled by one request, where a venue does that safely."""

    endpoint: str
    params: Callable[[str], Params]
    judge: Callable[[object], Unacknowledged | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request whose body answers in one word (position mode, account identity)."""

    endpoint: str
    read: Callable[[object], str]
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Countdown:
    """The venue's dead-man switch: one countdown for every symbol of the account.

    `params` makes the request for a countdown of so many seconds, zero stopping it, and `judge`
    says why an answer does not tell that very countdown. `covers` are the scopes that it cancels
    when it fires.
    """

    endpoint: str
    params: Callable[[int], Params]
    judge: Callable[[object, int], Unacknowledged | None]
    covers: tuple[Scope, ...]
    takes_protective: bool
    shortest_ms: int = 10_000
    longest_ms: int = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuePlan:
    """Everything the generic profile knows about a venue.

    `staleness_horizon_ms` is a conservative default, and `horizon_source` says so: none of these
    venues documents how long a listing may lag.
    `refusals` names the scopes that exist but cannot be listed whole, with the reason.
    `shared_wallet` says that one wallet backs every product: it is then reported once.
    """

    venue: str
    orders: Mapping[Scope, Listing[RawOrder]]
    fills: Mapping[str, Listing[RawFill]]
    positions: Mapping[str, Listing[RawPosition]]
    balances: Mapping[str, Listing[RawBalance]]
    look_ups: Mapping[Scope, tuple[LookUpQuery, ...]]
    cancels: Mapping[Scope, CancelOne]
    symbol_cancels: Mapping[Scope, CancelSymbol] = field(default_factory=dict)
    refusals: Mapping[Scope, str] = field(default_factory=dict)
    position_modes: Mapping[str, Question | str] = field(default_factory=dict)
    countdown: Countdown | None = None
    identity: Question | None = None
    shared_wallet: bool = False
    not_covered: tuple[NotCovered, ...] = ()
    staleness_horizon_ms: int = PLANNED_MS
    horizon_source: str = PLANNED_SOURCE
    request_validity_ms: int = 10_000
    parallel: int = 4

    @property
    def products(self) -> tuple[str, ...]:
        """The products of the plan, in the order in which they are read."""
        names = [scope.product for scope in self.orders]
        return tuple(dict.fromkeys([*names, *self.balances]))

    @property
    def counted(self) -> tuple[str, ...]:
        """The products whose orders the countdown cancels."""
        covered = self.countdown.covers if self.countdown is not None else ()
        return tuple(dict.fromkeys(scope.product for scope in covered))

    def profile(self, scopes: tuple[Scope, ...], horizon_ms: int) -> VenueProfile:
        """Return what the profile promises; a horizon that was set can only lengthen its own."""
        longest_ms, source = lengthened(self.staleness_horizon_ms, self.horizon_source, horizon_ms)
        held = scopes or tuple(self.orders)
        return VenueProfile(
            venue=self.venue,
            scopes=held,
            staleness_horizon_ms=longest_ms,
            horizon_source=source,
            request_validity_ms=self.request_validity_ms,
            not_covered=self.not_covered,
            switches=tuple(name for name in self.counted if name in {one.product for one in held}),
        )


def regular(product: str) -> Scope:
    """Return the scope of a product's ordinary orders."""
    return Scope(product)


def algo(product: str) -> Scope:
    """Return the scope of a product's trigger orders, where the venue keeps them apart."""
    return Scope(product, OrderClass.ALGO)


def at(path: str) -> RowsOf:
    """Return a reader of the list of rows at a dotted path."""
    return lambda body: rows_at(body, path)


def keyed(path: str, name: str) -> RowsOf:
    """Return a reader of an object keyed by id; each row gets its key under `name`."""
    return lambda body: rows_at(body, path, keyed_as=name)


def one_at(path: str) -> RowsOf:
    """Return a reader of a single object at a path, as one row."""
    return lambda body: rows_at({"one": [value_at(body, path)]}, "one")


def nested(path: str, inner: str) -> RowsOf:
    """Return a reader of the lists that stand inside each row of a list."""
    return lambda body: tuple(row for outer in rows_at(body, path) for row in rows_at(outer, inner))


def calling(endpoint: str, params: Callable[[Order, Native], Params]) -> Send:
    """Return a sender that makes one request at a native endpoint, with raw ids only."""

    def send(exchange: Any, order: Order, native: Native) -> Awaitable[object]:
        answer: Awaitable[object] = getattr(exchange, endpoint)(dict(params(order, native)))
        return answer

    return send


def raw_symbol(order: Order) -> str:
    """Return the venue's own name of the order's instrument."""
    return order.venue_symbol or order.symbol


def value(body: object, path: str) -> object:
    """Return the value at a path, or None. For judging answers to cancels."""
    try:
        return value_at(body, path)
    except Malformed:
        return None


def told(label: str, path: str) -> Callable[[object], str]:
    """Return a reader of one id in the body, given with its label: `uid 12345`."""

    def read_id(body: object) -> str:
        found = value_at(body, path)
        if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
            raise Malformed(f"{path!r} is not an id")
        return f"{label} {found}"

    return read_id


def names_order(path: str) -> Callable[[object, Order], Unacknowledged | None]:
    """Return a judge: the body must name, at the path, the very order that was to be cancelled."""

    def judge(body: object, order: Order) -> Unacknowledged | None:
        found = value(body, path)
        if isinstance(found, list) and len(found) == 1:
            found = found[0]
        if str(found) == order.venue_order_id:
            return None
        return Unacknowledged("the answer does not name the order that was to be cancelled")

    return judge
