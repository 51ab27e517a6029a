"""Opening records: names that are taken, files that are held, and a cancel with sudo."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resyncctl.adapters.clock import SystemClock
from resyncctl.adapters.store.opening import open_journal
from resyncctl.adapters.store.runs import find_runs
from resyncctl.adapters.store.store_opening import open_store
from resyncctl.core.errors import RecordUnwritableError
from resyncctl.core.snapshot import Unknown
from tests.adapters.store.crash_driver import make_desk
from tests.adapters.store.journals import RUN, beginning, options

USER = 23_456


def test_a_name_that_is_taken_is_drawn_again(tmp_path: Path) -> None:
    draws = iter([0, 0, 0, 0, *[0, 0, 0, 0], *[1, 1, 1, 1]])
    drawing = replace(options(tmp_path), draw=lambda _: next(draws))
    first = open_journal(beginning(), drawing)
    second = open_journal(beginning(), drawing)
    assert first.run_id.endswith("-2222")
    assert second.run_id.endswith("-3333")
    first.end(0)
    second.end(0)


def test_a_name_that_is_always_taken_is_an_error(tmp_path: Path) -> None:
    drawing = replace(options(tmp_path), draw=lambda _: 0)
    journal = open_journal(beginning(), drawing)
    with pytest.raises(RecordUnwritableError, match="exists already"):
        open_journal(beginning(), drawing)
    with pytest.raises(RecordUnwritableError, match="exists already"):
        open_journal(beginning(), drawing, journal.run_id)
    journal.end(0)


def test_a_name_that_is_taken_stops_no_cancel(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir(mode=0o700)
    breaking = options(tmp_path / "s", tmp_path / "f" / "digest", break_glass=True)
    one = open_journal(beginning(), breaking, RUN)
    two = open_journal(beginning(), breaking, RUN)
    assert [place.kind for place in (*one.places, *two.places)] == ["state", "fallback"]
    one.end(0)
    two.end(0)


def test_a_store_that_somebody_else_is_opening_is_not_waited_for(tmp_path: Path) -> None:
    open_store(tmp_path, 1).close()
    with (tmp_path / "store.sqlite3.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        began = time.monotonic()
        store = open_store(tmp_path, 1)
        assert time.monotonic() - began < 2
        assert isinstance(store.runs(), Unknown)
        assert "another process" in store.trouble[0]


async def test_the_real_clock() -> None:
    clock = SystemClock()
    wall, running = clock.now_ms(), clock.monotonic_ms()
    assert abs(wall - time.time() * 1000) < 5_000
    await clock.sleep_ms(20)
    await clock.sleep_ms(-5)
    assert clock.monotonic_ms() - running >= 20
    assert clock.now_ms() >= wall


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own cannot be."""
    folder = Path(tempfile.mkdtemp(prefix="resyncctl-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_user(uid: int, place: Path) -> int:
    """Run a whole cancel-all as that user in a process of its own; return its exit status."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            os.setgid(uid)
            os.setuid(uid)
            desk = make_desk(place)
            outcome = desk.cancel_all(desk.venue())
            assert desk.store is not None
            assert desk.journal is not None
            in_state = [p.kind for p in desk.journal.places] == ["state"]
            usable = not desk.store.trouble and in_state and not desk.warnings
            status = int(outcome.exit_code) if usable else 98
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two users")
def test_a_cancel_with_sudo_does_not_lock_the_user_out(open_to_all: Path) -> None:
    for name in ("state", "engine", "fallback"):
        (open_to_all / name).mkdir(mode=0o700)
        os.chown(open_to_all / name, USER, USER)
    os.chown(open_to_all, USER, USER)
    assert as_user(0, open_to_all) == 0
    assert as_user(USER, open_to_all) == 0
    assert as_user(0, open_to_all) == 0
    assert as_user(USER, open_to_all) == 0
    assert len(find_runs([open_to_all / "state"])) == 4
    owners = {
        path: path.lstat().st_uid
        for path in (open_to_all / "state").rglob("*")
        if "gates" not in path.parts and not path.is_symlink()
    }
    assert set(owners.values()) == {USER}, owners


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_even_root_trusts_no_fallback_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    (tmp_path / "f").mkdir(mode=0o700)
    os.chown(tmp_path / "f", USER, USER)
    breaking = options(tmp_path / "state", tmp_path / "f" / "digest", break_glass=True)
    journal = open_journal(beginning(), breaking)
    assert [place.kind for place in journal.places] == ["mirror"]
    journal.end(0)
