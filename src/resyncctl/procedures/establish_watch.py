"""Watch an account until the absence of unexpected orders is proved, or cannot be.

Nothing counts before the last request that anybody may have sent can have landed: our own last
deadline, what the engine sent before it fell silent (or before the gate closed, while its silence
is not proved), and what a person or another host sent before this run began, which no record here
names, plus the exchange's validity and the clocks' skew. An engine that is heard
of again moves that moment, and the readings begin anew. It only reads. Called by
`procedures.establish`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resyncctl.core.gate import GateReading
from resyncctl.core.model import Order, Scope
from resyncctl.core.plan import Selection, order_key
from resyncctl.core.proof import Proof, ProofRead, judge_absence, pause_before_next_read
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.core.snapshot import Known, VenueSnapshot
from resyncctl.ports.views import Clock, VenueView
from resyncctl.procedures.look_up import look_up_all
from resyncctl.procedures.prove_absence import Listing, list_orders, reference_to

if TYPE_CHECKING:
    from resyncctl.procedures.establish import Tools

SLICE_MS = 1_000
LOOKED_UP_MAX = 20
"""More orders than this in one listing are no echo of what is over."""


@dataclass(slots=True, kw_only=True)
class Landing:
    """The moment from which on nothing that was sent can land any more, on the monotonic clock.

    Each piece of news is turned into monotonic time once, when it is first heard: a wall clock that
    is stepped later cannot bring the moment nearer.
    """

    validity_ms: int
    skew_ms: int
    not_before_ms: int = 0
    _heard: set[tuple[str, int]] = field(default_factory=set)

    def sent(self, wall_ms: int, clock: Clock) -> None:
        """Take note that the engine may have sent until this moment."""
        self._note(("sent", wall_ms), wall_ms + self.validity_ms, clock)

    def may_send_until(self, closed_ms: int | None, clock: Clock) -> None:
        """Take note of an engine that nobody heard of, with the moment when its gate closed."""
        if closed_ms is not None:
            self.sent(closed_ms, clock)
        elif not any(kind == "sent" for kind, _ in self._heard):
            self.sent(clock.now_ms(), clock)

    def lands_by(self, wall_ms: int, clock: Clock) -> None:
        """Take note of a deadline after which a request of our own has no effect."""
        self._note(("lands", wall_ms), wall_ms, clock)

    def lags_at(self, began_ms: int, horizon_ms: int) -> None:
        """Take note of a listing that showed what was over already.

        Within the horizon that is expected. After it, the exchange lags more than its profile says,
        and the wait begins anew.
        """
        if began_ms >= self.not_before_ms + horizon_ms:
            self.not_before_ms = began_ms

    def _note(self, key: tuple[str, int], wall_ms: int, clock: Clock) -> None:
        if key in self._heard:
            return
        self._heard.add(key)
        left_ms = wall_ms + self.skew_ms - clock.now_ms()
        self.not_before_ms = max(self.not_before_ms, clock.monotonic_ms() + left_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """What is to be proved absent, and until when to try. The deadline is monotonic."""

    account: str
    scopes: tuple[Scope, ...]
    selection: Selection
    expected: frozenset[str]
    horizon_ms: int
    required_reads: int
    deadline_ms: int
    landing: Landing

    def is_unexpected(self, order: Order) -> bool:
        """Whether the order must not rest."""
        return self.selection.wants(order) and order_key(order) not in self.expected


@dataclass(slots=True, kw_only=True)
class Watched:
    """What was seen. `final` are listed orders that turned out to be over: a listing that lags."""

    request: WatchRequest
    silence: Silence
    reads: list[ProofRead] = field(default_factory=list)
    unexpected: tuple[Order, ...] = ()
    kept: tuple[Order, ...] = ()
    final: dict[str, Order] = field(default_factory=dict)

    @property
    def proof(self) -> Proof | None:
        """The proof as the readings give it now; None while there is none."""
        if not self.reads:
            return None
        return judge_absence(
            self.reads,
            scopes=self.request.scopes,
            not_before_ms=self.request.landing.not_before_ms,
            horizon_ms=self.request.horizon_ms,
            required_reads=self.request.required_reads,
        )

    def hear(self, silence: Silence, gate: GateReading, clock: Clock) -> None:
        """Take note of what is known about the engine's sending."""
        self.silence = silence
        if silence.proved and silence.since_ms is not None:
            self.request.landing.sent(silence.since_ms, clock)
        else:
            self.request.landing.may_send_until(gate.since_ms if gate.trusted else None, clock)

    def look_at(self, venue: VenueSnapshot) -> None:
        """Take the last listing, that of the final picture, into account as well."""
        rows: list[Order] = []
        for reading in venue.products:
            for _, section in reading.orders:
                rows += section.data if isinstance(section, Known) else ()
        self.note_kept(rows)
        seen = [order for order in rows if self._stands(order)]
        self.unexpected = (*self.unexpected, *seen)

    def note_kept(self, orders: Iterable[Order]) -> None:
        """Remember the orders that rest on purpose, as they are now."""
        self.kept = tuple(order for order in orders if not self.request.is_unexpected(order))

    def _stands(self, order: Order) -> bool:
        return self.request.is_unexpected(order) and order_key(order) not in self.final


async def watch(request: WatchRequest, tools: "Tools") -> Watched:
    """Read until absence is proved, an unexpected order rests, or the deadline passes."""
    watched = Watched(
        request=request, silence=Silence(kind=SilenceKind.UNPROVED, how="not looked at yet")
    )
    while True:
        await _wait_for_landing(watched, tools)
        listing = await list_orders(tools.venue, request.scopes, tools.clock)
        await _take(watched, listing, tools.venue)
        _hear(watched, tools)
        _tell(watched, listing, tools)
        if watched.unexpected or _is_over(watched, tools):
            return watched
        pause_ms = pause_before_next_read(
            now_ms=tools.clock.monotonic_ms(),
            not_before_ms=request.landing.not_before_ms,
            horizon_ms=request.horizon_ms,
            required_reads=request.required_reads,
            again=bool(listing.unreadable),
        )
        await _wait(pause_ms, watched, tools)
        if tools.interrupted():
            return watched


async def _take(watched: Watched, listing: Listing, venue: VenueView) -> None:
    """Add one reading. What is listed and over already spoils the reading, and is no order."""
    request = watched.request
    listed = [order for order in listing.orders if request.is_unexpected(order)]
    unsure = [order for order in listed if order_key(order) not in watched.final]
    standing = unsure[LOOKED_UP_MAX:]
    unsure = unsure[:LOOKED_UP_MAX]
    answers = await look_up_all(venue, [reference_to(order) for order in unsure])
    for order, (_, answer) in zip(unsure, answers, strict=True):
        if isinstance(answer, Order) and answer.is_terminal:
            watched.final[order_key(order)] = answer
        else:
            standing.append(order)
    watched.note_kept(listing.orders)
    watched.unexpected = tuple(standing)
    if listed:
        # The listing lags: what it shows is older than what counts, in every scope.
        request.landing.lags_at(listing.began_ms, request.horizon_ms)
        return
    watched.reads.append(ProofRead(listing.began_ms, (), listing.unreadable, request.scopes))


def _hear(watched: Watched, tools: "Tools") -> None:
    gate = tools.gate.read(watched.request.account)
    now_ms = tools.clock.now_ms()
    watched.hear(tools.silence.observe(gate.account, gate, now_ms), gate, tools.clock)
    deadline_ms = tools.journal.last_deadline_ms
    if deadline_ms is not None:
        watched.request.landing.lands_by(deadline_ms, tools.clock)


def _is_over(watched: Watched, tools: "Tools") -> bool:
    proof = watched.proof
    proved = proof is not None and proof.proved
    return (
        proved or tools.interrupted() or tools.clock.monotonic_ms() >= watched.request.deadline_ms
    )


def _tell(watched: Watched, listing: Listing, tools: "Tools") -> None:
    proof, request = watched.proof, watched.request
    spanned_ms = proof.spanned_ms if proof else 0
    tools.progress.say(
        request.account,
        "proof",
        "proving that nothing unexpected rests",
        reads=f"{proof.valid_reads if proof else 0}/{request.required_reads}",
        engine=watched.silence.kind.value,
        seconds_left=max(0, -(-(request.horizon_ms - spanned_ms) // 1000)),
        **({"unexpected": len(watched.unexpected)} if watched.unexpected else {}),
        **({"unreadable": len(listing.unreadable)} if listing.unreadable else {}),
    )


async def _wait_for_landing(watched: Watched, tools: "Tools") -> None:
    """Wait until nothing can land any more, and keep an ear on the engine meanwhile."""
    _hear(watched, tools)
    while (left_ms := watched.request.landing.not_before_ms - tools.clock.monotonic_ms()) > 0:
        if tools.interrupted() or tools.clock.monotonic_ms() >= watched.request.deadline_ms:
            return
        tools.progress.say(
            watched.request.account,
            "quiet",
            "waiting until no request can land any more",
            engine=watched.silence.kind.value,
            seconds_left=-(-left_ms // 1000),
        )
        await tools.clock.sleep_ms(min(left_ms, SLICE_MS))
        await tools.each_read()
        _hear(watched, tools)


async def _wait(duration_ms: int, watched: Watched, tools: "Tools") -> None:
    """Wait for the next reading in short pieces; stop early for the operator or the deadline."""
    until_ms = min(tools.clock.monotonic_ms() + duration_ms, watched.request.deadline_ms)
    while (left_ms := until_ms - tools.clock.monotonic_ms()) > 0 and not tools.interrupted():
        proof = watched.proof
        tools.progress.say(
            watched.request.account,
            "proof",
            "proving that nothing unexpected rests",
            reads=f"{proof.valid_reads if proof else 0}/{watched.request.required_reads}",
            engine=watched.silence.kind.value,
            seconds_left=-(-left_ms // 1000),
        )
        await tools.clock.sleep_ms(min(left_ms, SLICE_MS))
        await tools.each_read()
