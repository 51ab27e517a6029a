"""What the tests of this room share."""

import io
from pathlib import Path

from resyncctl.adapters.store.journal import Beginning, FileJournal, create_journal
from resyncctl.adapters.store.opening import JournalOptions
from resyncctl.adapters.store.places import runs_directory
from resyncctl.adapters.store.records import BEGAN
from tests.fakes.fake_clock import FakeClock

RUN = "20261121T103000Z-cancel-all-7f3k"
LATER = "20261121T104500Z-reconcile-2abc"


def untouched(text: str) -> str:
    """A redactor that knows no secret."""
    return text


def new_journal(state_dir: Path, run_id: str = RUN, clock: FakeClock | None = None) -> FileJournal:
    """Open a strict journal without a first record."""
    return create_journal(
        runs_directory(state_dir) / run_id, run_id, clock=clock or FakeClock(), redact=untouched
    )


def begun(
    state_dir: Path, run_id: str = RUN, *accounts: str, command: str = "cancel-all"
) -> FileJournal:
    """Open a strict journal with its first record."""
    journal = new_journal(state_dir, run_id)
    beginning = Beginning(command=command, accounts=accounts or ("main",), version="0.1.0")
    journal.record(BEGAN, {**beginning.details(), "previous": None})
    return journal


def beginning(*accounts: str, command: str = "cancel-all") -> Beginning:
    """What a command says of itself."""
    return Beginning(command=command, accounts=accounts or ("main",), version="0.1.0")


def options(
    state_dir: Path,
    *fallbacks: Path,
    break_glass: bool = False,
    mirror: io.StringIO | None = None,
    clock: FakeClock | None = None,
) -> JournalOptions:
    """What a command's wiring would hand over."""
    return JournalOptions(
        state_dir=state_dir,
        clock=clock or FakeClock(),
        redact=untouched,
        break_glass=break_glass,
        environ={},
        mirror=mirror or io.StringIO(),
        fallbacks=fallbacks,
    )
