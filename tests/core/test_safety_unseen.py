"""What is named as unseen: evidence that is missing, not differences and not mere notes."""

from dataclasses import replace

import pytest

from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject, Verdict
from resyncctl.core.safety import Name
from tests.core.test_safety_conditions import CLEAN, of

UNREAD = Discrepancy(
    kind=Kind.SECTION_UNREADABLE,
    severity=Severity.MAJOR,
    subject=Subject(account="main"),
    detail="The fills could not be read: no answer.",
)


@pytest.mark.parametrize(
    "beside",
    [
        replace(UNREAD, kind=Kind.ORPHAN_ORDER, detail="An order is not known.", id=""),
        replace(UNREAD, severity=Severity.INFO, detail="A note about time.", id=""),
    ],
    ids=["a difference", "a note"],
)
def test_only_missing_evidence_is_named(beside: Discrepancy) -> None:
    comparison = replace(CLEAN, findings=(UNREAD, beside), verdict=Verdict.UNKNOWN)
    found = of(Name.AGREED, comparison=comparison)
    assert not found.known
    assert found.evidence == "The fills could not be read: no answer"
