"""Read journal files back and say where and how their chain is broken.

A run's journal is one file, or several when it had to go on elsewhere; each piece says in its first
record what it goes on from. Promises: reading never raises for bad content; what a crash leaves (an
unfinished last line, reserved zeros) is told apart from what a hand has done (altered, removed,
reordered, duplicated, foreign records). Called by the journal when it reopens, by the run list and
by the audit.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resyncctl.adapters.store.records import (
    CHAIN_RESTARTED,
    CONTINUED,
    GENESIS,
    Head,
    Record,
    parse_line,
)

_TAIL_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBreak:
    """One place where a chain does not hold.

    `kind` is one of torn, altered, removed, reordered, duplicated, foreign, garbled, unreadable,
    unlinked, rewritten. `line` counts from 1, `sequence` is the record's own number where it has
    one.
    """

    kind: str
    path: Path
    line: int
    sequence: int | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReading:
    """One journal file as it was read.

    `good_bytes` is the length of the beginning up to the first thing that does not hold, `head` the
    last record in it. `torn` holds what a crash left behind it, empty when there is nothing.
    """

    path: Path
    records: tuple[Record, ...]
    breaks: tuple[ChainBreak, ...]
    head: Head
    good_bytes: int
    torn: bytes

    @property
    def first(self) -> Record | None:
        """The first record, None when there is none."""
        return self.records[0] if self.records else None


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    start: int
    end: int
    record: Record | None


def read_file(path: Path, run_id: str | None = None) -> FileReading:
    """Read one journal file; with `run_id` every record must belong to that run."""
    try:
        data = path.read_bytes()
    except OSError as trouble:
        problem = ChainBreak(
            kind="unreadable", path=path, line=0, sequence=None, detail=str(trouble.strerror)
        )
        return FileReading(
            path=path, records=(), breaks=(problem,), head=Head(), good_bytes=0, torn=b""
        )
    return _read(path, data, run_id)


def _read(path: Path, data: bytes, run_id: str | None) -> FileReading:
    lines, torn = _split(data)
    walk = _Walk(path, run_id, [line.record for line in lines if line.record is not None])
    for line in lines:
        walk.step(line)
    if torn.strip(b"\0"):
        walk.add(
            "torn",
            len(lines) + 1,
            None,
            f"{len(torn.rstrip(bytes(1)))} bytes of an unfinished record",
        )
    return FileReading(
        path=path,
        records=tuple(walk.all_records),
        breaks=tuple(walk.breaks),
        head=walk.head,
        good_bytes=walk.good_bytes,
        torn=torn.rstrip(b"\0"),
    )


def _split(data: bytes) -> tuple[list[_Line], bytes]:
    """Split into complete lines and the torn rest. A last line that is no record is torn too."""
    lines: list[_Line] = []
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        text = data[start:end]
        lines.append(_Line(len(lines) + 1, start, end + 1, parse_line(text)))
        start = end + 1
    if start >= len(data.rstrip(b"\0")) and lines and lines[-1].record is None:
        start = lines.pop().start
    return lines, data[start:]


class _Walk:
    """Follow the chain from record to record and collect what does not hold."""

    def __init__(self, path: Path, run_id: str | None, records: list[Record]) -> None:
        self.all_records = records
        self.breaks: list[ChainBreak] = []
        self.head = Head()
        self.good_bytes = 0
        self._path = path
        self._run_id = run_id
        self._present = [record.sequence for record in records]
        self._last: Record | None = None
        self._displaced: set[int] = set()

    def add(self, kind: str, line: int, sequence: int | None, detail: str) -> None:
        """Note one break."""
        self.breaks.append(
            ChainBreak(kind=kind, path=self._path, line=line, sequence=sequence, detail=detail)
        )

    def step(self, line: _Line) -> None:
        """Look at the next line."""
        record = line.record
        if record is None:
            self.add("garbled", line.number, None, "the line is not a record")
            return
        if not record.intact:
            detail = "the content does not match its own hash"
            self.add("altered", line.number, record.sequence, detail)
        if self._run_id is not None and record.run_id != self._run_id:
            self.add("foreign", line.number, record.sequence, f"it belongs to run {record.run_id}")
        self._link(line.number, record)
        if not self.breaks:
            self.head = Head(record.sequence, record.sha256)
            self.good_bytes = line.end
        self._last = record

    def _link(self, number: int, record: Record) -> None:
        if self._last is None and record.event in {CONTINUED, CHAIN_RESTARTED}:
            return  # a later piece: what it goes on from is checked across files
        expected = self._last.sequence + 1 if self._last else 1
        previous = self._last.sha256 if self._last else GENESIS
        if record.sequence > expected:
            self._gap(number, record, expected)
        elif record.sequence < expected:
            if record.sequence not in self._displaced:
                detail = f"record {record.sequence} stands after record {expected - 1} again"
                self.add("duplicated", number, record.sequence, detail)
        elif record.prev_sha256 != previous:
            detail = f"record {record.sequence} does not link to the record before it"
            self.add("altered", number, record.sequence, detail)

    def _gap(self, number: int, record: Record, expected: int) -> None:
        missing = [
            sequence
            for sequence in range(expected, min(record.sequence, expected + 10_000))
            if sequence not in self._displaced
        ]
        elsewhere = sorted(set(missing) & set(self._present))
        if elsewhere:
            self._displaced.update(elsewhere)
            self.add(
                "reordered", number, record.sequence, f"it stands before record {elsewhere[0]}"
            )
        gone = sorted(set(missing) - set(elsewhere))
        if gone:
            words = f"record {gone[0]}" if len(gone) == 1 else f"records {gone[0]} to {gone[-1]}"
            self.add("removed", number, record.sequence, f"{words} is missing before it")


def last_record(path: Path) -> Record | None:
    """Return the last record without reading the whole file, None when that is not whole.

    Only a line that matches its own hash is returned.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL_BYTES))
            tail = stream.read()
    except OSError:
        return None
    if not tail.endswith(b"\n"):
        return None
    record = parse_line(tail[:-1].rsplit(b"\n", 1)[-1])
    return record if record is not None and record.intact else None


def order_pieces(pieces: Sequence[FileReading]) -> tuple[FileReading, ...]:
    """Return a run's pieces in the order in which they were written."""

    def place(piece: FileReading) -> tuple[int, int, str]:
        first = piece.first
        return (first.sequence, first.at_ms, str(piece.path)) if first else (0, 0, str(piece.path))

    return tuple(sorted(pieces, key=place))


def check_links(pieces: Sequence[FileReading]) -> tuple[ChainBreak, ...]:
    """Given ordered pieces of one run, say where a later piece does not go on from an earlier one.

    A piece that was begun elsewhere names the record that it goes on from. That record must still
    be there, unaltered; a torn or broken end behind it is what the new piece was begun for.
    """
    breaks: list[ChainBreak] = []
    known: dict[int, set[str]] = {}
    for piece in pieces:
        first = piece.first
        if first is None:
            continue
        goes_on = first.event in {CONTINUED, CHAIN_RESTARTED}
        linked = first.prev_sha256 in known.get(first.sequence - 1, set())
        starts = first.sequence == 1 and first.prev_sha256 == GENESIS
        if known and not linked and not (goes_on and starts):
            breaks.append(_unlinked(piece, first, "does not link to any earlier piece"))
        elif not known and goes_on and not starts:
            breaks.append(_unlinked(piece, first, "the piece that it goes on from is missing"))
        for record in piece.records:
            known.setdefault(record.sequence, set()).add(record.sha256)
    return tuple(breaks)


def _unlinked(piece: FileReading, first: Record, detail: str) -> ChainBreak:
    return ChainBreak(
        kind="unlinked", path=piece.path, line=1, sequence=first.sequence, detail=detail
    )
