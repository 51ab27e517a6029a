"""The conservation law: what an account holds changes only by fills and by what the ledger booked.

A position at the end is the one at the beginning plus the fills between; a balance is the one at
the beginning plus fills, minus fees, plus the ledger. A change that nobody caused means that the
readings do not belong together, or that somebody trades unseen.

Promises: rows are told apart by their ids and not by clocks, so that the edges of the span cannot
hide or double one; a section that was needed and could not be read makes the law unknown, never
kept. Pure; called by `procedures.establish`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from resyncctl.core.compare.effects import entries_by_trade, entries_of, moves_of
from resyncctl.core.compare.positions import signed
from resyncctl.core.model import Fill, LedgerEntry, Leg
from resyncctl.core.money import ZERO, plain
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import ProductReading, Section, Unknown

T = TypeVar("T")
LegKey = tuple[str, str, Leg]
AssetKey = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What an account holds at one moment, with its history up to that moment.

    `since_ms` is where the history begins, and `asked` are the symbols whose fills were asked for.
    `missing` says per section what could not be read: (section, product, reason).
    """

    as_of_ms: int
    since_ms: int
    positions: Mapping[LegKey, Decimal]
    balances: Mapping[AssetKey, Decimal]
    fills: tuple[Fill, ...]
    ledger: tuple[LedgerEntry, ...]
    asked: frozenset[str] = frozenset()
    missing: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Conservation:
    """Whether the law was kept: changes without a cause, and what could not be judged."""

    violations: tuple[str, ...]
    unknown: tuple[str, ...]
    fills: int = 0
    entries: int = 0

    @property
    def kept(self) -> bool:
        """Whether every change has its cause, as far as everything was read."""
        return not self.violations and not self.unknown


def holdings_of(
    readings: Sequence[ProductReading],
    as_of_ms: int,
    since_ms: int,
    asked: frozenset[str] = frozenset(),
) -> Holdings:
    """Turn the readings of every product into holdings."""
    positions: dict[LegKey, Decimal] = {}
    balances: dict[AssetKey, Decimal] = {}
    fills: dict[tuple[str, str, str], Fill] = {}
    ledger: dict[tuple[str, str, str, str], LedgerEntry] = {}
    missing: list[tuple[str, str, str]] = []
    for reading in readings:
        for leg in _rows("positions", reading.product, reading.positions, missing):
            key = (leg.product, leg.symbol, leg.leg)
            positions[key] = positions.get(key, ZERO) + leg.quantity
        for row in _rows("balances", reading.product, reading.balances, missing):
            balances[row.product, row.asset] = row.total
        for fill in _rows("fills", reading.product, reading.fills, missing):
            fills[fill.product, fill.symbol, fill.trade_id] = fill
        for entry in _rows("ledger", reading.product, reading.ledger, missing):
            ledger[entry.product, entry.asset, entry.kind, entry.entry_id] = entry
    return Holdings(
        as_of_ms=as_of_ms,
        since_ms=since_ms,
        positions=positions,
        balances=balances,
        fills=tuple(fills.values()),
        ledger=tuple(ledger.values()),
        asked=asked,
        missing=tuple(missing),
    )


def _rows(
    name: str, product: str, section: Section[T], missing: list[tuple[str, str, str]]
) -> tuple[T, ...]:
    if isinstance(section, Unknown):
        missing.append((name, product, section.reason))
        return ()
    if not section.complete:
        missing.append((name, product, "; ".join(section.notes) or "rows are missing"))
    return section.data


def conserve(before: Holdings, after: Holdings, policy: Policy) -> Conservation:
    """Given the holdings at the beginning and at the end, say whether every change has a cause."""
    known = {(fill.product, fill.symbol, fill.trade_id) for fill in before.fills}
    booked = {(e.product, e.asset, e.kind, e.entry_id) for e in before.ledger}
    fills = [
        fill
        for fill in after.fills
        if (fill.product, fill.symbol, fill.trade_id) not in known
        # The beginning cannot have listed the fills of a symbol that nobody knew of then.
        and fill.at_ms >= (before.since_ms if fill.symbol in before.asked else before.as_of_ms)
    ]
    entries = [
        entry
        for entry in after.ledger
        if (entry.product, entry.asset, entry.kind, entry.entry_id) not in booked
        and entry.at_ms >= before.since_ms
    ]
    lacking = {(section, product) for section, product, _ in (*before.missing, *after.missing)}
    violations: list[str] = []
    unknown = [
        f"{section} of {product} could not be read: {reason}"
        for section, product, reason in dict.fromkeys((*before.missing, *after.missing))
        if section in {"positions", "balances"}
    ]
    for words, product, needs in (
        *_position_rests(before, after, fills, policy),
        *_balance_rests(before, after, fills, entries, policy),
    ):
        reason = next((need for need in needs if (need, product) in lacking), None)
        if reason is None:
            violations.append(words)
        else:
            unknown.append(f"{words}; the {reason} of {product} could not be read")
    return Conservation(tuple(violations), tuple(unknown), len(fills), len(entries))


def _position_rests(
    before: Holdings, after: Holdings, fills: Iterable[Fill], policy: Policy
) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    caused: dict[LegKey, Decimal] = {}
    for fill in fills:
        key = (fill.product, fill.symbol, fill.leg)
        caused[key] = caused.get(key, ZERO) + signed(fill)
    products = {product for product, _, _ in (*before.positions, *after.positions)}
    for key in sorted({*before.positions, *after.positions, *caused}):
        if key[0] not in products and key[0] in {"spot", "margin"}:
            continue  # a fill of a product without positions moves balances only
        change = after.positions.get(key, ZERO) - before.positions.get(key, ZERO)
        rest = change - caused.get(key, ZERO)
        if abs(rest) > policy.quantity_tolerance:
            words = f"position {key[1]} {key[2].value} changed by {plain(rest)} without a fill"
            yield words, key[0], ("positions", "fills")


def _balance_rests(
    before: Holdings,
    after: Holdings,
    fills: Iterable[Fill],
    entries: Sequence[LedgerEntry],
    policy: Policy,
) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    caused: dict[AssetKey, Decimal] = {}
    by_trade = entries_by_trade(entries)
    for fill in fills:
        charged = any(entry.kind == "commission" for entry in entries_of(fill, by_trade))
        for asset, amount in moves_of(fill, with_fee=not charged):
            caused[fill.product, asset] = caused.get((fill.product, asset), ZERO) + amount
    for entry in entries:
        key = (entry.product, entry.asset)
        caused[key] = caused.get(key, ZERO) + entry.amount
    for key in sorted({*before.balances, *after.balances, *caused}):
        if key[1] in policy.ignored_assets:
            continue
        change = after.balances.get(key, ZERO) - before.balances.get(key, ZERO)
        rest = change - caused.get(key, ZERO)
        if abs(rest) > max(policy.balance_floor, dict(policy.dust).get(key[1], ZERO)):
            words = f"balance of {key[1]} ({key[0]}) changed by {plain(rest)} without a cause"
            yield words, key[0], ("balances", "fills", "ledger")
