"""Turn what a cancel-all run saw into its outcome: what is gone, left, or not proved."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.model import Order, OrderStatus, Scope
from resyncctl.core.money import ZERO, plain
from resyncctl.core.outcome import AccountOutcome, ActionRecord
from resyncctl.core.plan import BlastRadius, CancelPlan, Selection, order_key
from resyncctl.core.proof import Proof, Settled
from resyncctl.core.snapshot import NotCovered
from resyncctl.procedures.cancel_wave import Sent, count_outcomes


@dataclass(slots=True)
class RunState:
    """What a run has seen and done so far. Times are monotonic.

    Except: `gate_closed_ms`, and `earlier_until_ms`, until which requests of other runs may still
    take effect, are of the wall clock.
    """

    began_ms: int
    seen: dict[str, Order] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    cancelled_blindly: set[Scope] = field(default_factory=set)
    before: int = 0
    left: int = 0
    waves: int = 0
    reappeared: int = 0
    skew_ms: int = 0
    quiesce_ms: int = 0
    earlier_until_ms: int = 0
    gate_closed_ms: int | None = None
    gate_trouble: str | None = None
    clock_trouble: str | None = None
    trouble: str | None = None


def blast_words(radius: BlastRadius) -> str:
    """Return the blast radius as a phrase, e.g. "37 orders on 4 symbols, 182400 USDT"."""
    worth = ", ".join(f"{plain(amount)} {asset}" for asset, amount in radius.notional)
    words = f"{counted(radius.orders, 'order')} on {counted(radius.symbols, 'symbol')}"
    if worth:
        words += f", {worth}"
    if radius.unpriced:
        words += f", {radius.unpriced} of them without a price"
    if radius.kept_protective:
        words += f"; {counted(radius.kept_protective, 'protective stop')} left resting"
    return words


def counted(number: int, noun: str) -> str:
    """Return e.g. "1 order" or "2 orders"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def report(
    account: str,
    state: RunState,
    *,
    proof: Proof | None,
    settled: Settled,
    plan: CancelPlan,
    finished_ms: int,
    as_of_ms: int,
    interrupted: bool,
    selection: Selection,
    not_covered: Sequence[NotCovered] = (),
) -> AccountOutcome:
    """Return the outcome: exit code 0 only when reads and terminal statuses prove absence."""
    missing = list(proof.missing) if proof is not None else ["no proof was begun"]
    if settled.open_or_unknown:
        missing.append(f"{len(settled.open_or_unknown)} orders have no terminal status")
    missing += [f"{item.what} is not seen here: {item.reason}" for item in not_covered]
    proved = proof is not None and proof.proved and not settled.open_or_unknown and not not_covered
    if state.trouble:
        missing.append(state.trouble)
    if interrupted and not proved:
        missing.append("the run was interrupted")
    filled = [order for order in settled.terminal if order.filled > _filled_before(order, state)]
    return AccountOutcome(
        account=account,
        status=_status(proved, selection, state),
        exit_code=ExitCode.OK if proved else ExitCode.RESIDUAL,
        actions=_records(account, state, settled),
        counts=_counts(state, settled, plan, len(filled)),
        timings={
            "total_ms": finished_ms - state.began_ms,
            "quiesce_ms": state.quiesce_ms,
            "proof_ms": proof.spanned_ms if proof is not None else 0,
        },
        evidence={
            "as_of_ms": as_of_ms,
            "plan_digest": plan.digest,
            "selection": selection.words() or "everything",
            "outside_selection": plan.left_alone,
            "proof_reads": proof.valid_reads if proof is not None else 0,
            "not_proved": [] if proved else missing,
            "unsettled": [f"{key}: {why}" for key, why in settled.open_or_unknown],
            "filled_meanwhile": [
                f"{order_key(order)}: {plain(order.filled)} of {plain(order.quantity)} filled"
                for order in filled
            ],
            "kept_protective": [order_key(order) for order in plan.kept],
            "gate_trouble": state.gate_trouble,
            "clock_trouble": state.clock_trouble,
            "engine": "not proved silent; orders that it sends later are not covered",
        },
        next_step=f"resyncctl reconcile {account}" if proved else f"resyncctl cancel-all {account}",
    )


def _status(proved: bool, selection: Selection, state: RunState) -> str:
    """Return the outcome's word. A narrowed selection that meant nothing may be misspelt."""
    if not proved:
        return "residual"
    return "nothing_selected" if selection.words() and not state.seen else "proved_empty"


def _filled_before(order: Order, state: RunState) -> Decimal:
    first_sight = state.seen.get(order_key(order))
    return first_sight.filled if first_sight is not None else ZERO


def _counts(
    state: RunState, settled: Settled, plan: CancelPlan, filled: int
) -> dict[str, int | str]:
    answers = count_outcomes(state.sent)
    return {
        "before": state.before,
        "targeted": len(state.seen),
        "requests": len(state.sent),
        **{f"answered_{kind.value.lower()}": number for kind, number in answers.items()},
        "gone": len(settled.terminal),
        "canceled": sum(o.status is OrderStatus.CANCELED for o in settled.terminal),
        "filled_meanwhile": filled,
        "left": state.left,
        "unproven": len(settled.open_or_unknown),
        "kept_protective": len(plan.kept),
        "waves": state.waves,
        "reappeared": state.reappeared,
    }


def _records(account: str, state: RunState, settled: Settled) -> tuple[ActionRecord, ...]:
    """Return one record per request that was sent, with what became of its orders."""
    unsettled = dict(settled.open_or_unknown)
    attempts: dict[tuple[str, ...], int] = {}
    last: dict[tuple[str, ...], Sent] = {}
    for item in state.sent:
        attempts[item.action.key] = attempts.get(item.action.key, 0) + 1
        last[item.action.key] = item
    records = []
    for key, item in last.items():
        open_keys = [k for k in map(order_key, item.action.orders) if k in unsettled]
        single = item.action.orders[0] if len(item.action.orders) == 1 else None
        records.append(
            ActionRecord(
                verb=item.action.verb,
                account=account,
                scope=str(item.action.scope),
                symbol=item.action.symbol,
                venue_order_id=single.venue_order_id if single else None,
                client_order_id=single.client_order_id if single else None,
                orders=len(item.action.orders),
                attempts=attempts[key],
                outcome=item.outcome.kind.value,
                state="unproven" if open_keys else "gone",
                reason=unsettled[open_keys[0]] if open_keys else item.outcome.message,
            )
        )
    return tuple(records)
