"""The borders of moving a gate: what copies say together, and what happens in between."""

import shutil
from pathlib import Path

import pytest

from resyncctl.adapters.store import gate as gate_module
from resyncctl.adapters.store.gate import GateCopy, combine
from resyncctl.core.errors import RecordUnwritableError, RefusedError, StalePlanError
from resyncctl.core.gate import GateReading, GateState
from resyncctl.sdk.gate import read_gate, write_gate
from tests.adapters.store.test_gate import EVIDENCE, NOW, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def copy(
    name: str, state: GateState, *, trusted: bool = True, run_id: str = "r", since_ms: int = 1
) -> GateCopy:
    return GateCopy(
        path=Path(name),
        role="engine",
        state=state,
        trusted=trusted,
        reason=f"reason of {name}",
        sequence=3,
        since_ms=since_ms,
        run_id=run_id,
        by="oncall",
    )


@pytest.mark.invariant("I11")
def test_one_copy_that_cannot_be_trusted_spoils_equal_ones() -> None:
    both = [copy("a", GateState.RUNNING), copy("b", GateState.RUNNING, trusted=False)]
    reading = combine("main", both)
    assert (reading.state, reading.trusted) == (GateState.UNSAFE, False)
    assert reading.reason == "reason of b; a still says RUNNING"


@pytest.mark.invariant("I11")
def test_copies_that_disagree_name_the_one_that_still_lets_trade() -> None:
    reading = combine("main", [copy("a", GateState.UNSAFE), copy("b", GateState.RUNNING)])
    assert not reading.trusted
    assert reading.reason == (
        "its copies disagree: a says UNSAFE, b says RUNNING; b still says RUNNING"
    )
    assert reading.sequence == 3


@pytest.mark.parametrize("changes", [{"run_id": "other"}, {"since_ms": 2}])
def test_copies_of_different_moves_are_not_one_move(changes: dict[str, object]) -> None:
    two = [
        copy("a", GateState.SAFE),
        copy("b", GateState.SAFE, **changes),  # type: ignore[arg-type]  # one of the two
    ]
    reading = combine("main", two)
    assert (reading.state, reading.trusted) == (GateState.UNSAFE, False)
    assert reading.reason == "its copies disagree: a says SAFE, b says SAFE"


def test_closed_copies_that_disagree_let_nobody_trade() -> None:
    two = [copy("a", GateState.UNSAFE), copy("b", GateState.UNSAFE, run_id="other")]
    assert "still says" not in combine("main", two).reason


def test_a_reading_is_trusted_unless_something_speaks_against_it() -> None:
    reading = GateReading(
        account="main", state=GateState.SAFE, reason="", since_ms=1, by="x", sequence=1
    )
    assert reading.trusted


@pytest.mark.invariant("I5", "I11")
def test_evidence_is_good_until_its_last_millisecond(desk: Desk) -> None:
    desk.open_to(GateState.UNSAFE)
    last_ms = NOW + 120_000
    with pytest.raises(StalePlanError):
        desk.move(GateState.SAFE, evidence=EVIDENCE, now_ms=last_ms + 1)
    assert desk.move(GateState.SAFE, evidence=EVIDENCE, now_ms=last_ms).state is GateState.SAFE


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("closer", ["host", "engine"])
def test_a_closing_right_after_the_last_copy_was_opened_wins(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, closer: str
) -> None:
    desk.open_to(GateState.SAFE)
    written: list[Path] = []

    def write_and_meet_a_closing(path: Path, **words: object) -> object:
        status = write_gate(path, **words)  # type: ignore[arg-type]  # passed on
        written.append(path)
        if len(written) == 2:
            write_gate(
                desk.own if closer == "host" else desk.engine,
                account="main",
                state=GateState.UNSAFE.value,
                reason="a gap",
                by="engine",
                run_id="elsewhere",
                now_ms=NOW + 1,
            )
        return status

    monkeypatch.setattr(gate_module, "write_gate", write_and_meet_a_closing)
    with pytest.raises(RefusedError, match="was moved meanwhile"):
        desk.move(GateState.RUNNING, evidence=EVIDENCE)
    for path in (desk.own, desk.engine):
        assert read_gate(path, "main").state.value == "UNSAFE"
    assert desk.gate.read("main").state is GateState.UNSAFE


@pytest.mark.invariant("I11")
def test_evidence_that_cannot_be_kept_opens_nothing(desk: Desk) -> None:
    desk.open_to(GateState.SAFE)
    (kept,) = (desk.state_dir / "evidence").glob("*.json")
    desk.open_to(GateState.UNSAFE)
    kept.unlink()
    (kept / "in the way").mkdir(parents=True)
    with pytest.raises(RecordUnwritableError, match="the evidence for opening"):
        desk.move(GateState.SAFE, evidence=EVIDENCE)
    assert desk.gate.read("main").state is GateState.UNSAFE
    shutil.rmtree(kept)
    assert desk.move(GateState.SAFE, evidence=EVIDENCE).state is GateState.SAFE


def test_what_no_file_can_hold_is_told_with_its_place(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecordUnwritableError, match="could not be closed") as refused:
        desk.move(GateState.UNSAFE, now_ms=float("nan"))
    assert refused.value.place == str(desk.engine)
    assert refused.value.hint == "stop the engine by hand; cancelling goes on"
