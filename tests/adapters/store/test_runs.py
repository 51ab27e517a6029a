"""The run list: what is alive, what has crashed, what is finished, and what resolves it."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.adapters.store.append_file import is_locked
from resyncctl.adapters.store.audit import verify_chains
from resyncctl.adapters.store.finished import finished_tail
from resyncctl.adapters.store.journal import FileJournal
from resyncctl.adapters.store.opening import open_journal
from resyncctl.adapters.store.places import fallback_roots
from resyncctl.adapters.store.run_ids import is_run_id, new_run_id
from resyncctl.adapters.store.runs import (
    all_roots,
    find_runs,
    list_runs,
    open_intents,
    resolve_account,
    resolve_run,
    unfinished_runs,
)
from resyncctl.core.errors import LockedError
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from tests.adapters.store.journals import LATER, RUN, beginning, begun, options, untouched
from tests.fakes.fake_clock import START_MS, FakeClock


def crashed_with_intents(state_dir: Path, *accounts: str) -> FileJournal:
    journal = begun(state_dir, RUN, *accounts)
    done = journal.intend("cancel_order", {"account": "a"}, deadline_ms=5, fencing_token=4)
    journal.settle(done, MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED))
    for account in accounts:
        journal.intend(
            "cancel_symbol",
            {"account": account, "scope": "spot/regular", "orders": [{"venue_order_id": "1"}]},
            deadline_ms=START_MS + 5_000,
            fencing_token=9,
        )
    journal.close()
    return journal


def test_a_living_run_is_not_unfinished(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    (run,) = list_runs([tmp_path])
    assert run.alive
    assert not run.unfinished
    assert unfinished_runs([tmp_path]) == ()
    journal.end(0)
    (run,) = list_runs([tmp_path])
    assert (run.alive, run.crashed, run.exit_code, run.unfinished) == (False, False, 0, False)


@pytest.mark.invariant("I25")
def test_a_crashed_run_tells_what_it_may_have_sent(tmp_path: Path) -> None:
    crashed_with_intents(tmp_path, "a", "b")
    (run,) = unfinished_runs([tmp_path])
    assert (run.crashed, run.mutated, run.highest_token) == (True, True, 9)
    assert "2 requests" in run.why()
    assert [intent.account for intent in run.open_intents] == ["a", "b"]
    (intent,) = open_intents([tmp_path], "b")
    assert intent.action == "cancel_symbol"
    assert intent.deadline_ms == START_MS + 5_000
    assert intent.details["orders"] == [{"venue_order_id": "1"}]
    assert open_intents([tmp_path], "c") == ()


@pytest.mark.invariant("I25")
def test_a_run_that_ended_with_open_requests_is_unfinished(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.intend("cancel_order", {"account": "main"}, deadline_ms=5, fencing_token=4)
    journal.end(13)
    (run,) = unfinished_runs([tmp_path], "main")
    assert (run.crashed, len(run.open_intents)) == (False, 1)


def test_a_run_that_died_before_its_first_record_sent_nothing(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.close()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[: len(whole) // 2])
    assert unfinished_runs([tmp_path]) == ()
    journal.path.write_bytes(b"")
    assert unfinished_runs([tmp_path]) == ()


def test_a_journal_that_cannot_be_read_is_not_finished(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.end(0)
    journal.path.unlink()
    journal.path.mkdir()
    (run,) = unfinished_runs([tmp_path])
    assert [problem.kind for problem in run.problems] == ["unreadable"]


def read_only(state_dir: Path, run_id: str, *accounts: str) -> FileJournal:
    return begun(state_dir, run_id, *accounts, command="reconcile")


def test_a_dead_reconcile_needs_nobody_after_the_next_one(tmp_path: Path) -> None:
    early, middle, late = (f"20261121T1{hour}0000Z-reconcile-2abc" for hour in (0, 1, 2))
    read_only(tmp_path, early, "a", "b").close()
    assert [run.run_id for run in unfinished_runs([tmp_path], "a")] == [early]
    read_only(tmp_path, middle, "a").end(11)
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [early], "b was not looked at"
    read_only(tmp_path, late, "b").end(0)
    assert unfinished_runs([tmp_path]) == ()


def test_an_earlier_or_other_or_dead_run_does_not_take_over(tmp_path: Path) -> None:
    names = [f"20261121T1{hour}0000Z-{command}-2abc" for hour, command in enumerate(
        ("reconcile", "reconcile", "cancel-all", "reconcile")
    )]  # fmt: skip
    read_only(tmp_path, names[0], "a").end(0)
    read_only(tmp_path, names[1], "a").close()
    begun(tmp_path, names[2], "a").end(0)
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [names[1]]
    read_only(tmp_path, names[3], "a").close()
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [names[3], names[1]]


def test_a_dead_cancel_all_is_never_taken_over_without_a_word(tmp_path: Path) -> None:
    begun(tmp_path, RUN, "a").close()
    begun(tmp_path, "20261121T180000Z-cancel-all-2abc", "a").end(0)
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [RUN]


@pytest.mark.invariant("I26")
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("status", ["proved_empty", "residual", None])
def test_an_account_is_left_over_until_it_is_proved(
    tmp_path: Path, status: str | None, ends: bool
) -> None:
    """An unknown outcome, or an end without proof, is work for the next run."""
    journal = begun(tmp_path, RUN, "a", "b", "untouched")
    for account in ("a", "b"):
        permit = journal.intend(
            "cancel_order", {"account": account}, deadline_ms=5, fencing_token=4
        )
        journal.settle(permit, MutationOutcome(kind=OutcomeKind.UNKNOWN))
    journal.record("cancel_all_ended", {"account": "a", "status": "proved_empty"})
    if status is not None:
        journal.record("cancel_all_ended", {"account": "b", "status": status})
    if ends:
        journal.end(0 if status == "proved_empty" else 13)
    journal.close()
    assert open_intents([tmp_path], "a") == ()
    if status == "proved_empty":
        left: tuple[str, ...] = () if ends else ("untouched",)
    else:
        left = ("b",) if ends else ("b", "untouched")
        assert len(open_intents([tmp_path], "b")) == 1
    assert tuple(a for run in unfinished_runs([tmp_path]) for a in run.unresolved) == left
    for account in left:
        resolve_account([tmp_path], account, by_run=LATER, clock=FakeClock(), redact=untouched)
    assert unfinished_runs([tmp_path]) == ()


def test_a_run_that_ended_without_proof_says_so(tmp_path: Path) -> None:
    journal = begun(tmp_path, RUN, "a")
    permit = journal.intend("cancel_order", {"account": "a"}, deadline_ms=5, fencing_token=4)
    journal.settle(permit, MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED))
    journal.record("cancel_all_ended", {"account": "a", "status": "residual"})
    journal.end(13)
    (run,) = unfinished_runs([tmp_path], "a")
    assert run.why() == "it did not prove a in order"
    assert open_intents([tmp_path], "a") == ()


def test_a_forged_end_does_not_finish_a_run(tmp_path: Path) -> None:
    """The short look at the last line believes only a line that matches its own hash."""
    journal = begun(tmp_path)
    journal.intend("cancel_order", {"account": "main"}, deadline_ms=5, fencing_token=4)
    journal.end(0)
    text = journal.path.read_text()
    journal.path.write_text(text.replace('"open_intents":1', '"open_intents":0'))
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [RUN]


def test_accounts_are_resolved_one_by_one(tmp_path: Path) -> None:
    crashed_with_intents(tmp_path, "a", "b")
    clock = FakeClock()
    done = resolve_account([tmp_path], "a", by_run=LATER, clock=clock, redact=untouched)
    assert done == (RUN,)
    (run,) = unfinished_runs([tmp_path])
    assert run.unresolved == ("b",)
    assert [intent.account for intent in run.open_intents] == ["b"]
    assert unfinished_runs([tmp_path], "a") == ()
    assert resolve_account([tmp_path], "a", by_run=LATER, clock=clock, redact=untouched) == ()
    resolve_account([tmp_path], "b", by_run=LATER, clock=clock, redact=untouched)
    assert unfinished_runs([tmp_path]) == ()
    (run,) = list_runs([tmp_path])
    assert run.problems == ()
    assert verify_chains([tmp_path]).ok


def test_a_run_does_not_resolve_itself_or_a_living_one(tmp_path: Path) -> None:
    journal = crashed_with_intents(tmp_path, "a")
    clock = FakeClock()
    assert resolve_account([tmp_path], "a", by_run=RUN, clock=clock, redact=untouched) == ()
    (run,) = unfinished_runs([tmp_path])
    alive = begun(tmp_path, LATER, "a")
    (living,) = [found for found in list_runs([tmp_path]) if found.run_id == LATER]
    with pytest.raises(LockedError):
        resolve_run(living, ["a"], by_run=RUN, clock=clock, redact=untouched)
    alive.end(0)
    assert run.files == (journal.path,)


def test_resolving_cuts_a_torn_end_and_keeps_a_broken_chain_apart(tmp_path: Path) -> None:
    journal = crashed_with_intents(tmp_path, "a")
    with journal.path.open("ab") as stream:
        stream.write(b'{"half a rec')
    resolve_account([tmp_path], "a", by_run=LATER, clock=FakeClock(), redact=untouched)
    assert unfinished_runs([tmp_path]) == ()
    assert verify_chains([tmp_path]).ok


def test_resolving_a_tampered_run_leaves_the_evidence(tmp_path: Path) -> None:
    journal = crashed_with_intents(tmp_path, "a")
    text = journal.path.read_text().replace('"fencing_token":4', '"fencing_token":5')
    journal.path.write_text(text)
    resolve_account([tmp_path], "a", by_run=LATER, clock=FakeClock(), redact=untouched)
    assert journal.path.read_text() == text
    assert unfinished_runs([tmp_path]) == ()
    report = verify_chains([tmp_path])
    assert [problem.kind for problem in report.breaks] == ["altered"]


def many_finished(state_dir: Path, count: int, day: int = 1) -> None:
    """Runs as a cron job leaves them, without waiting for a disk."""
    first = begun(state_dir, f"202601{day:02d}T000000Z-reconcile-2abc", command="reconcile")
    first.end(0)
    content = first.path.read_bytes()
    for number in range(1, count):
        folder = state_dir / "runs" / f"202601{day:02d}T{number:06d}Z-reconcile-2abc"
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(content)


def test_finished_runs_are_not_looked_at_again(tmp_path: Path) -> None:
    many_finished(tmp_path, 120)
    assert unfinished_runs([tmp_path]) == ()
    mark = tmp_path / "runs" / "finished.json"
    assert mark.stat().st_mode & 0o777 == 0o600
    assert finished_tail(tmp_path, find_runs([tmp_path])) == 120
    crashed_with_intents(tmp_path, "a")
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [RUN]
    many_finished(tmp_path, 120, day=3)
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [RUN]
    assert finished_tail(tmp_path, find_runs([tmp_path])) == 240
    alive = begun(tmp_path, "20261122T000000Z-reconcile-2abc")
    assert [run.run_id for run in unfinished_runs([tmp_path], "a")] == [RUN]
    alive.close()
    assert {run.run_id for run in unfinished_runs([tmp_path])} == {RUN, alive.run_id}


def test_a_run_that_appears_among_finished_ones_is_found(tmp_path: Path) -> None:
    """The clock was set back, and then a run died."""
    many_finished(tmp_path, 120)
    unfinished_runs([tmp_path])
    early = "20260101T000055Z-cancel-all-2abc"
    begun(tmp_path, early).close()
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [early]
    victim = tmp_path / "runs" / "20260101T000056Z-reconcile-2abc"
    (victim / "journal.jsonl").unlink()
    victim.rmdir()
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [early], "the count is the same"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"up_to": 1, "count": 2}', "null"])
def test_a_wrong_short_cut_does_no_harm(tmp_path: Path, content: str) -> None:
    crashed_with_intents(tmp_path, "a")
    (tmp_path / "runs" / "finished.json").write_text(content)
    assert [run.run_id for run in unfinished_runs([tmp_path])] == [RUN]


def test_runs_come_newest_first_and_other_things_are_passed_over(tmp_path: Path) -> None:
    begun(tmp_path, RUN).end(0)
    begun(tmp_path, LATER).end(0)
    (tmp_path / "runs" / "notes.txt").write_text("")
    (tmp_path / "runs" / "not-a-run").mkdir()
    (tmp_path / "runs" / "20261121T103000Z-link-2222").symlink_to(tmp_path)
    assert [run.run_id for run in find_runs([tmp_path])] == [LATER, RUN]
    assert [run.run_id for run in list_runs([tmp_path], 1)] == [LATER]


def test_planted_fallback_folders_are_not_read(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    root = fallback_roots(tmp_path, environ)[0]
    root.mkdir(parents=True, mode=0o700)
    root.parent.chmod(0o700)
    assert root in all_roots(tmp_path, environ)
    root.parent.chmod(0o777)
    assert root not in all_roots(tmp_path, environ)


def test_each_run_names_the_one_before(tmp_path: Path) -> None:
    clock = FakeClock()
    heads, names = [], []
    for number in range(3):
        clock.advance(1_000)
        journal = open_journal(beginning(), options(tmp_path, clock=clock))
        journal.record("step", {"n": number})
        journal.end(0)
        heads.append(journal.head)
        names.append(journal.run_id)
    assert (tmp_path / "runs" / "latest").readlink() == Path(names[-1])
    runs = find_runs([tmp_path])
    claims = [run.read()[0].records[0].details["previous"] for run in reversed(runs)]
    assert claims[0] is None
    assert [claim["sha256"] for claim in claims[1:]] == [head.sha256 for head in heads[:2]]  # type: ignore[index]  # JSON
    (tmp_path / "runs" / "latest").unlink()
    clock.advance(1_000)
    again = open_journal(beginning(), options(tmp_path, clock=clock))
    again.end(0)
    (newest, *_) = find_runs([tmp_path])
    claim = newest.read()[0].records[0].details["previous"]
    assert claim["sha256"] == heads[2].sha256  # type: ignore[index]  # JSON


def test_a_journal_is_locked_for_the_life_of_its_run(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    assert is_locked(journal.path) is True
    journal.close()
    assert is_locked(journal.path) is False
    assert is_locked(tmp_path / "none") is None


@given(st.integers(0, 4_102_444_800_000), st.integers(0, 4_102_444_800_000), st.text(max_size=60))
def test_run_ids_sort_by_time_and_are_plain(first: int, second: int, command: str) -> None:
    draw = random.Random(1).randrange
    early, late = (new_run_id(command, ms, draw) for ms in sorted((first, second)))
    assert is_run_id(early)
    assert is_run_id(late)
    if first // 1000 != second // 1000:
        assert early < late


def test_a_run_id_reads_well() -> None:
    assert new_run_id("cancel-all", 1_795_257_000_000, lambda n: 5) == (
        "20261121T103000Z-cancel-all-7777"
    )
    for wrong in ("", "latest", "../x", "20261121T103000Z-cancel-all", "20261121T103000Z--AAAA"):
        assert not is_run_id(wrong)
