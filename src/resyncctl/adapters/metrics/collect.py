"""Turn the outcome of a command into the figures of each account.

Called by wiring at the end of every run, also of a failed one, before the figures go to the store
and to the textfile.
"""

from collections import Counter
from collections.abc import Mapping

from resyncctl.core.discrepancy import Discrepancy, Kind
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateReading
from resyncctl.core.outcome import AccountOutcome, Outcome
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.store import RunMetrics, Store

BALANCE_KINDS = frozenset({Kind.BALANCE_MISMATCH, Kind.LOCKED_MISMATCH})
ORDER_KINDS = frozenset(
    {
        Kind.ORPHAN_ORDER,
        Kind.MISSING_ORDER,
        Kind.STATUS_MISMATCH,
        Kind.ORDER_AMENDED,
        Kind.FILL_QUANTITY_MISMATCH,
        Kind.DUPLICATE_CLIENT_ID,
        Kind.IN_FLIGHT_UNRESOLVED,
        Kind.UNKNOWN_ORDER_STORM,
    }
)
COMPLETED = frozenset(
    {
        ExitCode.OK,
        ExitCode.DISCREPANCIES,
        ExitCode.BLOCKED,
        ExitCode.RESIDUAL,
        ExitCode.MISSED,
    }
)
"""Exit codes of runs that reached an answer about the account. INCOMPLETE is none."""

SKIPPED = frozenset({ExitCode.LOCKED})
"""A run that was skipped says nothing about the account, neither good nor bad."""


def collect(
    outcome: Outcome, *, gates: Mapping[str, GateReading], store: Store
) -> tuple[RunMetrics, ...]:
    """Return the figures of every account of the outcome that was not skipped.

    `gates` are the gates as they were read at the end of the run. How many runs before this one
    failed in a row is asked of the store; the textfile knows it too, and the higher count wins.
    """
    return tuple(
        _figures(account, outcome, gates.get(account.account), store)
        for account in outcome.accounts
        if account.exit_code not in SKIPPED
    )


def _figures(
    account: AccountOutcome, outcome: Outcome, gate: GateReading | None, store: Store
) -> RunMetrics:
    counts = Counter((finding.kind.value, finding.severity.value) for finding in account.findings)
    completed = account.exit_code in COMPLETED
    return RunMetrics(
        account=account.account,
        run_id=outcome.run_id,
        command=outcome.command,
        at_ms=outcome.finished_at_ms,
        duration_ms=_duration_ms(account, outcome),
        exit_code=int(account.exit_code),
        completed=completed,
        verdict=account.verdict.value if account.verdict else None,
        discrepancies=dict(counts),
        balance_mismatches=_count(account.findings, BALANCE_KINDS),
        order_mismatches=_count(account.findings, ORDER_KINDS),
        stale_orders=_count(account.findings, frozenset({Kind.STALE_ORDER})),
        stale_orders_cancelled=_whole(account.counts.get("stale_orders_cancelled")) or 0,
        sections_unknown=sum(not section.known for section in account.sections),
        weight_used=_whole(account.evidence.get("weight_used")),
        consecutive_failures=0 if completed else _failures_before(account.account, store) + 1,
        gate_state=gate.state.value if gate else None,
        gate_since_ms=gate.since_ms if gate else None,
    )


def _duration_ms(account: AccountOutcome, outcome: Outcome) -> int:
    """How long the account took; the whole run where that was not measured."""
    whole = outcome.finished_at_ms - outcome.started_at_ms
    return max(0, account.timings.get("total_ms", whole))


def _failures_before(account: str, store: Store) -> int:
    last = store.last_metrics(account)
    return 0 if last is None or isinstance(last, Unknown) else last.consecutive_failures


def _count(findings: tuple[Discrepancy, ...], kinds: frozenset[Kind]) -> int:
    return sum(finding.kind in kinds for finding in findings)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
