"""Prove that cancelled orders are gone: repeated validated reads, and a terminal status for each.

This part of `cancel-all` holds no power: it only reads. Acknowledgements of cancels do not count.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from resyncctl.core.model import Order, Scope
from resyncctl.core.plan import Selection, order_key
from resyncctl.core.proof import (
    Proof,
    ProofRead,
    Settled,
    judge_absence,
    pause_before_next_read,
    settle_orders,
)
from resyncctl.core.snapshot import LookUp, NotFound, OrderReference, Unknown
from resyncctl.ports.prompts import Interrupted
from resyncctl.ports.views import Clock, Progress, VenueView
from resyncctl.procedures.look_up import look_up_all

LOOK_UP_PAUSE_MS = 1_000
ATTENTION_MS = 500


@dataclass(frozen=True, slots=True)
class Listing:
    """One pass over every scope: the orders, and the scopes that could not be read."""

    began_ms: int
    orders: tuple[Order, ...]
    unreadable: tuple[tuple[Scope, str], ...]

    def selected(self, selection: Selection) -> tuple[Order, ...]:
        """Return the listed orders that the selection means."""
        return tuple(order for order in self.orders if selection.wants(order))


async def list_orders(venue: VenueView, scopes: Iterable[Scope], clock: Clock) -> Listing:
    """List every scope at the same time. An incomplete listing counts as unreadable too."""
    wanted = tuple(scopes)
    began_ms = clock.monotonic_ms()
    sections = await asyncio.gather(*(venue.read_open_orders(scope) for scope in wanted))
    orders: list[Order] = []
    unreadable: list[tuple[Scope, str]] = []
    for scope, section in zip(wanted, sections, strict=True):
        if isinstance(section, Unknown):
            unreadable.append((scope, section.reason))
            continue
        orders += section.data
        if not section.complete:
            unreadable.append((scope, "; ".join(section.notes) or "the listing is not complete"))
    return Listing(began_ms, tuple(orders), tuple(unreadable))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRequest:
    """What is to be proved, and until when to try. Times are of the monotonic clock."""

    scopes: tuple[Scope, ...]
    selection: Selection
    not_before_ms: int
    horizon_ms: int
    required_reads: int
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class ProofResult:
    """The proof so far, and the unexpected orders that ended it, if any."""

    proof: Proof
    unexpected: tuple[Order, ...]
    last_read_ms: int | None


async def watch_absence(
    request: ProofRequest,
    *,
    venue: VenueView,
    clock: Clock,
    progress: Progress,
    interrupted: Interrupted,
) -> ProofResult:
    """Read until absence is proved, an unexpected order shows, or time is up."""
    while not interrupted() and (left_ms := request.not_before_ms - clock.monotonic_ms()) > 0:
        progress.say(
            venue.account,
            "quiet",
            "waiting until no earlier request can take effect",
            seconds_left=-(-left_ms // 1000),
        )
        await clock.sleep_ms(min(left_ms, ATTENTION_MS))
    reads: list[ProofRead] = []
    while True:
        listing = await list_orders(venue, request.scopes, clock)
        unexpected = listing.selected(request.selection)
        reads.append(ProofRead(listing.began_ms, unexpected, listing.unreadable, request.scopes))
        proof = judge_absence(
            reads,
            scopes=request.scopes,
            not_before_ms=request.not_before_ms,
            horizon_ms=request.horizon_ms,
            required_reads=request.required_reads,
        )
        remaining_ms = max(0, request.horizon_ms - proof.spanned_ms)
        progress.say(
            venue.account,
            "proof",
            "proving that the orders are gone",
            reads=f"{proof.valid_reads}/{request.required_reads}",
            seconds_left=-(-remaining_ms // 1000),
            **({"unreadable": len(listing.unreadable)} if listing.unreadable else {}),
        )
        wait_ms = pause_before_next_read(
            now_ms=clock.monotonic_ms(),
            not_before_ms=request.not_before_ms,
            horizon_ms=request.horizon_ms,
            required_reads=request.required_reads,
            again=bool(listing.unreadable),
        )
        out_of_time = clock.monotonic_ms() + wait_ms > request.deadline_ms
        if proof.proved or unexpected or out_of_time or interrupted():
            return ProofResult(proof, unexpected, listing.began_ms)
        await _wait(wait_ms, clock, interrupted)


async def _wait(duration_ms: int, clock: Clock, interrupted: Interrupted) -> None:
    """Sleep in short pieces, so that an operator who interrupts is heard at once."""
    until_ms = clock.monotonic_ms() + duration_ms
    while not interrupted() and (left_ms := until_ms - clock.monotonic_ms()) > 0:
        await clock.sleep_ms(min(left_ms, ATTENTION_MS))


async def settle_all(
    seen: Mapping[str, Order],
    *,
    venue: VenueView,
    clock: Clock,
    progress: Progress,
    deadline_ms: int,
    interrupted: Interrupted,
) -> Settled:
    """Ask for the terminal status of every order ever seen, again and again until the deadline.

    Some venues answer "no such order" for a fresh order for a while, so that answer is repeated
    too, and stays "not known" when nothing better comes.
    """
    answers: dict[str, Order | str] = dict.fromkeys(seen, "not asked yet")
    while True:
        open_keys = [key for key, answer in answers.items() if _is_open(answer)]
        if not open_keys:
            break
        progress.say(
            venue.account,
            "settle",
            "asking what became of each order",
            settled=len(seen) - len(open_keys),
            orders=len(seen),
        )
        references = [reference_to(seen[key]) for key in open_keys]
        looked = await look_up_all(venue, references)
        answers |= {key: _answer(found) for key, (_, found) in zip(open_keys, looked, strict=True)}
        still_open = any(_is_open(answers[key]) for key in open_keys)
        if interrupted() or (still_open and clock.monotonic_ms() >= deadline_ms):
            break
        if still_open:
            await clock.sleep_ms(LOOK_UP_PAUSE_MS)
    return settle_orders(answers)


def reference_to(order: Order) -> OrderReference:
    """Return what is needed to ask for this order again."""
    return OrderReference(
        product=order.product,
        symbol=order.symbol,
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        scope=order.scope,
    )


def remember(seen: dict[str, Order], orders: Iterable[Order]) -> None:
    """Add orders to those ever seen; the first sight is kept."""
    for order in orders:
        seen.setdefault(order_key(order), order)


def _answer(found: LookUp) -> Order | str:
    if isinstance(found, Unknown):
        return found.reason
    if isinstance(found, NotFound):
        return f"the exchange does not know it: {found.detail}"
    return found


def _is_open(answer: Order | str) -> bool:
    return isinstance(answer, str) or not answer.is_terminal
