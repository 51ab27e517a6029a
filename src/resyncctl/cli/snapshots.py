"""Outcomes of `engine show` and `venue show`: a snapshot as its document, and how it was read.

Called by the `engine` and `venue` verbs.
"""

from collections.abc import Iterator
from typing import Any

from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import AccountOutcome, SectionReport
from resyncctl.core.snapshot import EngineSnapshot, Section, Unknown, VenueSnapshot
from resyncctl.core.snapshot_json import engine_to_json, venue_to_json


def engine_outcome(snapshot: EngineSnapshot) -> AccountOutcome:
    """Return what the engine believes; INCOMPLETE as soon as one section is not known."""
    sections = tuple(
        _report("engine", name, "-", section)
        for name, section in (
            ("orders", snapshot.orders),
            ("fills", snapshot.fills),
            ("positions", snapshot.positions),
            ("balances", snapshot.balances),
        )
    )
    whole = all(one.known and one.complete for one in sections) and not snapshot.trouble
    return AccountOutcome(
        account=snapshot.account,
        status="known" if whole else "incomplete",
        exit_code=_engine_code(snapshot, whole=whole),
        sections=sections,
        data={"snapshot": engine_to_json(snapshot)},
        next_step=None if whole else f"resyncctl doctor {snapshot.account}",
    )


def venue_outcome(snapshot: VenueSnapshot) -> AccountOutcome:
    """Return what the exchange reports; INCOMPLETE as soon as one part was not read."""
    sections = tuple(_venue_sections(snapshot))
    whole = (
        all(one.known and one.complete for one in sections)
        and not snapshot.not_covered
        and snapshot.moving is None
    )
    return AccountOutcome(
        account=snapshot.account,
        status="known" if whole else "incomplete",
        exit_code=ExitCode.OK if whole else ExitCode.INCOMPLETE,
        sections=sections,
        data={"snapshot": venue_to_json(snapshot)},
        next_step=None if whole else f"resyncctl doctor {snapshot.account}",
    )


def _engine_code(snapshot: EngineSnapshot, *, whole: bool) -> ExitCode:
    if any(kind == "CHECKPOINT_CORRUPT" for kind, _ in snapshot.trouble):
        return ExitCode.DATAERR
    return ExitCode.OK if whole else ExitCode.INCOMPLETE


def _venue_sections(snapshot: VenueSnapshot) -> Iterator[SectionReport]:
    for product in snapshot.products:
        for scope, orders in product.orders:
            yield _report("venue", "orders", str(scope), orders)
        for name, section in (
            ("fills", product.fills),
            ("positions", product.positions),
            ("balances", product.balances),
            ("ledger", product.ledger),
        ):
            yield _report("venue", name, product.product, section)


def _report(side: str, name: str, scope: str, section: Section[Any]) -> SectionReport:
    if isinstance(section, Unknown):
        return SectionReport(
            side=side,
            section=name,
            scope=scope,
            known=False,
            complete=False,
            rows=0,
            reason=section.reason,
        )
    return SectionReport(
        side=side,
        section=name,
        scope=scope,
        known=True,
        complete=section.complete,
        rows=len(section.data),
        reason="; ".join(section.notes) if not section.complete else "",
        as_of_ms=section.as_of_ms,
    )
