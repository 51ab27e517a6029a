"""Following a journal while it is written: whole records, each once, and the writer's death."""

from pathlib import Path

from resyncctl.adapters.store.follow import Follower
from tests.adapters.store.journals import RUN, new_journal


def sequences(follower: Follower) -> list[int]:
    return [record.sequence for record in follower.new_records()]


def test_every_record_is_seen_once_and_in_order(tmp_path: Path) -> None:
    follower = Follower((tmp_path,), RUN)
    assert sequences(follower) == []
    assert not follower.is_alive()
    journal = new_journal(tmp_path)
    journal.record("one", {})
    journal.record("two", {})
    assert follower.is_alive()
    assert sequences(follower) == [1, 2]
    assert sequences(follower) == []
    journal.record("three", {})
    journal.close()
    assert not follower.is_alive()
    assert sequences(follower) == [3]
    assert follower.unreadable == 0


def test_half_a_record_waits_for_its_other_half(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    journal.record("one", {})
    journal.record("two", {})
    journal.close()
    whole = journal.path.read_bytes()
    follower = Follower((tmp_path,), RUN)
    journal.path.write_bytes(whole[:-20])
    assert sequences(follower) == [1]
    journal.path.write_bytes(whole)
    assert sequences(follower) == [2]


def test_a_line_that_is_no_record_is_counted(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    journal.record("one", {})
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b"garbage\n")
    follower = Follower((tmp_path,), RUN)
    assert sequences(follower) == [1]
    assert follower.unreadable == 1


def test_a_journal_that_went_on_elsewhere_is_followed(tmp_path: Path) -> None:
    new_journal(tmp_path / "state").record("one", {})
    second = new_journal(tmp_path / "fallback")
    second.record("two", {})
    follower = Follower((tmp_path / "state", tmp_path / "fallback"), RUN)
    assert [record.event for record in follower.new_records()] == ["one", "two"]
    second.record("three", {})
    assert [record.event for record in follower.new_records()] == ["three"]
    second.close()
