"""Compare what the engine believes with what the exchange reports. It changes nothing there.

gather (engine, venue) -> compare -> second look when the engine may be running -> optional repair
of our own checkpoint -> record the verdict with what it was made from. It holds no power over the
exchange: it cannot cancel, even by mistake.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from resyncctl import __version__
from resyncctl.core.compare import Comparison, Explained, compare, settle
from resyncctl.core.discrepancy import Kind, Verdict
from resyncctl.core.events import emit
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import Scope
from resyncctl.core.money import plain
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.core.repair import apply_events
from resyncctl.core.safety import NOT_KNOWN
from resyncctl.core.snapshot import EngineSnapshot, Known, Section, VenueSnapshot, Window
from resyncctl.ports.repair import CheckpointRepair
from resyncctl.ports.views import Clock, EngineView, GateView, Journal, Progress, VenueView
from resyncctl.procedures.account_outcome import digest_of, policy_digest
from resyncctl.procedures.gather import GatherRequest, gather_venue

RESTS_AT_THE_EXCHANGE = frozenset(
    {
        Kind.ORPHAN_ORDER,
        Kind.ORDER_AMENDED,
        Kind.DUPLICATE_CLIENT_ID,
        Kind.STALE_ORDER,
        Kind.UNKNOWN_ORDER_STORM,
    }
)
"""Kinds that no repair of the engine's memory settles: something rests that should not."""

PASSING = frozenset({Kind.SECTION_UNREADABLE, Kind.WINDOW_NOT_COVERED, Kind.MOVING})
"""Kinds that say that one reading did not work; the next one may."""

LASTING = frozenset(
    {
        Kind.CHECKPOINT_STALE,
        Kind.CHECKPOINT_CORRUPT,
        Kind.CHECKPOINT_FOREIGN,
        Kind.SCOPE_NOT_COVERED,
        Kind.UNMAPPED_INSTRUMENT,
    }
)
"""Kinds that no other look changes."""


def exchange_may_answer_otherwise(look: "Look") -> bool:
    """Whether something of the exchange's side did not work that may work the next time.

    The engine's side is left out: an engine that is silent writes nothing, so a checkpoint that is
    not there now will not be there in a minute.
    """
    kinds = {finding.kind for finding in look.comparison.findings}
    if kinds & {Kind.MOVING, Kind.WINDOW_NOT_COVERED}:
        return True
    sections: list[Section[Any]] = [look.venue.identity]
    for reading in look.venue.products:
        sections += [section for _, section in reading.orders]
        sections += [reading.fills, reading.positions, reading.balances]
    unread = any(not (isinstance(one, Known) and one.complete) for one in sections)
    return unread and Kind.SECTION_UNREADABLE in kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRequest:
    """What is asked. `second_look` None means: look twice unless the gate is closed.

    `since_ms` overrides the policy's look-back. `want_events` and `want_repair` ask for the events
    that bring the engine to the exchange's truth, and for applying them to our own checkpoint.
    """

    account: str
    scopes: tuple[Scope, ...]
    symbols: tuple[str, ...] = ()
    since_ms: int | None = None
    second_look: bool | None = None
    want_events: bool = False
    want_repair: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """One look at both sides, and what differs."""

    engine: EngineSnapshot
    venue: VenueSnapshot
    comparison: Comparison


async def reconcile(
    request: ReconcileRequest,
    *,
    venue: VenueView,
    engine: EngineView,
    gate: GateView,
    journal: Journal,
    clock: Clock,
    progress: Progress,
    policy: Policy,
    repair: CheckpointRepair | None = None,
) -> AccountOutcome:
    """Compare one account and return every finding, the verdict and its evidence.

    Raises:
        CredentialsRefusedError: The key was refused at first contact.
        VenueUnavailableError: The exchange cannot be reached.
        TryAgainLaterError: The exchange asks for patience at first contact.
        RecordUnwritableError: The journal, or the repaired checkpoint, could not be written.
        RefusedError: A repair was asked for while the engine still writes its checkpoint.
    """
    began_ms = clock.monotonic_ms()
    journal.record("reconcile_started", {"account": request.account})

    async def look() -> Look:
        return await look_once(
            request, venue=venue, engine=engine, clock=clock, progress=progress, policy=policy
        )

    found = await look()
    if _needs_second_look(request, gate, found.comparison):
        progress.say(request.account, "settling", "waiting before the second look")
        await clock.sleep_ms(policy.settle_delay_ms)
        again = await look()
        settled = settle(
            found.comparison,
            again.comparison,
            engine=again.engine,
            venue=again.venue,
            policy=policy,
            now_ms=clock.now_ms(),
        )
        found = replace(again, comparison=settled)
    data: dict[str, object] = {}
    before_repair = found
    if request.want_events or request.want_repair:
        data["events"] = [
            event.to_json() for event in emit(found.engine, found.venue, found.comparison)
        ]
    if request.want_repair and repair is not None and found.comparison.findings:
        data["repaired"] = _repair(found, repair=repair, clock=clock, journal=journal)
        found = await look()
        data["found_before_repair"] = [
            {"id": finding.id, "kind": finding.kind.value}
            for finding in before_repair.comparison.findings
        ]
    outcome = _outcome(request, found, policy=policy, data=data)
    outcome = replace(outcome, timings={"total_ms": clock.monotonic_ms() - began_ms})
    journal.record(
        "verdict",
        {
            "account": request.account,
            "verdict": found.comparison.verdict.value,
            "findings": [finding.id for finding in found.comparison.findings],
            **outcome.evidence,
        },
    )
    return outcome


def compare_saved(engine: EngineSnapshot, venue: VenueSnapshot, policy: Policy) -> AccountOutcome:
    """Compare two saved snapshots, as of the moment when the younger one was taken."""
    comparison = compare(engine, venue, policy, max(engine.as_of_ms, venue.as_of_ms))
    look = Look(engine, venue, comparison)
    request = ReconcileRequest(
        account=venue.account,
        scopes=tuple(scope for reading in venue.products for scope, _ in reading.orders),
    )
    return _outcome(request, look, policy=policy, data={"offline": True})


async def look_once(
    request: ReconcileRequest,
    *,
    venue: VenueView,
    engine: EngineView,
    clock: Clock,
    progress: Progress,
    policy: Policy,
) -> Look:
    """Read both sides once and compare them."""
    now_ms = clock.now_ms()
    believed = engine.read(request.account, now_ms)
    since_ms = now_ms - policy.lookback_ms if request.since_ms is None else request.since_ms
    reported = await gather_venue(
        GatherRequest(
            scopes=request.scopes, window=Window(since_ms, now_ms), symbols=request.symbols
        ),
        venue=venue,
        engine=believed,
        clock=clock,
        policy=policy,
        progress=progress,
    )
    progress.say(request.account, "compare", "comparing")
    # What was asked for is what must have been seen: the window, and every scope of the manifest.
    asked = replace(policy, lookback_ms=now_ms - since_ms, required_scopes=request.scopes)
    return Look(believed, reported, compare(believed, reported, asked, clock.now_ms()))


def _needs_second_look(request: ReconcileRequest, gate: GateView, comparison: Comparison) -> bool:
    if not comparison.findings:
        return False
    if request.second_look is not None:
        return request.second_look
    return gate.read(request.account).state is GateState.RUNNING


def _repair(
    found: Look, *, repair: CheckpointRepair, clock: Clock, journal: Journal
) -> Mapping[str, object]:
    """Write the engine's next checkpoint generation so that it agrees with the exchange."""
    events = emit(found.engine, found.venue, found.comparison)
    repaired = apply_events(found.engine, events, as_of_ms=found.venue.as_of_ms)
    journal.record(
        "repair_intended",
        {"account": found.engine.account, "events": len(events), "from": found.engine.sequence},
    )
    digest = repair.write(repaired, clock.now_ms())
    journal.record("repair_written", {"account": found.engine.account, "digest": digest})
    return {"events": len(events), "digest": digest}


def _outcome(
    request: ReconcileRequest, look: Look, *, policy: Policy, data: Mapping[str, object]
) -> AccountOutcome:
    comparison = look.comparison
    return AccountOutcome(
        account=request.account,
        status=comparison.verdict.value,
        verdict=comparison.verdict,
        exit_code=exit_code_of(comparison),
        findings=comparison.findings,
        sections=comparison.sections,
        counts=comparison.counts,
        evidence=_evidence(request, look, policy),
        data={**data, "explained": [_explained(entry) for entry in comparison.explained]},
        next_step=_next_step(request.account, comparison),
    )


def _explained(entry: Explained) -> dict[str, object]:
    return {
        "what": entry.what,
        "subject": entry.subject.present(),
        "delta": plain(entry.delta),
        "explained_by": list(entry.explained_by),
    }


def exit_code_of(comparison: Comparison) -> ExitCode:
    """Return 0 only for a clean verdict; a blocking difference outranks not having seen all."""
    if comparison.blocks_resume:
        return ExitCode.BLOCKED
    match comparison.verdict:
        case Verdict.CLEAN:
            return ExitCode.OK
        case Verdict.DISCREPANT:
            return ExitCode.DISCREPANCIES
        case _:
            return ExitCode.INCOMPLETE


def digests_now(request_scopes: tuple[Scope, ...], policy: Policy) -> dict[str, str]:
    """Return the digests that a verdict and a later opening of the gate must share."""
    return {
        "policy": policy_digest(policy),
        "manifest": digest_of({"scopes": [str(scope) for scope in request_scopes]}),
        "tool": __version__,
    }


def _evidence(request: ReconcileRequest, look: Look, policy: Policy) -> dict[str, object]:
    return {
        "as_of_ms": look.venue.as_of_ms,
        "valid_until_ms": look.venue.as_of_ms + policy.verdict_validity_ms,
        "digests": {
            **digests_now(request.scopes, _policy_applied(request, look, policy)),
            "checkpoint": look.engine.source.digest or NOT_KNOWN,
        },
        "scopes": [str(scope) for scope in request.scopes],
        "not_covered": [f"{item.what}: {item.reason}" for item in look.venue.not_covered],
        "clock_offset_ms": look.venue.clock_offset_ms,
        "weight_used": look.venue.weight_used,
        "engine_source": f"{look.engine.source.adapter} {look.engine.source.place}",
        "engine_as_of_ms": look.engine.as_of_ms,
        "engine_sequence": look.engine.sequence,
    }


def _policy_applied(request: ReconcileRequest, look: Look, policy: Policy) -> Policy:
    """Return the policy that the verdict stands on: a shorter look-back proves less."""
    if request.since_ms is None:
        return policy
    lookback_ms = look.venue.as_of_ms - request.since_ms
    return policy if lookback_ms >= policy.lookback_ms else replace(policy, lookback_ms=lookback_ms)


def _next_step(account: str, comparison: Comparison) -> str | None:
    if comparison.verdict is Verdict.CLEAN:
        return None
    kinds = {finding.kind for finding in comparison.findings}
    if kinds & RESTS_AT_THE_EXCHANGE:
        return f"resyncctl cancel-all {account}"
    if comparison.verdict is Verdict.UNKNOWN:
        return f"resyncctl venue show {account}"
    return f"resyncctl reconcile {account} --repair"
