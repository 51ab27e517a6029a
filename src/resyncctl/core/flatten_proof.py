"""What changed meanwhile, and when may an account be called flat?

An acknowledgement or a fill proves nothing about the holding, and one reading may be stale. So a
holding is flat when several readings, all begun after the last order could still take effect and
spread over the exchange's staleness horizon, agree that nothing (or dust) is left. A change that
our own fills do not explain stops a leg: somebody else is trading. Pure; called by the flatten
procedures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from resyncctl.core.flatten_holdings import SPOT, HoldingKey
from resyncctl.core.money import ZERO, exactly, plain

FEE_SHARE_MAX = Decimal("0.01")
"""A spot asset may shrink by this share without an order of ours: fees are taken from it."""


class Change(StrEnum):
    """How a reading differs from what our own fills explain."""

    NONE = "none"
    GREW = "grew"
    FLIPPED = "flipped"
    SHRANK = "shrank"
    GONE = "gone"


def judge_change(product: str, expected: Decimal, seen: Decimal) -> Change:
    """Given the signed holding that our fills explain and the one that was read, compare them."""
    if seen == expected:
        return Change.NONE
    if not seen:
        return Change.GONE
    if not expected or (seen > 0) is not (expected > 0):
        return Change.FLIPPED if expected else Change.GREW
    if abs(seen) > abs(expected):
        return Change.GREW
    with exactly():
        fees = product == SPOT and abs(expected) - abs(seen) <= abs(expected) * FEE_SHARE_MAX
    return Change.NONE if fees else Change.SHRANK


def change_words(change: Change, expected: Decimal, seen: Decimal) -> str:
    """Return what happened, in the operator's words."""
    numbers = f"{plain(expected)} was expected, {plain(seen)} is held"
    match change:
        case Change.GREW:
            return f"it grew by something that is not ours ({numbers})"
        case Change.FLIPPED:
            return f"it changed its direction by something that is not ours ({numbers})"
        case Change.SHRANK:
            return (
                f"it shrank by more than our fills ({numbers}): "
                "a liquidation, another operator, or an engine that still trades"
            )
        case Change.GONE:
            return f"it went away without our order ({numbers})"
        case Change.NONE:
            return ""


class Flatness(StrEnum):
    """What is known about one holding at the end."""

    FLAT = "flat"
    RESIDUAL = "residual"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FlatRead:
    """One pass over the holdings. A product that could not be read is in `unreadable`."""

    began_ms: int
    held: Mapping[HoldingKey, Decimal]
    unreadable: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FlatJudgement:
    """What the readings say about one holding. `left` is the last quantity that was read."""

    state: Flatness
    left: Decimal | None
    why: str = ""


def judge_flat(
    key: HoldingKey,
    reads: Iterable[FlatRead],
    *,
    not_before_ms: int,
    horizon_ms: int,
    required_reads: int,
    flat_below: Decimal = ZERO,
) -> FlatJudgement:
    """Given the passes so far, say whether they prove that the holding is gone.

    Only passes that began at `not_before_ms` or later count, and only those prove it that began
    `horizon_ms` later still: readings lag, and what the last order left shows for sure only then.
    At least two are required whatever `required_reads` says. A rest of at most `flat_below` counts
    as nothing.
    """
    product = key[0]
    counted = [read for read in reads if read.began_ms >= not_before_ms]
    valid = [read for read in counted if product not in read.unreadable]
    if not valid:
        reasons = [read.unreadable[product] for read in counted]
        return FlatJudgement(
            Flatness.UNKNOWN, None, reasons[-1] if reasons else "it was not read at the end"
        )
    left = valid[-1].held.get(key, ZERO)
    if abs(left) > flat_below:
        return FlatJudgement(Flatness.RESIDUAL, left)
    needed = max(2, required_reads)
    from_ms = not_before_ms + horizon_ms
    late = 0
    for read in valid:
        if read.began_ms < from_ms:
            continue
        if abs(read.held.get(key, ZERO)) > flat_below:
            # So late nothing old can show: the holding was there, and the wait begins anew.
            from_ms, late = read.began_ms + horizon_ms, 0
        else:
            late += 1
    if late < needed:
        return FlatJudgement(
            Flatness.UNKNOWN,
            left,
            f"{late} of {needed} valid readings a whole staleness horizon after the last order",
        )
    return FlatJudgement(Flatness.FLAT, left)
