"""Progress in the journal: each new step, numbers now and then, and never at the run's cost."""

from dataclasses import dataclass, field

import pytest

from resyncctl.cli.kept_progress import EVERY_MS, KeptProgress
from tests.fakes.fake_clock import FakeClock
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.recording_progress import RecordingProgress


@dataclass
class Shown(RecordingProgress):
    finished: bool = False

    def finish(self) -> None:
        self.finished = True


@dataclass
class Desk:
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    clock: FakeClock = field(default_factory=FakeClock)
    shown: Shown = field(default_factory=Shown)
    durable: bool = True

    def __post_init__(self) -> None:
        self.kept = KeptProgress(self.shown, self.journal, self.clock, lambda: self.durable)

    def stages(self) -> list[object]:
        return [record.details["stage"] for record in self.journal.records]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_new_step_is_kept_at_once_and_the_same_one_at_most_every_two_seconds(
    desk: Desk,
) -> None:
    desk.kept.say("main", "list", "listing")
    for second in range(7):
        desk.kept.say("main", "proof", "proving", seconds_left=7 - second)
        desk.clock.advance(1_000)
    assert desk.stages() == ["list", "proof", "proof", "proof", "proof"]
    assert len(desk.shown.steps) == 8
    assert desk.journal.records[-1].details["numbers"] == {"seconds_left": 1}


def test_a_burst_of_answers_of_one_wave_is_one_record(desk: Desk) -> None:
    for number in range(50):
        desk.kept.say("main", "cancel", f"cancel_order {number}", orders=1)
    assert desk.stages() == ["cancel"]
    desk.clock.advance(EVERY_MS)
    desk.kept.say("main", "cancel", "cancel_order 51", orders=1)
    assert desk.stages() == ["cancel", "cancel"]


def test_accounts_side_by_side_do_not_hide_each_other(desk: Desk) -> None:
    for account in ("a", "b", "a", "b"):
        desk.kept.say(account, "proof", "proving", reads=1)
    assert [record.details["account"] for record in desk.journal.records] == ["a", "b"]


def test_a_journal_that_breaks_or_is_on_no_disk_costs_the_run_nothing(desk: Desk) -> None:
    desk.journal.breaks_at = 1
    desk.kept.say("main", "list", "listing")
    desk.journal.breaks_at = None
    desk.durable = False
    desk.kept.say("main", "proof", "proving")
    assert not desk.journal.records
    desk.kept.finish()
    assert desk.shown.finished
