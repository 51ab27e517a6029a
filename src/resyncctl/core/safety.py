"""What must hold before the gate of an account may open. Pure: evidence in, conditions out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.gate import ALLOWED_MOVES, GateReading, GateState

NOT_KNOWN = "unknown"
"""The digest of something that could not be read. It equals nothing, not even itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRecord:
    """A remembered verdict of `reconcile`, with what it was made from.

    `digests` names policy, checkpoint, tool and manifest; a verdict is foreign when they differ.
    """

    account: str
    verdict: Verdict
    blocks_resume: bool
    as_of_ms: int
    valid_until_ms: int
    run_id: str
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of the answer to "may the gate open?". `evidence` says what was looked at."""

    name: str
    holds: bool
    evidence: str


def opening_conditions(
    gate: GateReading,
    to: GateState,
    verdict: VerdictRecord | None,
    digests_now: Mapping[str, str],
    now_ms: int,
) -> tuple[Condition, ...]:
    """Given the gate and the last verdict, return every condition for moving to `to`.

    Nothing is assumed: a missing verdict, a digest that is absent on either side, a gate that
    cannot be trusted, each fails its condition.
    """
    conditions = [
        Condition("gate file is intact", gate.trusted, gate.reason or gate.state.value),
        Condition(
            "move is allowed",
            (gate.state, to) in ALLOWED_MOVES,
            f"{gate.state.value} -> {to.value}",
        ),
    ]
    if verdict is None:
        return (*conditions, Condition("a verdict exists", False, "no reconcile was recorded"))
    age_s = max(0, now_ms - verdict.as_of_ms) // 1000
    conditions += [
        Condition(
            "last verdict is clean",
            verdict.verdict is Verdict.CLEAN and not verdict.blocks_resume,
            f"{verdict.verdict.value} in run {verdict.run_id}",
        ),
        Condition(
            "verdict is fresh",
            verdict.as_of_ms <= now_ms <= verdict.valid_until_ms,
            f"{age_s} s old, valid for {(verdict.valid_until_ms - verdict.as_of_ms) // 1000} s",
        ),
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


def _which_came_first(closed_ms: int | None, as_of_ms: int) -> str:
    if closed_ms is None:
        return "it is not known when the gate was closed"
    seconds = abs(as_of_ms - closed_ms) / 1000
    order = "after" if as_of_ms >= closed_ms else "before"
    return f"the verdict was made {seconds:.1f} s {order} the gate was closed"
