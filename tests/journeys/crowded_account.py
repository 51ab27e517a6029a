"""An account with 400 resting orders on the in-process practice exchange, and a cancel-all on it.

Everything of the product is real here: ccxt's class, the transport, the deep profile, the
procedure, the journal on disk. Only time is virtual.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resyncctl.adapters.store.journal import create_journal
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, VenueOptions, open_venue
from resyncctl.core.errors import ResyncError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.procedures.cancel_all import CancelAllRequest, cancel_all
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.in_process import InProcessSession
from tests.fakes.operators import MemoryGate, MemoryLeases, ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress
from tests.fakes.virtual_time import VirtualClock, VirtualLoop, run_virtually

SCOPES = (Scope("spot"), Scope("linear"), Scope("linear", OrderClass.ALGO))
KEY = "canaryKey".ljust(64, "K")
SECRET = "canarySecret".ljust(64, "S")


@dataclass(frozen=True)
class Aftermath:
    """What is left to question when the run is over."""

    code: ExitCode
    outcome: AccountOutcome | None
    error: ResyncError | None
    resting: list[dict[str, Any]]
    cancels: list[Any]
    placed: list[Any]
    intents: list[dict[str, Any]]
    faults: list[dict[str, Any]]
    virtual_s: float


def cancel_crowd(
    folder: Path,
    *,
    orders: int,
    faults: list[tuple[str, str, dict[str, Any]]],
    deadline_ms: int = 600_000,
) -> Aftermath:
    """Rest the orders, arm the faults, run cancel-all, and return what is left."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    exchange = PracticeExchange(clock_ms=clock.now_ms, seed=11)
    fill_book(exchange, orders)
    for kind, where, settings in faults:
        exchange.control.inject(kind, where, account="main", **settings)
    journal = create_journal(folder / "run-1", "run-1", clock=clock, redact=lambda value: value)

    async def story() -> AccountOutcome:
        options = VenueOptions(
            account="main",
            venue="binance",
            secrets=Secrets(api_key=KEY, secret=SECRET),
            clock=clock,
            scopes=SCOPES,
            mode="practice",
            session_factory=lambda: InProcessSession(exchange),
            egress=Egress(clock),
            cache_dir=None,
            may_load_markets=False,
        )
        async with open_venue(options) as venue:
            return await cancel_all(
                CancelAllRequest(
                    account="main",
                    scopes=SCOPES,
                    reason="campaign",
                    by="test",
                    protective="cancel",
                    assume_yes=True,
                    deadline_ms=deadline_ms,
                ),
                venue=venue.view,
                cancel=venue.cancel,
                gate=MemoryGate(),
                leases=MemoryLeases(lifetime_ms=10**9),
                journal=journal,
                clock=clock,
                progress=RecordingProgress(),
                prompter=ScriptedPrompter(),
                policy=Policy(),
            )

    outcome: AccountOutcome | None = None
    error: ResyncError | None = None
    try:
        outcome = run_virtually(loop, story())
    except ResyncError as trouble:
        error = trouble
    journal.close()
    lines = journal.path.read_bytes().rstrip(b"\0").splitlines()
    records = [json.loads(line) for line in lines if line.strip(b"\0")]
    return Aftermath(
        code=outcome.exit_code if outcome else error.exit_code if error else ExitCode.INTERNAL,
        outcome=outcome,
        error=error,
        resting=exchange.control.open_orders("main"),
        cancels=exchange.log.select(account="main", kind="cancel", copies=False),
        placed=[*exchange.log.creates(account="main"), *exchange.log.orders_placed(account="main")],
        intents=[record for record in records if record["event"] == "intent"],
        faults=exchange.control.fault_ledger(),
        virtual_s=loop.virtual_s,
    )


def fill_book(exchange: PracticeExchange, orders: int) -> None:
    """Rest `orders` orders on twenty symbols: spot, OCO lists, USD-M and algo orders."""
    control = exchange.control
    control.hold_all_prices()
    control.add_account("main", api_key=KEY, secret=SECRET)
    control.deposit("main", "USDT", "100000000")
    control.deposit("main", "USDT", "100000000", market="usdm")
    spot = [row for row in exchange.catalogue.rows("spot").values() if row.quote == "USDT"][:10]
    usdm = list(exchange.catalogue.rows("usdm").values())[:10]
    for row in spot:
        control.deposit("main", row.base, "100000")
    kinds = ["spot", "usdm", "usdm", "spot", "algo", "usdm", "spot", "spot", "usdm", "oco"]
    number = 0
    made = 0
    while made < orders:
        kind = kinds[number % len(kinds)]
        row = (usdm if kind in {"usdm", "algo"} else spot)[number // len(kinds) % 10]
        made += _rest(control, kind, row, number, room=orders - made)
        number += 1


def _rest(control: Any, kind: str, row: Any, number: int, *, room: int) -> int:
    far = (row.anchor_price / 2).quantize(row.tick)
    high = (row.anchor_price * 2).quantize(row.tick)
    size = str(row.min_quantity * 10)
    common = {"symbol": row.name, "quantity": size, "client_order_id": f"mm1-{number}"}
    if kind == "oco" and room > 1:
        control.seed_oco(
            "main",
            symbol=row.name,
            side="SELL",
            quantity=size,
            price=str(high),
            stop_price=str(far),
            stop_limit_price=str(far),
        )
        return 2
    if kind == "algo":
        control.seed_order(
            "main", market="usdm", side="BUY", type="STOP_MARKET", stop_price=str(high), **common
        )
    else:
        market = "usdm" if kind == "usdm" else "spot"
        control.seed_order("main", market=market, side="BUY", price=str(far), **common)
    return 1
