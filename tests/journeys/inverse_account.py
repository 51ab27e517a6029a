"""An account with inverse contracts on the in-process practice exchange, and runs on it.

Everything of the product is real here but the engine, whose beliefs the test writes down. Only time
is virtual.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, Venue, VenueOptions, open_venue
from resyncctl.core.errors import ResyncError
from resyncctl.core.gate import GateState
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import Known, Section, Window
from resyncctl.procedures.cancel_all import CancelAllRequest, cancel_all
from resyncctl.procedures.reconcile import ReconcileRequest, reconcile
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.in_process import InProcessSession
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryGate, MemoryLeases, ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress
from tests.fakes.stub_engine import StubEngine
from tests.fakes.virtual_time import VirtualClock, VirtualLoop, run_virtually

SCOPES = (Scope("inverse"), Scope("inverse", OrderClass.ALGO))
KEY = "canaryKey".ljust(64, "K")
SECRET = "canarySecret".ljust(64, "S")
Story = Callable[["Desk"], Awaitable[Any]]


@dataclass
class Desk:
    """The exchange, the account that is open on it, and an engine."""

    exchange: PracticeExchange
    clock: VirtualClock
    venue: Venue
    engine: StubEngine
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    @property
    def control(self) -> Any:
        return self.exchange.control

    async def reconcile(self, **changes: Any) -> AccountOutcome | ResyncError:
        """Compare the engine with the exchange."""
        request = ReconcileRequest(account="main", scopes=SCOPES, **changes)
        try:
            return await reconcile(
                request,
                venue=self.venue.view,
                engine=self.engine,
                gate=MemoryGate(state=GateState.UNSAFE),
                journal=self.journal,
                clock=self.clock,
                progress=RecordingProgress(),
                policy=Policy(lookback_ms=3_600_000),
                repair=self.engine if changes.get("want_repair") else None,
            )
        except ResyncError as error:
            return error

    async def cancel_all(self, deadline_ms: int = 600_000) -> AccountOutcome | ResyncError:
        """Cancel everything and prove it."""
        request = CancelAllRequest(
            account="main",
            scopes=SCOPES,
            reason="lost the stream",
            by="test",
            protective="cancel",
            assume_yes=True,
            deadline_ms=deadline_ms,
        )
        try:
            return await cancel_all(
                request,
                venue=self.venue.view,
                cancel=self.venue.cancel,
                gate=MemoryGate(),
                leases=MemoryLeases(lifetime_ms=10**9),
                journal=self.journal,
                clock=self.clock,
                progress=RecordingProgress(),
                prompter=ScriptedPrompter(),
                policy=Policy(),
            )
        except ResyncError as error:
            return error

    async def believe_the_truth(self) -> None:
        """Let the engine believe exactly what the exchange reports now."""
        view = self.venue.view
        window = Window(self.clock.now_ms() - 3_600_000, self.clock.now_ms())
        books = [whole(await view.read_open_orders(scope)) for scope in SCOPES]
        self.engine.orders = Known((*books[0], *books[1]), 0)
        self.engine.fills = Known(whole(await view.read_fills("inverse", window, ())), 0, window)
        self.engine.positions = Known(whole(await view.read_positions("inverse")), 0)
        self.engine.balances = Known(whole(await view.read_balances("inverse")), 0)


def whole(section: Section[Any]) -> tuple[Any, ...]:
    """Return the rows of a section that is known and complete."""
    assert isinstance(section, Known), section
    assert section.complete, section.notes
    return section.data


def on_an_inverse_account(story: Story) -> Any:
    """Furnish the account, let the story happen under virtual time, and return what it returns."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    exchange = PracticeExchange(clock_ms=clock.now_ms, seed=11)
    furnish(exchange.control)

    async def told() -> Any:
        options = VenueOptions(
            account="main",
            venue="binancecoinm",
            secrets=Secrets(api_key=KEY, secret=SECRET),
            clock=clock,
            mode="practice",
            session_factory=lambda: InProcessSession(exchange),
            egress=Egress(clock),
            cache_dir=None,
        )
        async with open_venue(options) as venue:
            return await story(Desk(exchange, clock, venue, StubEngine()))

    found = run_virtually(loop, told())
    assert exchange.control.defects == []
    assert exchange.control.imbalance() == {}
    return found


def furnish(control: Any) -> None:
    """Coins, holdings, trades, resting orders of both classes, and somebody else's USD-M order."""
    control.hold_all_prices()
    control.add_account("main", api_key=KEY, secret=SECRET)
    control.deposit("main", "BTC", "20", market="coinm")
    control.deposit("main", "ETH", "200", market="coinm")
    control.deposit("main", "USDT", "1000000", market="usdm")
    trades = (("BTCUSD_PERP", "BUY", "60", "60000"), ("ETHUSD_PERP", "SELL", "250", "3000"))
    for symbol, side, quantity, price in trades:
        wish = {"market": "coinm", "symbol": symbol, "side": side, "quantity": quantity}
        control.trade("main", price, **wish)
    for number, symbol in enumerate(("BTCUSD_PERP", "BTCUSD_PERP", "ETHUSD_PERP")):
        rest(control, symbol, client_order_id=f"mm1-{number}")
    stop = {"market": "coinm", "symbol": "BTCUSD_PERP", "side": "SELL", "type": "STOP_MARKET"}
    control.seed_order("main", quantity="60", stop_price="30000", reduce_only=True, **stop)
    wish = {"market": "usdm", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.1"}
    control.seed_order("main", price="20000", **wish)


def rest(control: Any, symbol: str, **more: Any) -> Any:
    """Rest an order far from the market."""
    wish = {"market": "coinm", "symbol": symbol, "side": "BUY", "quantity": "5", "price": "1000"}
    return control.seed_order("main", **(wish | more))
