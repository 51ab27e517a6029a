"""Turn what was seen into the conditions of SAFE, each with its evidence in words. Pure.

Promises: something that was not read is a condition that is not known; each condition looks at its
own piece of evidence and none repairs another. Called by `procedures.establish`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resyncctl.core.compare import Comparison
from resyncctl.core.conservation import Conservation
from resyncctl.core.discrepancy import EVIDENCE_KINDS, Discrepancy, Severity, Verdict
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.model import Order, Scope
from resyncctl.core.policy import Policy
from resyncctl.core.proof import Proof, Settled
from resyncctl.core.safety import Condition, Name
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.core.snapshot import Unknown, VenueSnapshot
from resyncctl.core.switches import SwitchState

SHOWN = 5
"""How many things a line of evidence names one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyEvidence:
    """Everything that was seen in one attempt to establish that an account is safe.

    `proof` is None while no reading counted yet. `unexpected` are orders that rest and should not.
    `unanswered` are requests, of this run or earlier ones, of which nobody knows what became of
    them; `Unknown` when the records could not be read. `look` and `venue` belong together.
    """

    now_ms: int
    policy: Policy
    manifest: tuple[Scope, ...]
    gate: GateReading
    silence: Silence
    clock: str | Unknown
    venue: VenueSnapshot | Unknown
    comparison: Comparison | Unknown
    conservation: Conservation | Unknown
    proof: Proof | None
    unexpected: tuple[Order, ...]
    kept: tuple[Order, ...]
    settled: Settled
    unanswered: tuple[str, ...] | Unknown
    countdowns: SwitchState


def safety_conditions(seen: SafetyEvidence) -> tuple[Condition, ...]:
    """Return every condition of SAFE in the order in which an operator reads them."""
    return (
        _gate(seen),
        _silence(seen),
        _clock(seen),
        _identity(seen),
        _scopes(seen),
        _absence(seen),
        _settled(seen),
        _stable(seen),
        _conserved(seen),
        _agreed(seen),
        _answered(seen),
        _countdowns(seen),
    )


def _missing(name: Name, reason: str) -> Condition:
    return Condition(name, False, reason, known=False)


def _gate(seen: SafetyEvidence) -> Condition:
    gate = seen.gate
    if not gate.trusted:
        return _missing(Name.GATE, f"its file cannot be trusted: {gate.reason}")
    closed = gate.state in {GateState.UNSAFE, GateState.SAFE}
    if closed and gate.since_ms is None:
        return _missing(Name.GATE, "it is not known since when")
    words = f"{gate.state.value}, {gate.reason}" if gate.reason else gate.state.value
    return Condition(Name.GATE, closed, words, as_of_ms=gate.since_ms)


def _silence(seen: SafetyEvidence) -> Condition:
    silence = seen.silence
    if silence.proved:
        word = "attested" if silence.kind is SilenceKind.ATTESTED else "proved"
        return Condition(Name.SILENCE, True, f"{word}: {silence.how}", as_of_ms=silence.since_ms)
    if seen.policy.require_engine_silence:
        return _missing(Name.SILENCE, silence.how)
    words = f"NOT PROVED, and the policy does not demand it: {silence.how}"
    return Condition(Name.SILENCE, True, words)


def _clock(seen: SafetyEvidence) -> Condition:
    if isinstance(seen.clock, Unknown):
        return _missing(Name.CLOCK, seen.clock.reason)
    return Condition(Name.CLOCK, True, seen.clock, as_of_ms=seen.now_ms)


def _identity(seen: SafetyEvidence) -> Condition:
    if isinstance(seen.venue, Unknown):
        return _missing(Name.IDENTITY, seen.venue.reason)
    identity = seen.venue.identity
    if isinstance(identity, Unknown):
        return _missing(Name.IDENTITY, identity.reason)
    if not identity.data:
        return _missing(Name.IDENTITY, "the exchange did not say whose account this is")
    return Condition(Name.IDENTITY, True, _names(identity.data), as_of_ms=identity.as_of_ms)


def _scopes(seen: SafetyEvidence) -> Condition:
    if isinstance(seen.venue, Unknown):
        return _missing(Name.SCOPES, seen.venue.reason)
    if not seen.manifest:
        return _missing(Name.SCOPES, "no scope is declared")
    read = {scope: section for reading in seen.venue.products for scope, section in reading.orders}
    trouble = [f"{item.what}: {item.reason}" for item in seen.venue.not_covered]
    for scope in seen.manifest:
        section = read.get(scope, Unknown("it was not read"))
        if isinstance(section, Unknown):
            trouble.append(f"{scope}: {section.reason}")
        elif not section.complete:
            trouble.append(f"{scope}: {'; '.join(section.notes) or 'rows are missing'}")
    if trouble:
        return _missing(Name.SCOPES, _names(trouble, "; "))
    words = _names([str(scope) for scope in seen.manifest])
    return Condition(Name.SCOPES, True, words, as_of_ms=seen.venue.as_of_ms)


def _absence(seen: SafetyEvidence) -> Condition:
    if seen.unexpected:
        words = f"{len(seen.unexpected)} rest: {_names(map(_order_words, seen.unexpected))}"
        return Condition(Name.ABSENCE, False, words, as_of_ms=seen.now_ms)
    if seen.proof is None:
        return _missing(Name.ABSENCE, "no reading has begun after the last possible landing")
    if not seen.proof.proved:
        return _missing(Name.ABSENCE, _names(seen.proof.missing, "; "))
    words = (
        f"{seen.proof.valid_reads} readings of every scope, the last begun "
        f"{seen.proof.spanned_ms / 1000:.0f} s after the last possible landing"
    )
    if seen.kept:
        words += f"; {len(seen.kept)} expected: {_names(map(_order_words, seen.kept))}"
    return Condition(Name.ABSENCE, True, words, as_of_ms=seen.now_ms)


def _settled(seen: SafetyEvidence) -> Condition:
    rest = seen.settled.open_or_unknown
    if not rest:
        words = f"{len(seen.settled.terminal)} orders, each asked for by its id"
        return Condition(Name.SETTLED, True, words, as_of_ms=seen.now_ms)
    words = _names([f"{key}: {why}" for key, why in rest], "; ")
    only_open = all(why.startswith("the exchange still reports") for _, why in rest)
    return Condition(Name.SETTLED, False, words, known=only_open, as_of_ms=seen.now_ms)


def _stable(seen: SafetyEvidence) -> Condition:
    if isinstance(seen.venue, Unknown):
        return _missing(Name.STABLE, seen.venue.reason)
    if seen.venue.moving is not None:
        return _missing(Name.STABLE, seen.venue.moving)
    words = "orders, positions and balances read twice"
    return Condition(Name.STABLE, True, words, as_of_ms=seen.venue.as_of_ms)


def _conserved(seen: SafetyEvidence) -> Condition:
    law = seen.conservation
    if isinstance(law, Unknown):
        return _missing(Name.CONSERVED, law.reason)
    if law.unknown:
        return _missing(Name.CONSERVED, _names((*law.unknown, *law.violations), "; "))
    if law.violations:
        return Condition(Name.CONSERVED, False, _names(law.violations, "; "))
    words = f"positions and balances follow from {law.fills} fills and {law.entries} ledger entries"
    return Condition(Name.CONSERVED, True, words, as_of_ms=seen.now_ms)


def _agreed(seen: SafetyEvidence) -> Condition:
    found = seen.comparison
    if isinstance(found, Unknown):
        return _missing(Name.AGREED, found.reason)
    findings = [
        f"{finding.kind.value} {' '.join(_subject_words(finding.subject.present()))}".strip()
        for finding in found.findings
        if finding.severity.value != "info"
    ]
    match found.verdict:
        case Verdict.CLEAN:
            return Condition(Name.AGREED, True, "nothing differs", as_of_ms=seen.now_ms)
        case Verdict.DISCREPANT:
            noun = "finding" if len(findings) == 1 else "findings"
            words = f"{len(findings)} {noun}: {_names(findings)}"
            return Condition(Name.AGREED, False, words, as_of_ms=seen.now_ms)
        case _:
            unseen = _unseen(found.findings) or ["not everything was seen"]
            return _missing(Name.AGREED, _names(unseen, "; "))


def _unseen(findings: Iterable[Discrepancy]) -> list[str]:
    """Return what was not seen, each reason once, with everything that it hides."""
    hidden: dict[str, list[str]] = {}
    for finding in findings:
        if finding.kind in EVIDENCE_KINDS and finding.severity is not Severity.INFO:
            what, colon, reason = finding.detail.rstrip(".").partition(": ")
            hidden.setdefault(reason if colon else "", []).append(what)
    return [
        f"{', '.join(dict.fromkeys(what))}: {reason}" if reason else "; ".join(what)
        for reason, what in hidden.items()
    ]


def _answered(seen: SafetyEvidence) -> Condition:
    if isinstance(seen.unanswered, Unknown):
        return _missing(Name.ANSWERED, seen.unanswered.reason)
    if seen.unanswered:
        return _missing(Name.ANSWERED, _names(seen.unanswered, "; "))
    return Condition(Name.ANSWERED, True, "the journals hold none", as_of_ms=seen.now_ms)


def _countdowns(seen: SafetyEvidence) -> Condition:
    state = seen.countdowns
    running = [one for one in (*state.armed, *state.unresolved) if one.fires_by_ms > seen.now_ms]
    if not running:
        return Condition(Name.COUNTDOWNS, True, "none runs", as_of_ms=seen.now_ms)
    seconds = (max(one.fires_by_ms for one in running) - seen.now_ms + 999) // 1000
    words = f"{_names([one.target.words for one in running])}; over in {seconds} s"
    return Condition(Name.COUNTDOWNS, False, words, known=not state.unresolved)


def _order_words(order: Order) -> str:
    number = order.venue_order_id or order.client_order_id or "?"
    return f"{order.symbol} {order.side.value} {number} ({order.scope})"


def _subject_words(present: object) -> list[str]:
    if not isinstance(present, dict):
        return []
    names = ("symbol", "asset", "venue_order_id", "trade_id")
    return [str(present[name]) for name in names if present.get(name)]


def _names(items: Iterable[object], between: str = ", ") -> str:
    named: Sequence[str] = [str(item) for item in items]
    rest = len(named) - SHOWN
    return between.join(named[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
