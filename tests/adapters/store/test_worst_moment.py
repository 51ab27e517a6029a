"""cancel-all on one account with every record of this host missing, locked, corrupt or full.

Each situation is the real thing (a full file system, a locked database), the procedure is the true
one, and the law is always the same: proved empty, gate closed, and every request has an earlier
record on disk as long as any disk takes one.
"""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resyncctl.adapters.store.append_file import RESERVE_BYTES
from resyncctl.adapters.store.audit import verify_chains
from resyncctl.adapters.store.chain import read_file
from resyncctl.adapters.store.places import store_file
from resyncctl.adapters.store.runs import find_runs
from resyncctl.adapters.store.store_opening import open_store
from resyncctl.core.errors import RecordUnwritableError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import AccountOutcome
from resyncctl.sdk.gate import read_gate, write_gate
from tests.adapters.store.crash_driver import make_desk
from tests.adapters.store.desk import Desk
from tests.adapters.store.journals import beginning, begun
from tests.fakes.fake_clock import START_MS
from tests.fakes.fake_venue import FakeVenue


def intents_on_disk(desk: Desk) -> set[str]:
    return {
        str(record.details["intent_id"])
        for run in find_runs([desk.state_dir, desk.fallback])
        for piece in run.read()
        for record in read_file(piece.path).records
        if record.event == "intent"
    }


def watched(desk: Desk, *, needs_disk: bool = True) -> AccountOutcome:
    """Run cancel-all; at each request look on disk (or in the mirror) for its record."""
    requests: list[str] = []

    def on_wire(venue: FakeVenue) -> None:
        intent_id = venue.permits[-1].intent_id
        requests.append(intent_id)
        if needs_disk:
            assert intent_id in intents_on_disk(desk)
        else:
            assert intent_id in desk.mirror.getvalue()

    desk.on_wire = on_wire
    venue = desk.venue()
    outcome = desk.cancel_all(venue)
    assert len(set(requests)) == len(requests) == 4
    assert outcome.exit_code is ExitCode.OK, outcome
    assert outcome.status == "proved_empty"
    assert not venue.resting()
    assert not read_gate(desk.engine_file, "main").permits_orders
    return outcome


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = make_desk(tmp_path)
    made.state_dir.mkdir(mode=0o700)
    begun(made.state_dir, "20261121T080000Z-reconcile-2345").end(0)
    open_store(made.state_dir, START_MS).close()
    write_gate(
        made.engine_file, account="main", state="RUNNING", reason="", by="", run_id="", now_ms=1
    )
    return made


def test_all_is_well(desk: Desk) -> None:
    watched(desk)
    assert desk.store is not None
    assert desk.store.trouble == ()
    assert desk.warnings == []
    assert desk.mirror.getvalue() == ""
    assert read_gate(desk.engine_file, "main").trusted


def test_the_store_is_deleted(desk: Desk) -> None:
    store_file(desk.state_dir).unlink()
    watched(desk)


def test_the_store_is_corrupt(desk: Desk) -> None:
    store_file(desk.state_dir).write_bytes(os.urandom(8192))
    watched(desk)
    assert desk.store is not None
    assert "corrupt" in desk.store.trouble[0]


def test_the_store_is_locked_by_somebody_who_never_lets_go(desk: Desk) -> None:
    other = sqlite3.connect(store_file(desk.state_dir), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    watched(desk)
    assert time.monotonic() - began < 5
    other.close()


def test_the_whole_state_directory_is_gone(desk: Desk) -> None:
    shutil.rmtree(desk.state_dir)
    watched(desk)


@pytest.mark.invariant("I46")
def test_the_state_directory_cannot_be_used_at_all(desk: Desk) -> None:
    shutil.rmtree(desk.state_dir)
    desk.state_dir.write_text("a file is in the way")
    watched(desk)
    assert desk.journal is not None
    assert [place.kind for place in desk.journal.places] == ["fallback"]
    assert desk.warnings
    assert verify_chains([desk.state_dir, desk.fallback]).ok


@pytest.mark.invariant("I46")
def test_no_place_at_all_takes_a_journal(desk: Desk) -> None:
    for folder in (desk.state_dir, desk.fallback.parent):
        shutil.rmtree(folder)
        folder.write_text("a file is in the way")
    watched(desk, needs_disk=False)
    assert desk.journal is not None
    assert [place.kind for place in desk.journal.places] == ["mirror"]


def test_the_gate_files_folder_is_gone(desk: Desk) -> None:
    shutil.rmtree(desk.engine_file.parent)
    watched(desk)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A true file system of 3 MiB, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path, name: str = "ballast") -> None:
    """Take every last byte."""
    with (place / name).open("wb", buffering=0) as stream:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    stream.write(b"x" * size)
            except OSError:
                continue


def on_small_disk(desk: Desk, disk: Path) -> Desk:
    """Let everything but the fallback live on the small disk."""
    shutil.move(desk.state_dir, disk / "state")
    shutil.move(desk.engine_file.parent, disk / "engine")
    desk.state_dir, desk.engine_file = disk / "state", disk / "engine" / "gate.json"
    return desk


@pytest.mark.process
def test_the_disk_is_full_before_the_start(desk: Desk, small_disk: Path) -> None:
    on_small_disk(desk, small_disk)
    assert read_gate(desk.engine_file, "main").permits_orders
    fill(small_disk)
    watched(desk)
    assert desk.journal is not None
    assert [place.kind for place in desk.journal.places] == ["fallback"]
    assert "No space left" in desk.warnings[0]
    assert verify_chains([desk.state_dir, desk.fallback]).ok


@pytest.mark.process
def test_the_disk_fills_up_right_after_the_start(desk: Desk, small_disk: Path) -> None:
    """What was reserved at the start is enough for the whole run."""
    on_small_disk(desk, small_disk)
    filled = False

    def sync(handle: int) -> None:
        nonlocal filled
        os.fsync(handle)
        if not filled and os.fstat(handle).st_size > 0:
            filled = True
            fill(small_disk)

    desk.sync = sync
    watched(desk)
    assert filled
    assert desk.journal is not None
    assert [place.kind for place in desk.journal.places] == ["state"]


@pytest.mark.process
def test_both_disks_are_full(desk: Desk, small_disk: Path) -> None:
    on_small_disk(desk, small_disk)
    desk.fallback = small_disk / "fallback" / "digest"
    (small_disk / "fallback").mkdir(mode=0o700)
    fill(small_disk)
    watched(desk, needs_disk=False)


@pytest.mark.process
def test_a_strict_journal_refuses_to_start_on_a_full_disk(desk: Desk, small_disk: Path) -> None:
    from dataclasses import replace

    from resyncctl.adapters.store.opening import open_journal

    on_small_disk(desk, small_disk)
    strict = replace(desk.options(), break_glass=False)
    open_journal(beginning("main"), strict).end(0)
    fill(small_disk)
    before = sorted((desk.state_dir / "runs").iterdir())
    with pytest.raises(RecordUnwritableError) as trouble:
        open_journal(beginning("main"), strict)
    assert "No space left" in trouble.value.message
    assert "free some space" in (trouble.value.hint or "")
    assert sorted((desk.state_dir / "runs").iterdir()) == before, "no empty run is left behind"


@pytest.mark.process
def test_the_store_lives_through_a_full_disk(desk: Desk, small_disk: Path) -> None:
    on_small_disk(desk, small_disk)
    store = open_store(desk.state_dir, START_MS)
    token = store.grant_lease("main", "a", token_above=0, expires_ms=1)
    assert isinstance(token, int)
    fill(small_disk)
    writes = 0
    while store.grant_lease("main", f"holder {'x' * 5_000}", token_above=0, expires_ms=1) == (
        token + writes + 1
    ):
        writes += 1
        assert writes < 1_000
    assert any("full" in words or "disk" in words for words in store.trouble), store.trouble
    (small_disk / "ballast").unlink()
    again = store.grant_lease("main", "b", token_above=0, expires_ms=1)
    assert isinstance(again, int)
    assert again > token
    store.close()


Run = Callable[..., "subprocess.CompletedProcess[str]"]
LIMITED = """
import resource, sys
from pathlib import Path
from tests.adapters.store.crash_driver import make_desk
desk = make_desk(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
outcome = desk.cancel_all(desk.venue())
print(outcome.status, *(place.kind for place in desk.journal.places))
sys.stderr.write(desk.mirror.getvalue())
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("limit", "kinds"),
    [(0, ["mirror"]), (1024, ["state", "fallback", "mirror"]), (RESERVE_BYTES, ["state"])],
)
def test_no_file_may_grow(tmp_path: Path, limit: int, kinds: list[str], run_python: Run) -> None:
    """A limit on the size of files is told by the system in another way than a full disk."""
    done = run_python(LIMITED.format(limit=limit), str(tmp_path))
    assert done.stdout.split() == ["proved_empty", *kinds], done.stderr
    on_disk = intents_on_disk(make_desk(tmp_path))
    mirrored = done.stderr.count('"event":"intent"')
    assert len(on_disk) + mirrored == 4


@pytest.fixture
def run_python() -> Run:
    import sys

    root = Path(__file__).parents[3]

    def run(text: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", text, *arguments],
            cwd=root,
            env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"},
            timeout=60,
            check=False,
            capture_output=True,
            text=True,
        )

    return run
