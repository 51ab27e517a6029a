"""The record of an incident: one for each account, durable, chained, and in nobody's way."""

import errno
import itertools
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from resyncctl.adapters.store.gate import GateCopy
from resyncctl.adapters.store.incident_files import broken_links, read_all
from resyncctl.adapters.store.incidents import Incidents
from resyncctl.adapters.store.recorded_gate import RecordedGate, Teller
from resyncctl.core.errors import RecordUnwritableError, RefusedError
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.incident import Incident
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.store import GateMove
from tests.fakes.memory_store import MemoryStore

NOW_MS = 1_795_270_500_000


class ScriptedGate:
    """A gate in memory that can be told to fail."""

    def __init__(self, store: MemoryStore) -> None:
        self.state = GateState.RUNNING
        self.trusted = True
        self.engine_copy = GateState.UNSAFE
        self.failure: RecordUnwritableError | RefusedError | None = None
        self._store = store

    def read(self, account: str) -> GateReading:
        return GateReading(
            account=account,
            state=self.state if self.trusted else GateState.UNSAFE,
            reason="because",
            since_ms=NOW_MS,
            by="desk",
            sequence=1,
            trusted=self.trusted,
        )

    def copies(self, account: str) -> Sequence[GateCopy]:
        del account
        return (
            GateCopy(
                path=Path("engine"),
                role="engine",
                state=self.engine_copy,
                trusted=True,
                reason="",
                sequence=1,
                since_ms=NOW_MS,
                run_id="r0",
                by="desk",
            ),
        )

    def move(
        self,
        account: str,
        to: GateState,
        *,
        reason: str,
        by: str,
        run_id: str,
        now_ms: int,
        evidence: Mapping[str, object] | None = None,
    ) -> GateReading:
        if self.failure is not None:
            raise self.failure
        before = self.read(account).state.value
        self.state, self.trusted = to, True
        self._store.add_gate_move(
            GateMove(
                account=account,
                from_state=before,
                to_state=to.value,
                reason=reason,
                by=by,
                run_id=run_id,
                at_ms=now_ms,
            )
        )
        return self.read(account)


class Desk:
    """A state directory, a gate that tells of its moves, and what was warned of."""

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder / "state"
        self.warned: list[str] = []
        self.store = MemoryStore()
        self.gate = ScriptedGate(self.store)
        self.now_ms = NOW_MS
        self.incidents = self.fresh()
        teller = Teller(
            command="cancel-all", asked_ms=NOW_MS - 100, rto_ms=300_000, warn=self.warned.append
        )
        self.recorded = RecordedGate(self.gate, self.incidents, self.store, teller)

    def fresh(self, sync: object = os.fsync) -> Incidents:
        return Incidents(
            self.state_dir,
            redact=lambda text: text.replace("CANARY", "***"),
            roots=lambda: (self.state_dir,),
            sync=sync,  # type: ignore[arg-type]  # a function that fails as a disk does
        )

    def move(self, to: GateState, *, account: str = "main", run_id: str = "r1") -> GateReading:
        self.now_ms += 1_000
        return self.recorded.move(
            account, to, reason=f"to {to.value}", by="desk", run_id=run_id, now_ms=self.now_ms
        )

    def all(self, *accounts: str) -> Sequence[Incident]:
        found = self.incidents.all(accounts, self.now_ms)
        assert not isinstance(found, Unknown)
        return found

    def only(self) -> Incident:
        (found,) = self.all()
        return found

    def file(self) -> Path:
        return max((self.state_dir / "incidents").rglob("*.jsonl"), key=lambda path: path.name)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def events(found: Incident) -> list[str]:
    return [one.what for one in found.timeline]


def test_an_incident_lasts_from_the_closing_to_the_trading(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    assert desk.only().is_open
    assert desk.only().reason == "to UNSAFE"
    desk.move(GateState.UNSAFE, run_id="r2")
    desk.move(GateState.SAFE, run_id="r3")
    desk.move(GateState.RUNNING, run_id="r4")
    found = desk.only()
    assert not found.is_open
    assert found.ended_how == "the account trades again"
    assert events(found) == ["incident_opened", *["gate_moved"] * 3, "incident_closed"]
    assert [one.run_id for one in found.runs] == ["r1", "r2", "r3", "r4"]
    assert found.metrics.gate_closed_after_ms == 1_100
    desk.move(GateState.UNSAFE, run_id="r5")
    assert [one.is_open for one in desk.all()] == [True, False]
    assert desk.warned == []


def test_a_gate_that_was_never_open_begins_none(desk: Desk) -> None:
    desk.gate.trusted = False
    desk.move(GateState.UNSAFE)
    assert desk.all() == ()
    assert not (desk.state_dir / "incidents").exists()


def test_a_gate_that_cannot_be_believed_begins_one_when_it_was_open_last(desk: Desk) -> None:
    desk.gate.state = GateState.UNSAFE
    desk.move(GateState.SAFE)
    desk.gate.trusted = False
    desk.move(GateState.UNSAFE, run_id="r2")
    assert desk.only().is_open


def test_a_gate_of_which_one_copy_lets_the_engine_trade_begins_one(desk: Desk) -> None:
    desk.gate.trusted = False
    desk.gate.engine_copy = GateState.RUNNING
    desk.move(GateState.UNSAFE)
    assert desk.only().is_open


@pytest.mark.invariant("I12")
def test_a_gate_that_could_not_be_closed_begins_one_that_says_so(desk: Desk) -> None:
    desk.gate.failure = RecordUnwritableError("the disk is full")
    with pytest.raises(RecordUnwritableError, match="the disk is full"):
        desk.move(GateState.UNSAFE)
    found = desk.only()
    assert found.metrics.gate_closed_after_ms is None
    assert events(found) == ["incident_opened", "gate_not_moved"]
    desk.gate.failure = None
    desk.move(GateState.UNSAFE)
    assert desk.only().metrics.gate_closed_after_ms is not None


def test_a_refused_opening_is_told_and_changes_nothing(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    desk.gate.failure = RefusedError("no verdict")
    with pytest.raises(RefusedError):
        desk.move(GateState.RUNNING)
    found = desk.only()
    assert found.is_open
    assert "gate not moved to RUNNING: no verdict" in [one.text for one in found.timeline]


def test_two_accounts_have_their_own(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    desk.gate.state = GateState.RUNNING
    desk.move(GateState.UNSAFE, account="a/b")
    assert {one.account for one in desk.all()} == {"main", "a/b"}
    assert [one.account for one in desk.all("main")] == ["main"]
    trouble = desk.incidents.closed("main", "by hand", by="desk", run_id="r9", at_ms=desk.now_ms)
    assert trouble is None
    assert desk.incidents.current("main") is None
    assert desk.incidents.current("a/b") is not None


def test_a_run_may_add_to_the_incident_that_it_ended_and_no_other_run(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    desk.move(GateState.SAFE)
    desk.move(GateState.RUNNING, run_id="r2")
    for run_id in ("r2", "r3"):
        desk.incidents.add(
            "main", "run_ended", {"command": run_id}, run_id=run_id, at_ms=desk.now_ms
        )
    assert [one.run_id for one in desk.only().timeline if one.what == "run_ended"] == ["r2"]


def test_a_look_that_says_the_same_again_is_not_repeated(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    looks: list[tuple[str, str, int]] = [
        ("reconcile", "discrepant", 3),
        ("reconcile", "discrepant", 4),
        ("verify", "discrepant", 4),
        ("reconcile", "clean", 0),
        ("reconcile", "discrepant", 0),
    ]
    for number, (command, status, rows) in enumerate(looks):
        details = {"command": command, "status": status, "counts": {"rows": rows}, "findings": []}
        for run_id in (f"run-{number}", f"run-{number}-again"):
            desk.incidents.add(
                *("main", "run_ended", details),
                run_id=run_id,
                at_ms=desk.now_ms,
                only_news=True,
            )
    told = [one.run_id for one in desk.only().timeline if one.what == "run_ended"]
    assert told == ["run-0", "run-2", "run-3", "run-4"]


@pytest.mark.invariant("I27")
def test_a_torn_end_is_cut_off_and_told(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    whole = desk.file().read_bytes()
    desk.file().write_bytes(whole + b'{"at_ms": 17, "det')
    assert "The last event of this record is torn." in desk.only().not_known
    assert desk.incidents.current("main") is not None
    desk.move(GateState.SAFE)
    assert desk.file().read_bytes().startswith(whole)
    assert b"tail_truncated" in desk.file().read_bytes()
    assert desk.only().gate == "SAFE"
    assert desk.warned == []


@pytest.mark.invariant("I27")
def test_a_record_that_was_altered_is_not_extended_and_a_new_one_begins(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    altered = desk.file().read_bytes().replace(b"to UNSAFE", b"to unsafe")
    desk.file().write_bytes(altered)
    damaged = desk.file()
    assert isinstance(desk.incidents.current("main"), Unknown)
    desk.move(GateState.SAFE)
    assert "is not extended" in desk.warned[0]
    assert damaged.read_bytes() == altered
    assert any("damaged" in words for words in desk.only().not_known)
    desk.move(GateState.UNSAFE, run_id="r2")
    assert desk.incidents.current("main") is not None
    assert len(desk.all()) == 2


def test_a_file_without_a_first_record_is_no_incident_to_go_on_with(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    desk.file().write_bytes(b"")
    desk.gate.state = GateState.SAFE
    desk.move(GateState.UNSAFE, run_id="r2")
    assert len(desk.all()) == 2
    assert desk.all()[0].reason == "to UNSAFE"
    assert desk.all()[1].account == "main"


@pytest.mark.invariant("I12")
def test_a_full_disk_stops_no_gate_and_the_incident_is_begun_afterwards(desk: Desk) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    broken = desk.fresh(sync=full)
    desk.recorded._incidents = broken
    closed_ms = desk.now_ms + 1_000
    assert desk.move(GateState.UNSAFE).state is GateState.UNSAFE
    assert "could not be written down" in desk.warned[0]
    assert desk.all() == ()
    desk.recorded._incidents = desk.incidents
    desk.move(GateState.UNSAFE, run_id="r2")
    found = desk.only()
    assert (found.late, found.opened_ms, found.reason) == (True, closed_ms, "to UNSAFE")
    assert events(found) == ["incident_opened", "gate_moved"]


def test_an_incident_that_was_ended_by_hand_is_not_begun_again(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    desk.incidents.closed("main", "by hand", by="desk", run_id="r2", at_ms=desk.now_ms)
    desk.move(GateState.UNSAFE, run_id="r3")
    assert not desk.only().is_open


def test_a_folder_that_refuses_is_told_and_stops_nothing(desk: Desk) -> None:
    desk.state_dir.mkdir()
    (desk.state_dir / "incidents").write_text("not a folder")
    assert desk.move(GateState.UNSAFE).state is GateState.UNSAFE
    assert "could not be written down" in desk.warned[0]
    assert isinstance(desk.incidents.current("main"), Unknown)
    assert isinstance(desk.incidents.all((), NOW_MS), Unknown)


@pytest.mark.invariant("I39")
def test_no_secret_gets_in(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    desk.incidents.add("main", "note", {"text": "key CANARY"}, run_id="r1", at_ms=NOW_MS)
    assert b"CANARY" not in desk.file().read_bytes()
    assert desk.only().notes[0].text == "key ***"


def test_an_incident_that_disappears_is_missed(desk: Desk) -> None:
    for number in range(3):
        desk.move(GateState.UNSAFE, run_id=f"r{number}")
        desk.move(GateState.SAFE)
        desk.move(GateState.RUNNING)
    files = list(read_all(desk.state_dir))
    assert broken_links(files) == []
    middle = files[1].reading.path
    data = middle.read_bytes()
    middle.write_bytes(data[: data.rindex(b'{"at_ms"')])
    assert "rewritten" in broken_links(list(read_all(desk.state_dir)))[0]
    middle.unlink()
    assert "is missing" in broken_links(list(read_all(desk.state_dir)))[0]


def test_names_sort_by_the_order_of_their_beginning_whatever_the_clock_says(desk: Desk) -> None:
    names = []
    for _ in range(3):
        desk.now_ms -= 3_600_000
        desk.move(GateState.UNSAFE)
        names.append(desk.all()[0].incident_id)
        desk.move(GateState.SAFE)
        desk.move(GateState.RUNNING)
    assert names == sorted(names)
    assert not any(one.is_open for one in desk.all())


def test_two_runs_at_once_begin_one_incident(desk: Desk) -> None:
    from resyncctl.ports.incidents import Opening

    start = threading.Barrier(4)
    trouble: list[str | None] = []

    def close(number: int) -> None:
        start.wait()
        trouble.append(
            desk.incidents.opened(
                Opening(
                    account="main",
                    reason="race",
                    by="desk",
                    run_id=f"r{number}",
                    command="cancel-all",
                    at_ms=NOW_MS,
                    asked_ms=NOW_MS,
                    gate_from="RUNNING",
                )
            )
        )

    threads = [threading.Thread(target=close, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == [None] * 4
    assert sorted(events(desk.only())) == ["gate_moved"] * 3 + ["incident_opened"]


@pytest.mark.parametrize("cut", range(0, 700, 37))
def test_a_record_cut_anywhere_is_read_without_an_error(desk: Desk, cut: int) -> None:
    desk.move(GateState.UNSAFE)
    desk.move(GateState.SAFE)
    data = desk.file().read_bytes()
    desk.file().write_bytes(data[: cut % len(data)])
    found = desk.only()
    assert found.account == "main"
    assert found.not_known


def test_find_knows_only_whole_names(desk: Desk) -> None:
    desk.move(GateState.UNSAFE)
    name = desk.only().incident_id
    found = desk.incidents.find(name, NOW_MS)
    assert isinstance(found, Incident)
    for wrong in (name[:-1], "", "../main", "x"):
        assert desk.incidents.find(wrong, NOW_MS) is None
    assert list(itertools.islice(read_all(desk.state_dir, "nobody"), 1)) == []
