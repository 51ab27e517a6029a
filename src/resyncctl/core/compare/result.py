"""What a comparison returns, and the inputs as every comparer receives them.

The rule of one cause, one finding: a consequence that is wholly accounted for by other findings
(a position that differs by exactly a missing fill, an amount that an orphan order locks) is not a
finding of its own. It is kept as an `Explained` value, so that it is visible and can be repaired.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from resyncctl.core.discrepancy import Discrepancy, Subject, Values, Verdict
from resyncctl.core.outcome import SectionReport
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import EngineSnapshot, ProductReading, VenueSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A difference that other findings account for completely.

    `what` is `position`, `balance`, `locked` or `filled`; `explained_by` names the facts.
    """

    what: str
    subject: Subject
    engine: Values
    venue: Values
    delta: Decimal
    explained_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The differences between engine and exchange, sorted, with a verdict.

    `counts` are numbers for the summary line, `sections` tell how each section was read, and
    `explained` lists consequences that the findings account for.
    """

    account: str
    findings: tuple[Discrepancy, ...]
    verdict: Verdict
    blocks_resume: bool
    counts: Mapping[str, int]
    sections: tuple[SectionReport, ...]
    explained: tuple[Explained, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """The inputs of one comparison, as every comparer receives them."""

    engine: EngineSnapshot
    venue: VenueSnapshot
    policy: Policy
    now_ms: int
    readings: Mapping[str, ProductReading]

    @property
    def account(self) -> str:
        """The account that is compared."""
        return self.engine.account

    def venue_time(self, at_ms: int) -> int:
        """Return a time of the exchange's clock as a time of ours."""
        return at_ms - (self.venue.clock_offset_ms or 0)
