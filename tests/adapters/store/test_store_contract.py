"""What every store has to do, asked of the one on disk and of the one in memory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resyncctl.adapters.store.sqlite import METRICS_KEPT_MS
from resyncctl.adapters.store.store_opening import open_store
from resyncctl.core.discrepancy import Verdict
from resyncctl.core.safety import Condition, VerdictKind, VerdictRecord
from resyncctl.ports.store import (
    CheckpointSeen,
    GateMove,
    LeaseRow,
    RunMetrics,
    RunRow,
    Store,
)
from tests.fakes.memory_store import MemoryStore

NOW = 1_795_000_000_000


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else open_store(tmp_path / "s", NOW)
    yield made
    assert made.trouble == ()
    made.close()
    made.close()


def run_row(number: int, **changes: object) -> RunRow:
    values: dict[str, object] = {
        "run_id": f"20261121T10300{number}Z-reconcile-2abc",
        "command": "reconcile",
        "accounts": ("main", "hedge ✓"),
        "started_at_ms": NOW + number,
        **changes,
    }
    return RunRow(**values)  # type: ignore[arg-type]  # the fields of a run row


def test_runs_come_newest_first_and_end(store: Store) -> None:
    for number in range(4):
        assert store.begin_run(run_row(number))
    ended = run_row(1, ended_at_ms=NOW + 9, exit_code=12, head_sequence=7, head_sha256="ab" * 32)
    assert store.end_run(ended)
    found = store.runs(3)
    assert found == (run_row(3), run_row(2), ended)
    assert store.end_run(run_row(8, exit_code=0))
    newest = store.runs(1)
    assert newest == (run_row(8, exit_code=0),)


def test_the_gate_has_a_history_per_account(store: Store) -> None:
    def move(account: str, at_ms: int) -> GateMove:
        return GateMove(
            account=account,
            from_state="RUNNING",
            to_state="UNSAFE",
            reason="gap",
            by="oncall",
            run_id="r",
            at_ms=at_ms,
            evidence_sha256=None,
            failed_copies=("/run/gate.json",),
        )

    for at_ms in (5, 6, 7):
        assert store.add_gate_move(move("main", at_ms))
    assert store.add_gate_move(move("other", 8))
    assert store.gate_history("main", 2) == (move("main", 7), move("main", 6))
    assert store.gate_history("nobody") == ()


def test_a_fencing_token_only_grows(store: Store) -> None:
    assert store.lease("main") is None
    first = store.grant_lease("main", "run-a", token_above=0, expires_ms=NOW + 10)
    assert first == 1
    assert store.lease("main") == LeaseRow(
        account="main", holder="run-a", fencing_token=1, expires_ms=NOW + 10
    )
    assert store.release_lease("main", 1)
    released = store.lease("main")
    assert isinstance(released, LeaseRow)
    assert (released.holder, released.fencing_token) == ("", 1)
    assert store.grant_lease("main", "run-b", token_above=40, expires_ms=NOW) == 41
    assert store.grant_lease("main", "run-c", token_above=0, expires_ms=NOW) == 42


def test_a_lost_lease_is_not_renewed(store: Store) -> None:
    token = store.grant_lease("main", "run-a", token_above=0, expires_ms=NOW)
    assert isinstance(token, int)
    assert store.renew_lease("main", "run-a", token=token, expires_ms=NOW + 5) is True
    assert store.renew_lease("main", "run-b", token=token, expires_ms=NOW + 5) is False
    store.grant_lease("main", "run-b", token_above=0, expires_ms=NOW + 9)
    assert store.renew_lease("main", "run-a", token=token, expires_ms=NOW + 7) is False
    assert store.release_lease("main", token)
    row = store.lease("main")
    assert isinstance(row, LeaseRow)
    assert (row.holder, row.expires_ms) == ("run-b", NOW + 9)


def verdict(as_of_ms: int, run_id: str) -> VerdictRecord:
    return VerdictRecord(
        account="main",
        verdict=Verdict.CLEAN,
        blocks_resume=False,
        as_of_ms=as_of_ms,
        valid_until_ms=as_of_ms + 120_000,
        run_id=run_id,
        digests={"policy": "aa", "checkpoint": "bb"},
    )


def test_a_safety_verdict_is_found_beside_younger_comparisons(store: Store) -> None:
    safe = replace(
        verdict(2, "safe"),
        kind=VerdictKind.SAFETY,
        gate_sequence=4,
        conditions=(
            Condition("the gate is closed", True, "UNSAFE", as_of_ms=1),
            Condition("the engine is silent", False, "nobody looked", known=False),
        ),
    )
    for record in (safe, verdict(3, "compared")):
        assert store.remember_verdict(record)
    assert store.last_verdict("main") == verdict(3, "compared")
    assert store.last_verdict("main", VerdictKind.SAFETY) == safe
    assert store.last_verdict("main", VerdictKind.RECONCILE) == verdict(3, "compared")


def test_the_newest_verdict_is_returned_whole(store: Store) -> None:
    assert store.last_verdict("main") is None
    for record in (verdict(2, "b"), verdict(3, "c"), verdict(1, "a")):
        assert store.remember_verdict(record)
    assert store.last_verdict("main") == verdict(3, "c")
    store.remember_verdict(verdict(3, "d"))
    assert store.last_verdict("main") == verdict(3, "d")
    shut = replace(verdict(2, "late"), verdict=Verdict.DISCREPANT, blocks_resume=True)
    store.remember_verdict(shut)
    assert store.last_verdict("main") == shut, "it arrived last, and keeps the gate shut"
    store.remember_verdict(verdict(1, "f"))
    assert store.last_verdict("main") == verdict(3, "d")
    worse = replace(verdict(9, "g"), verdict=Verdict.UNKNOWN)
    store.remember_verdict(worse)
    store.remember_verdict(verdict(8, "h"))
    assert store.last_verdict("main") == worse, "it is newest by its own time"
    assert store.last_verdict("other") is None


def test_a_checkpoint_seen_never_goes_back(store: Store) -> None:
    def seen(sequence: int, digest: str) -> CheckpointSeen:
        return CheckpointSeen(account="main", sequence=sequence, digest=digest, at_ms=NOW)

    assert store.last_checkpoint("main") is None
    for item in (seen(5, "e"), seen(9, "i"), seen(7, "g")):
        assert store.remember_checkpoint(item)
    assert store.last_checkpoint("main") == seen(9, "i")


def test_figures_come_back_as_they_went_in(store: Store) -> None:
    def figures(at_ms: int) -> RunMetrics:
        return RunMetrics(
            account="main",
            run_id="r",
            command="reconcile",
            at_ms=at_ms,
            duration_ms=1234,
            exit_code=11,
            completed=True,
            verdict="discrepant",
            discrepancies={("ORPHAN_ORDER", "major"): 2, ("STALE_ORDER", "minor"): 1},
            balance_mismatches=1,
            weight_used=None,
            consecutive_failures=3,
            gate_state="UNSAFE",
            gate_since_ms=5,
        )

    assert store.last_metrics("main") is None
    assert store.add_metrics(figures(1))
    assert store.add_metrics(figures(NOW))
    assert store.last_metrics("main") == figures(NOW)
    assert store.prune(NOW + METRICS_KEPT_MS) == 1
    assert store.last_metrics("main") == figures(NOW)
    assert store.prune(NOW + METRICS_KEPT_MS + 1) == 1
    assert store.last_metrics("main") is None
