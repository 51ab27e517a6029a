"""Tell how each section of both sides was read, for the report. Called by `compare`."""

from collections.abc import Iterator
from typing import Any

from resyncctl.core.compare.result import Case
from resyncctl.core.outcome import SectionReport
from resyncctl.core.snapshot import Known, Section


def section_reports(case: Case) -> Iterator[SectionReport]:
    """Yield one report for each section, the engine's first, products in order."""
    engine = case.engine
    yield report("engine", "orders", "all", engine.orders)
    yield report("engine", "fills", "all", engine.fills)
    yield report("engine", "positions", "all", engine.positions)
    yield report("engine", "balances", "all", engine.balances)
    for product, reading in case.readings.items():
        for scope, orders in sorted(reading.orders, key=lambda entry: str(entry[0])):
            yield report("venue", "orders", str(scope), orders)
        yield report("venue", "fills", product, reading.fills)
        yield report("venue", "positions", product, reading.positions)
        yield report("venue", "balances", product, reading.balances)
        yield report("venue", "ledger", product, reading.ledger)


def report(side: str, section: str, scope: str, rows: Section[Any]) -> SectionReport:
    """Given one section, return how it was read; notes of a known section become its reason."""
    if isinstance(rows, Known):
        return SectionReport(
            side=side,
            section=section,
            scope=scope,
            known=True,
            complete=rows.complete,
            rows=len(rows.data),
            reason="; ".join(rows.notes),
            as_of_ms=rows.as_of_ms,
        )
    return SectionReport(
        side=side,
        section=section,
        scope=scope,
        known=False,
        complete=False,
        rows=0,
        reason=rows.reason,
    )
