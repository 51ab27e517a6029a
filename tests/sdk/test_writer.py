"""Writing a checkpoint: a crash at any moment leaves a valid one, and one writer at a time."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from resyncctl.sdk import history
from resyncctl.sdk.checkpoint import load_file, read_checkpoint
from resyncctl.sdk.errors import (
    CheckpointCorrupt,
    CheckpointRolledBack,
    FormatError,
    Unwritable,
    WriterBusy,
    WriterLost,
)
from resyncctl.sdk.writer import KEEP_AT_LEAST, CheckpointWriter
from tests.sdk.samples import NOW_MS, content, order, ticking, write_generations


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.json"


def chain(path: Path) -> None:
    """Assert that journal and generations continue each other, one by one."""
    journal = history.read_journal(path)
    assert list(journal) == list(range(1, len(journal) + 1))
    newest = load_file(path)
    assert journal[newest.sequence] == newest.sha256
    for sequence, place in history.generations(path):
        found = load_file(place)
        assert found.sequence == sequence
        assert journal[sequence] == found.sha256
        assert found.prev_sha256 == journal.get(sequence - 1)


def test_the_sequence_and_the_chain_go_on_across_restarts(path: Path) -> None:
    for _ in range(4):
        write_generations(path, 3)
    assert read_checkpoint(path).sequence == 12
    chain(path)


def test_the_last_generations_are_kept_and_the_file_is_private(path: Path) -> None:
    write_generations(path, KEEP_AT_LEAST + 7)
    kept = [sequence for sequence, _ in history.generations(path)]
    assert kept == list(range(KEEP_AT_LEAST + 7, 7, -1))
    assert os.stat(path).st_mode & 0o777 == 0o600
    left = {place.name for place in path.parent.iterdir()}
    assert left == {
        "bot.json",
        "bot.json.lock",
        "bot.json.journal",
        *(f"bot.json.{sequence}.json" for sequence in kept),
    }


def test_only_one_writer_at_a_time(path: Path) -> None:
    with CheckpointWriter(path) as writer:
        writer.write(content())
        with pytest.raises(WriterBusy, match=f"process {os.getpid()}"):
            CheckpointWriter(path)
    with CheckpointWriter(path) as writer:
        assert writer.sequence == 1


def test_a_closed_writer_and_a_removed_lock_write_nothing(path: Path) -> None:
    writer = CheckpointWriter(path)
    writer.write(content())
    history.lock_path(path).unlink()
    with pytest.raises(WriterLost, match="removed or replaced"):
        writer.write(content())
    with CheckpointWriter(path) as other:
        other.write(content())
        with pytest.raises(WriterLost):
            writer.write(content())
    writer.close()
    writer.close()
    with pytest.raises(WriterLost, match="closed"):
        writer.write(content())
    assert read_checkpoint(path).sequence == 2


def test_content_that_a_reader_would_refuse_is_not_written(path: Path) -> None:
    write_generations(path, 1)
    before = path.read_bytes()
    with CheckpointWriter(path) as writer:
        for bad in (
            content(orders=[order(amount="x")]),
            content(extra={"price": 1.5}),  # type: ignore[dict-item]
            content(account={}),
        ):
            with pytest.raises(FormatError):
                writer.write(bad)
        assert path.read_bytes() == before
        assert writer.write(content()).sequence == 2


def test_the_writer_owns_the_header(path: Path) -> None:
    with CheckpointWriter(path, now_ms=lambda: NOW_MS) as writer:
        writer.write(content(sequence=99, schema="x", prev_sha256="0" * 64, written_ms=1))
    found = read_checkpoint(path)
    assert (found.sequence, found.prev_sha256, found.written_ms) == (1, None, NOW_MS)
    assert found.next_write_ms == NOW_MS + 30_000


def test_a_damaged_file_lets_the_writer_go_on_from_the_generation(path: Path) -> None:
    write_generations(path, 3)
    path.unlink()
    path.write_bytes(b"torn")
    with CheckpointWriter(path) as writer:
        assert writer.found is not None
        assert writer.found.fallback is not None
        assert writer.write(content()).sequence == 4
    chain(path)


def test_total_damage_is_not_a_new_beginning_unless_asked(path: Path) -> None:
    write_generations(path, 2)
    for place in [path, *(place for _, place in history.generations(path))]:
        place.unlink()
        place.write_bytes(b"torn")
    with pytest.raises(CheckpointCorrupt):
        CheckpointWriter(path)
    with CheckpointWriter(path, start_anew=True) as writer:
        assert writer.found is None
        assert writer.write(content()).sequence == 3
    assert read_checkpoint(path).prev_sha256 == history.read_journal(path)[2]


def test_a_backup_that_was_put_back_is_refused_and_no_sequence_is_used_twice(path: Path) -> None:
    write_generations(path, 1)
    backup = path.read_bytes()
    write_generations(path, 3)
    path.unlink()
    path.write_bytes(backup)
    with pytest.raises(CheckpointRolledBack):
        CheckpointWriter(path)
    with CheckpointWriter(path, allow_rollback=True) as writer:
        assert writer.found is not None
        assert writer.found.rolled_back_from == 4
        assert writer.write(content()).sequence == 5
    chain(path)


def test_a_torn_journal_line_is_cut_off_and_a_long_journal_is_shortened(path: Path) -> None:
    write_generations(path, 2)
    place = history.journal_path(path)
    with open(place, "ab") as journal:
        journal.write(b"3,ab")
    write_generations(path, 1)
    chain(path)
    place.write_bytes(b"an old line\n" * 100_000 + place.read_bytes())
    write_generations(path, 1)
    assert place.stat().st_size < 100_000
    assert max(history.read_journal(path)) == 4
    assert read_checkpoint(path).sequence == 4


FAILING: list[tuple[str, int]] = [
    (name, call)
    for name, calls in (("fsync", 3), ("replace", 1), ("link", 1))
    for call in range(calls)
]


@pytest.mark.parametrize(("name", "call"), FAILING)
def test_a_full_disk_at_any_step_keeps_a_valid_file_and_a_straight_chain(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: int
) -> None:
    write_generations(path, 2)
    real: Callable[..., None] = getattr(os, name)
    calls = iter(range(1000))

    def refuse(*arguments: object) -> None:
        if next(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments)

    with CheckpointWriter(path, now_ms=ticking()) as writer:
        with monkeypatch.context() as patched:
            patched.setattr(os, name, refuse)
            if name == "link":
                # A file system without hard links: the generation becomes a copy.
                assert writer.write(content()).sequence == 3
            else:
                with pytest.raises(Unwritable, match="No space left"):
                    writer.write(content())
        left = read_checkpoint(path)
        assert left.sequence in {2, 3}
        assert left.fallback is None
        written = writer.write(content())
    # Whatever the failed write has left is what the next one continues.
    assert written.sequence == left.sequence + 1
    found = read_checkpoint(path)
    assert (found.sequence, found.prev_sha256) == (written.sequence, left.sha256)
    assert not [place for place in path.parent.iterdir() if ".tmp." in place.name]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match="cannot be locked"):
        CheckpointWriter(tmp_path / "none" / "bot.json")


def test_a_forked_child_may_not_write(path: Path) -> None:
    with CheckpointWriter(path) as writer:
        writer.write(content())
        child = os.fork()
        if child == 0:
            try:
                writer.write(content())
            except WriterLost:
                os._exit(42)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42


_WRITES_UNTIL_KILLED = """
import sys
from tests.sdk.samples import content, order
from resyncctl.sdk.writer import CheckpointWriter
with CheckpointWriter(sys.argv[1]) as writer:
    for n in range(1, 1_000_000):
        rows = [order(client_id=f"{writer.sequence}-{m}") for m in range(20)]
        written = writer.write(content(orders=rows))
        print(written.sequence, flush=True)
"""


@pytest.mark.process
def test_killed_at_any_moment_what_was_reported_as_written_is_there(path: Path) -> None:
    seed = random.Random(7)
    reported = 0
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITES_UNTIL_KILLED, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": "src:."},
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert int(first) >= reported + 1
            time.sleep(seed.uniform(0, 0.06))
            os.kill(process.pid, signal.SIGKILL)
            rest = process.stdout.read().splitlines()
            reported = int([first, *rest][-1])
        found = read_checkpoint(path)
        assert found.fallback is None
        # One more may be on disk than the dying process could report.
        assert reported <= found.sequence <= reported + 1
        reported = found.sequence
    write_generations(path, 1)
    assert read_checkpoint(path).sequence == reported + 1
    assert not [place for place in path.parent.iterdir() if ".tmp." in place.name]


def test_what_a_failed_write_left_must_be_readable_before_the_next_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with CheckpointWriter(path, now_ms=ticking()) as writer:
        writer.write(content())
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", refuse)
            with pytest.raises(Unwritable, match="Input/output error"):
                writer.write(content())
        kept = path.read_bytes()
        path.unlink()
        path.write_bytes(b"{")
        with pytest.raises(Unwritable, match="cannot be read"):
            writer.write(content())
        path.write_bytes(kept)
        assert writer.write(content()).sequence == 2
