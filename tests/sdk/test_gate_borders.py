"""The borders of the gate file: what exactly keeps it shut, and when it is read again."""

import os
from functools import partial
from pathlib import Path

import pytest

from resyncctl.sdk import gate as gate_module
from resyncctl.sdk.errors import Unwritable
from resyncctl.sdk.gate import Gate, GateState, GateStatus, read_gate, write_gate
from tests.sdk.test_gate import NOW_MS, move, put

SETTLED_NS = 1_000_000_000


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "main.gate.json"


class Readings:
    """Counts how often the file itself is read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        original = gate_module._read

        def counted(path: Path, account: str) -> object:
            self.count += 1
            return original(path, account)

        monkeypatch.setattr(gate_module, "_read", counted)


@pytest.mark.invariant("I11")
def test_running_permits_orders_only_when_it_can_be_trusted(place: Path) -> None:
    move(place, "RUNNING")
    trusted = read_gate(place, "main")
    assert trusted.permits_orders
    doubted = GateStatus(
        account="main",
        state=GateState.RUNNING,
        reason="doubt",
        sequence=1,
        since_ms=NOW_MS,
        by="tester",
        run_id="r1",
        evidence_sha256=None,
        trusted=False,
    )
    assert not doubted.permits_orders


def test_a_file_is_read_again_until_it_has_rested_for_more_than_a_second(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(place, "RUNNING")
    changed_ns = max(os.lstat(place).st_mtime_ns, os.lstat(place).st_ctime_ns)
    readings = Readings(monkeypatch)
    for later_ns, more in ((0, 2), (SETTLED_NS, 2), (SETTLED_NS + 1, 1), (-SETTLED_NS - 1, 1)):
        gate = Gate(place, "main", now_ns=partial(int, changed_ns + later_ns))
        before = readings.count
        assert gate.permits_orders()
        assert gate.permits_orders()
        assert readings.count - before == more, later_ns


def test_an_old_time_of_writing_does_not_hide_a_fresh_change(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(place, "RUNNING")
    os.utime(place, ns=(0, 0))
    readings = Readings(monkeypatch)
    gate = Gate(place, "main")
    assert gate.permits_orders()
    assert gate.permits_orders()
    assert readings.count == 2


def test_a_settled_file_that_vanishes_is_noticed(place: Path) -> None:
    move(place, "RUNNING")
    gate = Gate(place, "main", now_ns=lambda: 0)
    assert gate.permits_orders()
    assert gate.permits_orders()
    place.unlink()
    assert not gate.permits_orders()
    move(place, "RUNNING", now_ms=NOW_MS + 5)
    assert gate.permits_orders()


@pytest.mark.invariant("I11")
def test_a_settled_file_that_changes_is_read_again(place: Path) -> None:
    move(place, "RUNNING")
    gate = Gate(place, "main", now_ns=lambda: 0)
    assert gate.permits_orders()
    move(place, "UNSAFE")
    assert not gate.permits_orders()
    move(place, "RUNNING")
    assert gate.permits_orders()


def test_a_time_of_writing_that_lies_ahead_counts_as_fresh_when_it_comes(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(place, "RUNNING")
    ahead_ns = os.lstat(place).st_ctime_ns + 100 * SETTLED_NS
    os.utime(place, ns=(ahead_ns, ahead_ns))
    readings = Readings(monkeypatch)
    gate = Gate(place, "main", now_ns=lambda: ahead_ns)
    assert gate.permits_orders()
    assert gate.permits_orders()
    assert readings.count == 2


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("sequence", "since_ms", "permits"),
    [
        (5, NOW_MS, True),
        (6, NOW_MS - 1_000, True),
        (4, NOW_MS, False),
        (4, NOW_MS - 1, False),
        (4, NOW_MS + 1, True),
    ],
    ids=["the same", "newer with an older clock", "older", "older still", "made anew"],
)
def test_what_counts_as_an_older_file(
    place: Path, sequence: int, since_ms: int, permits: bool
) -> None:
    put(place, sequence=5, since_ms=NOW_MS)
    gate = Gate(place, "main")
    assert gate.permits_orders()
    put(place, sequence=sequence, since_ms=since_ms)
    assert gate.permits_orders() is permits


def test_the_beginning_of_time_is_a_time(place: Path) -> None:
    put(place, sequence=0, since_ms=0)
    assert read_gate(place, "main").permits_orders
    assert Gate(place, "main").permits_orders()


@pytest.mark.parametrize("value", [-1, True, "1", "one", None])
def test_a_sequence_is_a_whole_number_from_zero(place: Path, value: object) -> None:
    put(place, sequence=value)  # type: ignore[arg-type]  # on purpose
    status = read_gate(place, "main")
    assert not status.trusted
    assert f"{value!r}, expected a whole number" in status.reason


@pytest.mark.parametrize("state", [["RUNNING"], {"RUNNING": 1}, 1, None, "running"])
def test_a_state_that_is_no_known_word_is_unsafe(place: Path, state: object) -> None:
    put(place, state=state)  # type: ignore[arg-type]  # on purpose
    status = read_gate(place, "main")
    assert (status.state, status.trusted) == (GateState.UNSAFE, False)
    assert "unknown state" in status.reason


@pytest.mark.parametrize(("mode", "permits"), [(0o645, True), (0o646, False), (0o602, False)])
def test_only_being_writable_by_everybody_closes_it(place: Path, mode: int, permits: bool) -> None:
    move(place, "RUNNING")
    place.chmod(mode)
    assert read_gate(place, "main").permits_orders is permits


def test_closing_a_gate_that_is_not_there_on_a_disk_that_takes_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise Unwritable("cannot be written: no space left", place=str(place))

    monkeypatch.setattr(gate_module, "replace_durably", full)
    status = move(place, "UNSAFE")
    assert (status.state, status.trusted) == (GateState.UNSAFE, False)
    assert "removed" in status.reason
    with pytest.raises(Unwritable):
        move(place, "RUNNING")


def test_the_next_sequence_follows_a_foreign_file(place: Path) -> None:
    put(place, account="other", sequence=41)
    status = write_gate(
        place,
        account="main",
        state="UNSAFE",
        reason="because",
        by="tester",
        run_id="r1",
        now_ms=NOW_MS,
    )
    assert status.sequence == 42
    assert (place.with_name(f"{place.name}.lock").stat().st_mode & 0o777) == 0o644
