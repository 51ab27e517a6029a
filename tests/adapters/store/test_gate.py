"""The gate of an account: every doubt is UNSAFE, closing always works, opening never by halves."""

import itertools
from collections.abc import Callable, ItemsView
from pathlib import Path

import pytest

from resyncctl.adapters.store.gate import GateFiles
from resyncctl.adapters.store.places import gate_copy
from resyncctl.core.errors import RecordUnwritableError, RefusedError, StalePlanError
from resyncctl.core.gate import GateReading, GateState
from resyncctl.sdk.gate import read_gate, write_gate
from tests.fakes.memory_store import MemoryStore

NOW = 1_795_000_000_000
EVIDENCE: dict[str, object] = {"verdict_run": "r", "as_of_ms": NOW, "valid_until_ms": NOW + 120_000}


class Desk:
    """One account with an engine, and everything that the tests do to its gate."""

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder / "state"
        self.engine = folder / "engine" / "gate.json"
        self.engine.parent.mkdir(parents=True)
        self.own = gate_copy(self.state_dir, "main")
        self.store = MemoryStore()
        self.gate = GateFiles(
            self.state_dir, engine_files={"main": (self.engine,)}, store=self.store
        )

    def move(self, to: GateState, **changes: object) -> GateReading:
        words: dict[str, object] = {
            "reason": "because",
            "by": "oncall",
            "run_id": "run-1",
            "now_ms": NOW,
            **changes,
        }
        return self.gate.move("main", to, **words)  # type: ignore[arg-type]  # the words of a move

    def open_to(self, state: GateState) -> GateReading:
        """Bring the gate to a state by the allowed moves alone."""
        reading = self.move(GateState.UNSAFE)
        if state is not GateState.UNSAFE:
            reading = self.move(GateState.SAFE, evidence=EVIDENCE)
        if state is GateState.RUNNING:
            reading = self.move(GateState.RUNNING, evidence=EVIDENCE)
        return reading


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.invariant("I11")
def test_without_files_the_gate_is_unsafe_and_not_trusted(desk: Desk) -> None:
    reading = desk.gate.read("main")
    assert (reading.state, reading.trusted) == (GateState.UNSAFE, False)
    assert "no gate file" in reading.reason


@pytest.mark.parametrize("state", list(GateState))
def test_both_copies_follow_a_move(desk: Desk, state: GateState) -> None:
    reading = desk.open_to(state)
    assert (reading.state, reading.trusted, reading.by) == (state, True, "oncall")
    assert desk.gate.read("main") == reading
    assert read_gate(desk.engine, "main").permits_orders is (state is GateState.RUNNING)
    assert read_gate(desk.own, "main").state.value == state.value


def put(path: Path, what: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if what == "missing":
        return
    if what == "corrupt":
        path.write_text("{")
        return
    account = "other" if what == "foreign" else "main"
    state = "RUNNING" if what in {"foreign", "other run"} else what
    run_id = "run-2" if what == "other run" else "run-1"
    write_gate(path, account=account, state=state, reason="r", by="b", run_id=run_id, now_ms=NOW)


CONTENTS = ("missing", "corrupt", "foreign", "UNSAFE", "SAFE", "RUNNING", "other run")
PAIRS = list(itertools.product(CONTENTS, CONTENTS))


@pytest.mark.parametrize(("own", "engine"), PAIRS)
def test_truth_table_of_two_copies(desk: Desk, own: str, engine: str) -> None:
    """Only two good copies of the same move are believed; everything else is UNSAFE."""
    put(desk.own, own)
    put(desk.engine, engine)
    reading = desk.gate.read("main")
    if own == engine and own not in {"missing", "corrupt", "foreign"}:
        expected = "RUNNING" if own == "other run" else own
        assert (reading.state.value, reading.trusted) == (expected, True)
    else:
        assert (reading.state, reading.trusted) == (GateState.UNSAFE, False)
        assert reading.reason


@pytest.mark.invariant("I12")
@pytest.mark.parametrize(("own", "engine"), PAIRS)
def test_closing_works_from_everywhere(desk: Desk, own: str, engine: str) -> None:
    put(desk.own, own)
    put(desk.engine, engine)
    reading = desk.move(GateState.UNSAFE)
    assert (reading.state, reading.trusted) == (GateState.UNSAFE, True)
    assert not read_gate(desk.engine, "main").permits_orders


ALL = list(itertools.product(GateState, GateState))
OPENINGS = {(GateState.UNSAFE, GateState.SAFE), (GateState.SAFE, GateState.RUNNING)}


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(("before", "to"), ALL)
def test_truth_table_of_moves(desk: Desk, before: GateState, to: GateState) -> None:
    desk.open_to(before)
    if to is GateState.UNSAFE or (before, to) in OPENINGS:
        assert desk.move(to, evidence=EVIDENCE).state is to
    else:
        with pytest.raises(RefusedError, match="cannot go"):
            desk.move(to, evidence=EVIDENCE)
        assert desk.gate.read("main").state is before


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    "evidence",
    [None, {}, {"verdict_run": "r"}, {"valid_until_ms": "soon"}, {"valid_until_ms": True}],
)
def test_opening_without_evidence_is_refused(desk: Desk, evidence: object) -> None:
    desk.open_to(GateState.UNSAFE)
    with pytest.raises(RefusedError, match="evidence"):
        desk.move(GateState.SAFE, evidence=evidence)
    assert desk.gate.read("main").state is GateState.UNSAFE


def test_opening_on_expired_evidence_is_refused(desk: Desk) -> None:
    desk.open_to(GateState.UNSAFE)
    with pytest.raises(StalePlanError):
        desk.move(GateState.SAFE, evidence=EVIDENCE, now_ms=NOW + 120_001)
    assert desk.gate.read("main").state is GateState.UNSAFE


@pytest.mark.parametrize("spoil", ["missing", "corrupt", "foreign", "RUNNING"])
@pytest.mark.parametrize("which", ["own", "engine"])
def test_opening_demands_every_copy(desk: Desk, spoil: str, which: str) -> None:
    desk.open_to(GateState.UNSAFE)
    put(getattr(desk, which), spoil)
    with pytest.raises(RefusedError, match="trusted"):
        desk.move(GateState.SAFE, evidence=EVIDENCE)


def test_the_evidence_is_kept_under_its_digest(desk: Desk) -> None:
    desk.open_to(GateState.SAFE)
    digest = read_gate(desk.engine, "main").evidence_sha256
    assert digest is not None
    kept = desk.state_dir / "evidence" / f"{digest}.json"
    assert '"verdict_run":"r"' in kept.read_text()
    history = desk.store.gate_history("main")
    assert [(move.from_state, move.to_state) for move in history] == [
        ("UNSAFE", "SAFE"),
        ("UNSAFE", "UNSAFE"),
    ]
    assert history[0].evidence_sha256 == digest


def block(path: Path) -> None:
    """Put something in the way that can neither be replaced, removed nor emptied as a file."""
    path.unlink(missing_ok=True)
    (path / "inside").mkdir(parents=True)


def test_an_opening_that_cannot_be_completed_is_undone(desk: Desk, tmp_path: Path) -> None:
    """The engine's folder vanishes between the look and the write: nothing stays half open."""
    desk.open_to(GateState.UNSAFE)
    second = tmp_path / "second" / "gate.json"
    second.parent.mkdir()
    gate = GateFiles(desk.state_dir, engine_files={"main": (desk.engine, second)}, store=desk.store)
    gate.move("main", GateState.UNSAFE, reason="r", by="b", run_id="run-1", now_ms=NOW)
    lock = second.with_name("gate.json.lock")
    lock.unlink()
    lock.mkdir()  # the file can be read, and no opening can lock it
    with pytest.raises(RecordUnwritableError):
        gate.move(
            "main",
            GateState.SAFE,
            reason="r",
            by="b",
            run_id="run-2",
            now_ms=NOW,
            evidence=EVIDENCE,
        )
    for path in (desk.own, desk.engine, second):
        assert read_gate(path, "main").state.value == "UNSAFE"
    assert desk.store.gate_history("main")[0].to_state == "UNSAFE"
    assert "could not be completed" in desk.store.gate_history("main")[0].reason


def test_closing_goes_on_when_one_copy_cannot_be_reached(desk: Desk) -> None:
    desk.open_to(GateState.RUNNING)
    block(desk.own)
    reading = desk.move(GateState.UNSAFE)
    assert (reading.state, reading.trusted) == (GateState.UNSAFE, False)
    assert not read_gate(desk.engine, "main").permits_orders
    assert read_gate(desk.engine, "main").trusted
    assert desk.store.gate_history("main")[0].failed_copies == (str(desk.own),)


def test_closing_fails_only_when_no_copy_can_be_reached(desk: Desk) -> None:
    block(desk.own)
    block(desk.engine)
    with pytest.raises(RecordUnwritableError, match="could not be closed"):
        desk.move(GateState.UNSAFE)
    assert desk.gate.read("main").state is GateState.UNSAFE


def test_a_copy_that_still_runs_is_named(desk: Desk) -> None:
    """A closing that one engine missed: the reading says which file still lets orders through."""
    desk.open_to(GateState.RUNNING)
    put(desk.own, "missing")
    reading = desk.gate.read("main")
    assert not reading.trusted
    assert f"{desk.engine} still says RUNNING" in reading.reason


class Meddling(dict[str, object]):
    """Evidence that does something at the moment at which it is written down."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        super().__init__(EVIDENCE)
        self._meddle = meddle

    def items(self) -> ItemsView[str, object]:  # type: ignore[override]  # a view of the same items
        self._meddle()
        return EVIDENCE.items()


def test_a_closing_in_between_wins_over_an_opening(desk: Desk) -> None:
    """Somebody closes the engine's copy after the look and before the write."""
    desk.open_to(GateState.SAFE)

    def close_it() -> None:
        write_gate(
            desk.engine,
            account="main",
            state="UNSAFE",
            reason="storm",
            by="guard",
            run_id="run-9",
            now_ms=NOW,
        )

    with pytest.raises(RefusedError, match="storm"):
        desk.move(GateState.RUNNING, evidence=Meddling(close_it))
    assert not read_gate(desk.engine, "main").permits_orders
    assert read_gate(desk.own, "main").state.value == "UNSAFE"


def test_accounts_with_odd_names_have_their_own_files(tmp_path: Path) -> None:
    gate = GateFiles(tmp_path, engine_files={}, store=MemoryStore())
    names = ["a/b", "a%2Fb", "..", ".", "A", "a", "ä", "x" * 300, "x" * 301, ""]
    for number, name in enumerate(names):
        gate.move(name, GateState.UNSAFE, reason="", by="", run_id=str(number), now_ms=NOW + number)
    for number, name in enumerate(names):
        reading = gate.read(name)
        assert (reading.trusted, reading.since_ms) == (True, NOW + number), name
    files = [path for path in tmp_path.rglob("*.json") if path.is_file()]
    assert len(files) == len(names)
    assert {path.parent for path in files} == {tmp_path / "gates"}
