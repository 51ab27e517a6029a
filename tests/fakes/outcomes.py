"""Outcomes of every command, as the procedures make them, for the screens' tests."""

from decimal import Decimal

from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject, Verdict
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import (
    AccountOutcome,
    ActionRecord,
    Outcome,
    OutcomeError,
    SectionReport,
)

NOW_MS = 1_795_253_467_123  # 2026-11-21T09:31:07.123Z
ESCAPES = "\x1b]0;owned\x07\x1b[2J[red]not markup[/red]\u202e\x9b31m"


def outcome(command: str, *accounts: AccountOutcome, code: ExitCode, **data: object) -> Outcome:
    return Outcome(
        command=command,
        run_id=f"20261121T093107Z-{command}-7f3k",
        started_at_ms=NOW_MS - 3_400,
        finished_at_ms=NOW_MS,
        exit_code=code,
        accounts=accounts,
        data=data,
    )


def findings() -> tuple[Discrepancy, ...]:
    return (
        Discrepancy(
            kind=Kind.ORPHAN_ORDER,
            severity=Severity.CRITICAL,
            subject=Subject(
                account="binance-main",
                product="spot",
                symbol="ETH/USDT",
                venue_order_id="71000000000000000000000000e0f",
                client_order_id="mm1-000000000000000000000000042",
            ),
            venue={
                "side": "buy",
                "quantity": Decimal("5.0000"),
                "price": Decimal("3121.40"),
                "status": "ACCEPTED",
            },
            remedy="cancel it, or let a strategy claim it",
        ),
        Discrepancy(
            kind=Kind.MISSING_FILL,
            severity=Severity.MAJOR,
            subject=Subject(
                account="binance-main", product="spot", symbol="BTC/USDT", trade_id="88123"
            ),
            venue={"quantity": Decimal("0.02"), "price": Decimal("97012.1")},
            remedy="reconcile --repair adds it to the checkpoint",
        ),
        Discrepancy(
            kind=Kind.POSITION_MISMATCH,
            severity=Severity.MAJOR,
            subject=Subject(
                account="binance-main", product="linear", symbol="BTC/USDT:USDT", leg="both"
            ),
            engine={"quantity": Decimal("0.12345678"), "entry_price": Decimal(97000)},
            venue={"quantity": Decimal("0.12345679"), "entry_price": Decimal(97000)},
            delta={"quantity": Decimal("0.00000001")},
            explained_by=("trade 88124",),
            unexplained=Decimal("0.00000001"),
            remedy="look for a fill that neither side lists",
        ),
        Discrepancy(
            kind=Kind.BALANCE_MISMATCH,
            severity=Severity.MINOR,
            subject=Subject(account="binance-main", product="spot", asset="USDT"),
            engine={"total": Decimal("10231.18")},
            venue={"total": Decimal("10230.02")},
            delta={"total": Decimal("-1.16")},
            unexplained=Decimal("-1.16"),
            remedy="check fees and transfers",
            detail="0.0113 % is above the tolerance of 0.0100 %",
        ),
    )


def discrepant() -> AccountOutcome:
    return AccountOutcome(
        account="binance-main",
        status="discrepant",
        exit_code=ExitCode.BLOCKED,
        verdict=Verdict.DISCREPANT,
        findings=findings(),
        sections=(
            SectionReport(
                side="venue",
                section="orders",
                scope="linear/algo",
                known=True,
                complete=True,
                rows=3,
                as_of_ms=NOW_MS,
            ),
        ),
        counts={
            "orders_engine": 11,
            "orders_venue": 12,
            "orders_matched": 11,
            "fills_engine": 412,
            "fills_venue": 413,
            "fills_matched": 412,
            "positions_compared": 3,
            "positions_matched": 2,
            "balances_compared": 6,
            "balances_matched": 5,
            "rows_set_aside": 0,
            "findings": 4,
            "stale_orders": 0,
        },
        timings={"total_ms": 3_400},
        evidence={
            "as_of_ms": NOW_MS,
            "valid_until_ms": NOW_MS + 120_000,
            "engine_as_of_ms": NOW_MS - 4_000,
            "engine_sequence": 812,
            "digests": {"policy": "ab"},
            "clock_offset_ms": 12,
        },
        data={
            "explained": [
                {
                    "what": "balance",
                    "subject": {"account": "binance-main", "product": "spot", "asset": "BTC"},
                    "delta": "0.02",
                    "explained_by": ["trade 88123"],
                }
            ]
        },
        next_step="resyncctl cancel-all binance-main",
    )


def clean() -> AccountOutcome:
    return AccountOutcome(
        account="okx-mm",
        status="clean",
        exit_code=ExitCode.OK,
        verdict=Verdict.CLEAN,
        counts={"orders_engine": 3, "orders_venue": 3, "orders_matched": 3, "findings": 0},
        evidence={"as_of_ms": NOW_MS, "engine_as_of_ms": NOW_MS - 1_000},
    )


def unknown() -> AccountOutcome:
    return AccountOutcome(
        account="kraken-cold",
        status="unknown",
        exit_code=ExitCode.INCOMPLETE,
        verdict=Verdict.UNKNOWN,
        findings=(
            Discrepancy(
                kind=Kind.SECTION_UNREADABLE,
                severity=Severity.MINOR,
                subject=Subject(account="kraken-cold", product="spot"),
                remedy="run doctor",
                detail=f"balances: maintenance page {ESCAPES}",
            ),
        ),
        sections=(
            SectionReport(
                side="venue",
                section="balances",
                scope="spot",
                known=False,
                complete=False,
                rows=0,
                reason="HTTP 200 with an HTML page",
            ),
        ),
        evidence={"as_of_ms": NOW_MS},
        next_step="resyncctl venue show kraken-cold",
    )


def refused() -> AccountOutcome:
    return AccountOutcome(
        account="bybit-hedge",
        status="failed",
        exit_code=ExitCode.NOPERM,
        error=OutcomeError(
            kind="credentials_refused",
            message=f"the exchange refused the key {ESCAPES}",
            hint="check the key's permissions and its list of addresses",
            place="bybit",
        ),
    )


def residual() -> AccountOutcome:
    return AccountOutcome(
        account="binance-main",
        status="residual",
        exit_code=ExitCode.RESIDUAL,
        actions=(
            ActionRecord(
                verb="cancel_symbol",
                account="binance-main",
                scope="linear/regular",
                symbol="BTC/USDT:USDT",
                orders=12,
                attempts=1,
                outcome="ACKNOWLEDGED",
                state="gone",
            ),
            ActionRecord(
                verb="cancel_order",
                account="binance-main",
                scope="spot/regular",
                symbol="ETH/USDT",
                venue_order_id="1234567",
                orders=1,
                attempts=2,
                outcome="UNKNOWN",
                state="unproven",
                reason="the answer was lost",
            ),
            ActionRecord(
                verb="cancel_order",
                account="binance-main",
                scope="spot/regular",
                symbol="ETH/USDT",
                venue_order_id="1234568",
                orders=1,
                attempts=1,
                outcome="ACKNOWLEDGED",
                state="gone",
            ),
        ),
        counts={
            "before": 14,
            "requests": 4,
            "waves": 2,
            "gone": 13,
            "left": 0,
            "unproven": 1,
            "filled_meanwhile": 0,
        },
        timings={"total_ms": 62_000, "proof_ms": 12_000},
        evidence={
            "as_of_ms": NOW_MS,
            "plan_digest": "ab" * 32,
            "proof_reads": 2,
            "not_proved": ["spot/regular: 1 of 3 valid reads", "1 orders have no terminal status"],
            "unsettled": ["spot/regular:ETHUSDT:1234567: the exchange does not know it"],
            "filled_meanwhile": [],
            "kept_protective": ["linear/algo:BTCUSDT:99"],
            "gate_trouble": None,
            "clock_trouble": None,
            "engine": "not proved silent; orders that it sends later are not covered",
        },
        next_step="resyncctl cancel-all binance-main",
    )


def proved() -> AccountOutcome:
    return AccountOutcome(
        account="okx-mm",
        status="proved_empty",
        exit_code=ExitCode.OK,
        counts={"before": 0, "requests": 0, "waves": 0, "gone": 0},
        timings={"total_ms": 46_000, "proof_ms": 45_000},
        evidence={"as_of_ms": NOW_MS, "proof_reads": 3, "not_proved": []},
    )


def planned() -> AccountOutcome:
    return AccountOutcome(
        account="binance-main",
        status="planned",
        exit_code=ExitCode.OK,
        actions=(
            ActionRecord(
                verb="cancel_symbol",
                account="binance-main",
                scope="linear/regular",
                symbol="BTC/USDT:USDT",
                orders=12,
            ),
        ),
        counts={"orders": 12, "kept_protective": 1},
        evidence={
            "plan_digest": "cd" * 32,
            "blast_radius": "12 orders on 1 symbols, 182,400 USDT; 1 protective stops stay",
            "unreadable": [],
        },
        next_step="resyncctl cancel-all binance-main --expect-plan cdcdcdcdcdcdcdcd",
    )


def board_row(
    name: str, gate: str, *, verdict: str | None = "clean", unfinished: bool = False
) -> AccountOutcome:
    runs = [
        {
            "run_id": "20261121T092853Z-cancel-all-9x2a",
            "command": "cancel-all",
            "started_at_ms": NOW_MS - 134_000,
            "user": "operator",
            "open_intents": 2,
            "reason": "it stopped without coming to its end; 2 requests have no recorded outcome",
        }
    ]
    return AccountOutcome(
        account=name,
        status="unfinished" if unfinished else gate.lower(),
        exit_code=ExitCode.OK if gate != "UNSAFE" and not unfinished else ExitCode.BLOCKED,
        data={
            "mode": "live",
            "venue": "binance",
            "gate": {
                "state": gate,
                "trusted": gate != "UNSAFE",
                "reason": "the gate file is missing" if gate == "UNSAFE" else "",
                "since_ms": NOW_MS - 134_000 if gate != "UNSAFE" else None,
                "by": "operator",
                "sequence": 4,
            },
            "last_reconcile": None
            if verdict is None
            else {
                "verdict": verdict,
                "blocks_resume": False,
                "as_of_ms": NOW_MS - 310_000,
                "valid_until_ms": NOW_MS,
                "run_id": "x",
            },
            "last_safety": {"verdict": "clean", "kind": "safety", "valid_until_ms": NOW_MS + 65_000}
            if gate == "SAFE"
            else None,
            "unfinished_runs": runs if unfinished else [],
            "held_by": "cancel-all by operator, process 4711" if unfinished else None,
            "remarks": [],
        },
        next_step=f"resyncctl cancel-all {name}" if unfinished else None,
    )


CONDITIONS = [
    {
        "name": "no unexpected order rests",
        "holds": True,
        "known": True,
        "evidence": "3 readings of every scope over 45 s,"
        " all begun when nothing could land any more",
        "as_of_ms": NOW_MS - 2_000,
    },
    {
        "name": "engine and exchange agree",
        "holds": False,
        "known": True,
        "evidence": "1 finding: MISSING_ORDER BTC/USDT 1000",
        "as_of_ms": NOW_MS,
    },
    {
        "name": "the engine is silent",
        "holds": False,
        "known": False,
        "evidence": "nothing observes the engine mm1: set engines.mm1.silence, or say by name that"
        " it is stopped",
        "as_of_ms": None,
    },
]


def safety_outcome(
    status: str, code: ExitCode, *, resynced: bool = False, **evidence: object
) -> AccountOutcome:
    """Return an account of `verify` or `resync`."""
    counts: dict[str, int | str] = {"conditions": 3, "holding": 1}
    if resynced:
        counts |= {"orders_before": 37, "orders_after": 0, "requests": 9, "attempts": 2}
    missing = [
        f"{one['name']}: {one['evidence']}"
        for one in CONDITIONS
        if not (one["holds"] and one["known"])
    ]
    return AccountOutcome(
        account="binance-main",
        status=status,
        exit_code=code,
        counts=counts,
        timings={"total_ms": 58_000, "unsafe_ms": 58_000},
        evidence={
            "as_of_ms": NOW_MS,
            "valid_until_ms": NOW_MS + 120_000,
            "conditions": CONDITIONS if code is not ExitCode.OK else CONDITIONS[:1],
            "missing": [*missing, "the run was interrupted"] if code is not ExitCode.OK else [],
            "gate": "UNSAFE" if code is not ExitCode.OK else "SAFE",
            **evidence,
        },
        next_step="resyncctl verify binance-main --engine-stopped",
    )


def gate_outcome(state: str = "UNSAFE") -> AccountOutcome:
    return AccountOutcome(
        account="main",
        status="refused",
        exit_code=ExitCode.REFUSED,
        evidence={
            "state": state,
            "reason": "closed by hand",
            "since_ms": NOW_MS,
            "by": "operator@ops1",
            "sequence": 3,
            "trusted": True,
            "conditions": [
                {"name": "gate file is intact", "holds": True, "evidence": "closed by hand"},
                {"name": "last verdict is clean", "holds": False, "evidence": "discrepant"},
            ],
        },
        next_step="resyncctl reconcile main",
    )


def probes(state: str = "warn") -> list[dict[str, object]]:
    return [
        {"probe": "records", "state": "ok", "detail": "can be written durably", "hint": None},
        {
            "probe": "clock",
            "state": state,
            "detail": "+812 ms (±40 ms) against the exchange",
            "hint": "set this host's clock",
        },
    ]
