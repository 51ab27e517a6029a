"""Turn what a flatten run saw into its outcome: what is flat, what is left, what is not known.

Promises: the exit code is 0 only when the cancel is proved and every holding is proved flat; what
is left is named with quantity, value and what to do; something that is not known is never called
flat. Called by `procedures.flatten`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.flatten_plan import FlattenPlan, Target
from resyncctl.core.flatten_proof import FlatJudgement, Flatness
from resyncctl.core.model import Order
from resyncctl.core.money import exactly, plain
from resyncctl.core.mutation import OutcomeKind
from resyncctl.core.outcome import AccountOutcome, ActionRecord
from resyncctl.procedures.flatten_leg import TOO_SMALL, LegEnd, LegResult
from resyncctl.procedures.flatten_order import Budget, SentReduction
from resyncctl.procedures.flatten_planning import named_stops, plan_words
from resyncctl.procedures.prove_flat import FlatProof


@dataclass(slots=True)
class FlattenState:
    """What a run has seen and done so far. Times are monotonic unless the name says wall."""

    began_ms: int
    gate_trouble: str | None = None
    clock_trouble: str | None = None
    trouble: str | None = None
    protective: str = "keep"
    plan: FlattenPlan | None = None
    cancelled: AccountOutcome | None = None
    legs: list[LegResult] = field(default_factory=list)
    proof: FlatProof | None = None
    resting: tuple[Order, ...] = ()
    earlier: list[str] = field(default_factory=list)
    unresolved_earlier: list[str] = field(default_factory=list)


def report(
    account: str,
    state: FlattenState,
    plan: FlattenPlan,
    *,
    sent: Sequence[SentReduction],
    budget: Budget,
    interrupted: bool,
    finished_ms: int,
    as_of_ms: int,
) -> AccountOutcome:
    """Return the outcome of a run that was carried out."""
    rows = [_row(target, state) for target in plan.targets]
    rows += _strangers(plan, state)
    missing = [
        *_missing(state, rows, interrupted=interrupted),
        *(
            f"what became of {one.reduction.client_order_id} is not known: {one.answer.why}"
            for one in sent
            if not one.answer.resolved
        ),
    ]
    flat = not missing and all(row["state"] == Flatness.FLAT.value for row in rows)
    cancelled = state.cancelled
    actions = (*(cancelled.actions if cancelled else ()), *(_action(account, one) for one in sent))
    mutated = bool(sent) or any(
        action.verb.startswith("cancel") and action.attempts for action in actions
    )
    capped = any(leg.end is LegEnd.CAPPED for leg in state.legs)
    code = ExitCode.OK if flat else ExitCode.RESIDUAL
    if not flat and capped and not mutated:
        code = ExitCode.REFUSED
    status = _status(flat, plan, rows, code)
    orphaned = _orphaned(state, rows)
    return AccountOutcome(
        account=account,
        status=status,
        exit_code=code,
        actions=actions,
        counts=_counts(rows, sent, cancelled),
        timings={"total_ms": finished_ms - state.began_ms, **_proof_times(state)},
        evidence={
            "as_of_ms": as_of_ms,
            "plan_digest": plan.digest,
            "fingerprint": plan.fingerprint,
            "blast_radius": plan_words(plan),
            "spent": {quote: plain(amount) for quote, amount in sorted(budget.spent.items())},
            "caps": {quote: plain(amount) for quote, amount in sorted(budget.caps.items())},
            "slippage_max": plain(plan.wish.slippage_max),
            "not_proved": missing,
            "proof_reads": state.proof.reads if state.proof else 0,
            "cancel": cancelled.status if cancelled else "not done",
            "protective": state.protective,
            "kept_protective": [
                named_stops([order]) for order in state.resting if order.protective
            ],
            "orphaned_protective": [named_stops([order]) for order in orphaned],
            "earlier_runs": state.earlier,
            "gate_trouble": state.gate_trouble,
            "clock_trouble": state.clock_trouble,
            "engine": "not proved silent; what it trades later is not covered",
        },
        data={"holdings": rows},
        next_step=_next_step(
            account, plan, rows, done=flat or _only_dust(rows, missing), orphaned=bool(orphaned)
        ),
    )


def rehearsed(
    account: str, plan: FlattenPlan, *, kept: Sequence[Order], earlier: int, as_of_ms: int
) -> AccountOutcome:
    """Return the outcome of a dry run: the plan, and what could not be read."""
    rows = [_planned_row(target) for target in plan.targets]
    unread = list(plan.unread)
    return AccountOutcome(
        account=account,
        status="planned" if not unread else "unknown",
        exit_code=ExitCode.OK if not unread else ExitCode.INCOMPLETE,
        counts={
            "holdings": len(rows),
            "reducible": len(plan.reducible),
            "orders": plan.orders,
            "stops": plan.stops,
            "kept_protective": len(kept),
        },
        evidence={
            "as_of_ms": as_of_ms,
            "plan_digest": plan.digest,
            "fingerprint": plan.fingerprint,
            "valid_until_ms": plan.expires_ms,
            "blast_radius": plan_words(plan),
            "caps": {quote: plain(amount) for quote, amount in sorted(plan.caps.items())},
            "slippage_max": plain(plan.wish.slippage_max),
            "into": plan.wish.choice.into,
            "unreadable": unread,
            "kept_protective": [named_stops([order]) for order in kept],
            "unfinished_orders": earlier,
        },
        data={"holdings": rows},
        next_step=f"resyncctl flatten {account}",
    )


def _row(target: Target, state: FlattenState) -> dict[str, object]:
    leg = next((one for one in state.legs if one.target.key == target.key), None)
    judged = state.proof.holdings.get(target.key) if state.proof else None
    known = judged or FlatJudgement(Flatness.UNKNOWN, None, "it was not read at the end")
    left = known.left
    why = (leg.why if leg and leg.why else target.blocked) or known.why
    if not why and target.is_dust:
        why = f"it is {TOO_SMALL}"
    row = _planned_row(target)
    with exactly():
        unit = target.value / target.quantity if target.value and target.quantity else None
        if unit is None and target.rest and target.rest_value is not None:
            unit = target.rest_value / target.rest
        row |= {
            "state": known.state.value,
            "dust": target.is_dust or (leg is not None and leg.end is LegEnd.DUST),
            "filled": plain(leg.filled) if leg else "0",
            "sent": leg.orders if leg else 0,
            "left": None if left is None else plain(left),
            "left_value": None if left is None or unit is None else _money(abs(left) * unit),
            "why": "" if known.state is Flatness.FLAT and not left else why,
        }
    return row


def _planned_row(target: Target) -> dict[str, object]:
    state = "blocked" if target.blocked else "dust" if target.is_dust else "planned"
    return {
        "product": target.product,
        "symbol": target.symbol,
        "leg": target.leg.value,
        "side": target.side.value,
        "holding": plain(target.holding),
        "quantity": plain(target.quantity),
        "value": None if target.value is None else _money(target.value),
        "quote": target.quote,
        "protection": target.protection.value if target.protection else None,
        "price": None if target.price is None else plain(target.price),
        "slippage": None if target.slippage is None else f"{target.slippage:.6f}",
        "slices": target.slices,
        "rest": plain(target.rest),
        "rest_value": None if target.rest_value is None else _money(target.rest_value),
        "state": state,
        "why": target.blocked or "",
    }


def _money(amount: object) -> str:
    return f"{amount:.2f}"


def _strangers(plan: FlattenPlan, state: FlattenState) -> list[dict[str, object]]:
    """Return what is held at the end although it is in no plan."""
    if state.proof is None:
        return []
    planned = {target.key for target in plan.targets}
    return [
        {
            "product": key[0],
            "symbol": key[1],
            "leg": key[2],
            "holding": plain(row.left),
            "left": plain(row.left),
            "quote": "",
            "state": row.state.value,
            "why": "it appeared after the plan was made",
        }
        for key, row in state.proof.holdings.items()
        if key not in planned and row.left
    ]


def _missing(
    state: FlattenState, rows: Sequence[dict[str, object]], *, interrupted: bool
) -> list[str]:
    """Say what stands between this run and the word flat."""
    missing = [
        f"{row['symbol']} {row['leg']}: {row.get('left') or '?'} left: {row['why'] or 'not flat'}"
        for row in rows
        if row["state"] == Flatness.RESIDUAL.value
    ]
    missing += [
        f"{row['symbol']} {row['leg']}: not known to be flat: {row['why'] or 'not proved'}"
        for row in rows
        if row["state"] == Flatness.UNKNOWN.value
    ]
    if state.proof is None:
        missing.append("the end was not read")
    else:
        # Where something is left no time is spent on proving the rest empty; that says nothing new.
        missing += [
            f"{product}: {judged.why}"
            for product, judged in state.proof.products.items()
            if judged.state is not Flatness.FLAT and (judged.left is None or not missing)
        ]
    cancelled = state.cancelled
    if cancelled is None:
        missing.append("orders were not cancelled")
    elif cancelled.exit_code is not ExitCode.OK:
        told = cancelled.evidence.get("not_proved")
        words = [str(one) for one in told] if isinstance(told, list) else []
        missing += [f"orders: {one}" for one in words or ["their absence is not proved"]]
    missing += [f"an earlier run: {words}" for words in state.unresolved_earlier]
    if state.trouble:
        missing.append(state.trouble)
    if interrupted and missing:
        missing.append("the run was interrupted")
    return missing


def _status(
    flat: bool, plan: FlattenPlan, rows: Sequence[dict[str, object]], code: ExitCode
) -> str:
    if code is ExitCode.REFUSED:
        return "refused"
    if flat:
        return "nothing_selected" if plan.wish.choice.symbols and not rows else "flat"
    known = all(row["state"] != Flatness.UNKNOWN.value for row in rows)
    left = any(row["state"] == Flatness.RESIDUAL.value for row in rows)
    return "residual" if left or known else "unproven"


def _orphaned(state: FlattenState, rows: Sequence[dict[str, object]]) -> list[Order]:
    """Return protective orders that rest although their position is gone."""
    held = {(row["product"], row["symbol"]) for row in rows if row["state"] != Flatness.FLAT.value}
    return [
        order
        for order in state.resting
        if order.protective and (order.product, order.symbol) not in held
    ]


def _counts(
    rows: Sequence[dict[str, object]],
    sent: Sequence[SentReduction],
    cancelled: AccountOutcome | None,
) -> dict[str, int | str]:
    return {
        "holdings": len(rows),
        **{state.value: sum(row["state"] == state.value for row in rows) for state in Flatness},
        "reducing_orders": len(sent),
        **{
            f"answered_{kind.value.lower()}": sum(one.outcome.kind is kind for one in sent)
            for kind in OutcomeKind
        },
        "cancel_requests": (cancelled.counts.get("requests", 0) if cancelled else 0),
        "orders_before": (cancelled.counts.get("before", 0) if cancelled else 0),
    }


def _action(account: str, one: SentReduction) -> ActionRecord:
    order, reduction = one.answer.order, one.reduction
    state = "done" if one.answer.resolved else "unproven"
    words = f"{reduction.side.value} {plain(reduction.quantity)}, {plain(one.answer.filled)} filled"
    if one.outcome.kind is OutcomeKind.REJECTED:
        state, words = "rejected", one.outcome.message
    elif not one.answer.resolved:
        words = one.answer.why
    return ActionRecord(
        verb="reduce",
        account=account,
        scope=f"{reduction.product}/regular",
        symbol=reduction.symbol,
        venue_order_id=order.venue_order_id if order else one.outcome.venue_order_id,
        client_order_id=reduction.client_order_id,
        attempts=1,
        outcome=one.outcome.kind.value,
        state=state,
        reason=words,
    )


def _proof_times(state: FlattenState) -> dict[str, int]:
    times = {"proof_ms": state.proof.spanned_ms} if state.proof else {}
    if state.cancelled is not None:
        times["cancel_ms"] = state.cancelled.timings.get("total_ms", 0)
    return times


def _only_dust(rows: Sequence[dict[str, object]], missing: Sequence[str]) -> bool:
    """Whether all that stands between this run and the word flat is too small to trade."""
    left = [row for row in rows if row["state"] != Flatness.FLAT.value]
    return len(missing) == len(left) and all(row.get("dust") for row in left)


def _next_step(
    account: str,
    plan: FlattenPlan,
    rows: Sequence[dict[str, object]],
    *,
    done: bool,
    orphaned: bool,
) -> str:
    """Return the line to type next; `done` says that another flatten could do nothing more."""
    if done:
        return f"resyncctl {'cancel-all --include-protective' if orphaned else 'verify'} {account}"
    words = [f"resyncctl flatten {account}"]
    words += [f"--symbol {name}" for name in plan.wish.choice.symbols]
    if plan.wish.choice.into is not None:
        words.append(f"--into {plan.wish.choice.into}")
    elif any("--into" in str(row["why"]) for row in rows):
        words.append("--into USDT")
    return " ".join(words)
