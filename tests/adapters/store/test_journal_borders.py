"""What the journal tells of itself, and how far it goes to find a place for a new chain."""

import errno
import os
from pathlib import Path

import pytest

from resyncctl.adapters.store import journal as journal_module
from resyncctl.adapters.store.chain import read_file
from resyncctl.adapters.store.journal import (
    Beginning,
    JournalPlace,
    create_journal,
    reopen_journal,
    user_name,
)
from resyncctl.adapters.store.places import runs_directory
from resyncctl.adapters.store.records import Head
from resyncctl.core.errors import RecordUnwritableError
from tests.adapters.store.journals import RUN, new_journal, untouched
from tests.fakes.fake_clock import FakeClock


def test_it_says_where_it_is_and_counts_what_it_put_on_disk(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    assert journal.records_written == 0
    journal.record("one", {})
    journal.record("two", {})
    assert journal.records_written == 2
    assert journal.places == (JournalPlace(kind="state", place=str(journal.path)),)
    journal.close()


def test_a_piece_goes_on_from_the_head_that_it_is_given(tmp_path: Path) -> None:
    journal = create_journal(
        runs_directory(tmp_path) / RUN,
        RUN,
        clock=FakeClock(),
        redact=untouched,
        head=Head(7, "a" * 64),
    )
    assert journal.record("next", {}) == 8
    journal.close()
    (record,) = read_file(journal.path, RUN).records
    assert record.prev_sha256 == "a" * 64


def test_a_torn_end_that_cannot_be_told_lets_go_of_the_file(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    journal.record("one", {})
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b"{half")
    calls = 0

    def sync(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(RecordUnwritableError):
        reopen_journal(journal.path, RUN, clock=FakeClock(), redact=untouched, sync=sync)
    assert len(os.listdir("/proc/self/fd")) == before


def broken(tmp_path: Path) -> Path:
    journal = new_journal(tmp_path)
    for number in range(3):
        journal.record("one", {"n": number})
    journal.close()
    first, *rest = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(first.replace(b'"n":0', b'"n":9') + b"".join(rest))
    return journal.path


@pytest.mark.invariant("I27")
def test_a_new_chain_takes_the_first_free_place(tmp_path: Path) -> None:
    path = broken(tmp_path)
    first = reopen_journal(path, RUN, clock=FakeClock(), redact=untouched)
    first.close()
    second = reopen_journal(path, RUN, clock=FakeClock(), redact=untouched)
    second.close()
    assert [first.path.name, second.path.name] == ["journal.2.jsonl", "journal.3.jsonl"]


@pytest.mark.invariant("I27")
def test_a_journal_without_any_good_record_is_linked_to_as_a_whole(tmp_path: Path) -> None:
    path = new_journal(tmp_path).path
    path.write_bytes(b"garbage\n" * 30 + b"more\n")
    journal = reopen_journal(path, RUN, clock=FakeClock(), redact=untouched)
    journal.close()
    (record,) = read_file(journal.path, RUN).records
    assert record.details["last_record_sha256"] is None
    assert record.details["good_sequence"] == 0
    assert len(record.details["breaks"]) == 20  # type: ignore[arg-type]  # a list in JSON


def test_there_is_an_end_to_new_chains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_PIECES_MAX", 3)
    path = broken(tmp_path)
    reopen_journal(path, RUN, clock=FakeClock(), redact=untouched).close()
    with pytest.raises(RecordUnwritableError, match="too many restarted chains"):
        reopen_journal(path, RUN, clock=FakeClock(), redact=untouched)


def test_a_journal_that_cannot_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "journal.jsonl"
    folder.mkdir()
    with pytest.raises(RecordUnwritableError) as refused:
        reopen_journal(folder, RUN, clock=FakeClock(), redact=untouched)
    assert refused.value.place == str(folder)


def test_who_runs_it_is_told_with_a_name_or_a_number() -> None:
    def nobody() -> str:
        raise KeyError("no such user")

    assert user_name(lambda: "alice") == "alice"
    assert user_name(nobody) == f"uid {os.geteuid()}"
    told = Beginning(command="x", accounts=("main",), version="1", words=("a",)).details()
    assert told["pid"] == os.getpid()
    assert told["words"] == ["a"]
