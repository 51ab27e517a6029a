"""When may it be said that orders are gone? Never on an acknowledgement, never on one listing.

A listing may lag behind the matching engine (`VenueProfile.staleness_horizon_ms`), and a request
that is still under way may land late. So absence is proved by several validated reads of every
scope that all began after the last request could still take effect, that span the staleness
horizon, and that show nothing unexpected; and by a terminal status for every order ever seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from resyncctl.core.model import Order, Scope


@dataclass(frozen=True, slots=True)
class ProofRead:
    """One pass over every scope. `unexpected` and `unreadable` are per scope."""

    began_ms: int
    unexpected: tuple[Order, ...]
    unreadable: tuple[tuple[Scope, str], ...]
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether absence is proved, and if not, what is missing, in the operator's words."""

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

    Only passes that began at `not_before_ms` or later count. Per scope there must be at least
    `required_reads` (two at the least) valid ones, the last at least `horizon_ms` after the first,
    and none of them may show an unexpected order.
    """
    counted = [read for read in reads if read.began_ms >= not_before_ms]
    missing: list[str] = []
    valid_least: int | None = None
    span_least: int | None = None
    for scope in scopes:
        valid = [read.began_ms for read in counted if _is_valid(read, scope)]
        span = (max(valid) - min(valid)) if valid else 0
        valid_least = len(valid) if valid_least is None else min(valid_least, len(valid))
        span_least = span if span_least is None else min(span_least, span)
        if len(valid) < max(2, required_reads):
            missing.append(f"{scope}: {len(valid)} of {max(2, required_reads)} valid reads")
        elif span < horizon_ms:
            missing.append(f"{scope}: reads span {span} of {horizon_ms} ms")
    unexpected = {order.venue_order_id for read in counted for order in read.unexpected}
    if unexpected:
        missing.append(f"{len(unexpected)} unexpected orders were seen")
    if valid_least is None:
        missing.append("no scope is declared")
    return Proof(
        proved=not missing,
        missing=tuple(missing),
        valid_reads=valid_least or 0,
        spanned_ms=span_least or 0,
    )


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
