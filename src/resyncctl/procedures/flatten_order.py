"""Send one reducing order and find out what became of it. Never twice.

Promises: the intent is on disk before the order leaves; at most one order per holding is under way;
an order whose outcome is not known is looked up by its client order id, after the moment at which
it could still land, until the exchange has answered over its whole staleness horizon. It is never
sent again. Called by `procedures.flatten_leg`; `find_out` also serves orders of earlier runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from resyncctl.core.errors import RecordUnwritableError, ensure
from resyncctl.core.flatten_holdings import HoldingKey
from resyncctl.core.flatten_order import reference_for
from resyncctl.core.model import Order
from resyncctl.core.money import ZERO, exactly, plain
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.reduction import Reduction
from resyncctl.core.snapshot import LookUp, NotFound, OrderReference, Unknown
from resyncctl.ports.powers import LeaseKeeper, VenueReduce
from resyncctl.ports.prompts import Interrupted
from resyncctl.ports.views import Clock, Journal, Progress, VenueView

LOOK_UP_PAUSE_MS = 1_000
ATTENTION_MS = 500
PATIENCE_AFTER_INTERRUPT_MS = 5_000


@dataclass(slots=True)
class Budget:
    """The notional caps of a run, by quote asset, shared by its legs. Nothing is spent twice."""

    caps: dict[str, Decimal]
    spent: dict[str, Decimal] = field(default_factory=dict)

    def left(self, quote: str) -> Decimal:
        """Return what may still be spent; an asset without a cap has none to spend."""
        with exactly():
            return self.caps.get(quote, ZERO) - self.spent.get(quote, ZERO)

    def take(self, quote: str, value: Decimal) -> None:
        """Set the value of an order aside before it is sent."""
        ensure(value <= self.left(quote), "a reducing order would exceed the cap of the run")
        with exactly():
            self.spent[quote] = self.spent.get(quote, ZERO) + value

    def give_back(self, quote: str, value: Decimal) -> None:
        """Return what an order did not use."""
        with exactly():
            self.spent[quote] = self.spent.get(quote, ZERO) - value


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order. `resolved` is False when nobody knows.

    `order` is the order as the exchange reports it, None when it does not know it.
    """

    resolved: bool
    order: Order | None
    why: str = ""

    @property
    def filled(self) -> Decimal:
        """The quantity that was traded; zero for an order that never was."""
        return self.order.filled if self.order is not None else ZERO


@dataclass(frozen=True, slots=True)
class SentReduction:
    """One attempt and what became of it. After `quiet_ms` (monotonic) it can have no effect."""

    reduction: Reduction
    outcome: MutationOutcome
    answer: Answer
    quiet_ms: int
    value: Decimal


@dataclass(slots=True, kw_only=True)
class OrderTools:
    """What sending needs: the power, the record, the lease, time, and what was sent so far.

    `stop_ms` is when the run must end, on the monotonic clock. `trouble` is set when a record
    could not be written or the account is not ours any more: nothing more may be sent then.
    """

    account: str
    reduce: VenueReduce
    venue: VenueView
    journal: Journal
    lease: LeaseKeeper
    clock: Clock
    progress: Progress
    interrupted: Interrupted
    budget: Budget
    request_validity_ms: int
    horizon_ms: int
    stop_ms: int
    skew_ms: int = 0
    sent: list[SentReduction] = field(default_factory=list)
    in_flight: set[HoldingKey] = field(default_factory=set)
    attempts: int = 0
    trouble: str | None = None

    def must_stop(self) -> bool:
        """Whether no new order may be started."""
        if self.trouble is None:
            self.trouble = self.lease.why_lost(self.clock.now_ms())
        late = self.clock.monotonic_ms() >= self.stop_ms
        return self.trouble is not None or self.interrupted() or late


async def send_reduction(
    reduction: Reduction, quote: str, value: Decimal, tools: OrderTools
) -> SentReduction:
    """Send one order and find out what became of it.

    Raises:
        LockedError: The lease was lost. This order was not sent.
        RecordUnwritableError: The intent could not be written. This order was not sent.
    """
    key = (reduction.product, reduction.symbol, reduction.leg.value)
    ensure(key not in tools.in_flight, "two reducing orders of one holding would be under way")
    tools.budget.take(quote, value)
    tools.in_flight.add(key)
    try:
        sent = await _send(reduction, value, tools)
        if sent.answer.resolved:
            with exactly():
                unused = value - value * sent.answer.filled / reduction.quantity
            tools.budget.give_back(quote, max(ZERO, unused))
    finally:
        tools.in_flight.discard(key)
    tools.sent.append(sent)
    return sent


async def _send(reduction: Reduction, value: Decimal, tools: OrderTools) -> SentReduction:
    now_ms = tools.clock.now_ms()
    validity_ms = tools.request_validity_ms
    fencing_token = tools.lease.assure(now_ms, validity_ms)
    permit = tools.journal.intend(
        "reduce",
        intent_details(reduction),
        deadline_ms=now_ms + validity_ms,
        fencing_token=fencing_token,
    )
    quiet_ms = tools.clock.monotonic_ms() + validity_ms + tools.skew_ms
    tools.attempts += 1
    outcome = await tools.reduce.reduce(reduction, replace(permit, reduces=reduction))
    tools.progress.say(
        tools.account,
        "reduce",
        f"{reduction.side.value} {plain(reduction.quantity)} {reduction.symbol} "
        f"at {plain(reduction.limit_price)} or better: {outcome.kind.value}",
    )
    _settle(tools, lambda: tools.journal.settle(permit, outcome))
    if outcome.kind is OutcomeKind.REJECTED:
        return SentReduction(
            reduction, outcome, Answer(True, None, outcome.message), quiet_ms, value
        )
    answer = await find_out(
        reference_for(reduction.product, reduction.symbol, reduction.client_order_id),
        tools,
        quiet_ms=quiet_ms,
        acknowledged=outcome.kind is OutcomeKind.ACKNOWLEDGED,
    )
    if outcome.kind is OutcomeKind.UNKNOWN and answer.resolved:
        _settle(tools, lambda: tools.journal.settle(permit, _looked_up(answer)))
    _settle(
        tools,
        lambda: tools.journal.record(
            "reduce_resolved",
            {
                "account": tools.account,
                "intent_id": permit.intent_id,
                "client_order_id": reduction.client_order_id,
                "resolved": answer.resolved,
                "status": answer.order.status.value if answer.order else None,
                "filled": plain(answer.filled),
                "why": answer.why,
            },
        ),
    )
    return SentReduction(reduction, outcome, answer, quiet_ms, value)


def _settle(tools: OrderTools, write: Callable[[], object]) -> None:
    """Write what became of an order. It was sent already, so a full disk only ends what follows."""
    try:
        write()
    except RecordUnwritableError as error:
        tools.trouble = error.message


def _looked_up(answer: Answer) -> MutationOutcome:
    if answer.order is None:
        return MutationOutcome(
            kind=OutcomeKind.REJECTED, message="looked up: it never reached the exchange"
        )
    return MutationOutcome(
        kind=OutcomeKind.ACKNOWLEDGED,
        message=f"looked up: {answer.order.status.value}",
        venue_order_id=answer.order.venue_order_id,
    )


async def find_out(
    reference: OrderReference, tools: OrderTools, *, quiet_ms: int, acknowledged: bool
) -> Answer:
    """Ask what became of an order until the answer counts.

    A terminal status counts at any time. "No such order" counts only when the order can no longer
    land and the exchange has said nothing else for its staleness horizon, and never for an order
    that it has acknowledged.
    """
    if not acknowledged:
        await wait_until(quiet_ms, tools.clock)
    give_up_ms = max(quiet_ms, tools.clock.monotonic_ms()) + 2 * tools.horizon_ms
    while True:
        asked_ms = tools.clock.monotonic_ms()
        found = await tools.venue.look_up_order(reference)
        if isinstance(found, Order) and found.is_terminal:
            return Answer(True, found)
        never = isinstance(found, NotFound) and not acknowledged
        if never and asked_ms >= quiet_ms + tools.horizon_ms:
            return Answer(True, None, "it never reached the exchange")
        patience_ms = give_up_ms
        if tools.interrupted():
            patience_ms = quiet_ms + PATIENCE_AFTER_INTERRUPT_MS
        if asked_ms >= min(patience_ms, max(tools.stop_ms, quiet_ms)):
            return Answer(False, found if isinstance(found, Order) else None, _why_open(found))
        tools.progress.say(tools.account, "look_up", "asking what became of the order")
        await tools.clock.sleep_ms(LOOK_UP_PAUSE_MS)


def _why_open(found: LookUp) -> str:
    if isinstance(found, Unknown):
        return found.reason
    if isinstance(found, NotFound):
        return f"the exchange does not know it: {found.detail}"
    return f"the exchange still reports {found.status.value}"


async def wait_until(moment_ms: int, clock: Clock) -> None:
    """Sleep until a moment of the monotonic clock. Not even an interruption makes this shorter."""
    while (left_ms := moment_ms - clock.monotonic_ms()) > 0:
        await clock.sleep_ms(min(left_ms, ATTENTION_MS))


def intent_details(reduction: Reduction) -> dict[str, object]:
    """Return what the journal keeps of an order: enough for a later run to find it again."""
    return {
        "account": reduction.account,
        "scope": f"{reduction.product}/regular",
        "symbol": reduction.symbol,
        "venue_symbol": reduction.venue_symbol,
        "leg": reduction.leg.value,
        "side": reduction.side.value,
        "quantity": plain(reduction.quantity),
        "limit_price": plain(reduction.limit_price),
        "protection": reduction.protection.value,
        "holding": plain(reduction.holding),
        "read_at_ms": reduction.read_at_ms,
        "orders": [{"client_order_id": reduction.client_order_id, "venue_order_id": None}],
    }
