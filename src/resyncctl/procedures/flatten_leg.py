"""Reduce one holding, order by order, until it is flat or there is a reason to stop.

Promises: every order is sized from a reading that began after the previous order could no longer
take effect; a position mode that changed, or a holding that moved by something that is not ours,
ends the leg; a refusal is answered by reading again, never by a weaker protection. Called by
`procedures.flatten` for every target, side by side.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from resyncctl.core.errors import RefusedError, ensure, unreachable
from resyncctl.core.flatten_holdings import Holding, protection_of
from resyncctl.core.flatten_order import client_order_id, reduction_of
from resyncctl.core.flatten_plan import FlattenWish, Target
from resyncctl.core.flatten_proof import Change, change_words, judge_change
from resyncctl.core.flatten_slice import Dust, Finished, Need, Slice, Stop, StopKind, next_slice
from resyncctl.core.model import Side
from resyncctl.core.money import ZERO, exactly
from resyncctl.core.mutation import OutcomeKind
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.views import MarketView
from resyncctl.procedures.flatten_order import (
    OrderTools,
    SentReduction,
    send_reduction,
    wait_until,
)
from resyncctl.procedures.flatten_reading import LegReading, read_leg

ROUNDS_MAX = 500
REJECTIONS_MAX = 3
THIN_ROUNDS_MAX = 5
UNREAD_ROUNDS_MAX = 30
PAUSE_MS = 1_000
TOO_SMALL = "smaller than the smallest order; policy.dust says what counts as flat"


class LegEnd(StrEnum):
    """How the work on one holding ended; whether it is flat is proved later."""

    DONE = "done"
    DUST = "dust"
    STOPPED = "stopped"
    CAPPED = "capped"
    UNRESOLVED = "unresolved"


@dataclass(slots=True)
class LegResult:
    """What one leg did. `quiet_ms` is when its last order can no longer take effect."""

    target: Target
    end: LegEnd = LegEnd.STOPPED
    why: str = ""
    filled: Decimal = ZERO
    orders: int = 0
    quiet_ms: int = 0
    left: Decimal | None = None
    dust_value: Decimal | None = None


@dataclass(slots=True, kw_only=True)
class Leg:
    """One holding that is being reduced. `expected` is what our own fills leave of it."""

    target: Target
    wish: FlattenWish
    market: MarketView
    tools: OrderTools
    expected: Decimal
    result: LegResult
    rejections: int = 0
    thin_rounds: int = 0
    unread_rounds: int = 0
    touched: bool = field(default=False)


async def flatten_leg(
    target: Target, wish: FlattenWish, *, market: MarketView, tools: OrderTools
) -> LegResult:
    """Reduce one target and say how it ended. Raises what `send_reduction` raises."""
    leg = Leg(
        target=target,
        wish=wish,
        market=market,
        tools=tools,
        expected=target.holding,
        result=LegResult(target, quiet_ms=tools.clock.monotonic_ms()),
    )
    for round_number in range(1, ROUNDS_MAX + 1):
        if tools.must_stop():
            return _ended(leg, LegEnd.STOPPED, _why_stopped(tools))
        reading = await _read_settled(leg)
        if isinstance(reading, LegResult):
            return reading
        piece = _next(leg, reading)
        match piece:
            case Finished() | Dust():
                return _nothing_left(leg, reading, piece)
            case Stop():
                if not await _may_try_again(leg, piece):
                    end = LegEnd.CAPPED if piece.kind is StopKind.CAP else LegEnd.STOPPED
                    return _ended(leg, end, piece.reason)
            case Slice() if tools.must_stop():
                return _ended(leg, LegEnd.STOPPED, _why_stopped(tools))
            case Slice():
                ended = await _send(leg, reading, piece, round_number)
                if ended is not None:
                    return ended
    return _ended(leg, LegEnd.STOPPED, f"it is not flat after {ROUNDS_MAX} rounds")


async def _read_settled(leg: Leg) -> LegReading | LegResult:
    """Read until the reading agrees with our own fills, or has had the time to.

    A listing may lag behind the matching engine, so a difference counts only when it is still
    there after the staleness horizon.
    """
    tools = leg.tools
    quiet_s = -(-(leg.result.quiet_ms - tools.clock.monotonic_ms()) // 1000)
    if quiet_s > 0:
        tools.progress.say(
            tools.account, "wait", "waiting until the last order cannot land", seconds_left=quiet_s
        )
    await wait_until(leg.result.quiet_ms, tools.clock)
    patience_ms = max(leg.result.quiet_ms, tools.clock.monotonic_ms()) + tools.horizon_ms
    while True:
        reading = await read_leg(
            leg.target.key,
            leg.wish.choice,
            venue=tools.venue,
            market=leg.market,
            clock=tools.clock,
        )
        late = tools.clock.monotonic_ms() >= patience_ms
        if isinstance(reading, Unknown):
            if late or tools.must_stop():
                return _ended(leg, LegEnd.UNRESOLVED, reading.reason)
        else:
            change = _change(leg, reading)
            if change is Change.NONE:
                return reading
            if late or _is_another_mode(leg, reading):
                return _changed(leg, reading, change)
            if tools.must_stop():
                # Whether the difference is real or only late is not known by now.
                return _ended(leg, LegEnd.STOPPED, _why_stopped(tools))
            tools.progress.say(
                tools.account,
                "leg",
                f"{leg.target.symbol}: waiting for a reading that shows our own fills",
            )
        await tools.clock.sleep_ms(PAUSE_MS)


def _change(leg: Leg, reading: LegReading) -> Change:
    """Compare a reading with what is expected; before our first order a shrinking is welcome."""
    if _is_another_mode(leg, reading):
        return Change.FLIPPED
    change = judge_change(leg.target.product, leg.expected, reading.quantity)
    if change in {Change.SHRANK, Change.GONE} and not leg.touched:
        return Change.NONE
    return change


def _is_another_mode(leg: Leg, reading: LegReading) -> bool:
    holding = Holding(
        product=leg.target.product,
        symbol=leg.target.symbol,
        leg=leg.target.leg,
        quantity=leg.target.holding,
        available=leg.target.holding,
    )
    return protection_of(holding, reading.mode) is not leg.target.protection


def _changed(leg: Leg, reading: LegReading, change: Change) -> LegResult:
    leg.result.left = reading.quantity
    if _is_another_mode(leg, reading):
        return _ended(leg, LegEnd.STOPPED, f"the position mode is {reading.mode} now")
    end = LegEnd.DONE if change is Change.GONE else LegEnd.STOPPED
    return _ended(leg, end, change_words(change, leg.expected, reading.quantity))


def _next(leg: Leg, reading: LegReading) -> Slice | Finished | Dust | Stop:
    rules, book = reading.instrument.rules, reading.instrument.book
    if not reading.quantity:
        return Finished()
    if isinstance(rules, Unknown):
        return Stop(StopKind.UNREAD, f"its rules are not known: {rules.reason}")
    if isinstance(book, Unknown):
        return Stop(StopKind.UNREAD, f"its book is not known: {book.reason}")
    if not reading.available:
        return Stop(StopKind.THIN_BOOK, "nothing of it is free: orders hold it")
    return next_slice(
        Need(
            available=reading.available,
            anchor_price=leg.target.price or ZERO,
            slippage_max=leg.wish.slippage_max,
            slice_notional_max=leg.wish.slice_notional_max,
            notional_left=leg.tools.budget.left(leg.target.quote),
        ),
        rules,
        book,
    )


async def _may_try_again(leg: Leg, stop: Stop) -> bool:
    """Wait a little where waiting may help: a thin book fills up, an answer comes."""
    if stop.kind is StopKind.UNREAD:
        leg.unread_rounds += 1
        if leg.unread_rounds > UNREAD_ROUNDS_MAX:
            return False
    else:
        leg.thin_rounds += 1
        if stop.kind is not StopKind.THIN_BOOK or leg.thin_rounds > THIN_ROUNDS_MAX:
            return False
    await leg.tools.clock.sleep_ms(PAUSE_MS)
    return not leg.tools.must_stop()


async def _send(leg: Leg, reading: LegReading, piece: Slice, round_number: int) -> LegResult | None:
    """Send one order and take in what became of it; return the end of the leg, if it is that."""
    tools, target, result = leg.tools, leg.target, leg.result
    ensure(
        reading.began_ms >= result.quiet_ms,
        "an order would be sized from a reading older than the previous order's deadline",
    )
    protection = target.protection
    if protection is None:
        unreachable("an order without protection would be sent")
    try:
        reduction = reduction_of(
            tools.account,
            target,
            piece,
            protection=protection,
            holding=reading.available,
            read_at_ms=reading.as_of_ms,
            client_order_id=client_order_id(tools.journal.run_id, target.key, round_number),
        )
    except RefusedError as error:
        return _ended(leg, LegEnd.STOPPED, error.message)
    sent = await send_reduction(reduction, target.quote, piece.value, tools)
    _take_in(leg, reading, sent)
    if not sent.answer.resolved:
        return _ended(
            leg, LegEnd.UNRESOLVED, f"what became of an order is not known: {sent.answer.why}"
        )
    if sent.outcome.kind is not OutcomeKind.REJECTED:
        leg.rejections = 0
        # An order that traded nothing at this price says that the book was not really there.
        leg.thin_rounds = 0 if sent.answer.filled else leg.thin_rounds + 1
        if leg.thin_rounds > THIN_ROUNDS_MAX:
            return _ended(leg, LegEnd.STOPPED, "orders at the bound trade nothing")
        return None
    leg.rejections += 1
    if leg.rejections >= REJECTIONS_MAX:
        code = f" ({sent.outcome.code})" if sent.outcome.code else ""
        return _ended(
            leg, LegEnd.STOPPED, f"the exchange refuses the order{code}: {sent.outcome.message}"
        )
    await tools.clock.sleep_ms(max(PAUSE_MS, sent.outcome.retry_after_ms or 0))
    return None


def _take_in(leg: Leg, reading: LegReading, sent: SentReduction) -> None:
    filled = sent.answer.filled
    leg.result.orders += 1
    leg.result.quiet_ms = sent.quiet_ms
    leg.touched = leg.touched or sent.outcome.sent
    with exactly():
        leg.result.filled += filled
        moved = -filled if sent.reduction.side is Side.SELL else filled
        leg.expected = reading.quantity + moved


def _nothing_left(leg: Leg, reading: LegReading, piece: Finished | Dust) -> LegResult:
    leg.result.left = reading.quantity
    if isinstance(piece, Finished):
        return _ended(leg, LegEnd.DONE, "" if leg.touched else "it was gone before the first order")
    leg.result.dust_value = piece.value
    why = f"what is left is {TOO_SMALL}"
    if reading.available != reading.quantity:
        why = "what is free of it is smaller than the smallest order; orders hold the rest"
    return _ended(leg, LegEnd.DUST, why)


def _ended(leg: Leg, end: LegEnd, why: str) -> LegResult:
    leg.result.end, leg.result.why = end, why
    if end is not LegEnd.DONE:
        leg.tools.progress.say(
            leg.tools.account, "leg", f"{leg.target.symbol} {leg.target.leg.value}: {why}"
        )
    return leg.result


def _why_stopped(tools: OrderTools) -> str:
    if tools.trouble is not None:
        return tools.trouble
    return "the run was interrupted" if tools.interrupted() else "the deadline passed"


def is_left(target: Target, leg: LegResult | None) -> bool:
    """Whether it is known before the proof that the holding is not flat."""
    if leg is None:
        return abs(target.holding) > target.flat_below
    left = abs(leg.left or ZERO) > target.flat_below
    return left or leg.end not in {LegEnd.DONE, LegEnd.DUST}
