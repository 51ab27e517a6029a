"""Say what could not be known. Each of these findings makes the whole verdict unknown.

Only what the question needs is asked for: a spot account has no positions to read, and a ledger
matters when a balance difference is left unexplained. Dropping a section, a window, a scope or a
row of evidence can only add a finding here, never remove one that counts. Called by `compare`.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

from resyncctl.core.compare.align import Alignment, lookup_contradicts
from resyncctl.core.compare.prepare import PRODUCTS_WITHOUT_POSITIONS, Bench
from resyncctl.core.compare.result import Case
from resyncctl.core.compare.words import REMEDIES, order_subject
from resyncctl.core.discrepancy import EVIDENCE_KINDS, Discrepancy, Kind, Severity, Subject
from resyncctl.core.snapshot import Known, ProductReading, Section, Window

READING_TIME_MAX_MS = 60_000
"""How long before the end of its own reading the window of a trade history may end."""

_PRODUCT = attrgetter("product")
_CRITICAL = frozenset({Kind.CHECKPOINT_CORRUPT, Kind.CHECKPOINT_FOREIGN})


def evidence_findings(
    bench: Bench, alignment: Alignment, needed_ledgers: Mapping[str, int], matched: int
) -> Iterator[Discrepancy]:
    """Yield every finding about what could not be known. `matched` counts what agreed."""
    case = bench.case
    yield from _source(case)
    yield from _clock(case)
    yield from _engine_sections(case)
    for reading in case.readings.values():
        yield from _venue_sections(reading, case)
    yield from _ledgers(needed_ledgers, case)
    yield from _scopes(bench, alignment)
    yield from _identity(case, matched)
    yield from _unmapped(bench)
    if bench.strangers:
        yield _evidence(
            case,
            Kind.SECTION_UNREADABLE,
            f"{bench.strangers} rows belong to another account and were set aside.",
        )
    yield from _moving(bench, alignment)


def _evidence(
    case: Case, kind: Kind, detail: str, *, product: str | None = None, place: str | None = None
) -> Discrepancy:
    return Discrepancy(
        kind=kind,
        severity=Severity.CRITICAL if kind in _CRITICAL else Severity.MAJOR,
        subject=Subject(account=case.account, product=product),
        venue={"place": place} if place else None,
        remedy=REMEDIES[kind],
        detail=detail,
    )


def _source(case: Case) -> Iterator[Discrepancy]:
    """Yield trouble of the engine's state source: stale, corrupt, foreign, rolled back."""
    engine = case.engine
    told: set[Kind] = set()
    for name, reason in engine.trouble:
        known = name in Kind.__members__ and Kind[name] in EVIDENCE_KINDS
        kind = Kind[name] if known else Kind.CHECKPOINT_CORRUPT
        told.add(kind)
        yield _evidence(case, kind, reason if known else f"{name}: {reason}")
    if engine.account != case.venue.account:
        detail = (
            f"The engine's state is of account {engine.account!r} and the exchange was read for "
            f"{case.venue.account!r}."
        )
        yield _evidence(case, Kind.CHECKPOINT_FOREIGN, detail)
    age_ms = case.now_ms - engine.as_of_ms
    if age_ms > case.policy.checkpoint_age_ms and Kind.CHECKPOINT_STALE not in told:
        allowed = case.policy.checkpoint_age_ms // 1000
        detail = f"The engine's state is older than the allowed {allowed} seconds."
        yield _evidence(case, Kind.CHECKPOINT_STALE, detail)
    if -age_ms > case.policy.clock_skew_warn_ms:
        detail = "The engine's state claims to be from the future: its clock is ahead of ours."
        yield _evidence(case, Kind.CLOCK_SKEW, detail)


def _clock(case: Case) -> Iterator[Discrepancy]:
    offset, limit = case.venue.clock_offset_ms, case.policy.clock_skew_warn_ms
    if offset is None:
        yield _evidence(case, Kind.CLOCK_SKEW, "The exchange's clock was not measured.")
    elif abs(offset) > limit:
        detail = f"The exchange's clock is more than {limit} ms away from ours."
        yield _evidence(case, Kind.CLOCK_SKEW, detail)


def _engine_sections(case: Case) -> Iterator[Discrepancy]:
    engine = case.engine
    sections: list[tuple[str, Section[Any]]] = [
        ("orders", engine.orders),
        ("fills", engine.fills),
        ("balances", engine.balances),
    ]
    if any(_has_positions(reading) for reading in case.readings.values()):
        sections.append(("positions", engine.positions))
    for name, section in sections:
        yield from _section(case, section, f"engine {name}", None)
    fills = engine.fills
    if isinstance(fills, Known) and fills.window is not None:
        yield from _since(case, fills.window, "engine fills", None)


def _venue_sections(reading: ProductReading, case: Case) -> Iterator[Discrepancy]:
    product = reading.product
    for scope, orders in reading.orders:
        yield from _section(case, orders, f"orders of {scope}", product)
    yield from _section(case, reading.fills, f"fills of {product}", product)
    yield from _section(case, reading.positions, f"positions of {product}", product)
    yield from _section(case, reading.balances, f"balances of {product}", product)
    if isinstance(reading.fills, Known):
        yield from _fill_window(reading.fills, case, product)


def _section(
    case: Case, section: Section[Any], name: str, product: str | None
) -> Iterator[Discrepancy]:
    if not isinstance(section, Known):
        detail = f"The {name} could not be read: {section.reason}"
    elif not section.complete:
        notes = "; ".join(section.notes) or "rows are known to be missing"
        detail = f"The {name} are incomplete: {notes}"
    else:
        return
    yield _evidence(case, Kind.SECTION_UNREADABLE, detail, product=product, place=name)


def _has_positions(reading: ProductReading) -> bool:
    if reading.product not in PRODUCTS_WITHOUT_POSITIONS or reading.position_mode is not None:
        return True
    return not isinstance(reading.positions, Known) or bool(reading.positions.data)


def _fill_window(section: Known[Any], case: Case, product: str) -> Iterator[Discrepancy]:
    """The trade history must reach back as far as was asked and up to when it was read.

    The window is chosen before the reading begins. What happens during the reading shows in the
    double collect, so a reading may take `READING_TIME_MAX_MS`.
    """
    name = f"fills of {product}"
    if section.window is None:
        detail = f"The {name} do not say which time they cover."
        yield _evidence(case, Kind.WINDOW_NOT_COVERED, detail, product=product, place=name)
        return
    yield from _since(case, section.window, name, product)
    if section.window.until_ms < section.as_of_ms - READING_TIME_MAX_MS:
        detail = f"The {name} end before the time at which they were read."
        yield _evidence(case, Kind.WINDOW_NOT_COVERED, detail, product=product, place=name)


def _since(case: Case, window: Window, name: str, product: str | None) -> Iterator[Discrepancy]:
    if window.since_ms > case.now_ms - case.policy.lookback_ms:
        hours = case.policy.lookback_ms / 3_600_000
        detail = f"The {name} do not reach back the {hours:g} hours that were asked for."
        yield _evidence(case, Kind.WINDOW_NOT_COVERED, detail, product=product, place=name)


def _ledgers(needed: Mapping[str, int], case: Case) -> Iterator[Discrepancy]:
    for product, since_ms in needed.items():
        ledger = case.readings[product].ledger
        name = f"ledger of {product}"
        yield from _section(case, ledger, name, product)
        if isinstance(ledger, Known) and not _covers(ledger, since_ms):
            detail = f"The {name} does not cover the time since the engine's balances."
            yield _evidence(case, Kind.WINDOW_NOT_COVERED, detail, product=product, place=name)


def _covers(ledger: Known[Any], since_ms: int) -> bool:
    return ledger.window is not None and ledger.window.since_ms <= since_ms


def _scopes(bench: Bench, alignment: Alignment) -> Iterator[Discrepancy]:
    """Yield each place that nobody looked at: by profile, by manifest, or named by the engine."""
    case = bench.case
    for gap in case.venue.not_covered:
        detail = f"{gap.what}: {gap.reason}"
        yield _evidence(case, Kind.SCOPE_NOT_COVERED, detail, place=gap.what)
    if not case.readings:
        yield _evidence(case, Kind.SCOPE_NOT_COVERED, "No product of the exchange was read.")
    read = {scope for reading in case.readings.values() for scope, _section in reading.orders}
    for scope in sorted(set(case.policy.required_scopes) - read, key=str):
        detail = f"The scope manifest names {scope}, which was not read."
        yield _evidence(
            case, Kind.SCOPE_NOT_COVERED, detail, product=scope.product, place=str(scope)
        )
    named = {
        str(order.scope)
        for order, _answer in alignment.engine_only
        if not order.is_terminal and order.scope not in read and order.product in case.readings
    }
    for place in sorted(named):
        detail = f"The engine has orders in {place}, which was not read."
        yield _evidence(case, Kind.SCOPE_NOT_COVERED, detail, place=place)
    yield from _foreign_products(bench)


def _foreign_products(bench: Bench) -> Iterator[Discrepancy]:
    products: dict[str, set[str]] = {}
    for order in bench.engine_orders or ():
        if not order.is_terminal:
            products.setdefault(order.product, set()).add("orders")
    for product in set(map(_PRODUCT, bench.engine_fills or ())):
        products.setdefault(product, set()).add("fills")
    for position in bench.engine_positions or ():
        if position.quantity:
            products.setdefault(position.product, set()).add("positions")
    for balance in bench.engine_balances or ():
        if balance.total and balance.asset not in bench.case.policy.ignored_assets:
            products.setdefault(balance.product, set()).add("balances")
    for product in sorted(products.keys() - bench.case.readings.keys()):
        what = ", ".join(sorted(products[product]))
        detail = f"The engine has {what} in product {product}, which was not read."
        yield _evidence(bench.case, Kind.SCOPE_NOT_COVERED, detail, product=product, place=product)


def _identity(case: Case, matched: int) -> Iterator[Discrepancy]:
    """An empty answer counts only when it is known whose account answered."""
    identity = case.venue.identity
    if matched or (isinstance(identity, Known) and identity.data):
        return
    detail = "Nothing agrees between the two sides and the account's identity was not proved."
    yield _evidence(case, Kind.SECTION_UNREADABLE, detail, place="identity")


def _unmapped(bench: Bench) -> Iterator[Discrepancy]:
    for (side, product, symbol), count in sorted(bench.unmapped.items()):
        yield Discrepancy(
            kind=Kind.UNMAPPED_INSTRUMENT,
            severity=Severity.MAJOR,
            subject=Subject(account=bench.case.account, product=product, symbol=symbol),
            engine={"rows": count} if side == "engine" else None,
            venue={"rows": count} if side == "venue" else None,
            remedy=REMEDIES[Kind.UNMAPPED_INSTRUMENT],
            detail=f"{count} rows carry the raw name {symbol}, which no market table knows.",
        )


def _moving(bench: Bench, alignment: Alignment) -> Iterator[Discrepancy]:
    case = bench.case
    if case.venue.moving is not None:
        yield _evidence(case, Kind.MOVING, case.venue.moving)
    for order in bench.contradictory:
        yield Discrepancy(
            kind=Kind.MOVING,
            severity=Severity.MAJOR,
            subject=order_subject(order),
            remedy=REMEDIES[Kind.MOVING],
            detail="The listing shows this order twice with different content.",
        )
    for order in lookup_contradicts(alignment):
        yield Discrepancy(
            kind=Kind.MOVING,
            severity=Severity.MAJOR,
            subject=order_subject(order),
            remedy=REMEDIES[Kind.MOVING],
            detail="The look-up says that this order is open and the listing does not show it.",
        )
