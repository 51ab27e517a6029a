"""How large the next reducing order may be, and at what price it stops.

Promises: an order is never larger than what is held, than the largest order of the instrument,
than what the book shows inside the price bound, and than what the caps leave; every rounding makes
the quantity smaller and the price bound stricter. What cannot be traded is dust or a reason to
stop, never a larger order. Pure; called by `procedures.flatten_leg` before every order.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.model import Side
from resyncctl.core.money import ZERO, exactly, plain


class StopKind(StrEnum):
    """Why no order may follow. THIN_BOOK and UNREAD may pass by themselves, the others do not."""

    CAP = "cap"
    UNREAD = "unread"
    THIN_BOOK = "thin_book"
    PRICE_MOVED = "price_moved"
    NOT_TRADING = "not_trading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is to be reduced, and within which bounds.

    `available` is signed and was read just now. `anchor_price` is the price that the plan was
    agreed on: the price bound is counted from it and from the best price now, whichever is
    stricter. `notional_left` is what the cap of the run leaves, None for no cap.
    """

    available: Decimal
    anchor_price: Decimal
    slippage_max: Decimal
    slice_notional_max: Decimal | None = None
    notional_left: Decimal | None = None

    @property
    def side(self) -> Side:
        """The side that reduces."""
        return Side.SELL if self.available > 0 else Side.BUY


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One order that may be sent: `value` is its worth in the quote asset, counted upwards."""

    side: Side
    quantity: Decimal
    limit_price: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing is held any more."""


@dataclass(frozen=True, slots=True)
class Dust:
    """What is left is smaller than the smallest order. `value` is None without a price."""

    quantity: Decimal
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Stop:
    """No order may be sent now, and why."""

    kind: StopKind
    reason: str


def next_slice(
    need: Need, rules: InstrumentRules, book: OrderBook
) -> Slice | Finished | Dust | Stop:
    """Given what is held now, return the next order, or why there is none."""
    with exactly():
        if not need.available:
            return Finished()
        whole = round_down(abs(need.available), rules.quantity_step)
        best = best_price(book, need.side)
        if whole < max(rules.quantity_min, rules.quantity_step):
            return _dust(need, rules, best)
        if not rules.trading:
            return Stop(StopKind.NOT_TRADING, f"the exchange takes no orders ({rules.status})")
        if best is None:
            return Stop(StopKind.THIN_BOOK, "the book is empty on the other side")
        limit = price_bound(need, rules, best)
        if is_too_small(whole, rules, limit):
            return _dust(need, rules, best)
        return _within_bounds(need, rules, book, whole=whole, best=best, limit=limit)


def _within_bounds(
    need: Need,
    rules: InstrumentRules,
    book: OrderBook,
    *,
    whole: Decimal,
    best: Decimal,
    limit: Decimal,
) -> Slice | Stop:
    dearest = max(best, limit)
    unit = rules.notional(Decimal(1), dearest)
    size = min(whole, round_down(rules.quantity_max, rules.quantity_step))
    size = min(size, round_down(depth_inside(book, need.side, limit), rules.quantity_step))
    if is_too_small(size, rules, limit):
        return _thin(need, best, limit)
    for cap, name in (
        (need.slice_notional_max, "the cap of one order"),
        (need.notional_left, "what the cap of this run leaves"),
    ):
        if cap is None:
            continue
        # Sixty digits of a quotient cannot reach a step that the cap itself does not.
        size = min(size, round_down(cap / unit, rules.quantity_step))
        if is_too_small(size, rules, limit):
            return Stop(
                StopKind.CAP,
                f"{name} ({plain(max(cap, ZERO))} {rules.quote}) is less than the smallest order",
            )
    size = _without_stranding(size, whole, rules, limit)
    return Slice(side=need.side, quantity=size, limit_price=limit, value=size * unit)


def price_bound(need: Need, rules: InstrumentRules, best: Decimal) -> Decimal:
    """Return the worst price that may be taken, rounded to the tick towards the better price."""
    ratio = need.slippage_max
    if rules.price_band is not None:
        ratio = min(ratio, rules.price_band)
    if need.side is Side.SELL:
        bound = max(need.anchor_price * (1 - need.slippage_max), best * (1 - ratio))
        return _to_step(bound, rules.price_tick, ROUND_CEILING)
    bound = min(need.anchor_price * (1 + need.slippage_max), best * (1 + ratio))
    return _to_step(bound, rules.price_tick, ROUND_FLOOR)


def best_price(book: OrderBook, side: Side) -> Decimal | None:
    """Return the best price for an order of this side, None when nobody is there."""
    levels = book.bids if side is Side.SELL else book.asks
    return levels[0][0] if levels else None


def depth_inside(book: OrderBook, side: Side, limit: Decimal) -> Decimal:
    """Return the quantity that the book shows at the limit price or better."""
    if side is Side.SELL:
        inside = (quantity for price, quantity in book.bids if price >= limit)
    else:
        inside = (quantity for price, quantity in book.asks if price <= limit)
    return sum(inside, ZERO)


def is_too_small(quantity: Decimal, rules: InstrumentRules, price: Decimal) -> bool:
    """Whether the exchange would refuse a reducing order of this size."""
    if quantity <= 0 or quantity < rules.quantity_min or price <= 0:
        return True
    if not rules.notional_min_applies_to_reducing:
        return False
    return rules.notional(quantity, price) < rules.notional_min


def round_down(quantity: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of the step that is not above the quantity."""
    with exactly():
        return _to_step(quantity, step, ROUND_FLOOR)


def _to_step(number: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step <= 0:
        return number
    return (number / step).to_integral_value(rounding) * step


def _without_stranding(
    size: Decimal, whole: Decimal, rules: InstrumentRules, limit: Decimal
) -> Decimal:
    """Take less now when the rest would be too small to trade and less is possible."""
    rest = whole - size
    if rest <= 0 or not is_too_small(rest, rules, limit):
        return size
    smallest = rules.quantity_min
    if rules.notional_min_applies_to_reducing and rules.notional_min:
        needed = rules.notional_min / rules.notional(Decimal(1), limit)
        smallest = max(smallest, _to_step(needed, rules.quantity_step, ROUND_CEILING))
    less = round_down(whole - smallest, rules.quantity_step)
    return less if less < size and not is_too_small(less, rules, limit) else size


def _thin(need: Need, best: Decimal, limit: Decimal) -> Stop:
    beyond = best < limit if need.side is Side.SELL else best > limit
    if beyond:
        return Stop(
            StopKind.PRICE_MOVED,
            f"the best price {plain(best)} is beyond the agreed bound {plain(limit)}",
        )
    return Stop(
        StopKind.THIN_BOOK,
        f"the book shows less than the smallest order at {plain(limit)} or better",
    )


def _dust(need: Need, rules: InstrumentRules, best: Decimal | None) -> Dust:
    quantity = abs(need.available)
    return Dust(quantity, None if best is None else rules.notional(quantity, best))
