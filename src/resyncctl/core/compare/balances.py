"""Compare balances asset by asset, in both directions, and say what the records explain.

A balance is its anchor plus fills, minus fees, plus what the ledger booked. The tolerance applies
only to the rest that no record explains. A difference that other findings explain is a consequence
and not a finding; one that the ledger explains (funding, a deposit) is told with severity `info`.
What is locked is compared where orders lock their own value; margin moves with the mark price.
Called by `compare`, after orders, fills and positions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from resyncctl.core.compare.align import Alignment
from resyncctl.core.compare.effects import (
    LOCKING_PRODUCTS,
    Asset,
    Facts,
    entries_by_trade,
    entries_of,
    fill_facts,
    lock_facts,
)
from resyncctl.core.compare.fills import FillDifferences
from resyncctl.core.compare.prepare import Bench, data_of
from resyncctl.core.compare.result import Case, Explained
from resyncctl.core.compare.words import REMEDIES, asset_subject, balance_values
from resyncctl.core.discrepancy import Discrepancy, Kind, Severity
from resyncctl.core.explain import (
    Account,
    Contribution,
    account_for,
    newest_that_match,
)
from resyncctl.core.model import Balance, Fill, LedgerEntry
from resyncctl.core.money import ZERO, plain
from resyncctl.core.snapshot import Known

Balances = dict[Asset, Balance]


_EXPLAINED_REMEDY = "Nothing is lost: the ledger explains it. `reconcile --repair` books it."


@dataclass(frozen=True, slots=True)
class _Pair:
    """One asset as both sides see it; None where a side has nothing of it."""

    key: Asset
    ours: Balance | None
    theirs: Balance | None

    @property
    def mine(self) -> Decimal:
        return self.ours.total if self.ours else ZERO

    @property
    def other(self) -> Decimal:
        return self.theirs.total if self.theirs else ZERO

    @property
    def locked_gap(self) -> Decimal:
        """How much more the exchange has locked; zero where a side does not tell."""
        if self.key[0] not in LOCKING_PRODUCTS:
            return ZERO
        mine = self.ours.locked if self.ours else ZERO
        other = self.theirs.locked if self.theirs else ZERO
        return ZERO if mine is None or other is None else other - mine

    def explained(self, what: str, delta: Decimal, account: Account, case: Case) -> Explained:
        return Explained(
            what=what,
            subject=asset_subject(case.account, *self.key),
            engine=balance_values(self.ours),
            venue=balance_values(self.theirs),
            delta=delta,
            explained_by=account.names,
        )


@dataclass(slots=True)
class BalanceDifferences:
    """Findings about balances, what is explained, and which products' ledgers were needed.

    `inferred` are the fills that were deduced from filled quantities; they explain too.
    """

    inferred: Sequence[Fill] = ()
    findings: list[Discrepancy] = field(default_factory=list)
    explained: list[Explained] = field(default_factory=list)
    ledger_needed: set[str] = field(default_factory=set)
    compared: int = 0
    matched: int = 0


@dataclass(frozen=True, slots=True)
class _Records:
    """What may explain a difference: fills, and the ledger before and after the engine's word."""

    fills: Facts
    later: Facts
    earlier: Facts


def compare_balances(
    bench: Bench, alignment: Alignment, differences: FillDifferences, inferred: Sequence[Fill]
) -> BalanceDifferences:
    """Given the rows of both sides and every other difference, judge every balance."""
    result = BalanceDifferences(inferred)
    case = bench.case
    if bench.engine_balances is None:
        return result
    ignored = set(case.policy.ignored_assets)
    ours = _index(bench.engine_balances, ignored)
    moved: list[_Pair] = []
    for product, reading in case.readings.items():
        if not isinstance(reading.balances, Known):
            continue
        theirs = _index(bench.venue_balances(product), ignored)
        keys = theirs.keys() | {key for key in ours if key[0] == product}
        for key in sorted(keys):
            if key not in theirs and not reading.balances.complete:
                continue
            result.compared += 1
            pair = _Pair(key, ours.get(key), theirs.get(key))
            if pair.mine != pair.other or pair.locked_gap:
                moved.append(pair)
            else:
                result.matched += 1
    if moved:
        _judge_moved(moved, bench, alignment, differences, result)
    return result


def _index(rows: Iterable[Balance], ignored: set[str]) -> Balances:
    return {(row.product, row.asset): row for row in rows if row.asset not in ignored}


def _judge_moved(
    moved: Sequence[_Pair],
    bench: Bench,
    alignment: Alignment,
    differences: FillDifferences,
    result: BalanceDifferences,
) -> None:
    records = _records(bench.case, differences, result.inferred)
    locks = lock_facts(alignment)
    for pair in moved:
        before = len(result.findings) + len(result.explained)
        magnitude = max(abs(pair.mine), abs(pair.other))
        tolerance = bench.case.policy.tolerance_for(pair.key[1], magnitude)
        _judge_total(pair, records, tolerance, bench.case, result)
        _judge_locked(pair, locks.get(pair.key, ()), tolerance, bench.case, result)
        result.matched += before == len(result.findings) + len(result.explained)


def _records(case: Case, differences: FillDifferences, inferred: Sequence[Fill]) -> _Records:
    ledger: list[LedgerEntry] = []
    for reading in case.readings.values():
        rows = dict.fromkeys(data_of(reading.ledger))
        ledger += [entry for entry in rows if entry.account == case.account]
    entries = entries_by_trade(ledger)
    tied = {id(entry) for fill in differences.missing for entry in entries_of(fill, entries)}
    balances = case.engine.balances
    as_of_ms = balances.as_of_ms if isinstance(balances, Known) else case.engine.as_of_ms
    later: Facts = {}
    earlier: Facts = {}
    for entry in ledger:
        if id(entry) not in tied:
            fact = Contribution(f"ledger:{entry.entry_id}", entry.amount, "ledger", entry.at_ms)
            side = later if case.venue_time(entry.at_ms) > as_of_ms else earlier
            side.setdefault((entry.product, entry.asset), []).append(fact)
    return _Records(fill_facts(differences, inferred, entries), later, earlier)


def _judge_total(
    pair: _Pair, records: _Records, tolerance: Decimal, case: Case, result: BalanceDifferences
) -> None:
    key, difference = pair.key, pair.other - pair.mine
    if abs(difference) <= tolerance:
        return
    account = account_for(
        difference, [*records.fills.get(key, ()), *records.later.get(key, ())], tolerance
    )
    if abs(account.rest) > tolerance:
        account = _with_earlier_entries(account, records.earlier.get(key, ()))
    if abs(account.rest) > tolerance:
        result.ledger_needed.add(key[0])
    elif not any(fact.group == "ledger" for fact in account.facts):
        result.explained.append(pair.explained("balance", difference, account, case))
        return
    result.findings.append(_total_finding(pair, account, tolerance, case))


def _with_earlier_entries(account: Account, earlier: Sequence[Contribution]) -> Account:
    """Try what the ledger booked before the engine's word: an engine may have missed it.

    Only an exact match counts here, because most of these entries are in the engine's number.
    """
    ordered = sorted(earlier, key=lambda fact: (fact.at_ms, fact.name))
    match = newest_that_match(account.rest, ordered)
    if match is None:
        exact = [fact for fact in ordered if fact.amount == account.rest]
        match = Account((exact[-1],), ZERO) if exact else None
    return account if match is None else Account((*account.facts, *match.facts), ZERO)


def _total_finding(pair: _Pair, account: Account, tolerance: Decimal, case: Case) -> Discrepancy:
    open_rest = abs(account.rest) > tolerance
    return Discrepancy(
        kind=Kind.BALANCE_MISMATCH,
        severity=Severity.MAJOR if open_rest else Severity.INFO,
        subject=asset_subject(case.account, *pair.key),
        engine=balance_values(pair.ours),
        venue=balance_values(pair.theirs),
        delta={"total": pair.other - pair.mine},
        explained_by=account.names,
        unexplained=account.rest if open_rest else ZERO,
        remedy=REMEDIES[Kind.BALANCE_MISMATCH] if open_rest else _EXPLAINED_REMEDY,
        detail=_total_detail(pair.key, account, case, open_rest=open_rest),
    )


def _total_detail(key: Asset, account: Account, case: Case, *, open_rest: bool) -> str:
    if not open_rest:
        return "The ledger explains the whole difference."
    detail = f"The rest of {plain(account.rest)} {key[1]} is not explained by fills or ledger."
    ledger = case.readings[key[0]].ledger
    if not isinstance(ledger, Known):
        detail += f" The ledger could not be read: {ledger.reason}"
    return detail


def _judge_locked(
    pair: _Pair,
    facts: Sequence[Contribution],
    tolerance: Decimal,
    case: Case,
    result: BalanceDifferences,
) -> None:
    gap = pair.locked_gap
    if abs(gap) <= tolerance:
        return
    account = account_for(gap, facts, tolerance)
    if abs(account.rest) <= tolerance:
        result.explained.append(pair.explained("locked", gap, account, case))
        return
    result.findings.append(
        Discrepancy(
            kind=Kind.LOCKED_MISMATCH,
            severity=Severity.MAJOR,
            subject=asset_subject(case.account, *pair.key),
            engine=balance_values(pair.ours),
            venue=balance_values(pair.theirs),
            delta={"locked": gap},
            explained_by=account.names,
            unexplained=account.rest,
            remedy=REMEDIES[Kind.LOCKED_MISMATCH],
            detail=f"Orders do not explain {plain(account.rest)} {pair.key[1]} of what is locked.",
        )
    )


def needed_ledgers(result: BalanceDifferences, case: Case) -> Mapping[str, int]:
    """Return since when the ledger of each product must be known for the rest to be judged."""
    balances = case.engine.balances
    as_of_ms = balances.as_of_ms if isinstance(balances, Known) else case.engine.as_of_ms
    return dict.fromkeys(sorted(result.ledger_needed), as_of_ms)
