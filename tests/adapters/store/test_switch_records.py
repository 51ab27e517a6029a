"""No countdown that a run of this host armed is forgotten, however the run ended."""

import os
from pathlib import Path

import pytest

from resyncctl.adapters.store.journal import FileJournal
from resyncctl.adapters.store.switch_records import MARGIN_MS, left_switches
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.switches import ARM, DISARM, ArmedSwitch, SwitchTarget, switch_details
from tests.adapters.store.journals import LATER, RUN, begun
from tests.fakes.fake_clock import START_MS

BTC = SwitchTarget(product="linear", symbol="BTC/USDT:USDT", venue_symbol="BTCUSDT")
LONGEST_MS = 600_000
FIRES_MS = START_MS + 126_000


def note(
    journal: FileJournal, action: str, outcome: OutcomeKind | None, at_ms: int = START_MS
) -> None:
    details = switch_details(
        "a",
        BTC,
        countdown_ms=120_000 if action == ARM else 0,
        at_ms=at_ms,
        lands_by_ms=at_ms + 6_000,
        fires_by_ms=FIRES_MS,
    )
    permit = journal.intend(action, details, deadline_ms=at_ms + 5_000, fencing_token=1)
    if outcome is not None:
        journal.settle(permit, MutationOutcome(kind=outcome))


def left(state_dir: Path, account: str = "a", now_ms: int = START_MS) -> tuple[ArmedSwitch, ...]:
    return left_switches([state_dir], account, now_ms, longest_ms=LONGEST_MS)


@pytest.mark.invariant("I22")
@pytest.mark.parametrize("how", ["alive", "crashed", "finished"])
@pytest.mark.parametrize("outcome", [OutcomeKind.ACKNOWLEDGED, OutcomeKind.UNKNOWN, None])
def test_an_armed_countdown_is_found_however_the_run_ended(
    tmp_path: Path, how: str, outcome: OutcomeKind | None
) -> None:
    journal = begun(tmp_path, RUN, "a")
    note(journal, ARM, outcome)
    if how == "finished":
        journal.end(0)
    elif how == "crashed":
        journal.close()
    (one,) = left(tmp_path)
    assert (one.target, one.fires_by_ms) == (BTC, FIRES_MS)
    assert one.certain is (outcome is OutcomeKind.ACKNOWLEDGED)
    assert left(tmp_path, "b") == ()
    assert left(tmp_path, now_ms=FIRES_MS) == ()
    journal.close()


def test_a_later_run_that_stopped_it_settles_it(tmp_path: Path) -> None:
    first = begun(tmp_path, RUN, "a")
    note(first, ARM, OutcomeKind.ACKNOWLEDGED)
    first.end(0)
    second = begun(tmp_path, LATER, "a")
    note(second, DISARM, OutcomeKind.UNKNOWN)
    assert len(left(tmp_path)) == 1
    note(second, DISARM, OutcomeKind.ACKNOWLEDGED)
    assert left(tmp_path) == ()
    second.end(0)


def test_a_refused_arming_left_nothing(tmp_path: Path) -> None:
    journal = begun(tmp_path, RUN, "a")
    note(journal, ARM, OutcomeKind.REJECTED)
    journal.end(0)
    assert left(tmp_path) == ()


@pytest.mark.invariant("I22")
def test_a_journal_that_does_not_hold_may_hide_one(tmp_path: Path) -> None:
    journal = begun(tmp_path, RUN, "a")
    note(journal, ARM, OutcomeKind.REJECTED)
    journal.end(0)
    path = journal.path
    path.write_bytes(path.read_bytes().replace(b"arm_switch", b"arm_swotch", 1) + b"arm_switch")
    for account in ("a", "b"):
        (one,) = left(tmp_path, account)
        assert not one.certain
        assert one.fires_by_ms == START_MS + LONGEST_MS
        assert RUN in one.target.words
    later = begun(tmp_path, LATER, "a")
    later.end(0)
    now_s = later.path.stat().st_mtime
    os.utime(path, (now_s, now_s - LONGEST_MS / 1000 - 1))
    assert left(tmp_path) == ()


def test_the_run_that_asks_is_left_out(tmp_path: Path) -> None:
    journal = begun(tmp_path, RUN, "a")
    note(journal, ARM, OutcomeKind.ACKNOWLEDGED)
    found = left_switches([tmp_path], "a", START_MS, longest_ms=LONGEST_MS, but_not=RUN)
    assert found == ()
    journal.end(0)


def test_what_is_too_old_to_run_is_not_read(tmp_path: Path) -> None:
    old = begun(tmp_path, RUN, "a")
    note(old, ARM, OutcomeKind.ACKNOWLEDGED)
    old.end(0)
    new = begun(tmp_path, LATER, "a")
    new.end(0)
    now_s = new.path.stat().st_mtime
    os.utime(old.path, (now_s, now_s - (LONGEST_MS + MARGIN_MS) / 1000 + 60))
    assert len(left(tmp_path)) == 1
    os.utime(old.path, (now_s, now_s - (LONGEST_MS + MARGIN_MS) / 1000 - 60))
    assert left(tmp_path) == ()


def test_nothing_was_ever_armed(tmp_path: Path) -> None:
    assert left(tmp_path) == ()
    assert left(tmp_path / "nowhere") == ()
