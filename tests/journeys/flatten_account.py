"""An account with mixed holdings on the in-process practice exchange, and a flatten of it.

Everything of the product is real here: ccxt's class, the transport with its choke point, the deep
profile, the procedure, the journal on disk. Only time is virtual.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from resyncctl.adapters.store.journal import create_journal
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, VenueOptions, open_venue
from resyncctl.core.errors import ResyncError
from resyncctl.core.flatten_holdings import Choice
from resyncctl.core.flatten_plan import FlattenPlan
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.procedures.flatten import FlattenRequest, flatten
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.in_process import InProcessSession
from tests.fakes.operators import MemoryGate, MemoryLeases, ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress
from tests.fakes.virtual_time import VirtualClock, VirtualLoop, run_virtually

SCOPES = (Scope("spot"), Scope("linear"), Scope("linear", OrderClass.ALGO))
KEY = "canaryKey".ljust(64, "K")
SECRET = "canarySecret".ljust(64, "S")
Seed = Callable[[Any], None]


@dataclass(frozen=True)
class Flattened:
    """What is left to question when the runs are over."""

    outcomes: list[AccountOutcome | ResyncError]
    plans: list[FlattenPlan]
    truth: dict[str, Any]
    creates: list[Any]
    mutations: list[Any]
    records: list[dict[str, Any]]
    history: list[dict[str, Decimal]]
    faults: list[dict[str, Any]]

    @property
    def outcome(self) -> AccountOutcome:
        """The outcome of the last run."""
        last = self.outcomes[-1]
        if isinstance(last, ResyncError):
            raise last
        return last

    def held(self) -> dict[str, Decimal]:
        """The positions that are left, by symbol and side."""
        return positions(self.truth)


@dataclass
class Steps:
    """What happens: the requests one after the other, each with something before it."""

    requests: list[FlattenRequest] = field(default_factory=list)
    before: dict[int, Seed] = field(default_factory=dict)
    apply_first_plan: set[int] = field(default_factory=set)


def ask(**changes: object) -> FlattenRequest:
    """A request that was confirmed."""
    base = FlattenRequest(
        account="main",
        scopes=SCOPES,
        choice=Choice(into="USDT"),
        reason="lost the stream",
        by="test",
        confirmed_name="main",
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the tests name real fields


def flatten_account(
    folder: Path,
    seed: Seed,
    steps: Steps,
    *,
    policy: Policy | None = None,
    hedge: bool = False,
    venue_id: str = "binance",
    scopes: tuple[Scope, ...] = SCOPES,
) -> Flattened:
    """Seed an account, run every step, and return what is left."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    exchange = PracticeExchange(clock_ms=clock.now_ms, seed=11)
    control = exchange.control
    control.hold_all_prices()
    control.add_account("main", api_key=KEY, secret=SECRET)
    control.set_position_mode("main", hedge)
    control.deposit("main", "USDT", "1000000")
    control.deposit("main", "USDT", "10000000", market="usdm")
    seed(control)
    outcomes: list[AccountOutcome | ResyncError] = []
    plans: list[FlattenPlan] = []
    history: list[dict[str, Decimal]] = []
    journals = [
        create_journal(folder / f"run-{n}", f"run-{n}", clock=clock, redact=lambda value: value)
        for n in range(len(steps.requests))
    ]

    async def one(number: int, venue: Any) -> None:
        request = steps.requests[number]
        if number in steps.apply_first_plan:
            request = replace(request, plan=plans[0])
        try:
            outcomes.append(
                await flatten(
                    request,
                    venue=venue.view,
                    market=venue.market,
                    cancel=venue.cancel,
                    reduce=venue.reduce,
                    gate=MemoryGate(),
                    leases=MemoryLeases(lifetime_ms=10**9),
                    journal=journals[number],
                    clock=clock,
                    progress=RecordingProgress(),
                    prompter=ScriptedPrompter(),
                    policy=policy or Policy(),
                    show_plan=lambda plan, _: plans.append(plan),
                )
            )
        except ResyncError as error:
            outcomes.append(error)
        history.append(positions(control.truth("main")))

    async def story() -> None:
        options = VenueOptions(
            account="main",
            venue=venue_id,
            secrets=Secrets(api_key=KEY, secret=SECRET),
            clock=clock,
            scopes=scopes,
            mode="practice",
            session_factory=lambda: InProcessSession(exchange),
            egress=Egress(clock),
            cache_dir=None,
        )
        async with open_venue(options) as venue:
            for number in range(len(steps.requests)):
                steps.before.get(number, lambda _: None)(control)
                await one(number, venue)

    run_virtually(loop, story())
    records: list[dict[str, Any]] = []
    for journal in journals:
        journal.close()
        lines = journal.path.read_bytes().rstrip(b"\0").splitlines()
        records += [json.loads(line) for line in lines if line.strip(b"\0")]
    return Flattened(
        outcomes=outcomes,
        plans=plans,
        truth=control.truth("main"),
        creates=exchange.log.creates(account="main"),
        mutations=exchange.log.mutations(account="main"),
        records=records,
        history=history,
        faults=control.fault_ledger(),
    )


def positions(truth: dict[str, Any]) -> dict[str, Decimal]:
    """The legs of the ground truth that are not flat."""
    rows = truth["positions"]
    found = {f"{row['symbol']} {row['position_side']}": Decimal(row["amount"]) for row in rows}
    return {name: amount for name, amount in found.items() if amount}
