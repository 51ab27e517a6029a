"""The gate opens only when every condition holds; each one alone keeps it shut."""

from dataclasses import replace

import pytest

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.gate import ALLOWED_MOVES, GateReading, GateState
from resyncctl.core.safety import VerdictRecord, opening_conditions

GATE = GateReading(
    account="main", state=GateState.UNSAFE, reason="lost", since_ms=1_000, by="me", sequence=3
)
VERDICT = VerdictRecord(
    account="main",
    verdict=Verdict.CLEAN,
    blocks_resume=False,
    as_of_ms=2_000,
    valid_until_ms=122_000,
    run_id="run-1",
    digests={"policy": "p", "checkpoint": "c"},
)
NOW = {"policy": "p", "checkpoint": "c"}


def opens(
    gate: GateReading = GATE,
    to: GateState = GateState.SAFE,
    verdict: VerdictRecord | None = VERDICT,
    digests: dict[str, str] = NOW,
    now_ms: int = 3_000,
) -> bool:
    return all(c.holds for c in opening_conditions(gate, to, verdict, digests, now_ms))


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
    safe = replace(GATE, state=GateState.SAFE, since_ms=2_500)
    assert opens(gate=safe, to=GateState.RUNNING)
    assert not opens(gate=safe, to=GateState.RUNNING, now_ms=122_001)


@pytest.mark.invariant("I11")
def test_what_is_not_known_equals_nothing() -> None:
    unknown = replace(VERDICT, digests={"policy": "p", "checkpoint": "unknown"})
    assert not opens(verdict=unknown, digests={"policy": "p", "checkpoint": "unknown"})
