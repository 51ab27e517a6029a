"""What must hold before an account is called SAFE, and before its gate may open. Pure.

Promises: `judge_safety` is monotone: what was not read, a condition that fails, or a condition that
is not there at all can only move the answer away from SAFE. A verdict opens a gate only while it is
fresh, about this very closing of the gate, and made from what still stands. Called by
`procedures.establish`, `procedures.gate` and `procedures.resume`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.gate import ALLOWED_MOVES, GateReading, GateState

NOT_KNOWN = "unknown"
"""The digest of something that could not be read. It equals nothing, not even itself."""


class Safety(StrEnum):
    """The answer to "is it safe?". `unknown` is never rounded to one of the others."""

    SAFE = "safe"
    DISCREPANT = "discrepant"
    UNKNOWN = "unknown"


class VerdictKind(StrEnum):
    """What a verdict answers: do both sides agree (RECONCILE), or is the account safe (SAFETY)."""

    RECONCILE = "reconcile"
    SAFETY = "safety"


class Name(StrEnum):
    """The conditions of SAFE. Every one of them must be there, known, and hold."""

    GATE = "the gate is closed"
    SILENCE = "the engine is silent"
    CLOCK = "the exchange's clock is measured"
    IDENTITY = "the account is the right one"
    SCOPES = "every scope was read"
    ABSENCE = "no unexpected order rests"
    SETTLED = "every order has a final status"
    STABLE = "two readings agree"
    CONSERVED = "every change has a cause"
    AGREED = "engine and exchange agree"
    ANSWERED = "no request is left without an answer"
    COUNTDOWNS = "no countdown may still cancel orders"


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of the answer. `evidence` says what was looked at, `as_of_ms` when.

    A condition that is not `known` does not hold, whatever it says.
    """

    name: str
    holds: bool
    evidence: str
    known: bool = True
    as_of_ms: int | None = None

    def to_json(self) -> dict[str, object]:
        """Return it for a record and for the JSON envelope."""
        return {
            "name": str(self.name),
            "holds": self.holds,
            "known": self.known,
            "evidence": self.evidence,
            "as_of_ms": self.as_of_ms,
        }


def judge_safety(conditions: Iterable[Condition]) -> Safety:
    """Given the conditions, return UNKNOWN if any is not known or not there, else the truth."""
    seen = tuple(conditions)
    if not {str(name) for name in Name} <= {str(condition.name) for condition in seen}:
        return Safety.UNKNOWN
    if not all(condition.known for condition in seen):
        return Safety.UNKNOWN
    return Safety.SAFE if all(condition.holds for condition in seen) else Safety.DISCREPANT


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRecord:
    """A remembered verdict, with what it was made from.

    `verdict` is `clean` for an account that was proved SAFE. `digests` names policy, checkpoint,
    tool and manifest; a verdict is foreign when they differ. `gate_sequence` is the generation of
    the gate that it was made under, and `conditions` are what it stands on; both only for a verdict
    of kind `safety`, the only one that opens a gate.
    """

    account: str
    verdict: Verdict
    blocks_resume: bool
    as_of_ms: int
    valid_until_ms: int
    run_id: str
    digests: Mapping[str, str] = field(default_factory=dict)
    kind: VerdictKind = VerdictKind.RECONCILE
    gate_sequence: int | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def opens(self) -> bool:
        """Whether it lets a gate open, as far as the verdict itself is concerned."""
        return (
            self.kind is VerdictKind.SAFETY
            and self.verdict is Verdict.CLEAN
            and not self.blocks_resume
            and judge_safety(self.conditions) is Safety.SAFE
        )


def opening_conditions(
    gate: GateReading,
    to: GateState,
    verdict: VerdictRecord | None,
    digests_now: Mapping[str, str],
    now_ms: int,
    *,
    newest: VerdictRecord | None = None,
) -> tuple[Condition, ...]:
    """Given the gate and the last safety verdict, return every condition for moving to `to`.

    `newest` is the newest verdict of any kind: a later comparison that found a difference takes the
    word back. Nothing is assumed: a missing verdict, a digest that is absent on either side, a gate
    that cannot be trusted, each fails its condition.
    """
    conditions = [
        Condition("gate file is intact", gate.trusted, gate.reason or gate.state.value),
        Condition(
            "move is allowed",
            (gate.state, to) in ALLOWED_MOVES,
            f"{gate.state.value} -> {to.value}",
        ),
    ]
    if verdict is None or verdict.kind is not VerdictKind.SAFETY:
        words = "the account was never verified; a comparison alone proves no silence"
        return (*conditions, Condition("a safety verdict exists", False, words))
    age_s = max(0, now_ms - verdict.as_of_ms) // 1000
    conditions += [
        Condition(
            "last verdict is safe", verdict.opens, f"{_word_of(verdict)} in run {verdict.run_id}"
        ),
        Condition(
            "verdict is fresh",
            verdict.as_of_ms <= now_ms <= verdict.valid_until_ms,
            f"{age_s} s old, valid for {(verdict.valid_until_ms - verdict.as_of_ms) // 1000} s",
        ),
        _same_closing(gate, verdict),
        _not_taken_back(verdict, newest),
    ]
    if gate.state is GateState.UNSAFE:
        # A later step needs no younger verdict: it stands on the one that opened the gate to SAFE.
        conditions.append(
            Condition(
                "verdict is younger than the gate's closing",
                gate.since_ms is not None and verdict.as_of_ms >= gate.since_ms,
                _which_came_first(gate.since_ms, verdict.as_of_ms),
            )
        )
    for name in sorted(digests_now):
        same = verdict.digests.get(name) == digests_now[name] != NOT_KNOWN
        words = "unchanged" if same else "changed since the verdict"
        conditions.append(Condition(f"{name} is unchanged", same, words))
    return tuple(conditions)


def _word_of(verdict: VerdictRecord) -> str:
    return "safe" if verdict.verdict is Verdict.CLEAN else verdict.verdict.value


def _same_closing(gate: GateReading, verdict: VerdictRecord) -> Condition:
    """The gate has moved since the verdict by nothing but the step to SAFE."""
    since = None if verdict.gate_sequence is None else gate.sequence - verdict.gate_sequence
    # Behind a gate that is SAFE, a verdict was made there or just before the step to it.
    holds = since is not None and since in ({0} if gate.state is GateState.UNSAFE else {0, 1})
    words = "unchanged" if holds else "the gate was moved after the verdict was made"
    return Condition("gate was not moved since", holds, words)


def _not_taken_back(verdict: VerdictRecord, newest: VerdictRecord | None) -> Condition:
    name = "nothing newer contradicts it"
    if newest is None or newest.as_of_ms < verdict.as_of_ms or newest.run_id == verdict.run_id:
        return Condition(name, True, "it is the newest word")
    clean = newest.verdict is Verdict.CLEAN and not newest.blocks_resume
    return Condition(name, clean, f"{newest.kind.value} said {newest.verdict.value} later")


def _which_came_first(closed_ms: int | None, as_of_ms: int) -> str:
    if closed_ms is None:
        return "it is not known when the gate was closed"
    seconds = abs(as_of_ms - closed_ms) / 1000
    order = "after" if as_of_ms >= closed_ms else "before"
    return f"the verdict was made {seconds:.1f} s {order} the gate was closed"
