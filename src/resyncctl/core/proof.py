"""When may it be said that orders are gone? Never on an acknowledgement, never on one listing.

A request that is still under way may land late, and a listing may lag behind the matching engine
by as much as `VenueProfile.staleness_horizon_ms`. So what landed last is sure to show only in
listings that begin a whole horizon after the last request could still take effect. Absence is
proved by several validated reads of every scope that began so late, while no read since that last
landing showed anything unexpected; and by a terminal status for every order ever seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from resyncctl.core.model import Order, Scope

CONFIRM_AFTER_MS = 1_000
"""The pause between reads that prove: long enough for another replica to answer."""


@dataclass(frozen=True, slots=True)
class ProofRead:
    """One pass over every scope. `unexpected` and `unreadable` are per scope."""

    began_ms: int
    unexpected: tuple[Order, ...]
    unreadable: tuple[tuple[Scope, str], ...]
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether absence is proved, and if not, what is missing, in the operator's words.

    Both numbers are those of the weakest scope: `valid_reads` began a whole horizon after the last
    possible landing, `spanned_ms` is how long after that landing the last valid read began.
    """

    proved: bool
    missing: tuple[str, ...]
    valid_reads: int
    spanned_ms: int


def judge_absence(
    reads: Iterable[ProofRead],
    *,
    scopes: Iterable[Scope],
    not_before_ms: int,
    horizon_ms: int,
    required_reads: int,
) -> Proof:
    """Given the passes so far, say whether they prove that nothing unexpected rests.

    Only passes that began at `not_before_ms` or later count. Per scope at least `required_reads`
    of them (two at the least) must be valid and have begun `horizon_ms` later still, and none that
    counts may show an unexpected order.
    """
    counted = [read for read in reads if read.began_ms >= not_before_ms]
    needed = max(2, required_reads)
    missing: list[str] = []
    weakest: list[tuple[int, int]] = []
    for scope in scopes:
        valid = [read.began_ms - not_before_ms for read in counted if _is_valid(read, scope)]
        span = max(valid, default=0)
        late = sum(after_ms >= horizon_ms for after_ms in valid)
        weakest.append((late, span))
        if span < horizon_ms:
            missing.append(f"{scope}: read over {span} of {horizon_ms} ms")
        elif late < needed:
            missing.append(f"{scope}: {late} of {needed} valid reads after {horizon_ms} ms")
    unexpected = {order.venue_order_id for read in counted for order in read.unexpected}
    if unexpected:
        missing.append(f"{len(unexpected)} unexpected orders were seen")
    if not weakest:
        missing.append("no scope is declared")
    return Proof(
        proved=not missing,
        missing=tuple(missing),
        valid_reads=min((late for late, _ in weakest), default=0),
        spanned_ms=min((span for _, span in weakest), default=0),
    )


def pause_before_next_read(
    *, now_ms: int, not_before_ms: int, horizon_ms: int, required_reads: int, again: bool
) -> int:
    """Return how long to wait before the next pass, in milliseconds.

    While the horizon lasts, a pass only shows early what would spoil the proof, so they are few;
    with `again` the last one did not work and is soon repeated. Those that prove follow the
    horizon's end closely.
    """
    left_ms = not_before_ms + horizon_ms - now_ms
    if left_ms <= 0:
        return CONFIRM_AFTER_MS
    pause_ms = min(left_ms, max(250, horizon_ms // max(1, required_reads - 1)))
    return min(pause_ms, CONFIRM_AFTER_MS) if again else pause_ms


def _is_valid(read: ProofRead, scope: Scope) -> bool:
    return scope in read.scopes and all(bad != scope for bad, _ in read.unreadable)


@dataclass(frozen=True, slots=True)
class Settled:
    """Which of the orders ever seen have a terminal status, and which do not."""

    terminal: tuple[Order, ...]
    open_or_unknown: tuple[tuple[str, str], ...]


def settle_orders(answers: Mapping[str, Order | str]) -> Settled:
    """Given per order key the looked-up order, or words for why there is none, split them."""
    terminal: list[Order] = []
    rest: list[tuple[str, str]] = []
    for key, answer in sorted(answers.items()):
        if isinstance(answer, str):
            rest.append((key, answer))
        elif answer.is_terminal:
            terminal.append(answer)
        else:
            rest.append((key, f"the exchange still reports {answer.status.value}"))
    return Settled(tuple(terminal), tuple(rest))
