"""Against a running engine a finding counts only if it survives a second look.

An engine that trades while it is compared is always a little ahead of, or behind, what was read.
So the comparison is made twice with a delay between. What is gone at the second look was in
transit. What only the second look shows, or what was touched within the guard window and changed
since the first look, is still settling: it is reported with severity `info` and judged next time.
Evidence of the second look always stands. Called by `procedures.reconcile` for cron runs.
"""

from dataclasses import replace

from resyncctl.core.compare.counting import finding_counts, order_of
from resyncctl.core.compare.effects import assets_of
from resyncctl.core.compare.prepare import data_of
from resyncctl.core.compare.result import Comparison
from resyncctl.core.compare.words import REMEDIES
from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import EngineSnapshot, VenueSnapshot
from resyncctl.core.verdict import UNKNOWN_KINDS, blocks_resume, judge

Touched = set[tuple[str, str, str]]
"""(product, symbol or asset, id) of everything that was touched within the guard window."""


def settle(
    first: Comparison,
    second: Comparison,
    *,
    engine: EngineSnapshot,
    venue: VenueSnapshot,
    policy: Policy,
    now_ms: int,
) -> Comparison:
    """Given two comparisons of a running engine, return the one that counts.

    `engine`, `venue` and `now_ms` belong to the second look.
    """
    seen = {(finding.kind, finding.subject): finding.id for finding in first.findings}
    touched = _touched(engine, venue, policy, now_ms)
    findings = []
    for finding in second.findings:
        known_id = seen.get((finding.kind, finding.subject))
        stands = finding.kind in UNKNOWN_KINDS or known_id == finding.id
        survives = known_id is not None and not _was_touched(finding.subject, touched)
        findings.append(finding if stands or survives else _settling(finding, known_id))
    ordered = tuple(sorted(findings, key=order_of))
    before = {(entry.what, entry.subject) for entry in first.explained}
    explained = tuple(entry for entry in second.explained if (entry.what, entry.subject) in before)
    gone = len(seen.keys() - {(finding.kind, finding.subject) for finding in second.findings})
    return replace(
        second,
        findings=ordered,
        verdict=judge(ordered),
        blocks_resume=blocks_resume(ordered),
        counts={
            **second.counts,
            **finding_counts(ordered, second.sections),
            "settled": gone,
            "settling": sum(finding.kind is Kind.SETTLING for finding in ordered),
            "explained": len(explained),
        },
        explained=explained,
    )


def _settling(finding: Discrepancy, known_id: str | None) -> Discrepancy:
    why = "changed since the first look" if known_id else "was not there at the first look"
    return Discrepancy(
        kind=Kind.SETTLING,
        severity=Severity.INFO,
        subject=finding.subject,
        engine=finding.engine,
        venue=finding.venue,
        delta=finding.delta,
        remedy=REMEDIES[Kind.SETTLING],
        detail=f"{finding.kind.value} {why}.",
    )


def _touched(engine: EngineSnapshot, venue: VenueSnapshot, policy: Policy, now_ms: int) -> Touched:
    """Collect what either side changed within the guard window."""
    since_ms = now_ms - policy.guard_window_ms
    shift = venue.clock_offset_ms or 0
    touched: Touched = set()
    sides = [(engine.orders, engine.fills, engine.positions, 0)]
    for reading in venue.products:
        sides += [(orders, reading.fills, reading.positions, shift) for _, orders in reading.orders]
    for orders, fills, positions, offset in sides:
        for order in data_of(orders):
            at_ms = max(order.updated_at_ms or 0, order.created_at_ms or 0)
            if at_ms - offset >= since_ms:
                for identity in (order.venue_order_id, order.client_order_id):
                    touched.add((order.product, order.symbol, identity or ""))
        for fill in data_of(fills):
            if fill.at_ms - offset >= since_ms:
                _touch_by_fill(fill.product, fill.symbol, touched)
                touched.add((fill.product, fill.symbol, fill.venue_order_id or ""))
                touched.add((fill.product, fill.symbol, fill.client_order_id or ""))
                touched.add((fill.product, fill.symbol, f"trade {fill.trade_id}"))
        for position in data_of(positions):
            if (position.updated_at_ms or 0) - offset >= since_ms:
                _touch_by_fill(position.product, position.symbol, touched)
    return touched


def _touch_by_fill(product: str, symbol: str, touched: Touched) -> None:
    touched.add((product, symbol, "position"))
    settle_asset = symbol.partition(":")[2]
    for asset in {*assets_of(symbol), settle_asset} - {""}:
        touched.add((product, asset, "balance"))


def _was_touched(subject: Subject, touched: Touched) -> bool:
    product, symbol = subject.product or "", subject.symbol or ""
    if subject.asset is not None:
        return (product, subject.asset, "balance") in touched
    if subject.trade_id is not None:
        return (product, symbol, f"trade {subject.trade_id}") in touched
    if subject.venue_order_id is None and subject.client_order_id is None:
        return (product, symbol, "position") in touched
    return any(
        identity is not None and (product, symbol, identity) in touched
        for identity in (subject.venue_order_id, subject.client_order_id)
    )
