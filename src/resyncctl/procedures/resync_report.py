"""What a resync remembers while it runs, whether going on makes sense, and its outcome.

Promises: exit code 0 only for SAFE with the gate where it was asked for; what is missing is named
condition by condition; no code that promises "nothing was sent" is used. Called by `resync`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from resyncctl.core.discrepancy import Kind
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.model import Order
from resyncctl.core.outcome import AccountOutcome, ActionRecord
from resyncctl.core.safety import Name, Safety
from resyncctl.core.switches import SwitchState, SwitchTarget
from resyncctl.ports.powers import DeadManSwitch
from resyncctl.ports.views import VenueProfile
from resyncctl.procedures.establish import Established
from resyncctl.procedures.reconcile import (
    LASTING,
    RESTS_AT_THE_EXCHANGE,
    exchange_may_answer_otherwise,
)
from resyncctl.procedures.resync_skip import SkipDecision
from resyncctl.procedures.verify import condition_lines, evidence_of, next_step

BY_CANCEL = frozenset({Name.ABSENCE, Name.SETTLED})
BY_LOOKING = frozenset(
    {Name.SCOPES, Name.STABLE, Name.CONSERVED, Name.CLOCK, Name.IDENTITY, Name.COUNTDOWNS}
)


@dataclass(slots=True, kw_only=True)
class ResyncState:
    """What a run has done so far. `expected` are keys of orders that may rest."""

    began_ms: int
    gate_before: GateReading = field(
        default_factory=lambda: GateReading(
            account="",
            state=GateState.UNSAFE,
            reason="not read",
            since_ms=None,
            by=None,
            sequence=0,
            trusted=False,
        )
    )
    attempts: int = 0
    before: int | None = None
    waves: int = 0
    cancel_runs: int = 0
    filled_meanwhile: int = 0
    actions: list[ActionRecord] = field(default_factory=list)
    skip: SkipDecision | None = None
    expected: frozenset[str] = frozenset()
    repaired: int = 0
    escalated: str | None = None
    last: Established | None = None
    moved: AccountOutcome | None = None
    trouble: list[str] = field(default_factory=list)

    def note_cancel(self, outcome: AccountOutcome) -> None:
        """Add what one cancel did."""
        self.cancel_runs += 1
        self.waves += int(outcome.counts.get("waves", 0))
        if self.before is None:
            self.before = int(outcome.counts.get("before", 0))
        self.actions += outcome.actions

    def note_repair(self, outcome: AccountOutcome) -> None:
        """Add what a repair of our own checkpoint did."""
        done = outcome.data.get("repaired")
        if isinstance(done, dict):
            self.repaired += int(done.get("events", 0))


def may_mend(found: Established, profile: VenueProfile, *, repairs: bool = False) -> str | None:
    """Return whether a `cancel` or another `look` may mend what fails; None when neither can.

    With `repairs` the next look brings a checkpoint of our own to the exchange's truth again.
    """
    failing = {Name(str(one.name)) for one in found.failing}
    if profile.not_covered:
        failing.discard(Name.SCOPES)
    if failing & BY_CANCEL:
        return "cancel"
    kinds = {finding.kind for finding in found.look.comparison.findings}
    if Name.AGREED in failing and kinds & RESTS_AT_THE_EXCHANGE:
        return "cancel"
    if failing & {Name.SILENCE, Name.GATE, Name.ANSWERED}:
        return None
    if Name.AGREED in failing and not _may_agree(found, kinds, failing, repairs=repairs):
        return None
    return "look" if failing & (BY_LOOKING | {Name.AGREED}) else None


def _may_agree(found: Established, kinds: set[Kind], failing: set[Name], *, repairs: bool) -> bool:
    """Whether both sides may agree at the next look although they do not now."""
    if kinds & LASTING:
        return False
    if repairs or exchange_may_answer_otherwise(found.look):
        return True
    return not found.look.comparison.blocks_resume and bool(failing & BY_LOOKING)


def switch_targets(
    seen: Iterable[Order], kept: Sequence[Order], power: DeadManSwitch
) -> tuple[SwitchTarget, ...]:
    """Return the countdowns that are worth arming: those of symbols with orders.

    Never one that would take a protective order that is to stay.
    """
    guarded = {(order.product, order.venue_symbol) for order in kept}
    products = {order.product for order in kept}
    found: dict[SwitchTarget, None] = {}
    for order in seen:
        ability = power.switch(order.product)
        if ability is None or order.venue_symbol is None:
            continue
        if (order.product, order.venue_symbol) in guarded:
            continue
        if not ability.per_symbol and order.product in products:
            continue
        target = SwitchTarget(
            product=order.product, symbol=order.symbol, venue_symbol=order.venue_symbol
        )
        found.setdefault(target)
    return tuple(found)


def report(
    account: str,
    state: ResyncState,
    found: Established | None,
    *,
    gate: GateReading,
    until: str,
    reason: str,
    sent: int,
    cancels: int,
    ended_ms: int,
    now_ms: int,
    interrupted: bool,
    countdowns: SwitchState | None,
) -> AccountOutcome:
    """Return the outcome of a resync."""
    total_ms = ended_ms - state.began_ms
    safe = found is not None and found.safety is Safety.SAFE
    moved = state.moved is not None and state.moved.exit_code is ExitCode.OK
    done = safe and (moved or until != "safe")
    missing = _missing(state, found, moved=moved, until=until, interrupted=interrupted)
    findings = found.look.comparison.findings if found else ()
    after = len(found.unexpected) + len(found.kept) if found else None
    closed_ms = state.gate_before.since_ms if _was_closed(state.gate_before) else None
    return AccountOutcome(
        account=account,
        status=_status(found, done=done),
        exit_code=_exit_code(found, done=done),
        verdict=found.record("").verdict if found else None,
        findings=findings,
        actions=(*state.actions, *(state.moved.actions if state.moved else ())),
        sections=found.look.comparison.sections if found else (),
        counts={
            "orders_before": state.before if state.before is not None else "?",
            "orders_after": after if after is not None else "?",
            "attempts": state.attempts,
            "waves": state.waves,
            "requests": sent,
            "cancels": cancels,
            "repaired": state.repaired,
            "findings": len(findings),
        },
        timings={
            "total_ms": total_ms,
            "unsafe_ms": total_ms if closed_ms is None else max(total_ms, now_ms - closed_ms),
            "proof_ms": found.proof_ms if found else 0,
        },
        evidence={
            **(evidence_of(found) if found else {}),
            "missing": [] if done else missing,
            "reason": reason,
            "gate": gate.state.value,
            "cancel_sent": cancels > 0,
            "cancel_skipped": state.skip is not None and state.skip.skips,
            "skip_conditions": condition_lines(state.skip.conditions) if state.skip else [],
            "escalated": state.escalated,
            "trouble": list(state.trouble),
            "countdowns": list(countdowns.notes) if countdowns else [],
        },
        next_step=_next(account, found, done=done, until=until),
    )


def _was_closed(gate: GateReading) -> bool:
    return gate.trusted and gate.state is not GateState.RUNNING


def _status(found: Established | None, *, done: bool) -> str:
    if done:
        return "safe"
    if found is None or found.safety is Safety.SAFE:
        return "unknown"
    failing = {str(one.name) for one in found.failing}
    if failing & {str(name) for name in BY_CANCEL}:
        return "residual"
    return found.safety.value


def _exit_code(found: Established | None, *, done: bool) -> ExitCode:
    match _status(found, done=done):
        case "safe":
            return ExitCode.OK
        case "residual":
            return ExitCode.RESIDUAL
        case "discrepant":
            return ExitCode.BLOCKED
        case _:
            return ExitCode.RESIDUAL if found is None else ExitCode.INCOMPLETE


def _missing(
    state: ResyncState,
    found: Established | None,
    *,
    moved: bool,
    until: str,
    interrupted: bool,
) -> list[str]:
    lines = [f"{one.name}: {one.evidence}" for one in found.failing] if found else []
    if found is None:
        lines.append("nothing was proved")
    elif found.safety is Safety.SAFE and until == "safe" and not moved:
        lines += _refusal(state.moved)
    lines += state.trouble
    if interrupted:
        lines.append("the run was interrupted")
    return lines


def _refusal(moved: AccountOutcome | None) -> list[str]:
    failing = moved.evidence.get("failing") if moved else None
    names = failing if isinstance(failing, list) else []
    return [f"the gate did not move to SAFE: {', '.join(map(str, names)) or 'see the trouble'}"]


def _next(account: str, found: Established | None, *, done: bool, until: str) -> str:
    if done:
        return (
            f"resyncctl verify --resume {account}"
            if until == "safe"
            else f"resyncctl gate open {account}"
        )
    return next_step(found) if found else f"resyncctl resync {account} --reason 'try again'"
