"""What the journal of a flatten leaves for later runs."""

from pathlib import Path

import pytest

from resyncctl.adapters.store.journal import Beginning, create_journal
from resyncctl.adapters.store.records import BEGAN
from resyncctl.adapters.store.runs import open_intents, unfinished_runs
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from tests.fakes.fake_clock import FakeClock

RUN = "20261121T103000Z-flatten-7f3k"
INTENT = {"account": "main", "scope": "linear/regular", "orders": [{"client_order_id": "rsc-1"}]}


def left_by(root: Path, *, ended: str | None, answer: OutcomeKind | None) -> None:
    """Write the journal of a flatten that proved its cancels, sent one order, and died or ended."""
    clock = FakeClock()
    journal = create_journal(root / "runs" / RUN, RUN, clock=clock, redact=lambda text: text)
    beginning = Beginning(command="flatten", accounts=("main",), version="1")
    journal.record(BEGAN, beginning.details())
    cancel = journal.intend("cancel_symbol", {"account": "main"}, deadline_ms=1, fencing_token=1)
    journal.settle(cancel, MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED))
    journal.record("cancel_all_ended", {"account": "main", "status": "proved_empty"})
    permit = journal.intend("reduce", INTENT, deadline_ms=clock.now_ms(), fencing_token=1)
    if answer is not None:
        journal.settle(permit, MutationOutcome(kind=answer))
    if ended is not None:
        journal.record("flatten_ended", {"account": "main", "status": ended})
    journal.close()


@pytest.mark.invariant("I25")
@pytest.mark.parametrize("answer", [None, OutcomeKind.UNKNOWN])
def test_an_order_sent_after_the_proof_of_cancels_is_not_forgotten(
    tmp_path: Path, answer: OutcomeKind | None
) -> None:
    left_by(tmp_path, ended=None, answer=answer)
    (intent,) = open_intents((tmp_path,), "main")
    assert intent.action == "reduce"
    assert intent.details["orders"] == [{"client_order_id": "rsc-1"}]
    assert len(unfinished_runs((tmp_path,), "main")) == 1


def test_only_the_word_flat_settles_the_account(tmp_path: Path) -> None:
    left_by(tmp_path, ended="residual", answer=OutcomeKind.UNKNOWN)
    assert open_intents((tmp_path,), "main")


def test_a_flat_account_is_settled(tmp_path: Path) -> None:
    left_by(tmp_path, ended="flat", answer=OutcomeKind.UNKNOWN)
    assert not open_intents((tmp_path,), "main")


@pytest.mark.invariant("I25")
def test_a_flatten_that_died_before_its_first_order_is_not_finished(tmp_path: Path) -> None:
    journal = create_journal(
        tmp_path / "runs" / RUN, RUN, clock=FakeClock(), redact=lambda text: text
    )
    journal.record(BEGAN, Beginning(command="flatten", accounts=("main",), version="1").details())
    cancel = journal.intend("cancel_symbol", {"account": "main"}, deadline_ms=1, fencing_token=1)
    journal.settle(cancel, MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED))
    journal.record("cancel_all_ended", {"account": "main", "status": "proved_empty"})
    journal.close()
    (run,) = unfinished_runs((tmp_path,), "main")
    assert run.command == "flatten"
