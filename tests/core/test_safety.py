"""The gate opens only when every condition holds; each one alone keeps it shut."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.gate import ALLOWED_MOVES, GateReading, GateState
from resyncctl.core.safety import (
    Condition,
    Name,
    Safety,
    VerdictKind,
    VerdictRecord,
    judge_safety,
    opening_conditions,
)

GATE = GateReading(
    account="main", state=GateState.UNSAFE, reason="lost", since_ms=1_000, by="me", sequence=3
)
ALL_HOLD = tuple(Condition(name, True, "seen") for name in Name)
VERDICT = VerdictRecord(
    account="main",
    verdict=Verdict.CLEAN,
    blocks_resume=False,
    as_of_ms=2_000,
    valid_until_ms=122_000,
    run_id="run-1",
    digests={"policy": "p", "checkpoint": "c"},
    kind=VerdictKind.SAFETY,
    gate_sequence=3,
    conditions=ALL_HOLD,
)
COMPARED = replace(VERDICT, kind=VerdictKind.RECONCILE, run_id="run-2", as_of_ms=2_500)
NOW = {"policy": "p", "checkpoint": "c"}


def opens(
    gate: GateReading = GATE,
    to: GateState = GateState.SAFE,
    verdict: VerdictRecord | None = VERDICT,
    digests: dict[str, str] = NOW,
    now_ms: int = 3_000,
    *,
    newest: VerdictRecord | None = None,
) -> bool:
    conditions = opening_conditions(gate, to, verdict, digests, now_ms, newest=newest)
    return all(c.holds for c in conditions)


@pytest.mark.invariant("I5")
def test_fresh_clean_evidence_opens() -> None:
    assert opens()


@pytest.mark.invariant("I5", "I11")
@pytest.mark.parametrize(
    "changed",
    [
        {"verdict": None},
        {"verdict": replace(VERDICT, verdict=Verdict.UNKNOWN)},
        {"verdict": replace(VERDICT, verdict=Verdict.DISCREPANT)},
        {"verdict": replace(VERDICT, blocks_resume=True)},
        {"verdict": replace(VERDICT, as_of_ms=999)},
        {"verdict": replace(VERDICT, kind=VerdictKind.RECONCILE)},
        {"verdict": replace(VERDICT, gate_sequence=None)},
        {"verdict": replace(VERDICT, gate_sequence=2)},
        {"verdict": replace(VERDICT, gate_sequence=4)},
        {"verdict": replace(VERDICT, conditions=())},
        {"verdict": replace(VERDICT, conditions=ALL_HOLD[1:])},
        {"verdict": replace(VERDICT, conditions=(*ALL_HOLD, Condition("x", False, "")))},
        {
            "verdict": replace(
                VERDICT, conditions=(*ALL_HOLD, Condition("x", True, "", known=False))
            )
        },
        {"newest": replace(COMPARED, verdict=Verdict.DISCREPANT)},
        {"newest": replace(COMPARED, verdict=Verdict.UNKNOWN)},
        {"newest": replace(COMPARED, blocks_resume=True)},
        {"verdict": replace(VERDICT, digests={"policy": "p"})},
        {"now_ms": 122_001},
        {"now_ms": 1_999},
        {"digests": {"policy": "other", "checkpoint": "c"}},
        {"gate": replace(GATE, trusted=False)},
        {"gate": replace(GATE, since_ms=None)},
        {"to": GateState.RUNNING},
    ],
)
def test_each_missing_condition_keeps_it_shut(changed: dict[str, object]) -> None:
    assert not opens(**changed)  # type: ignore[arg-type]  # the table names real parameters


def test_nothing_leads_from_unsafe_to_running() -> None:
    assert (GateState.UNSAFE, GateState.RUNNING) not in ALLOWED_MOVES
    assert {(state, GateState.UNSAFE) for state in GateState} <= ALLOWED_MOVES


def test_the_step_to_running_needs_no_verdict_younger_than_safe() -> None:
    safe = replace(GATE, state=GateState.SAFE, since_ms=2_500, sequence=4)
    assert opens(gate=safe, to=GateState.RUNNING)
    assert not opens(gate=replace(safe, sequence=5), to=GateState.RUNNING)
    assert opens(gate=replace(safe, sequence=3), to=GateState.RUNNING)
    assert not opens(gate=replace(safe, sequence=2), to=GateState.RUNNING)
    assert not opens(gate=safe, to=GateState.RUNNING, now_ms=122_001)


@pytest.mark.invariant("I11")
def test_what_is_not_known_equals_nothing() -> None:
    unknown = replace(VERDICT, digests={"policy": "p", "checkpoint": "unknown"})
    assert not opens(verdict=unknown, digests={"policy": "p", "checkpoint": "unknown"})


def test_a_clean_comparison_afterwards_takes_nothing_back() -> None:
    assert opens(newest=COMPARED)
    older = replace(COMPARED, verdict=Verdict.DISCREPANT, as_of_ms=1_900)
    assert opens(newest=older)


conditions_strategy = st.tuples(
    *(
        st.builds(Condition, st.just(name), st.booleans(), st.just(""), known=st.booleans())
        for name in Name
    )
)
ORDER = [Safety.SAFE, Safety.DISCREPANT, Safety.UNKNOWN]


def rank(conditions: tuple[Condition, ...]) -> int:
    return ORDER.index(judge_safety(conditions))


@pytest.mark.invariant("I7")
@given(conditions_strategy, st.data())
def test_more_trouble_never_improves_the_judgement(
    conditions: tuple[Condition, ...], data: st.DataObject
) -> None:
    """I7: a condition that fails, is not known or is missing can only make it worse."""
    before = rank(conditions)
    at = data.draw(st.integers(0, len(conditions) - 1))
    one = conditions[at]
    for worse in ([replace(one, holds=False)], [replace(one, known=False)], []):
        assert rank((*conditions[:at], *worse, *conditions[at + 1 :])) >= before
    assert rank((*conditions, Condition("another", False, ""))) >= before
    assert judge_safety(conditions[:at] + conditions[at + 1 :]) is Safety.UNKNOWN


@pytest.mark.invariant("I2")
@given(conditions_strategy)
def test_safe_is_said_only_when_everything_is_known_and_holds(
    conditions: tuple[Condition, ...],
) -> None:
    """I2: whatever is not known makes the whole unknown, and never merely discrepant."""
    judged = judge_safety(conditions)
    if not all(one.known for one in conditions):
        assert judged is Safety.UNKNOWN
    else:
        holds = all(one.holds for one in conditions)
        assert judged is (Safety.SAFE if holds else Safety.DISCREPANT)
