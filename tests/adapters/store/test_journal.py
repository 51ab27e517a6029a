"""The journal: on disk before it returns, chained, private, and never extended after a failure."""

import errno
import json
import os
import stat
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resyncctl.adapters.store import append_file
from resyncctl.adapters.store.chain import read_file
from resyncctl.adapters.store.journal import create_journal, reopen_journal
from resyncctl.adapters.store.records import friendly, parse_line, seal
from resyncctl.adapters.store.redaction import make_redactor
from resyncctl.core.errors import LockedError, RecordUnwritableError
from resyncctl.core.money import plain
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from tests.adapters.store.journals import LATER, RUN, new_journal, untouched
from tests.fakes.fake_clock import FakeClock

ACKNOWLEDGED = MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED, http_status=200)


def no_sync(handle: int) -> None:
    """A test of what is written where needs no disk that obeys."""


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_record_links_to_the_one_before(tmp_path: Path) -> None:
    clock = FakeClock()
    journal = new_journal(tmp_path, clock=clock)
    journal.record("one", {"n": 1})
    clock.advance(5)
    journal.record("two", {"quantity": Decimal("1.50")})
    journal.close()
    first, second = lines_of(journal.path)
    assert set(first) == {
        "sequence", "at_ms", "run_id", "event", "details", "prev_sha256", "sha256",
    }  # fmt: skip
    assert first["prev_sha256"] == "0" * 64
    assert second["prev_sha256"] == first["sha256"]
    assert second["at_ms"] == first["at_ms"] + 5  # type: ignore[operator]  # JSON number
    assert second["details"] == {"quantity": "1.5"}
    reading = read_file(journal.path, RUN)
    assert reading.breaks == ()
    assert reading.head == journal.head


@pytest.mark.invariant("I23")
def test_an_intent_is_on_disk_before_the_permit_is_given(tmp_path: Path) -> None:
    """What has not been fsynced does not count: a disk that keeps only synced bytes is asked."""
    synced: dict[str, int] = {}
    path = tmp_path / "runs" / RUN / "journal.jsonl"

    def sync(handle: int) -> None:
        os.fsync(handle)
        synced["bytes"] = os.fstat(handle).st_size

    journal = create_journal(path.parent, RUN, clock=FakeClock(), redact=untouched, sync=sync)
    for number in range(20):
        permit = journal.intend(
            "cancel_order", {"n": number}, deadline_ms=1000 + number, fencing_token=7
        )
        durable = path.read_bytes()[: synced["bytes"]]
        last = parse_line(durable.splitlines()[-1])
        assert last is not None
        assert last.details["intent_id"] == permit.intent_id
        assert last.details["deadline_ms"] == permit.deadline_ms == 1000 + number
        assert last.details["fencing_token"] == permit.fencing_token == 7
        journal.settle(permit, ACKNOWLEDGED)
    journal.close()


def test_an_outcome_names_its_intent(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    permit = journal.intend("cancel_symbol", {"symbol": "BTC/USDT"}, deadline_ms=9, fencing_token=1)
    assert journal.open_intents == {permit.intent_id}
    journal.settle(permit, MutationOutcome(kind=OutcomeKind.UNKNOWN, code="-1007", sent=True))
    assert journal.open_intents == frozenset()
    journal.end(13, "residual")
    outcome, ended = lines_of(journal.path)[-2:]
    assert outcome["event"] == "outcome"
    assert outcome["details"] == {
        "intent_id": permit.intent_id,
        "kind": "UNKNOWN",
        "message": "",
        "code": "-1007",
        "already_gone": False,
        "expected": False,
        "sent": True,
    }
    assert ended["details"] == {"exit_code": 13, "status": "residual", "open_intents": 0}


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        journal = new_journal(tmp_path / "state")
    finally:
        os.umask(old)
    journal.close()
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    for folder in (journal.path.parent, journal.path.parent.parent, tmp_path / "state"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_space_is_reserved_without_lengthening_the_file(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    assert journal.path.stat().st_size == 0
    assert journal.path.stat().st_blocks * 512 >= append_file.RESERVE_BYTES
    journal.record("one", {})
    size = journal.path.stat().st_size
    journal.close()
    assert journal.path.stat().st_size == size
    assert journal.path.stat().st_blocks * 512 < append_file.RESERVE_BYTES


def test_a_journal_outgrows_its_reserve(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    text = "x" * 7_900
    for _ in range(200):
        journal.record("big", {"text": text})
    journal.close()
    assert journal.path.stat().st_size > append_file.RESERVE_BYTES
    assert read_file(journal.path, RUN).breaks == ()


@pytest.mark.parametrize("failing", [errno.EIO, errno.ENOSPC])
def test_after_a_failed_fsync_nothing_is_ever_appended_again(tmp_path: Path, failing: int) -> None:
    fails = False

    def sync(handle: int) -> None:
        if fails:
            raise OSError(failing, os.strerror(failing))
        os.fsync(handle)

    folder = tmp_path / "runs" / RUN
    journal = create_journal(folder, RUN, clock=FakeClock(), redact=untouched, sync=sync)
    journal.record("one", {})
    fails = True
    with pytest.raises(RecordUnwritableError) as trouble:
        journal.intend("cancel_order", {}, deadline_ms=1, fencing_token=1)
    assert trouble.value.place == str(journal.path)
    fails = False
    with pytest.raises(RecordUnwritableError, match="any more"):
        journal.record("two", {})
    journal.close()
    assert [line["event"] for line in lines_of(journal.path)] == ["one"]


def test_a_disk_without_room_shows_before_the_first_record(tmp_path: Path) -> None:
    def sync(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = tmp_path / "runs" / RUN
    with pytest.raises(RecordUnwritableError) as trouble:
        create_journal(folder, RUN, clock=FakeClock(), redact=untouched, sync=sync)
    assert "space" in (trouble.value.hint or "")
    assert not folder.exists()


def test_a_living_writer_is_not_disturbed(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    journal.record("one", {})
    assert append_file.is_locked(journal.path) is True
    with pytest.raises(LockedError):
        reopen_journal(journal.path, RUN, clock=FakeClock(), redact=untouched)
    journal.record("two", {})
    journal.close()
    assert append_file.is_locked(journal.path) is False
    assert [line["event"] for line in lines_of(journal.path)] == ["one", "two"]


def test_a_run_has_one_journal(tmp_path: Path) -> None:
    new_journal(tmp_path).close()
    with pytest.raises(FileExistsError):
        new_journal(tmp_path)


def test_a_symbolic_link_in_the_way_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "runs").symlink_to(elsewhere)
    with pytest.raises(RecordUnwritableError, match="real folder"):
        create_journal(tmp_path / "runs", RUN, clock=FakeClock(), redact=untouched)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.invariant("I27")
def test_a_torn_end_is_cut_off_at_every_byte(tmp_path: Path) -> None:
    """Whatever part of the last record a crash left, the records before it stay, and it is told."""
    journal = new_journal(tmp_path)
    for number in range(3):
        journal.record("step", {"n": number, "text": "äöü"})
    journal.close()
    whole = journal.path.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    for cut in range(start, len(whole)):
        for filler in (b"", b"\0" * 100):
            journal.path.write_bytes(whole[:cut] + filler)
            again = reopen_journal(
                journal.path, RUN, clock=FakeClock(), redact=untouched, sync=no_sync
            )
            again.record("after", {})
            again.close()
            reading = read_file(journal.path, RUN)
            assert reading.breaks == ()
            events = [record.event for record in reading.records]
            told = ["tail_truncated"] if cut > start else []
            assert events == ["step", "step", *told, "after"], (cut, filler)


@pytest.mark.invariant("I27")
def test_a_garbled_last_line_counts_as_torn(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    journal.record("one", {})
    journal.close()
    with journal.path.open("ab") as stream:
        stream.write(b'{"sequence":2,\0\0\0\0"}\n')
    reading = read_file(journal.path, RUN)
    assert [item.kind for item in reading.breaks] == ["torn"]
    assert reading.head.sequence == 1


@pytest.mark.invariant("I27")
def test_a_broken_chain_is_not_extended_but_linked_to(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    for number in range(4):
        journal.record("step", {"n": number})
    journal.close()
    lines = journal.path.read_bytes().splitlines(keepends=True)
    broken = lines[0] + lines[1] + lines[3]
    journal.path.write_bytes(broken)
    again = reopen_journal(journal.path, RUN, clock=FakeClock(), redact=untouched)
    again.record("after", {})
    again.close()
    assert journal.path.read_bytes() == broken
    assert again.path.name == "journal.2.jsonl"
    restarted, after = read_file(again.path, RUN).records
    assert restarted.event == "chain_restarted"
    assert restarted.prev_sha256 == read_file(journal.path, RUN).records[1].sha256
    last = parse_line(lines[3].rstrip())
    assert last is not None
    assert restarted.details["last_record_sha256"] == last.sha256
    assert after.sequence == 4
    assert read_file(again.path, RUN).breaks == ()


def test_the_record_of_another_run_breaks_the_chain(tmp_path: Path) -> None:
    journal = new_journal(tmp_path, LATER)
    journal.record("one", {})
    journal.close()
    assert [item.kind for item in read_file(journal.path, RUN).breaks] == ["foreign"]


@pytest.mark.invariant("I39")
def test_a_secret_cannot_enter(tmp_path: Path) -> None:
    secret = 'CANARY+/="quoted\\ä'
    journal = create_journal(
        tmp_path / "runs" / RUN, RUN, clock=FakeClock(), redact=make_redactor([secret])
    )
    journal.record(
        "event", {secret: secret, "nested": [{"deep": f"https://x/?a=1&signature=abcdef&b={secret}"}]}
    )  # fmt: skip
    journal.intend("cancel_order", {"body": secret}, deadline_ms=1, fencing_token=1)
    journal.close()
    text = journal.path.read_text()
    assert "CANARY" not in text
    assert "abcdef" not in text
    assert "(redacted)" in text


JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=True, allow_infinity=True)
    | st.floats()
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON_LIKE, max_size=4), st.integers(0, 2**62))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_details_make_a_record_that_reads_back(details: dict[str, object], at_ms: int) -> None:
    from resyncctl.adapters.store.records import Head

    ready = friendly(details, untouched)
    record, line = seal(Head(), at_ms=at_ms, run_id=RUN, event="any", details=ready)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse_line(line[:-1]) == record
    assert not _has_float(ready)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8))
def test_decimals_are_written_exactly(number: Decimal) -> None:
    assert friendly({"n": number}, untouched) == {"n": plain(number)}


def _has_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_float(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_float(item) for item in value)
    return isinstance(value, float)


def test_a_long_text_is_cut(tmp_path: Path) -> None:
    ready = friendly({"body": "x" * 100_000}, untouched)
    assert len(str(ready["body"])) < 9_000
    assert "more characters" in str(ready["body"])
