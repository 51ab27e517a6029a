"""The audit: every kind of tampering is found, named and placed; an honest record holds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from resyncctl.adapters.store.audit import (
    Anchor,
    AuditReport,
    anchors_of,
    heads,
    parse_anchor,
    verify_chains,
)
from resyncctl.adapters.store.opening import open_journal
from resyncctl.adapters.store.places import runs_directory
from resyncctl.adapters.store.records import Head, seal
from resyncctl.core.errors import UsageError
from resyncctl.ports.store import RunRow
from tests.adapters.store.journals import beginning, begun, options
from tests.fakes.fake_clock import FakeClock


@pytest.fixture
def history(tmp_path: Path) -> list[Path]:
    """Three honest runs of five records each; the journals' files, oldest first."""
    clock = FakeClock()
    files = []
    for number in range(3):
        clock.advance(10_000)
        journal = open_journal(beginning(), options(tmp_path, clock=clock))
        for step in range(3):
            journal.record("step", {"n": step, "run": number})
        journal.end(0)
        files.append(runs_directory(tmp_path) / journal.run_id / "journal.jsonl")
    return files


def audit(history: list[Path], *anchors: Anchor) -> AuditReport:
    return verify_chains([history[0].parents[2]], anchors)


def kinds(report: AuditReport) -> set[tuple[str, str]]:
    return {(problem.kind, problem.path.parent.name) for problem in report.breaks}


def test_an_honest_record_holds(history: list[Path]) -> None:
    report = audit(history)
    assert report.ok
    assert (len(report.runs), report.records) == (3, 15)
    assert [head.run_id for head in report.heads] == [history[2].parent.name]
    assert all(run.ended and not run.alive and not run.notes for run in report.runs)


Edit = Callable[[list[bytes]], list[bytes]]


def altered(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b'"n":1', b'"n":9') for line in lines]


def altered_with_new_hash(lines: list[bytes]) -> list[bytes]:
    """Somebody who knows the format changes one record and computes its hash again."""
    record = json.loads(lines[2])
    _, line = seal(
        Head(record["sequence"] - 1, record["prev_sha256"]),
        at_ms=record["at_ms"],
        run_id=record["run_id"],
        event=record["event"],
        details={"n": 9},
    )
    return [*lines[:2], line, *lines[3:]]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def spaced(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b",", b", ", 1), *lines[1:]]


TAMPERINGS: list[tuple[str, Edit, str, int | None]] = [
    ("one value", altered, "altered", 3),
    ("one value and its hash", altered_with_new_hash, "altered", 4),
    ("one record removed", lambda lines: lines[:2] + lines[3:], "removed", 4),
    ("the first record removed", lambda lines: lines[1:], "removed", 2),
    ("two records swapped", swapped, "reordered", 3),
    ("one record doubled", lambda lines: [*lines[:3], lines[2], *lines[3:]], "duplicated", 3),
    ("a line that is none", lambda lines: [*lines[:2], b"hello\n", *lines[2:]], "garbled", None),
    ("spaces in a line", spaced, "altered", 1),
    ("bytes after the end", lambda lines: [*lines, b'{"half'], "torn", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "kind", "sequence"),
    [case[1:] for case in TAMPERINGS],
    ids=[case[0] for case in TAMPERINGS],
)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_each_kind_of_tampering_is_named_and_placed(
    history: list[Path], edit: Edit, kind: str, sequence: int | None, which: int
) -> None:
    file = history[which]
    file.write_bytes(b"".join(edit(file.read_bytes().splitlines(keepends=True))))
    report = audit(history)
    assert not report.ok
    found = [problem for problem in report.breaks if problem.path == file and problem.line > 0]
    assert {problem.kind for problem in found} == {kind}, found
    assert sequence in {problem.sequence for problem in found}


def test_a_record_of_another_run_is_foreign(history: list[Path]) -> None:
    history[1].write_bytes(history[0].read_bytes())
    assert ("foreign", history[1].parent.name) in kinds(audit(history))


def test_an_end_that_was_cut_off_is_missed_by_the_next_run(history: list[Path]) -> None:
    lines = history[1].read_bytes().splitlines(keepends=True)
    history[1].write_bytes(b"".join(lines[:3]))
    assert kinds(audit(history)) == {("removed", history[1].parent.name)}


def test_a_run_that_was_removed_is_missed_by_the_next_run(history: list[Path]) -> None:
    history[0].unlink()
    history[0].parent.rmdir()
    assert kinds(audit(history)) == {("removed", history[0].parent.name)}


def test_a_run_that_was_rewritten_as_a_whole_is_missed_by_the_next_run(
    history: list[Path],
) -> None:
    rewrite(history[1])
    assert kinds(audit(history)) == {("rewritten", history[1].parent.name)}


def rewrite(file: Path) -> None:
    """Forge a whole consistent chain with other content."""
    head, lines = Head(), []
    for line in file.read_bytes().splitlines():
        old = json.loads(line)
        details = {**old["details"], "forged": True}
        record, new = seal(
            head,
            at_ms=old["at_ms"],
            run_id=old["run_id"],
            event=old["event"],
            details=details,
        )
        head = Head(record.sequence, record.sha256)
        lines.append(new)
    file.write_bytes(b"".join(lines))


def test_only_a_head_kept_elsewhere_shows_a_forged_newest_run(history: list[Path]) -> None:
    anchors = heads([history[0].parents[2]])
    rewrite(history[2])
    assert audit(history).ok, "a chain alone cannot show this; docs say so"
    report = audit(history, *anchors)
    assert kinds(report) == {("rewritten", history[2].parent.name)}
    assert "kept elsewhere" in report.breaks[0].detail


def test_a_head_kept_elsewhere_shows_a_removed_newest_run(history: list[Path]) -> None:
    anchors = heads([history[0].parents[2]])
    history[2].unlink()
    assert kinds(audit(history, *anchors)) == {("removed", history[2].parent.name)}


def test_the_store_is_a_second_witness(history: list[Path]) -> None:
    head = audit(history).heads[0]
    row = RunRow(
        run_id=head.run_id,
        command="c",
        accounts=(),
        started_at_ms=0,
        head_sequence=head.sequence,
        head_sha256=head.sha256,
    )
    assert audit(history, *anchors_of([row])).ok
    rewrite(history[2])
    assert not audit(history, *anchors_of([row])).ok


def test_an_anchor_reads_back(history: list[Path]) -> None:
    head = audit(history).heads[0]
    assert parse_anchor(f" {head}\n") == head
    for wrong in ("", "x:1:y", f"{head}:", str(head)[:-1], f"../etc:1:{head.sha256}"):
        with pytest.raises(UsageError):
            parse_anchor(wrong)


def test_what_a_crash_leaves_is_a_note_and_no_break(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.record("step", {})
    journal.close()
    with journal.path.open("ab") as stream:
        stream.write(b'{"half a rec' + bytes(4096))
    report = verify_chains([tmp_path])
    assert report.ok
    (run,) = report.runs
    assert "left by a crash" in run.notes[0]
    assert not run.ended


def test_a_living_run_is_read_without_disturbing_it(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    report = verify_chains([tmp_path])
    assert report.ok
    assert report.runs[0].alive
    journal.end(0)


def test_a_journal_that_cannot_be_read_is_a_break(history: list[Path]) -> None:
    history[1].unlink()
    history[1].mkdir()
    assert ("unreadable", history[1].parent.name) in kinds(audit(history))


def test_a_piece_whose_beginning_is_missing_is_a_break(tmp_path: Path) -> None:
    fallback = tmp_path / "f" / "digest"
    state = tmp_path / "state"
    full = options(state, fallback, break_glass=True)
    journal = open_journal(beginning(), full)
    journal.record("one", {})
    journal.close()
    piece = runs_directory(state) / journal.run_id / "journal.jsonl"
    lines = piece.read_bytes().splitlines(keepends=True)
    last = json.loads(lines[-1])
    _, line = seal(
        Head(last["sequence"], last["sha256"]),
        at_ms=1,
        run_id=journal.run_id,
        event="continued",
        details={},
    )
    other = runs_directory(fallback) / journal.run_id / "journal.jsonl"
    other.parent.mkdir(parents=True)
    other.write_bytes(line)
    assert verify_chains([state, fallback]).ok
    piece.write_bytes(b"".join(lines[:-1]))
    assert [problem.kind for problem in verify_chains([state, fallback]).breaks] == ["unlinked"]
    piece.unlink()
    assert [problem.kind for problem in verify_chains([state, fallback]).breaks] == ["unlinked"]


def test_nothing_at_all_is_fine_and_has_no_head(tmp_path: Path) -> None:
    report = verify_chains([tmp_path / "none"])
    assert report.ok
    assert (report.runs, report.heads, report.records) == ((), (), 0)
