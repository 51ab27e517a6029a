"""Compare the fills of both sides one by one.

A fill is the same on both sides when product, symbol, trade id, order id and side agree. Where one
trade id names one row on each side they are one fill, and an order id or side that differs is a
conflict; where it names several, order id and side tell them apart. Only rows inside the windows
of both sides can be missing: an engine that remembers more than the exchange was asked for proves
nothing. Exact duplicates in a listing are pages that overlap; exact duplicates in the engine are a
fill that was booked twice.

Cost: one pass and one dictionary look-up for each row; content is compared only for pairs.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter

from resyncctl.core.compare.prepare import Bench
from resyncctl.core.model import Fill
from resyncctl.core.money import ZERO
from resyncctl.core.snapshot import Known, Window

_PRODUCT = attrgetter("product")
_KEY = attrgetter("product", "symbol", "trade_id", "venue_order_id")
_CONTENT = attrgetter("side", "quantity", "price", "fee", "fee_asset", "venue_order_id")
_TRADE = attrgetter("product", "symbol", "trade_id")
FillKey = tuple[str, str, str, str | None]
TradeKey = tuple[str, str]
TradeIndex = dict[str, dict[str, Fill]]
_FIELDS = ("side", "quantity", "price", "fee", "fee_asset", "venue_order_id")


@dataclass(frozen=True, slots=True)
class Conflict:
    """One trade whose content differs: `fields` names what differs."""

    engine: Fill
    venue: Fill
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """A fill that the engine booked `times` times, with the exchange's row if there is one."""

    engine: Fill
    venue: Fill | None
    times: int


@dataclass(slots=True)
class FillDifferences:
    """How the fills differ. `compared` counts trades that were found on both sides.

    `unjudged` counts rows that lie outside the other side's window. `engine_known` and
    `venue_known` (by product) say whether absence of a row means anything.
    """

    missing: list[Fill] = field(default_factory=list)
    phantom: list[Fill] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    repeated: list[Repeated] = field(default_factory=list)
    compared: int = 0
    unjudged: int = 0
    engine_known: bool = True
    venue_known: dict[str, bool] = field(default_factory=dict)


def compare_fills(bench: Bench) -> FillDifferences:
    """Given the rows of both sides, return how their fills differ."""
    result = FillDifferences()
    engine = bench.case.engine.fills
    result.engine_known = isinstance(engine, Known) and engine.complete
    by_product = _by_product(bench.engine_fills or ())
    for product, reading in bench.case.readings.items():
        section = reading.fills
        result.venue_known[product] = isinstance(section, Known) and section.complete
        if bench.engine_fills is None or not isinstance(section, Known):
            continue
        engine_only, venue_only = _pair_up(
            by_product.get(product, ()), bench.venue_fills(product), result
        )
        engine_only, venue_only = _pair_leftovers(engine_only, venue_only, result)
        engine_only, venue_only = _settle_inferred(engine_only, venue_only)
        window = engine.window if isinstance(engine, Known) else None
        _judge_absent(engine_only, venue_only, section.window, window, result)
    return result


def fills_by_order(fills: Iterable[Fill]) -> dict[tuple[str, str, str], list[Fill]]:
    """Group fills by product, symbol and each id of their order."""
    groups: dict[tuple[str, str, str], list[Fill]] = defaultdict(list)
    for fill in fills:
        for identity in {fill.venue_order_id, fill.client_order_id} - {None}:
            groups[fill.product, fill.symbol, str(identity)].append(fill)
    return groups


def _by_product(rows: Sequence[Fill]) -> Mapping[str, Sequence[Fill]]:
    products = set(map(_PRODUCT, rows))
    if len(products) == 1:
        return {products.pop(): rows}
    return {product: [row for row in rows if row.product == product] for product in products}


def _pair_up(
    engine: Sequence[Fill], venue: Sequence[Fill], result: FillDifferences
) -> tuple[list[Fill], list[Fill]]:
    """Match the rows of both sides; return the leftovers of both sides."""
    engine_index, venue_index = _index(engine), _index(venue)
    crowded = _crowded(engine, engine_index) | _crowded(venue, venue_index)
    engine_crowd = _take_out(engine, engine_index, crowded)
    venue_crowd = _take_out(venue, venue_index, crowded)
    engine_only, venue_only = _pair_unique(engine_index, venue_index, result)
    for key in engine_crowd.keys() | venue_crowd.keys():
        _pair_crowd(
            engine_crowd.get(key, []), venue_crowd.get(key, []), engine_only, venue_only, result
        )
    return engine_only, venue_only


def _index(rows: Sequence[Fill]) -> TradeIndex:
    """Index the fills of one product by symbol, then by trade id.

    Two levels of plain text instead of one level of tuples: a million small tuples would cost more
    in the garbage collector than the comparison itself.
    """
    index: TradeIndex = defaultdict(dict)
    for row in rows:
        index[row.symbol][row.trade_id] = row
    return index


def _crowded(rows: Sequence[Fill], index: TradeIndex) -> set[TradeKey]:
    """Return the trades that more than one row of a side names."""
    if sum(map(len, index.values())) == len(rows):
        return set()
    counts = Counter((row.symbol, row.trade_id) for row in rows)
    return {key for key, count in counts.items() if count > 1}


def _take_out(
    rows: Sequence[Fill], index: TradeIndex, crowded: set[TradeKey]
) -> dict[FillKey, list[Fill]]:
    """Take the crowded trades out of the index and group their rows by the whole key."""
    groups: dict[FillKey, list[Fill]] = {}
    if crowded:
        for symbol, trade_id in crowded:
            index[symbol].pop(trade_id, None)
        for row in rows:
            if (row.symbol, row.trade_id) in crowded:
                groups.setdefault(_KEY(row), []).append(row)
    return groups


def _pair_unique(
    engine: TradeIndex, venue: TradeIndex, result: FillDifferences
) -> tuple[list[Fill], list[Fill]]:
    """Match trades that each side names at most once."""
    engine_only: list[Fill] = []
    venue_only: list[Fill] = []
    for symbol, theirs in venue.items():
        ours = engine.get(symbol, {})
        found = 0
        for trade_id, other in theirs.items():
            mine = ours.get(trade_id)
            if mine is None:
                venue_only.append(other)
                continue
            found += 1
            if _CONTENT(mine) == _CONTENT(other):
                result.compared += 1
            else:
                _note_conflict(mine, other, result)
        if found < len(ours):
            engine_only += [row for trade_id, row in ours.items() if trade_id not in theirs]
    for symbol in engine.keys() - venue.keys():
        engine_only += engine[symbol].values()
    return engine_only, venue_only


def _pair_crowd(
    engine: list[Fill],
    venue: list[Fill],
    engine_only: list[Fill],
    venue_only: list[Fill],
    result: FillDifferences,
) -> None:
    """Match the rows of one key that occurs more than once.

    The two sides of a self-trade share a trade id and, on some venues, an order id: they are
    different fills. Engine rows of one side that add up to the exchange's row are one fill that
    the engine split (a position that crosses zero is closed and opened by one trade).
    """
    for side in sorted({row.side for row in (*engine, *venue)}):
        theirs = _distinct([row for row in venue if row.side is side])
        ours = [row for row in engine if row.side is side]
        if not theirs:
            distinct = _distinct(ours)
            _note_repeated(ours, distinct, None, result)
            engine_only.extend(distinct)
        elif not ours:
            venue_only.extend(theirs)
        elif len(theirs) == 1 and _is_split(ours, theirs[0]):
            result.compared += 1
        else:
            _pair_same_side(ours, theirs, result)
            engine_only.extend(_distinct(ours)[len(theirs) :])
            venue_only.extend(theirs[len(_distinct(ours)) :])


def _pair_same_side(ours: list[Fill], theirs: list[Fill], result: FillDifferences) -> None:
    distinct = _distinct(ours)
    _note_repeated(ours, distinct, theirs[0] if len(theirs) == 1 else None, result)
    for mine, other in zip(distinct, theirs, strict=False):
        if _CONTENT(mine) == _CONTENT(other):
            result.compared += 1
        else:
            _note_conflict(mine, other, result)


def _is_split(ours: list[Fill], theirs: Fill) -> bool:
    return len(ours) > 1 and (
        sum(row.quantity for row in ours) == theirs.quantity
        and all(row.price == theirs.price for row in ours)
    )


def _note_repeated(
    ours: list[Fill], distinct: list[Fill], theirs: Fill | None, result: FillDifferences
) -> None:
    for row in distinct:
        times = sum(other == row for other in ours)
        if times > 1:
            result.repeated.append(Repeated(row, theirs, times))


def _distinct(rows: Iterable[Fill]) -> list[Fill]:
    unique: list[Fill] = []
    for row in rows:
        if row not in unique:
            unique.append(row)
    return sorted(unique, key=lambda row: (row.quantity, row.at_ms, repr(row)))


def _note_conflict(ours: Fill, theirs: Fill, result: FillDifferences) -> None:
    """Record a conflict where both sides tell a field and tell it differently."""
    result.compared += 1
    fields = tuple(
        name
        for name in _FIELDS
        if getattr(ours, name) != getattr(theirs, name)
        and getattr(ours, name) is not None
        and getattr(theirs, name) is not None
        and not (name == "fee_asset" and not ours.fee and not theirs.fee)
    )
    if fields:
        result.conflicts.append(Conflict(ours, theirs, fields))


def _pair_leftovers(
    engine_only: list[Fill], venue_only: list[Fill], result: FillDifferences
) -> tuple[list[Fill], list[Fill]]:
    """Match what is left by trade id alone, where that is unambiguous on both sides."""
    if not engine_only or not venue_only:
        return engine_only, venue_only
    ours, theirs = _by_trade(engine_only), _by_trade(venue_only)
    matched: set[int] = set()
    for key in ours.keys() & theirs.keys():
        if len(ours[key]) == 1 and len(theirs[key]) == 1:
            mine, other = ours[key][0], theirs[key][0]
            _note_conflict(mine, other, result)
            matched |= {id(mine), id(other)}
    return (
        [row for row in engine_only if id(row) not in matched],
        [row for row in venue_only if id(row) not in matched],
    )


def _by_trade(rows: Iterable[Fill]) -> dict[object, list[Fill]]:
    groups: dict[object, list[Fill]] = defaultdict(list)
    for row in rows:
        groups[_TRADE(row)].append(row)
    return groups


def _settle_inferred(
    engine_only: list[Fill], venue_only: list[Fill]
) -> tuple[list[Fill], list[Fill]]:
    """Let an inferred engine fill stand for the real ones that it stood in for.

    A fill that was once deduced from an order's filled quantity has an id of its own. When the
    real rows of that order show up and add up to the same quantity, nothing is missing.
    """
    inferred = [row for row in engine_only if row.inferred]
    if not inferred:
        return engine_only, venue_only
    real = fills_by_order(venue_only)
    covered: set[int] = set()
    for rows in fills_by_order(inferred).values():
        sample = rows[0]
        identity = sample.venue_order_id or sample.client_order_id
        theirs = real.get((sample.product, sample.symbol, str(identity)), [])
        covered |= _covered(sum((row.quantity for row in rows), ZERO), theirs)
    return (
        [row for row in engine_only if not row.inferred],
        [row for row in venue_only if id(row) not in covered],
    )


def _covered(quantity: Decimal, theirs: list[Fill]) -> set[int]:
    """Return the oldest real rows that add up to exactly the inferred quantity, or none."""
    running = ZERO
    ordered = sorted(theirs, key=lambda row: (row.at_ms, row.trade_id))
    for count, row in enumerate(ordered, start=1):
        running += row.quantity
        if running == quantity:
            return {id(covered) for covered in ordered[:count]}
    return set()


def _judge_absent(
    engine_only: list[Fill],
    venue_only: list[Fill],
    venue_window: Window | None,
    engine_window: Window | None,
    result: FillDifferences,
) -> None:
    """Call a row missing or phantom when the other side's window would have shown it.

    The end of the engine's window is where it stopped listening: what happened later is missing.
    """
    product_known = bool(engine_only) and result.venue_known[engine_only[0].product]
    for row in engine_only:
        seen = venue_window is not None and (
            venue_window.since_ms <= row.at_ms <= venue_window.until_ms
        )
        if product_known and seen:
            result.phantom.append(row)
        else:
            result.unjudged += 1
    for row in venue_only:
        if result.engine_known and (engine_window is None or row.at_ms >= engine_window.since_ms):
            result.missing.append(row)
        else:
            result.unjudged += 1
