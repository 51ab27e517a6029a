"""Where exactly a journal does not hold, and what a reader may still believe of it."""

import json
from pathlib import Path

import pytest

from resyncctl.adapters.store.chain import check_links, last_record, order_pieces, read_file
from resyncctl.adapters.store.records import CHAIN_RESTARTED, CONTINUED, GENESIS, Head, seal

RUN = "20261121T103000Z-cancel-all-7f3k"


def lines(number: int, *, head: Head | None = None, event: str = "one") -> list[bytes]:
    """Sealed records; the first one has the given event, the rest follow it."""
    found = []
    head = head or Head()
    for index in range(number):
        record, line = seal(
            head,
            at_ms=1_000 + index,
            run_id=RUN,
            event=event if index == 0 else "next",
            details={"n": index},
        )
        head = Head(record.sequence, record.sha256)
        found.append(line)
    return found


def head_of(line: bytes) -> Head:
    document = json.loads(line)
    return Head(document["sequence"], document["sha256"])


def written(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def test_a_whole_file_is_good_to_its_last_byte(tmp_path: Path) -> None:
    rows = lines(3)
    reading = read_file(written(tmp_path / "j", *rows), RUN)
    assert reading.breaks == ()
    assert reading.good_bytes == sum(map(len, rows))
    assert reading.head == head_of(rows[-1])
    assert reading.torn == b""
    assert [record.sequence for record in reading.records] == [1, 2, 3]


def test_a_file_that_cannot_be_read_holds_nothing(tmp_path: Path) -> None:
    reading = read_file(tmp_path / "nothing", RUN)
    (problem,) = reading.breaks
    assert (problem.kind, problem.line, problem.sequence) == ("unreadable", 0, None)
    assert reading.good_bytes == 0
    assert reading.head == Head()
    assert reading.first is None


def test_a_torn_end_is_placed_and_measured(tmp_path: Path) -> None:
    rows = lines(2)
    reading = read_file(written(tmp_path / "j", *rows, b'{"sequence":3', b"\0" * 10), RUN)
    (problem,) = reading.breaks
    assert (problem.kind, problem.line) == ("torn", 3)
    assert problem.detail == "13 bytes of an unfinished record"
    assert reading.torn == b'{"sequence":3'
    assert reading.good_bytes == sum(map(len, rows))


def test_reserved_zeros_are_no_break(tmp_path: Path) -> None:
    reading = read_file(written(tmp_path / "j", *lines(2), b"\0" * 4096), RUN)
    assert reading.breaks == ()
    assert reading.torn == b""


def test_an_empty_first_line_is_garbled_and_does_not_end_the_reading(tmp_path: Path) -> None:
    rows = lines(2)
    reading = read_file(written(tmp_path / "j", b"\n", *rows), RUN)
    assert [(problem.kind, problem.line) for problem in reading.breaks] == [("garbled", 1)]
    assert len(reading.records) == 2
    assert reading.good_bytes == 0
    assert reading.head == Head()


def test_a_garbled_line_before_a_torn_end_stays_a_break(tmp_path: Path) -> None:
    rows = lines(1)
    reading = read_file(written(tmp_path / "j", *rows, b"garbage\n", b"{half"), RUN)
    assert [problem.kind for problem in reading.breaks] == ["garbled", "torn"]
    assert reading.torn == b"{half"


def test_without_a_run_id_any_run_is_read(tmp_path: Path) -> None:
    assert read_file(written(tmp_path / "j", *lines(2))).breaks == ()
    foreign = read_file(tmp_path / "j", "another-run")
    assert [problem.kind for problem in foreign.breaks] == ["foreign", "foreign"]


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ((2,), "record 2 is missing before it"),
        ((2, 3), "records 2 to 3 is missing before it"),
    ],
)
def test_missing_records_are_named(tmp_path: Path, gone: tuple[int, ...], words: str) -> None:
    rows = [row for number, row in enumerate(lines(5), 1) if number not in gone]
    reading = read_file(written(tmp_path / "j", *rows), RUN)
    assert [(problem.kind, problem.detail) for problem in reading.breaks] == [("removed", words)]
    assert reading.good_bytes == len(rows[0])


def test_a_continuation_in_the_middle_must_link_like_any_record(tmp_path: Path) -> None:
    rows = lines(2)
    stranger = lines(1, head=Head(2, "f" * 64), event=CONTINUED)
    reading = read_file(written(tmp_path / "j", *rows, *stranger), RUN)
    assert [problem.kind for problem in reading.breaks] == ["altered"]


def test_the_last_record_is_found_without_reading_the_rest(tmp_path: Path) -> None:
    rows = lines(400)
    path = written(tmp_path / "j", *rows)
    assert path.stat().st_size > 64 * 1024
    found = last_record(path)
    assert found is not None
    assert found.sequence == 400


@pytest.mark.parametrize("end", [b"{half", b"\0" * 64, b"not a record\n", b"\n"])
def test_a_last_line_that_is_not_whole_is_no_record(tmp_path: Path, end: bytes) -> None:
    assert last_record(written(tmp_path / "j", *lines(2), end)) is None
    assert last_record(tmp_path / "nothing") is None


def test_a_last_record_that_was_altered_is_not_returned(tmp_path: Path) -> None:
    *rows, last = lines(2)
    assert last_record(written(tmp_path / "j", *rows, last.replace(b'"n":1', b'"n":7'))) is None
    only = written(tmp_path / "k", *lines(1))
    found = last_record(only)
    assert found is not None
    assert found.sequence == 1


def pieces(folder: Path, *contents: list[bytes]) -> list[Path]:
    return [written(folder / f"piece-{n}", *rows) for n, rows in enumerate(contents)]


def links(paths: list[Path]) -> list[str]:
    ordered = order_pieces([read_file(path, RUN) for path in paths])
    return [problem.detail for problem in check_links(ordered)]


def test_a_piece_that_goes_on_from_a_record_that_is_there_is_linked(tmp_path: Path) -> None:
    rows = lines(3)
    later = lines(2, head=head_of(rows[1]), event=CONTINUED)
    assert links(pieces(tmp_path, rows, later)) == []


def test_pieces_are_ordered_by_their_first_record_and_empty_ones_come_first(tmp_path: Path) -> None:
    rows = lines(3)
    later = lines(2, head=head_of(rows[2]), event=CONTINUED)
    paths = pieces(tmp_path, later, rows, [])
    ordered = order_pieces([read_file(path, RUN) for path in paths])
    assert [reading.path.name for reading in ordered] == ["piece-2", "piece-1", "piece-0"]
    assert check_links(ordered) == ()


def test_an_empty_piece_does_not_end_the_check(tmp_path: Path) -> None:
    stranger = lines(1, head=Head(9, "f" * 64), event=CONTINUED)
    assert links(pieces(tmp_path, [], lines(2), stranger)) == ["does not link to any earlier piece"]


def test_a_piece_without_its_beginning_is_told(tmp_path: Path) -> None:
    lonely = lines(2, head=Head(4, "f" * 64), event=CHAIN_RESTARTED)
    assert links(pieces(tmp_path, lonely)) == ["the piece that it goes on from is missing"]


@pytest.mark.parametrize(
    "head", [Head(0, "f" * 64), Head(3, GENESIS)], ids=["first but linked", "later but unlinked"]
)
def test_only_a_true_beginning_may_follow_other_pieces(tmp_path: Path, head: Head) -> None:
    rows = lines(2)
    odd = lines(1, head=head, event=CONTINUED)
    assert links(pieces(tmp_path, rows, odd)) == ["does not link to any earlier piece"]
    alone = tmp_path / "alone"
    alone.mkdir()
    assert links(pieces(alone, odd)) == ["the piece that it goes on from is missing"]


def test_two_plain_beginnings_do_not_belong_together(tmp_path: Path) -> None:
    one, two = lines(2), lines(2, event="other")
    assert links(pieces(tmp_path, one, two)) == ["does not link to any earlier piece"]
    begun_anew = lines(2, event=CHAIN_RESTARTED)
    other = tmp_path / "other"
    other.mkdir()
    assert links(pieces(other, one, begun_anew)) == []
