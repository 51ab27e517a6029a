"""A cancel never waits for its journal, and no intent goes unrecorded while any place works."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resyncctl.adapters.store.append_file import Sync
from resyncctl.adapters.store.audit import verify_chains
from resyncctl.adapters.store.emergency import EmergencyJournal, Opener
from resyncctl.adapters.store.journal import FileJournal, create_journal
from resyncctl.adapters.store.opening import open_journal
from resyncctl.adapters.store.places import runs_directory
from resyncctl.adapters.store.records import Head, parse_line
from resyncctl.adapters.store.runs import find_runs, list_runs, unfinished_runs
from resyncctl.core.errors import RecordUnwritableError
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from tests.adapters.store.journals import RUN, beginning, options, untouched
from tests.fakes.fake_clock import FakeClock

ACKNOWLEDGED = MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED)


class Disk:
    """A disk that takes so many more syncs and then none."""

    def __init__(self, syncs: int) -> None:
        self.left = syncs

    def sync(self, handle: int) -> None:
        if self.left <= 0:
            raise OSError(28, "No space left on device")
        self.left -= 1


def opener(root: Path, sync: Sync, run_id: str = RUN) -> Opener:
    def open_here(head: Head) -> FileJournal:
        return create_journal(
            runs_directory(root) / run_id,
            run_id,
            clock=FakeClock(),
            redact=untouched,
            head=head,
            kind="state",
            sync=sync,
        )

    return open_here


def journal_on(tmp_path: Path, *disks: int) -> tuple[EmergencyJournal, io.StringIO, list[str]]:
    """A journal with one place per number; each place takes that many syncs."""
    mirror, warnings = io.StringIO(), list[str]()
    openers = [
        (f"place {number}", opener(tmp_path / str(number), Disk(syncs).sync))
        for number, syncs in enumerate(disks)
    ]
    journal = EmergencyJournal(
        RUN,
        openers,
        clock=FakeClock(),
        redact=untouched,
        mirror=mirror,
        warn=warnings.append,
    )
    return journal, mirror, warnings


def on_disk(tmp_path: Path) -> list[Mapping[str, object]]:
    """Every record on any disk, by sequence."""
    runs = find_runs([tmp_path / str(number) for number in range(5)])
    records = [record for run in runs for piece in run.read() for record in piece.records]
    return [
        {"sequence": record.sequence, "event": record.event, **record.details}
        for record in sorted(records, key=lambda record: record.sequence)
    ]


def mirrored(mirror: io.StringIO) -> list[str]:
    records = [parse_line(line.encode()) for line in mirror.getvalue().splitlines()]
    assert all(record is not None and record.intact for record in records)
    return [record.event for record in records if record is not None]


def test_on_a_good_disk_it_is_a_journal_like_any_other(tmp_path: Path) -> None:
    journal, mirror, warnings = journal_on(tmp_path, 100, 100)
    permit = journal.intend("cancel_order", {"a": 1}, deadline_ms=5, fencing_token=2)
    journal.settle(permit, ACKNOWLEDGED)
    journal.end(0, "proved_empty")
    assert [place.kind for place in journal.places] == ["place 0"]
    assert (mirror.getvalue(), warnings, journal.memory) == ("", [], [])
    assert [row["event"] for row in on_disk(tmp_path)] == ["intent", "outcome", "ended"]


def test_it_goes_on_elsewhere_linked_to_what_it_had(tmp_path: Path) -> None:
    journal, mirror, warnings = journal_on(tmp_path, 3, 100)
    first = journal.intend("cancel_order", {"n": 1}, deadline_ms=5, fencing_token=2)
    second = journal.intend("cancel_order", {"n": 2}, deadline_ms=5, fencing_token=2)
    third = journal.intend("cancel_order", {"n": 3}, deadline_ms=5, fencing_token=2)
    for permit in (first, second, third):
        journal.settle(permit, ACKNOWLEDGED)
    journal.end(0)
    rows = on_disk(tmp_path)
    assert [row["event"] for row in rows] == [
        *("intent", "intent", "continued", "intent", "outcome", "outcome", "outcome", "ended")
    ]
    assert [row["sequence"] for row in rows] == list(range(1, 9))
    assert [place.kind for place in journal.places] == ["place 0", "place 1"]
    assert "No space left" in journal.places[1].reason
    assert len(warnings) == 1
    assert mirror.getvalue() == ""
    report = verify_chains([tmp_path / "0", tmp_path / "1"])
    assert report.ok, report.breaks
    assert unfinished_runs([tmp_path / "0", tmp_path / "1"]) == ()


def test_without_any_disk_it_is_mirrored_and_remembered(tmp_path: Path) -> None:
    journal, mirror, warnings = journal_on(tmp_path, 2, 0)
    first = journal.intend("cancel_order", {"n": 1}, deadline_ms=5, fencing_token=2)
    second = journal.intend("cancel_symbol", {"n": 2}, deadline_ms=5, fencing_token=2)
    journal.settle(first, ACKNOWLEDGED)
    journal.settle(second, ACKNOWLEDGED)
    journal.end(0)
    assert mirrored(mirror) == ["intent", "outcome", "outcome", "ended"]
    assert [record.event for record in journal.memory] == mirrored(mirror)
    assert [place.kind for place in journal.places] == ["place 0", "mirror"]
    assert not journal.is_durable
    assert journal.head.sequence == 1, "the head is the last record that an audit can find"
    assert len(warnings) == 1
    assert [row["event"] for row in on_disk(tmp_path)] == ["intent"]
    (run,) = list_runs([tmp_path / "0"])
    assert [intent.intent_id for intent in run.open_intents] == [first.intent_id]


@pytest.mark.parametrize("action", ["place_order", "open_gate", "flatten", "repair"])
def test_without_any_disk_only_risk_may_be_reduced(tmp_path: Path, action: str) -> None:
    journal, mirror, _ = journal_on(tmp_path, 0)
    with pytest.raises(RecordUnwritableError, match=action):
        journal.intend(action, {}, deadline_ms=5, fencing_token=2)
    assert mirror.getvalue() == ""
    assert isinstance(journal.intend("cancel_order", {}, deadline_ms=5, fencing_token=2), Permit)


def test_a_closed_stderr_stops_no_cancel(tmp_path: Path) -> None:
    journal, mirror, _ = journal_on(tmp_path, 0)
    mirror.close()
    journal.intend("cancel_order", {}, deadline_ms=5, fencing_token=2)
    journal.end(13)
    assert [record.event for record in journal.memory] == ["intent", "ended"]


@given(
    syncs=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    acts=st.lists(st.sampled_from(["intend", "settle", "record"]), max_size=14),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_each_permit_has_an_earlier_record_wherever_disks_end(
    tmp_path_factory: pytest.TempPathFactory, syncs: list[int], acts: list[str]
) -> None:
    """The law of the wire log: permit => intent on a disk, or in the mirror when no disk works."""
    folder = tmp_path_factory.mktemp("law")
    journal, mirror, _ = journal_on(folder, *syncs)
    permits: list[Permit] = []
    for act in acts:
        if act == "intend":
            permit = journal.intend("cancel_order", {}, deadline_ms=5, fencing_token=2)
            where = [row["intent_id"] for row in on_disk(folder) if row["event"] == "intent"]
            where += [str(r.details["intent_id"]) for r in journal.memory if r.event == "intent"]
            assert where[-1] == permit.intent_id
            assert where.count(permit.intent_id) == 1
            if not journal.is_durable:
                assert permit.intent_id in mirror.getvalue()
            permits.append(permit)
        elif act == "settle" and permits:
            journal.settle(permits.pop(0), ACKNOWLEDGED)
        else:
            journal.record("note", {})
    journal.close()
    roots = [folder / str(number) for number in range(len(syncs))]
    report = verify_chains(roots)
    assert report.ok, report.breaks


def test_only_under_break_glass_a_full_disk_is_survived(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("no folder can be made here")
    with pytest.raises(RecordUnwritableError):
        open_journal(beginning(), options(blocked))
    fallback = tmp_path / "shm" / "digest"
    (tmp_path / "shm").mkdir(mode=0o700)
    journal = open_journal(beginning(), options(blocked, fallback, break_glass=True))
    journal.intend("cancel_order", {"account": "main"}, deadline_ms=5, fencing_token=1)
    assert [place.kind for place in journal.places] == ["fallback"]
    journal.close()
    (run,) = unfinished_runs([blocked, fallback])
    assert run.run_id == journal.run_id
    assert run.accounts == ("main",)
    assert verify_chains([blocked, fallback]).ok


def test_a_planted_fallback_is_passed_over(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "planted").symlink_to(elsewhere)
    good = tmp_path / "good" / "digest"
    places = (tmp_path / "planted" / "digest", good)
    journal = open_journal(beginning(), options(blocked, *places, break_glass=True))
    assert journal.places[0].place.startswith(str(good))
    assert list(elsewhere.iterdir()) == []
    journal.end(0)


def test_the_mirror_carries_no_secret(tmp_path: Path) -> None:
    mirror = io.StringIO()
    journal = EmergencyJournal(
        RUN,
        [],
        clock=FakeClock(),
        redact=lambda text: text.replace("CANARY", "***"),
        mirror=mirror,
        warn=lambda _: None,
    )
    journal.intend("cancel_order", {"url": "x?CANARY"}, deadline_ms=1, fencing_token=1)
    assert "CANARY" not in mirror.getvalue()
    assert json.loads(mirror.getvalue())["details"]["details"] == {"url": "x?***"}
