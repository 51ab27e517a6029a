"""Sort findings and count them for the summary line, the store and the metrics."""

from collections import Counter
from collections.abc import Sequence

from resyncctl.core.discrepancy import Discrepancy, Kind, Severity
from resyncctl.core.outcome import SectionReport

ORDER_KINDS = frozenset(
    {
        Kind.ORPHAN_ORDER,
        Kind.MISSING_ORDER,
        Kind.STATUS_MISMATCH,
        Kind.ORDER_AMENDED,
        Kind.FILL_QUANTITY_MISMATCH,
        Kind.DUPLICATE_CLIENT_ID,
        Kind.IN_FLIGHT_UNRESOLVED,
        Kind.OVERFILL,
    }
)
"""The kinds that the metric `order_mismatches` counts."""

BALANCE_KINDS = frozenset({Kind.BALANCE_MISMATCH, Kind.LOCKED_MISMATCH})
"""The kinds that the metric `balance_mismatches` counts, unless the ledger explains them."""


def order_of(finding: Discrepancy) -> tuple[object, ...]:
    """Return the sort key of a finding: the gravest first, then by kind and subject."""
    severities = list(Severity)
    subject = sorted(finding.subject.present().items())
    return (-severities.index(finding.severity), finding.kind.value, subject, finding.id)


def finding_counts(
    findings: Sequence[Discrepancy], sections: Sequence[SectionReport]
) -> dict[str, int]:
    """Return the numbers about findings that the summary, the store and the metrics show."""
    severities = Counter(finding.severity.value for finding in findings)
    serious = [finding for finding in findings if finding.severity is not Severity.INFO]
    return {
        "findings": len(findings),
        **{f"severity_{severity.value}": severities[severity.value] for severity in Severity},
        "order_mismatches": sum(finding.kind in ORDER_KINDS for finding in serious),
        "balance_mismatches": sum(finding.kind in BALANCE_KINDS for finding in serious),
        "stale_orders": sum(finding.kind is Kind.STALE_ORDER for finding in findings),
        "sections_unknown": sum(not (entry.known and entry.complete) for entry in sections),
    }
