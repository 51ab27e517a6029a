"""What a holder takes up: open requests of the dead, and of the living who lost the account."""

from pathlib import Path

import pytest

from resyncctl.adapters.store.journal import FileJournal
from resyncctl.adapters.store.runs import open_intents
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from tests.adapters.store.journals import RUN, begun

HOLDER = "20261121T110000Z-cancel-all-9xyz"


def intend(journal: FileJournal, account: str = "main") -> str:
    permit = journal.intend(
        "cancel_order", {"account": account}, deadline_ms=5_000, fencing_token=1
    )
    return permit.intent_id


@pytest.mark.invariant("I19")
@pytest.mark.parametrize("alive", [True, False])
def test_what_a_stopped_or_dead_run_left_open_is_taken_up(tmp_path: Path, alive: bool) -> None:
    journal = begun(tmp_path)
    intent_id = intend(journal)
    if not alive:
        journal.close()
    (found,) = open_intents((tmp_path,), "main", holder=HOLDER)
    assert found.intent_id == intent_id
    assert found.deadline_ms == 5_000
    journal.close()


def test_a_run_does_not_take_up_its_own_requests(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    intend(journal)
    assert open_intents((tmp_path,), "main", holder=RUN) == ()
    journal.close()


def test_without_the_account_the_requests_of_the_living_are_their_own(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    intend(journal)
    assert open_intents((tmp_path,), "main") == ()
    journal.close()


def test_other_accounts_and_answered_requests_are_left_alone(tmp_path: Path) -> None:
    journal = begun(tmp_path, RUN, "main", "other")
    intend(journal, "other")
    permit = journal.intend("cancel_order", {"account": "main"}, deadline_ms=1, fencing_token=1)
    journal.settle(permit, MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED))
    assert open_intents((tmp_path,), "main", holder=HOLDER) == ()
    journal.settle(permit, MutationOutcome(kind=OutcomeKind.UNKNOWN))
    journal.close()
