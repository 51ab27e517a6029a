"""Compare positions leg by leg, and say what the fills explain.

A position is its anchor plus its fills, so a difference that is exactly the fills which only one
side has is a consequence and not a finding. Hedge legs are compared one by one: two opposite legs
have a net of zero and are not empty. Called by `compare`, after the fills.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from resyncctl.core.compare.fills import FillDifferences
from resyncctl.core.compare.prepare import Bench
from resyncctl.core.compare.result import Explained
from resyncctl.core.compare.words import REMEDIES, leg_subject, position_values
from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject, Value
from resyncctl.core.explain import Account, Contribution, account_for, shorten
from resyncctl.core.model import Fill, Leg, Position, Side
from resyncctl.core.money import ZERO, plain, relative_gap
from resyncctl.core.snapshot import Known

LegKey = tuple[str, str, Leg]
Legs = dict[LegKey, Position]
_SIZE_ONLY = frozenset({Kind.POSITION_MISMATCH, Kind.LEG_MISMATCH})


@dataclass(slots=True)
class PositionDifferences:
    """Findings about positions, what is explained, and how many legs were compared."""

    findings: list[Discrepancy] = field(default_factory=list)
    explained: list[Explained] = field(default_factory=list)
    compared: int = 0
    matched: int = 0


@dataclass(frozen=True, slots=True)
class _Leg:
    """One leg as both sides see it; None where a side is flat."""

    key: LegKey
    ours: Position | None
    theirs: Position | None

    @property
    def mine(self) -> Decimal:
        return self.ours.quantity if self.ours else ZERO

    @property
    def other(self) -> Decimal:
        return self.theirs.quantity if self.theirs else ZERO

    @property
    def entries(self) -> tuple[Decimal, Decimal]:
        """Both entry prices; zero where a side does not tell."""
        mine = self.ours.entry_price if self.ours else None
        other = self.theirs.entry_price if self.theirs else None
        return mine or ZERO, other or ZERO

    @property
    def entry_gap(self) -> Decimal:
        """How far the entry prices are apart, as a ratio; zero where a side does not tell."""
        mine, other = self.entries
        return relative_gap(mine, other) if mine and other else ZERO

    def explained(self, names: tuple[str, ...], bench: Bench) -> Explained:
        return Explained(
            what="position",
            subject=self.subject(bench),
            engine=position_values(self.ours),
            venue=position_values(self.theirs),
            delta=self.other - self.mine,
            explained_by=names,
        )

    def subject(self, bench: Bench) -> Subject:
        return leg_subject(bench.case.account, self.key[0], self.key[1], self.key[2].value)

    def kind(self) -> Kind:
        if not self.mine:
            return Kind.UNTRACKED_POSITION
        if not self.other:
            return Kind.PHANTOM_POSITION
        if (self.mine > 0) != (self.other > 0):
            return Kind.SIDE_FLIP
        return Kind.POSITION_MISMATCH if self.key[2] is Leg.BOTH else Kind.LEG_MISMATCH


def compare_positions(
    bench: Bench, differences: FillDifferences, inferred: Iterable[Fill]
) -> PositionDifferences:
    """Given the rows of both sides and how the fills differ, judge every position leg."""
    result = PositionDifferences()
    if bench.engine_positions is None:
        return result
    facts = _facts_by_leg(differences, inferred)
    ours = merge_legs(bench.engine_positions)
    for product, reading in bench.case.readings.items():
        if not isinstance(reading.positions, Known):
            continue
        theirs = merge_legs(dict.fromkeys(bench.venue_positions(product)))
        mine = {key: row for key, row in ours.items() if key[0] == product}
        whole = reading.positions.complete
        _compare_product(mine, theirs, facts, bench, result, whole=whole)
    return result


def merge_legs(rows: Iterable[Position]) -> Legs:
    """Add up the rows of each leg: several strategies may share one. Flat legs are left out."""
    legs: Legs = {}
    for row in rows:
        key = (row.product, row.symbol, row.leg)
        known = legs.get(key)
        if known is None:
            legs[key] = row
        else:
            legs[key] = replace(known, quantity=known.quantity + row.quantity, entry_price=None)
    return {key: row for key, row in legs.items() if row.quantity}


def signed(fill: Fill) -> Decimal:
    """Return how a fill moves its leg; a short leg is negative, so a sale always lowers it."""
    return fill.quantity if fill.side is Side.BUY else -fill.quantity


def _facts_by_leg(
    differences: FillDifferences, inferred: Iterable[Fill]
) -> dict[LegKey, list[Contribution]]:
    """Index by leg how each differing fill moves the position, venue minus engine."""
    facts: dict[LegKey, list[Contribution]] = {}

    def note(fill: Fill, amount: Decimal, group: str) -> None:
        fact = Contribution(f"fill:{fill.trade_id} {fill.symbol}", amount, group, fill.at_ms)
        facts.setdefault((fill.product, fill.symbol, fill.leg), []).append(fact)

    for fill in differences.missing:
        note(fill, signed(fill), "missing")
    for fill in inferred:
        note(fill, signed(fill), "inferred")
    for fill in differences.phantom:
        note(fill, -signed(fill), "phantom")
    for conflict in differences.conflicts:
        note(conflict.venue, signed(conflict.venue) - signed(conflict.engine), "conflict")
    for repeated in differences.repeated:
        note(
            repeated.venue or repeated.engine,
            -signed(repeated.engine) * (repeated.times - 1),
            "duplicate",
        )
    return facts


def _compare_product(
    ours: Legs,
    theirs: Legs,
    facts: Mapping[LegKey, list[Contribution]],
    bench: Bench,
    result: PositionDifferences,
    *,
    whole: bool,
) -> None:
    reshaped = _reshaped(ours, theirs)
    for product, symbol in sorted(reshaped):
        result.findings.append(_reshaped_finding(product, symbol, ours, theirs, bench))
    for key in sorted(ours.keys() | theirs.keys()):
        if key[:2] in reshaped or (key not in theirs and not whole):
            continue
        result.compared += 1
        found = len(result.findings) + len(result.explained)
        _compare_leg(_Leg(key, ours.get(key), theirs.get(key)), facts.get(key, ()), bench, result)
        result.matched += found == len(result.findings) + len(result.explained)


def _reshaped(ours: Legs, theirs: Legs) -> set[tuple[str, str]]:
    """Return the symbols where one side holds hedge legs and the other a single net position."""
    net_ours = {key[:2] for key in ours if key[2] is Leg.BOTH}
    net_theirs = {key[:2] for key in theirs if key[2] is Leg.BOTH}
    hedged_ours = {key[:2] for key in ours if key[2] is not Leg.BOTH}
    hedged_theirs = {key[:2] for key in theirs if key[2] is not Leg.BOTH}
    return (net_ours & hedged_theirs) | (hedged_ours & net_theirs)


def _reshaped_finding(
    product: str, symbol: str, ours: Legs, theirs: Legs, bench: Bench
) -> Discrepancy:
    def legs_of(side: Legs) -> dict[str, Value]:
        held = {leg: side.get((product, symbol, leg)) for leg in Leg}
        return {leg.value: row.quantity for leg, row in held.items() if row}

    return Discrepancy(
        kind=Kind.LEG_MISMATCH,
        severity=Severity.CRITICAL,
        subject=leg_subject(bench.case.account, product, symbol, None),
        engine=legs_of(ours),
        venue=legs_of(theirs),
        remedy=REMEDIES[Kind.LEG_MISMATCH],
        detail="One side keeps one net position and the other keeps hedge legs.",
    )


def _compare_leg(
    leg: _Leg, facts: Sequence[Contribution], bench: Bench, result: PositionDifferences
) -> None:
    difference = leg.other - leg.mine
    tolerance = bench.case.policy.quantity_tolerance
    if abs(difference) <= tolerance:
        gap = leg.entry_gap
        if gap > bench.case.policy.entry_price_tolerance_ratio and facts:
            result.explained.append(leg.explained(shorten(_names(facts)), bench))
        elif gap > bench.case.policy.entry_price_tolerance_ratio:
            result.findings.append(_drift_finding(leg, gap, bench))
        return
    account = account_for(difference, facts, tolerance)
    if abs(account.rest) <= tolerance:
        result.explained.append(leg.explained(account.names, bench))
    else:
        result.findings.append(_quantity_finding(leg, account, bench))


def _names(facts: Sequence[Contribution]) -> list[str]:
    return sorted({fact.name for fact in facts})


def _quantity_finding(leg: _Leg, account: Account, bench: Bench) -> Discrepancy:
    difference = leg.other - leg.mine
    kind = leg.kind()
    detail = f"The rest of {plain(account.rest)} is not explained by any fill."
    if account.facts:
        explained = plain(difference - account.rest)
        detail = f"Fills explain {explained}; {detail[0].lower()}{detail[1:]}"
    return Discrepancy(
        kind=kind,
        severity=Severity.MAJOR if kind in _SIZE_ONLY else Severity.CRITICAL,
        subject=leg.subject(bench),
        engine=position_values(leg.ours),
        venue=position_values(leg.theirs),
        delta={"quantity": difference},
        explained_by=account.names,
        unexplained=account.rest,
        remedy=REMEDIES[kind],
        detail=detail,
    )


def _drift_finding(leg: _Leg, gap: Decimal, bench: Bench) -> Discrepancy:
    mine, other = leg.entries
    return Discrepancy(
        kind=Kind.ENTRY_PRICE_DRIFT,
        severity=Severity.MINOR,
        subject=leg.subject(bench),
        engine=position_values(leg.ours),
        venue=position_values(leg.theirs),
        delta={"entry_price": other - mine},
        remedy=REMEDIES[Kind.ENTRY_PRICE_DRIFT],
        detail=f"The entry prices are {plain(round(gap * 100, 4))} % apart.",
    )
