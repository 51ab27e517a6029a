"""Lay out the rows of both sides so that they can be compared, and say which cannot be.

Three sorts of rows are set aside, counted and reported, never dropped in silence: rows of another
account, rows whose instrument nobody could map, and rows of a product that was not read. Exact
duplicate rows of a listing collapse (pages overlap). When a listing holds one order twice with
different content, the more advanced row stands and the contradiction is reported as moving.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from resyncctl.core.compare.result import Case
from resyncctl.core.model import Balance, Fill, Order, Position, Scope
from resyncctl.core.snapshot import Known, Section, Unknown

PRODUCTS_WITHOUT_POSITIONS = frozenset({"spot"})
"""Products where nothing but balances can be owned."""


class _Row(Protocol):
    @property
    def account(self) -> str: ...
    @property
    def product(self) -> str: ...


class _SymbolRow(_Row, Protocol):
    @property
    def symbol(self) -> str: ...


_ACCOUNT = attrgetter("account")
_INSTRUMENT = attrgetter("product", "symbol")
T = TypeVar("T")
R = TypeVar("R", bound=_Row)
S = TypeVar("S", bound=_SymbolRow)
Instrument = tuple[str, str]
"""A product and a symbol."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Every row that can be compared, and what was set aside. None means: not known at all.

    `readable_scopes` were read completely. `unmapped` counts the rows of (side, product, symbol)
    whose symbol is the exchange's raw name, and `shadowed` are instruments that are set aside on
    both sides because of them. `strangers` counts rows of another account.
    """

    case: Case
    engine_orders: Sequence[Order] | None
    engine_fills: Sequence[Fill] | None
    engine_positions: Sequence[Position] | None
    engine_balances: Sequence[Balance] | None
    venue_orders: Sequence[Order]
    contradictory: Sequence[Order]
    readable_scopes: frozenset[Scope]
    unmapped: dict[tuple[str, str, str], int]
    shadowed: frozenset[Instrument]
    strangers: int

    def venue_fills(self, product: str) -> Sequence[Fill]:
        """Return the comparable fills that the exchange reports of a product."""
        return self._instrument_rows(self.case.readings[product].fills)

    def venue_positions(self, product: str) -> Sequence[Position]:
        """Return the comparable position rows that the exchange reports of a product."""
        return self._instrument_rows(self.case.readings[product].positions)

    def venue_balances(self, product: str) -> Sequence[Balance]:
        """Return the balances that the exchange reports of a product."""
        return _of_account(data_of(self.case.readings[product].balances), self.case.account)

    def _instrument_rows(self, section: Section[S]) -> Sequence[S]:
        return _without(_of_account(data_of(section), self.case.account), self.shadowed)


def lay_out(case: Case) -> Bench:
    """Given the inputs, return every row that can be compared."""
    engine = case.engine
    unmapped, shadowed = _unmapped(case)
    orders, contradictory = _venue_orders(case)
    balances = engine.balances
    return Bench(
        case=case,
        engine_orders=_engine_rows(case, engine.orders, shadowed),
        engine_fills=_engine_rows(case, engine.fills, shadowed),
        engine_positions=_engine_rows(case, engine.positions, shadowed),
        engine_balances=(
            _of_account(balances.data, case.account) if isinstance(balances, Known) else None
        ),
        venue_orders=_without(orders, shadowed),
        contradictory=contradictory,
        readable_scopes=_readable_scopes(case),
        unmapped=unmapped,
        shadowed=shadowed,
        strangers=_strangers(case),
    )


def data_of(section: Known[T] | Unknown) -> tuple[T, ...]:
    """Return the rows of a section, none when it could not be read."""
    return section.data if isinstance(section, Known) else ()


def progress_of(order: Order) -> tuple[object, ...]:
    """Return how far an order has come: a larger value is a later state of the same order."""
    return (order.filled, order.is_terminal, order.updated_at_ms or 0, repr(order))


def _of_account(rows: Sequence[R], account: str) -> Sequence[R]:
    if set(map(_ACCOUNT, rows)) <= {account}:
        return rows
    return [row for row in rows if row.account == account]


def _without(rows: Sequence[S], shadowed: frozenset[Instrument]) -> Sequence[S]:
    if not shadowed:
        return rows
    return [row for row in rows if (row.product, row.symbol) not in shadowed]


def _engine_rows(
    case: Case, section: Section[S], shadowed: frozenset[Instrument]
) -> Sequence[S] | None:
    if not isinstance(section, Known):
        return None
    return _without(_of_account(section.data, case.account), shadowed)


def _venue_orders(case: Case) -> tuple[list[Order], list[Order]]:
    latest: dict[tuple[object, ...], Order] = {}
    contradictory: list[Order] = []
    for reading in case.readings.values():
        for _scope, section in reading.orders:
            for order in _of_account(data_of(section), case.account):
                key = (
                    order.product,
                    order.symbol,
                    order.order_class,
                    order.venue_order_id or (order.client_order_id,),
                )
                known = latest.setdefault(key, order)
                if known is not order and known != order:
                    contradictory.append(order)
                    latest[key] = max(known, order, key=progress_of)
    return list(latest.values()), contradictory


def _readable_scopes(case: Case) -> frozenset[Scope]:
    return frozenset(
        scope
        for reading in case.readings.values()
        for scope, section in reading.orders
        if isinstance(section, Known) and section.complete
    )


def _strangers(case: Case) -> int:
    engine = case.engine
    sections: list[Section[Any]] = [
        engine.orders,
        engine.fills,
        engine.positions,
        engine.balances,
    ]
    for reading in case.readings.values():
        sections += [section for _scope, section in reading.orders]
        sections += [reading.fills, reading.positions, reading.balances, reading.ledger]
    rows_of: Iterable[Sequence[_Row]] = map(data_of, sections)
    return sum(
        sum(row.account != case.account for row in rows)
        for rows in rows_of
        if not set(map(_ACCOUNT, rows)) <= {case.account}
    )


def _unmapped(case: Case) -> tuple[dict[tuple[str, str, str], int], frozenset[Instrument]]:
    """Count rows whose symbol is a raw name, and find the instruments that they cast doubt on.

    A unified symbol always has a slash (`BTC/USDT`, `BTC/USDT:USDT`; ccxt manual, "Symbols").
    """
    counts: dict[tuple[str, str, str], int] = {}
    mapped: set[Instrument] = set()
    for side, rows in _instrument_sections(case):
        for instrument in set(map(_INSTRUMENT, rows)):
            if "/" in instrument[1]:
                mapped.add(instrument)
            else:
                count = len({row for row in rows if (row.product, row.symbol) == instrument})
                key = (side, *instrument)
                counts[key] = counts.get(key, 0) + count
    if not counts:
        return counts, frozenset()
    raw = {(product, symbol) for _side, product, symbol in counts}
    squashed = {(product, _squash(symbol)) for product, symbol in raw}
    doubted = {one for one in mapped if (one[0], _squash(one[1].split(":")[0])) in squashed}
    return counts, frozenset(raw | doubted)


def _instrument_sections(case: Case) -> list[tuple[str, Sequence[_SymbolRow]]]:
    engine = case.engine
    sections: list[tuple[str, Section[Any]]] = [
        ("engine", engine.orders),
        ("engine", engine.fills),
        ("engine", engine.positions),
    ]
    for reading in case.readings.values():
        sections += [("venue", section) for _scope, section in reading.orders]
        sections += [("venue", reading.fills), ("venue", reading.positions)]
    return [(side, data_of(section)) for side, section in sections]


def _squash(symbol: str) -> str:
    return "".join(letter for letter in symbol if letter.isalnum()).upper()
