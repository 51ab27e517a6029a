"""The store on disk when the disk is not what it should be: nothing raises, nothing is guessed."""

import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from resyncctl.adapters.store.migrations import (
    MIGRATIONS,
    Migration,
    SchemaRefusedError,
    migrate,
)
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.adapters.store.places import store_file
from resyncctl.adapters.store.sqlite import METRICS_KEPT_MS, SqliteStore
from resyncctl.adapters.store.store_opening import open_store
from resyncctl.core.discrepancy import Verdict
from resyncctl.core.safety import Name, VerdictKind, VerdictRecord
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.store import CheckpointSeen, GateMove, RunMetrics, RunRow, Store
from tests.adapters.store.journals import LATER, RUN, begun

NOW = 1_795_000_000_000
ROW = RunRow(run_id=RUN, command="cancel-all", accounts=("main",), started_at_ms=NOW)
VERDICT = VerdictRecord(
    account="main",
    verdict=Verdict.CLEAN,
    blocks_resume=False,
    as_of_ms=NOW,
    valid_until_ms=NOW + 1,
    run_id=RUN,
)
MOVE = GateMove(
    account="main", from_state="SAFE", to_state="UNSAFE", reason="", by="", run_id=RUN, at_ms=NOW
)
FIGURES = RunMetrics(
    account="main", run_id=RUN, command="x", at_ms=NOW, duration_ms=1, exit_code=0, completed=True
)
SEEN = CheckpointSeen(account="main", sequence=1, digest="d", at_ms=NOW)

WRITES: list[Callable[[Store], object]] = [
    lambda store: store.begin_run(ROW),
    lambda store: store.end_run(ROW),
    lambda store: store.add_gate_move(MOVE),
    lambda store: store.release_lease("main", 1),
    lambda store: store.remember_verdict(VERDICT),
    lambda store: store.remember_checkpoint(SEEN),
    lambda store: store.add_metrics(FIGURES),
]
ANSWERS: list[Callable[[Store], object]] = [
    lambda store: store.grant_lease("main", "a", token_above=0, expires_ms=NOW),
    lambda store: store.renew_lease("main", "a", token=1, expires_ms=NOW),
    lambda store: store.prune(NOW),
]
READS: list[Callable[[Store], object]] = [
    lambda store: store.runs(),
    lambda store: store.gate_history("main"),
    lambda store: store.lease("main"),
    lambda store: store.last_verdict("main"),
    lambda store: store.last_checkpoint("main"),
    lambda store: store.last_metrics("main"),
]


def assert_useless(store: Store, *, reads_too: bool = True) -> None:
    for write in WRITES:
        assert write(store) is False
    for ask in ANSWERS + (READS if reads_too else []):
        assert isinstance(ask(store), Unknown)
    assert store.trouble


def test_every_method_of_no_store_answers(tmp_path: Path) -> None:
    store = NullStore("the disk is on fire")
    assert_useless(store)
    assert store.trouble == ("the disk is on fire",)
    store.close()


def test_every_method_of_a_closed_store_answers(tmp_path: Path) -> None:
    store = open_store(tmp_path, NOW)
    store.close()
    for write in WRITES:
        assert write(store) is False
    for ask in ANSWERS + READS:
        assert isinstance(ask(store), Unknown)


def test_a_locked_store_costs_one_short_wait_and_then_none(tmp_path: Path) -> None:
    store = open_store(tmp_path, NOW)
    other = sqlite3.connect(store_file(tmp_path), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    assert_useless(store, reads_too=False)
    assert time.monotonic() - began < 2.0
    assert "locked" in store.trouble[0]
    other.execute("ROLLBACK")
    other.close()
    assert store.begin_run(ROW) is True
    store.close()


def test_a_store_that_is_locked_when_it_is_opened_is_done_without(tmp_path: Path) -> None:
    open_store(tmp_path, NOW).close()
    path = store_file(tmp_path)
    path.unlink()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE t (a)")
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    store = open_store(tmp_path, NOW)
    assert time.monotonic() - began < 3.0
    assert_useless(store)
    assert "locked" in store.trouble[0]
    other.close()


def damaged(path: Path, how: str) -> None:
    size = path.stat().st_size
    with path.open("r+b") as stream:
        if how == "not a database":
            stream.write(b"this is no database at all" * 40)
        elif how == "garbage inside":
            stream.seek(4096)
            stream.write(os.urandom(size - 4096))
        else:
            stream.truncate(size // 2)


@pytest.mark.parametrize("how", ["not a database", "garbage inside", "cut in half"])
def test_a_corrupt_store_is_moved_aside_and_built_again(tmp_path: Path, how: str) -> None:
    journal = begun(tmp_path)
    journal.intend("cancel_order", {"account": "main"}, deadline_ms=NOW, fencing_token=77)
    journal.record("gate_closed", {"account": "main", "reason": "gap", "by": "oncall"})
    journal.end(13)
    other = begun(tmp_path, LATER, "main", command="reconcile")
    evidence = {"as_of_ms": NOW, "valid_until_ms": NOW + 5, "digests": {"policy": "aa"}}
    other.record("verdict", {"account": "main", "verdict": "clean", "findings": [], **evidence})
    other.end(0)
    store = open_store(tmp_path, NOW)
    store.begin_run(ROW)
    store.close()
    path = store_file(tmp_path)
    damaged(path, how)
    content = path.read_bytes()

    emergency = open_store(tmp_path, NOW, emergency=True)
    assert_useless(emergency)
    assert "corrupt" in emergency.trouble[0]
    assert path.read_bytes() == content

    again = open_store(tmp_path, NOW)
    assert "corrupt" in again.trouble[0]
    assert "built again" in again.trouble[1]
    aside = list(tmp_path.glob("store.sqlite3.corrupt-*"))
    assert len(aside) == 1
    assert aside[0].read_bytes() == content
    runs = again.runs()
    assert not isinstance(runs, Unknown)
    assert [(run.run_id, run.exit_code, run.accounts) for run in runs] == [
        (LATER, 0, ("main",)),
        (RUN, 13, ("main",)),
    ]
    assert runs[0].head_sha256
    verdict = again.last_verdict("main")
    assert isinstance(verdict, VerdictRecord)
    assert (verdict.verdict, verdict.run_id, verdict.blocks_resume) == (
        Verdict.CLEAN,
        LATER,
        False,
    )
    assert verdict.digests == {"policy": "aa"}
    moves = again.gate_history("main")
    assert not isinstance(moves, Unknown)
    assert [move.to_state for move in moves] == ["UNSAFE"]
    token = again.grant_lease("main", "new", token_above=0, expires_ms=NOW)
    assert isinstance(token, int)
    assert token > 77
    again.close()


def test_a_rebuilt_verdict_that_is_not_clean_blocks(tmp_path: Path) -> None:
    journal = begun(tmp_path, LATER, "main", command="reconcile")
    for word in ("discrepant", "unknown", "nonsense"):
        details = {"account": "main", "verdict": word, "as_of_ms": NOW, "valid_until_ms": NOW}
        journal.record("verdict", details)
    journal.end(10)
    store = open_store(tmp_path, NOW)
    verdict = store.last_verdict("main")
    assert isinstance(verdict, VerdictRecord)
    assert verdict.blocks_resume
    assert verdict.verdict is Verdict.UNKNOWN
    store.close()


def test_a_rebuilt_safety_verdict_opens_only_with_every_condition(tmp_path: Path) -> None:
    """What the journal does not plainly say does not hold."""
    lines: list[object] = [
        {"name": name.value, "holds": True, "known": True, "evidence": "", "as_of_ms": 1}
        for name in Name
    ]
    for number, (conditions, opens) in enumerate(
        [(lines, True), (lines[1:], False), ([*lines, "garbage"], False), (None, False)]
    ):
        root = tmp_path / str(number)
        journal = begun(root, LATER, "main", command="verify")
        journal.record(
            "verdict",
            {
                "account": "main",
                "verdict": "clean",
                "kind": "safety",
                "gate_sequence": 3,
                "conditions": conditions,
                "as_of_ms": NOW,
                "valid_until_ms": NOW,
            },
        )
        journal.end(0)
        store = open_store(root, NOW)
        verdict = store.last_verdict("main", VerdictKind.SAFETY)
        assert isinstance(verdict, VerdictRecord)
        assert verdict.opens is opens
        store.close()


def test_a_deleted_store_is_built_again_even_after_an_emergency(tmp_path: Path) -> None:
    begun(tmp_path).end(0)
    emergency = open_store(tmp_path, NOW, emergency=True)
    assert emergency.begin_run(RunRow(run_id=LATER, command="c", accounts=(), started_at_ms=1))
    emergency.close()
    store = open_store(tmp_path, NOW)
    runs = store.runs()
    assert not isinstance(runs, Unknown)
    assert {run.run_id for run in runs} == {RUN, LATER}
    store.close()
    again = open_store(tmp_path, NOW)
    assert again.trouble == ()
    again.close()


def test_opening_forgets_what_is_old(tmp_path: Path) -> None:
    store = open_store(tmp_path, NOW)
    store.add_metrics(FIGURES)
    store.close()
    later = NOW + METRICS_KEPT_MS + 1
    emergency = open_store(tmp_path, later, emergency=True)
    assert emergency.last_metrics("main") == FIGURES
    emergency.close()
    store = open_store(tmp_path, later)
    assert store.last_metrics("main") is None
    store.close()


def test_a_state_directory_that_cannot_be_made_leaves_no_store(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    assert_useless(open_store(blocker / "state", NOW))


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = open_store(tmp_path / "state", NOW)
        store.begin_run(ROW)
        for path in (tmp_path / "state").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        store.close()
    finally:
        os.umask(old)


def test_it_is_as_durable_as_sqlite_can_be(tmp_path: Path) -> None:
    store = open_store(tmp_path, NOW)
    assert isinstance(store, SqliteStore)
    connection = store._connection
    assert connection is not None
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_a_store_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    open_store(tmp_path, NOW).close()
    path = store_file(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99, 'later', 'x', 0)")
    connection.close()
    content = path.read_bytes()
    store = open_store(tmp_path, NOW)
    assert_useless(store)
    assert "newer" in store.trouble[0]
    assert path.read_bytes() == content


def test_a_step_that_was_changed_after_shipping_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "s", isolation_level=None)
    migrate(connection, tmp_path / "s", NOW)
    changed = (Migration(1, "other", ("CREATE TABLE other (a)",)), *MIGRATIONS[1:])
    with pytest.raises(SchemaRefusedError, match="step 1"):
        migrate(connection, tmp_path / "s", NOW, changed)
    connection.close()


def test_an_older_store_is_copied_and_then_brought_up_to_date(tmp_path: Path) -> None:
    path = store_file(tmp_path)
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, NOW, MIGRATIONS[:1])
    connection.execute("INSERT INTO lease VALUES ('main', 'run-a', 12, 5)")
    connection.close()
    store = open_store(tmp_path, NOW)
    assert store.remember_checkpoint(SEEN)
    lease = store.lease("main")
    assert lease is not None
    assert not isinstance(lease, Unknown)
    assert lease.fencing_token == 12
    store.close()
    copy = tmp_path / "store.sqlite3.before-2"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = sqlite3.connect(copy)
    assert before.execute("SELECT fencing_token FROM lease").fetchall() == [(12,)]
    assert before.execute("SELECT count(*) FROM schema_version").fetchone() == (1,)
    before.close()


def test_a_step_that_fails_leaves_no_half(tmp_path: Path) -> None:
    path = tmp_path / "s"
    connection = sqlite3.connect(path, isolation_level=None)
    bad = Migration(3, "bad", ("CREATE TABLE half (a)", "CREATE TABLE half (a)"))
    with pytest.raises(sqlite3.Error):
        migrate(connection, path, NOW, (*MIGRATIONS, bad))
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert "half" not in tables
    migrate(connection, path, NOW)
    connection.close()


GRANT = """
import sys
from pathlib import Path
from resyncctl.adapters.store.store_opening import open_store
store = open_store(Path(sys.argv[1]), 1795000000000)
for number in range(40):
    token = store.grant_lease("main", sys.argv[2], token_above=0, expires_ms=1)
    print(token if isinstance(token, int) else "locked", flush=True)
"""


@pytest.mark.process
def test_two_processes_never_get_the_same_token(tmp_path: Path) -> None:
    open_store(tmp_path, NOW).close()
    command = [sys.executable, "-c", GRANT, str(tmp_path)]
    children = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    answers = [child.communicate(timeout=60)[0].split() for child in children]
    tokens = [int(word) for words in answers for word in words if word != "locked"]
    assert len(tokens) > 40
    assert len(tokens) == len(set(tokens))
    for words in answers:
        own = [int(word) for word in words if word != "locked"]
        assert own == sorted(own)
