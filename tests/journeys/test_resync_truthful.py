"""Cancel and read once is falsely safe; resync is not, on the same practice exchange.

Everything of the product is real here: ccxt's classes, the transport, the deep profile and the
procedures. Listings lag, as real ones do, and the last order of the lost engine lands late. Only
time is virtual.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.open_venue import (
    Secrets,
    Venue,
    VenueOptions,
    open_venue,
)
from resyncctl.core.mutation import Permit
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import Known, Unknown
from resyncctl.procedures.resync import ResyncRequest, resync
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.in_process import InProcessSession
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryGate, MemoryLeases, ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress
from tests.fakes.safety_world import ScriptedSilence
from tests.fakes.stub_engine import StubEngine
from tests.fakes.virtual_time import VirtualClock, VirtualLoop, run_virtually
from tests.journeys.crowded_account import KEY, SCOPES, SECRET, fill_book

LANDS_MS = 4_000
LAG_MS = 30_000
OLD_MS = 60_000
LATE = {
    "account": "main",
    "market": "usdm",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "quantity": "0.01",
    "client_order_id": "mm1-late",
}


class World:
    """The exchange with a lost engine's book, whose last order is still on its way."""

    def __init__(self, *, lag_ms: int = 0, late: bool = True) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.exchange = PracticeExchange(clock_ms=self.clock.now_ms, seed=7)
        fill_book(self.exchange, 40)
        if lag_ms:
            self.exchange.control.set_lag("*", lag_ms)
        if late:
            anchor = self.exchange.catalogue.rows("usdm")["BTCUSDT"]
            price = str((anchor.anchor_price / 2).quantize(anchor.tick))
            self.exchange.control.schedule(
                OLD_MS + LANDS_MS, "seed_order", {**LATE, "price": price}
            )

    def resting(self) -> list[dict[str, Any]]:
        return list(self.exchange.control.open_orders("main"))

    def play(self, story: Callable[[Venue], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            options = VenueOptions(
                account="main",
                venue="binance",
                secrets=Secrets(api_key=KEY, secret=SECRET),
                clock=self.clock,
                scopes=SCOPES,
                mode="practice",
                session_factory=lambda: InProcessSession(self.exchange),
                egress=Egress(self.clock),
                cache_dir=None,
            )
            await self.clock.sleep_ms(OLD_MS)  # the book is older than any listing lags
            async with open_venue(options) as venue:
                answer = await story(venue)
            await self.clock.sleep_ms(60_000)  # whatever is on its way has landed now
            return answer

        return run_virtually(self.loop, whole())


async def cancel_and_read_once(venue: Venue, journal: MemoryJournal, now_ms: int) -> bool:
    """Do what everybody writes first, and return whether it would say "safe"."""
    await venue.view.measure_clock()
    for scope in SCOPES:
        listed = await venue.view.read_open_orders(scope)
        assert isinstance(listed, Known)
        for symbol, raw in {(one.symbol, one.venue_symbol or "") for one in listed.data}:
            permit: Permit = journal.intend(
                "cancel_symbol",
                {"symbol": symbol},
                deadline_ms=now_ms + 5_000,
                fencing_token=1,
            )
            await venue.cancel.cancel_symbol(scope, symbol, raw, permit)
    again = [await venue.view.read_open_orders(scope) for scope in SCOPES]
    return all(isinstance(one, Known) and not one.data for one in again)


async def bring_to_safe(world: World, venue: Venue) -> AccountOutcome:
    """Run resync with an engine that is silent and believes what the account holds."""
    engine = StubEngine()
    balances = [await venue.view.read_balances(product) for product in ("spot", "linear")]
    assert not any(isinstance(one, Unknown) for one in balances)
    engine.balances = Known(
        tuple(
            replace(row, free=row.total, locked=row.total - row.total)
            for section in balances
            if isinstance(section, Known)
            for row in section.data
        ),
        0,
    )
    gate = MemoryGate()
    return await resync(
        ResyncRequest(account="main", scopes=SCOPES, reason="lost", by="test", protective="cancel"),
        venue=venue.view,
        cancel=venue.cancel,
        gate=gate,
        gate_view=gate,
        leases=MemoryLeases(),
        engine=engine,
        silence=ScriptedSilence(),
        journal=MemoryJournal(),
        clock=world.clock,
        progress=RecordingProgress(),
        prompter=ScriptedPrompter(),
        policy=Policy(),
        switches=None,
        remember=lambda _: True,
    )


def test_cancel_and_read_once_is_falsely_safe() -> None:
    world = World()
    said_safe = world.play(
        lambda venue: cancel_and_read_once(venue, MemoryJournal(), world.clock.now_ms())
    )
    assert said_safe
    assert [row["client_order_id"] for row in world.resting()] == ["mm1-late"]


@pytest.mark.invariant("I1")
@pytest.mark.parametrize("lag_ms", [0, LAG_MS])
def test_resync_is_safe_only_when_nothing_rests(lag_ms: int) -> None:
    world = World(lag_ms=lag_ms)
    outcome = world.play(lambda venue: bring_to_safe(world, venue))
    assert outcome.status == "safe", outcome.evidence["missing"]
    assert world.resting() == []
    assert outcome.counts["orders_before"] == 40
    assert outcome.timings["unsafe_ms"] < 300_000


def test_without_anything_in_its_way_it_takes_less_than_a_minute() -> None:
    world = World(late=False)
    outcome = world.play(lambda venue: bring_to_safe(world, venue))
    assert outcome.status == "safe", outcome.evidence["missing"]
    assert outcome.timings["unsafe_ms"] < 60_000
