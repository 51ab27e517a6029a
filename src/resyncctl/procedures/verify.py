"""Is the account safe? Every condition with its evidence. It reads, and changes nothing.

Promises: it holds no power and needs no lease; while the gate lets the engine trade the answer can
only be "no", and it is given at once with what is seen; SAFE is said only when every condition was
read in this run and holds. Called by the `verify` verb; `resume` and `resync` judge by the same
conditions.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import Scope
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.plan import Selection, order_key
from resyncctl.core.policy import Policy
from resyncctl.core.safety import Condition, Name, Safety, VerdictRecord
from resyncctl.core.snapshot import Unknown
from resyncctl.core.switches import ArmedSwitch, SwitchState
from resyncctl.ports.prompts import Interrupted
from resyncctl.ports.views import (
    Clock,
    EngineView,
    GateView,
    Journal,
    Progress,
    SilenceView,
    VenueView,
)
from resyncctl.procedures.establish import Established, EstablishRequest, Tools, establish
from resyncctl.procedures.reconcile import ReconcileRequest, look_once
from resyncctl.procedures.witness import WitnessedJournal, WitnessedVenue


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """What is asked.

    `left_behind` are requests of other runs whose outcome nobody recorded, `countdowns` dead-man
    switches that this host may have left armed, `expected` keys of orders that may rest.
    `deadline_ms` is how long to try.
    """

    account: str
    scopes: tuple[Scope, ...]
    symbols: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    expected: frozenset[str] = frozenset()
    left_behind: tuple[OpenRequest, ...] | Unknown = ()
    countdowns: tuple[ArmedSwitch, ...] = ()
    deadline_ms: int = 300_000


async def verify(
    request: VerifyRequest,
    *,
    venue: VenueView,
    engine: EngineView,
    gate: GateView,
    silence: SilenceView,
    journal: Journal,
    clock: Clock,
    progress: Progress,
    policy: Policy,
    interrupted: Interrupted = lambda: False,
    remember: Callable[[VerdictRecord], bool] = lambda _record: True,
) -> AccountOutcome:
    """Say whether the account is safe, with every condition.

    `remember` keeps the verdict on this host.

    Raises:
        CredentialsRefusedError: The key was refused at first contact.
        VenueUnavailableError: The exchange cannot be reached.
        TryAgainLaterError: The exchange asks for patience at first contact.
        RecordUnwritableError: The verdict could not be journaled.
    """
    began_ms = clock.monotonic_ms()
    journal.record("verify_started", {"account": request.account})

    async def countdowns() -> SwitchState:
        now_ms = clock.now_ms()
        running = [one for one in request.countdowns if one.fires_by_ms > now_ms]
        return SwitchState(
            armed=tuple(one for one in running if one.certain),
            unresolved=tuple(one for one in running if not one.certain),
        )

    tools = Tools(
        venue=WitnessedVenue(venue),
        engine=engine,
        gate=gate,
        silence=silence,
        journal=WitnessedJournal(journal),
        clock=clock,
        progress=progress,
        policy=policy,
        interrupted=interrupted,
        countdowns=countdowns,
    )
    if gate.read(request.account).state is GateState.RUNNING:
        outcome = await _while_running(request, tools)
    else:
        found = await establish(establish_request(request, clock), tools)
        record_verdict(found, journal)
        outcome = outcome_of(found)
        if not remember(found.record(journal.run_id)):
            outcome = _forgotten(outcome)
    return with_times(outcome, {"total_ms": clock.monotonic_ms() - began_ms})


def _forgotten(outcome: AccountOutcome) -> AccountOutcome:
    """Say that no gate will open on this verdict, because nobody will find it."""
    words = ["the verdict could not be remembered on this host"]
    return replace(outcome, evidence={**outcome.evidence, "trouble": words})


def establish_request(request: VerifyRequest, clock: Clock) -> EstablishRequest:
    """Return what is to be established for this request, from now on."""
    return EstablishRequest(
        account=request.account,
        scopes=request.scopes,
        deadline_ms=clock.monotonic_ms() + request.deadline_ms,
        symbols=request.symbols,
        selection=request.selection,
        expected=request.expected,
        left_behind=request.left_behind,
    )


def record_verdict(found: Established, journal: Journal) -> None:
    """Journal the verdict with everything that it stands on."""
    journal.record("verdict", evidence_of(found) | {"account": found.account})


def evidence_of(found: Established) -> dict[str, object]:
    """Return what a verdict stands on, for the journal, the store and the JSON envelope."""
    record = found.record("")
    return {
        "kind": record.kind.value,
        "verdict": record.verdict.value,
        "safety": found.safety.value,
        "as_of_ms": found.as_of_ms,
        "valid_until_ms": found.valid_until_ms,
        "gate_sequence": found.gate_sequence,
        "digests": dict(found.digests),
        "conditions": condition_lines(found.conditions),
        "missing": [f"{one.name}: {one.evidence}" for one in found.failing],
        "kept_orders": [order_key(order) for order in found.kept],
        "unexpected_orders": [order_key(order) for order in found.unexpected],
        "proof_reads": found.proof_reads,
    }


def condition_lines(conditions: Iterable[Condition]) -> list[dict[str, object]]:
    """Return the conditions for a record."""
    return [condition.to_json() for condition in conditions]


def exit_code_of(safety: Safety) -> ExitCode:
    """Return 0 only for SAFE."""
    match safety:
        case Safety.SAFE:
            return ExitCode.OK
        case Safety.DISCREPANT:
            return ExitCode.BLOCKED
        case _:
            return ExitCode.INCOMPLETE


def outcome_of(found: Established) -> AccountOutcome:
    """Return the outcome that shows every condition."""
    comparison = found.look.comparison
    return AccountOutcome(
        account=found.account,
        status=found.safety.value,
        exit_code=exit_code_of(found.safety),
        verdict=found.record("").verdict,
        findings=comparison.findings,
        sections=comparison.sections,
        counts={
            "conditions": len(found.conditions),
            "holding": len(found.conditions) - len(found.failing),
            "orders_settled": len(found.settled.terminal),
            "orders_kept": len(found.kept),
            "orders_unexpected": len(found.unexpected),
            "findings": len(comparison.findings),
        },
        timings={"proof_ms": found.proof_ms},
        evidence=evidence_of(found),
        next_step=next_step(found),
    )


def next_step(found: Established) -> str:
    """Return what to type next: the first thing that stands in the way names it."""
    account = found.account
    failing = {str(one.name) for one in found.failing}
    if not failing:
        return f"resyncctl verify --resume {account}"
    if str(Name.GATE) in failing:
        return f"resyncctl gate close {account}"
    if failing & {str(Name.ABSENCE), str(Name.SETTLED), str(Name.ANSWERED)}:
        return f"resyncctl resync {account} --reason 'orders are not settled'"
    if str(Name.SILENCE) in failing:
        return f"resyncctl verify {account} --engine-stopped"
    if str(Name.AGREED) in failing:
        return f"resyncctl reconcile {account} --repair"
    return f"resyncctl verify {account}"


def with_times(outcome: AccountOutcome, times: Mapping[str, int]) -> AccountOutcome:
    """Return the outcome with more times."""
    return replace(outcome, timings={**outcome.timings, **times})


async def _while_running(request: VerifyRequest, tools: Tools) -> AccountOutcome:
    """Say at once that an account which may trade cannot be called safe, and then what is seen."""
    words = "RUNNING: the engine may trade, so nothing can be proved"
    tools.progress.say(request.account, "gate", words)
    look = await look_once(
        ReconcileRequest(account=request.account, scopes=request.scopes, symbols=request.symbols),
        venue=tools.venue,
        engine=tools.engine,
        clock=tools.clock,
        progress=tools.progress,
        policy=tools.policy,
    )
    gate = tools.gate.read(request.account)
    condition = Condition(Name.GATE, False, words, as_of_ms=gate.since_ms)
    comparison = look.comparison
    evidence: dict[str, object] = {
        "as_of_ms": look.venue.as_of_ms,
        "safety": Safety.DISCREPANT.value,
        "conditions": condition_lines([condition]),
        "missing": [f"{condition.name}: {words}"],
    }
    tools.journal.record("verify_blocked", {"account": request.account, **evidence})
    return AccountOutcome(
        account=request.account,
        status="blocked",
        exit_code=ExitCode.BLOCKED,
        verdict=Verdict.DISCREPANT,
        findings=comparison.findings,
        sections=comparison.sections,
        counts={"open_orders": len(tools.venue.seen), "findings": len(comparison.findings)},
        evidence=evidence,
        next_step=f"resyncctl resync {request.account} --reason 'to prove it safe'",
    )
