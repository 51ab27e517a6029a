"""Reconcile: compare what the engine believes with what the exchange reports.

Promises, each held by a law among the tests:
- comparing a state with itself finds nothing, and the order of the rows does not matter;
- every finding is derivable from the two snapshots, the policy and the time, and has an id that is
  a pure function of its content;
- one cause is one finding: a consequence that other findings explain is kept as `Explained`;
- what could not be known is a finding that makes the verdict unknown, and taking evidence away can
  never improve the verdict;
- applying the emitted events to the engine's state and comparing again finds nothing, except what
  needs an act at the exchange or a better reading;
- the cost is linear in the number of rows.
Pure: no input or output, no clock. Called by `procedures.reconcile` and `procedures.cancel_all`.
"""

from resyncctl.core.compare.agreement import agree
from resyncctl.core.compare.align import Alignment, align
from resyncctl.core.compare.balances import BalanceDifferences, compare_balances, needed_ledgers
from resyncctl.core.compare.counting import finding_counts, order_of
from resyncctl.core.compare.evidence import evidence_findings
from resyncctl.core.compare.fill_findings import fill_findings
from resyncctl.core.compare.filled import compare_filled
from resyncctl.core.compare.fills import FillDifferences, compare_fills
from resyncctl.core.compare.orders import order_findings
from resyncctl.core.compare.positions import PositionDifferences, compare_positions
from resyncctl.core.compare.prepare import Bench, lay_out
from resyncctl.core.compare.references import missing_references
from resyncctl.core.compare.result import Case, Comparison, Explained
from resyncctl.core.compare.sections import section_reports
from resyncctl.core.compare.settling import settle
from resyncctl.core.money import exactly
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import EngineSnapshot, ProductReading, VenueSnapshot
from resyncctl.core.verdict import blocks_resume, judge

__all__ = ["Comparison", "Explained", "agree", "compare", "missing_references", "settle"]


def compare(
    engine: EngineSnapshot, venue: VenueSnapshot, policy: Policy, now_ms: int
) -> Comparison:
    """Given both sides, the policy and the time, return every difference and the verdict."""
    with exactly():
        return _compare(engine, venue, policy, now_ms)


def _compare(
    engine: EngineSnapshot, venue: VenueSnapshot, policy: Policy, now_ms: int
) -> Comparison:
    readings = {reading.product: reading for reading in _in_order(venue)}
    case = Case(engine, venue, policy, now_ms, readings)
    bench = lay_out(case)
    alignment = align(bench.engine_orders or (), bench.venue_orders, venue.look_ups)
    fills = compare_fills(bench)
    filled = compare_filled(bench, alignment, fills)
    positions = compare_positions(bench, fills, filled.inferred)
    balances = compare_balances(bench, alignment, fills, filled.inferred)
    ledgers = needed_ledgers(balances, case)
    matched = len(alignment.pairs) + fills.compared + positions.matched + balances.matched
    findings = [
        *order_findings(bench, alignment),
        *fill_findings(bench, fills),
        *filled.findings,
        *positions.findings,
        *balances.findings,
        *evidence_findings(bench, alignment, ledgers, matched),
    ]
    ordered = tuple(sorted({finding.id: finding for finding in findings}.values(), key=order_of))
    sections = tuple(section_reports(case))
    explained = (*filled.explained, *positions.explained, *balances.explained)
    return Comparison(
        account=engine.account,
        findings=ordered,
        verdict=judge(ordered),
        blocks_resume=blocks_resume(ordered),
        counts={
            **_row_counts(bench, alignment, fills, positions, balances),
            **finding_counts(ordered, sections),
            "explained": len(explained),
        },
        sections=sections,
        explained=tuple(sorted(explained, key=lambda entry: repr((entry.what, entry.subject)))),
    )


def _in_order(venue: VenueSnapshot) -> list[ProductReading]:
    return sorted(venue.products, key=lambda reading: reading.product)


def _row_counts(
    bench: Bench,
    alignment: Alignment,
    fills: FillDifferences,
    positions: PositionDifferences,
    balances: BalanceDifferences,
) -> dict[str, int]:
    return {
        "orders_engine": len(bench.engine_orders or ()),
        "orders_venue": len(bench.venue_orders),
        "orders_matched": len(alignment.pairs),
        "fills_engine": len(bench.engine_fills or ()),
        "fills_venue": sum(len(bench.venue_fills(product)) for product in bench.case.readings),
        "fills_matched": fills.compared,
        "fills_outside_window": fills.unjudged,
        "positions_compared": positions.compared,
        "positions_matched": positions.matched,
        "balances_compared": balances.compared,
        "balances_matched": balances.matched,
        "rows_set_aside": sum(bench.unmapped.values()) + bench.strangers,
    }
