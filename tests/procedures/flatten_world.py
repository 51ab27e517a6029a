"""One account to be flattened, with everything that a run needs."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from resyncctl.core.flatten_order import EarlierReduction
from resyncctl.core.model import Leg, Order, OrderClass, OrderStatus, Scope, Side
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.procedures.flatten import FlattenRequest, flatten
from tests.fakes.fake_clock import FakeClock
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryGate, MemoryLeases, ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress
from tests.fakes.reducing_venue import ReducingVenue

SPOT, LINEAR, ALGO = Scope("spot"), Scope("linear"), Scope("linear", OrderClass.ALGO)
SCOPES = (SPOT, LINEAR, ALGO)
BTC, ETH, SOL = "BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"


@dataclass
class World:
    """One account before anything happened."""

    clock: FakeClock = field(default_factory=FakeClock)
    gate: MemoryGate = field(default_factory=MemoryGate)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    progress: RecordingProgress = field(default_factory=RecordingProgress)
    prompter: ScriptedPrompter = field(default_factory=ScriptedPrompter)
    policy: Policy = field(default_factory=Policy)
    stop: bool = False
    shown: list[Any] = field(default_factory=list)
    earlier: list[EarlierReduction] = field(default_factory=list)
    listen: Callable[..., None] | None = None

    def __post_init__(self) -> None:
        self.venue = ReducingVenue(clock=self.clock, scopes=SCOPES)

    async def run(self, **changes: object) -> AccountOutcome:
        base = FlattenRequest(
            account="main", scopes=SCOPES, reason="lost the stream", by="me", confirmed_name="main"
        )
        return await flatten(
            replace(base, **changes),  # type: ignore[arg-type]  # the tests name real fields
            venue=self.venue,
            market=self.venue,
            cancel=self.venue,
            reduce=self.venue,
            gate=self.gate,
            leases=self.leases,
            journal=self.journal,
            clock=self.clock,
            progress=self if self.listen else self.progress,
            prompter=self.prompter,
            policy=self.policy,
            interrupted=lambda: self.stop,
            earlier=lambda: self.earlier,
            show_plan=lambda plan, _: self.shown.append(plan),
        )

    def say(self, account: str, stage: str, text: str, **numbers: object) -> None:
        """Pass a step on to whoever listens."""
        assert self.listen is not None
        self.listen(account, stage, text, **numbers)

    def events(self) -> list[str]:
        """The journal's intents by their action, and the other records by name."""
        return [
            str(kept.details.get("action", kept.event)) if kept.event == "intent" else kept.event
            for kept in self.journal.records
        ]


def holding(outcome: AccountOutcome, symbol: str, leg: str = "both") -> dict[str, Any]:
    """The row of one holding."""
    rows: Any = outcome.data["holdings"]
    (row,) = [one for one in rows if one["symbol"] == symbol and one["leg"] == leg]
    return dict(row)


def resting(number: int, symbol: str, scope: Scope, **changes: object) -> Order:
    """An order that rests."""
    order = Order(
        account="main",
        product=scope.product,
        symbol=symbol,
        side=Side.SELL,
        type="limit",
        status=OrderStatus.ACCEPTED,
        client_order_id=f"mm1-{number}",
        venue_order_id=str(number),
        quantity=Decimal(1),
        filled=Decimal(0),
        price=Decimal(200),
        leg=Leg.BOTH,
        order_class=scope.order_class,
        venue_symbol=symbol.partition(":")[0].replace("/", ""),
    )
    return replace(order, **changes)  # type: ignore[arg-type]  # the tests name real fields
