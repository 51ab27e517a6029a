"""What must hold whatever the exchange, the network, a second operator and an engine do.

Two operators flatten the same account at the same time, without a lease between them; orders get
lost, land late, are refused or never arrive; pictures are stale. The exchange of the test keeps
watch over the ground truth.
"""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resyncctl.core.errors import ResyncError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.flatten_holdings import Choice
from resyncctl.core.model import Leg
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.procedures.flatten import FlattenRequest, flatten
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryGate, MemoryLeases, ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress
from tests.fakes.reducing_venue import ReducingVenue
from tests.fakes.virtual_time import VirtualClock, VirtualLoop, run_virtually
from tests.procedures.flatten_world import BTC, ETH, SCOPES, holding

WORDS = st.sampled_from(
    [
        "ok",
        "ok",
        "lost",
        "never",
        "late:500",
        "late:4999",
        "late:5000",
        "reject",
        "unsent",
        "silent",
    ]
)


@dataclass(frozen=True)
class Weather:
    """What happens to one campaign."""

    hedge: bool
    btc: Decimal
    eth: Decimal
    sol: Decimal
    script: list[str]
    lag_ms: int
    look_up_lag_ms: int
    depth: str
    slice_cap: Decimal | None
    cap: Decimal | None
    second_after_ms: int | None
    engine: list[tuple[int, str]] = field(default_factory=list)


def sizes() -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(-4), Decimal(4), places=4)


@st.composite
def weathers(draw: st.DrawFn) -> Weather:
    return Weather(
        hedge=draw(st.booleans()),
        btc=draw(sizes()),
        eth=draw(sizes()),
        sol=abs(draw(sizes())),
        script=draw(st.lists(WORDS, max_size=12)),
        lag_ms=draw(st.sampled_from([0, 0, 2_000, 30_000])),
        look_up_lag_ms=draw(st.sampled_from([0, 0, 3_000, 40_000])),
        depth=draw(st.sampled_from(["1000", "1.5", "0.3", "0"])),
        slice_cap=draw(st.none() | st.just(Decimal(90))),
        cap=draw(st.none() | st.sampled_from([Decimal(50), Decimal(300)])),
        second_after_ms=draw(st.none() | st.integers(0, 90_000)),
        engine=draw(
            st.lists(
                st.tuples(st.integers(0, 120_000), st.sampled_from(["0.7", "-0.7"])), max_size=2
            )
        ),
    )


@dataclass
class Campaign:
    """One exchange, and the operators that work on it."""

    weather: Weather
    loop: VirtualLoop = field(default_factory=VirtualLoop)
    outcomes: list[AccountOutcome | ResyncError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.loop)
        self.venue = ReducingVenue(clock=self.clock, scopes=SCOPES)
        weather, venue = self.weather, self.venue
        legs = {BTC: weather.btc, ETH: weather.eth}
        if weather.hedge:
            venue.mode = "hedge"
            venue.position(BTC, str(abs(weather.btc)), leg=Leg.LONG)
            venue.position(BTC, str(-abs(weather.eth)), leg=Leg.SHORT)
        else:
            for symbol, quantity in legs.items():
                venue.position(symbol, str(quantity))
        venue.asset("SOL", str(weather.sol))
        for product, symbol in list(venue.books):
            venue.quote(product, symbol, "100", depth=weather.depth)
        venue.history.clear()
        venue.script = list(weather.script)
        venue.lag_ms = weather.lag_ms
        venue.look_up_lag_ms = weather.look_up_lag_ms

    async def operator(self, name: str, after_ms: int) -> None:
        """Flatten, once."""
        await self.clock.sleep_ms(after_ms)
        try:
            outcome = await flatten(
                FlattenRequest(
                    account="main",
                    scopes=SCOPES,
                    choice=Choice(into="USDT"),
                    notional_max=self.weather.cap,
                    reason="campaign",
                    by=name,
                    confirmed_name="main",
                ),
                venue=self.venue,
                market=self.venue,
                cancel=self.venue,
                reduce=self.venue,
                gate=MemoryGate(),
                leases=MemoryLeases(lifetime_ms=10**9),
                journal=MemoryJournal(run_id=name),
                clock=self.clock,
                progress=RecordingProgress(),
                prompter=ScriptedPrompter(),
                policy=Policy(flatten_slice_notional_max=self.weather.slice_cap),
            )
            self.outcomes.append(outcome)
        except ResyncError as error:
            self.outcomes.append(error)

    async def engine(self) -> None:
        """Trade in the middle of it."""
        began_ms = self.clock.now_ms()
        leg = Leg.LONG if self.weather.hedge else Leg.BOTH
        for at_ms, difference in sorted(self.weather.engine):
            await self.clock.sleep_ms(began_ms + at_ms - self.clock.now_ms())
            held = self.venue.quantity(BTC, leg)
            if not self.weather.hedge or held + Decimal(difference) >= 0:
                self.venue.move(BTC, difference, leg)

    def run(self) -> None:
        """Let everybody work until they are done."""

        async def story() -> None:
            operators = [self.operator("one", 0)]
            if self.weather.second_after_ms is not None:
                operators.append(self.operator("two", self.weather.second_after_ms))
            await asyncio.gather(*operators, self.engine())
            await self.clock.sleep_ms(60_000)

        run_virtually(self.loop, story())

    def is_flat(self) -> bool:
        """The truth."""
        self.venue.quantity(BTC)
        return not any(self.venue.held.values()) and not any(self.venue.assets["SOL"])


@pytest.mark.invariant("I16", "I17", "I18", "I19", "I31")
@settings(max_examples=150, deadline=None)
@given(weathers())
def test_nothing_ever_grows_or_flips_and_flat_is_never_a_lie(weather: Weather) -> None:
    campaign = Campaign(weather)
    campaign.run()
    assert campaign.venue.violations == []
    operators = len(campaign.outcomes)
    if weather.cap is not None:
        # The cap counts each quote asset of one run at the best price of the moment.
        assert campaign.venue.notional <= weather.cap * operators
    said_flat = any(
        isinstance(one, AccountOutcome) and one.exit_code is ExitCode.OK
        for one in campaign.outcomes
    )
    if said_flat and not weather.engine:
        assert campaign.is_flat()


@settings(max_examples=60, deadline=None)
@given(weathers())
def test_once_the_weather_is_fair_a_second_run_ends_flat_or_says_what_is_left(
    weather: Weather,
) -> None:
    campaign = Campaign(weather)
    campaign.run()
    campaign.venue.script = []
    campaign.venue.lag_ms = campaign.venue.look_up_lag_ms = 0
    for product, symbol in list(campaign.venue.books):
        campaign.venue.quote(product, symbol, "100")
    fair = Campaign(
        Weather(
            hedge=weather.hedge,
            btc=Decimal(0),
            eth=Decimal(0),
            sol=Decimal(0),
            script=[],
            lag_ms=0,
            look_up_lag_ms=0,
            depth="1000",
            slice_cap=None,
            cap=None,
            second_after_ms=None,
        )
    )
    fair.venue.held = dict(campaign.venue.held)
    fair.venue.assets = dict(campaign.venue.assets)
    fair.run()
    assert fair.venue.violations == []
    (outcome,) = fair.outcomes
    assert isinstance(outcome, AccountOutcome)
    if outcome.exit_code is ExitCode.OK:
        assert fair.is_flat()
        return
    rows = outcome.data["holdings"]
    assert isinstance(rows, list)
    left = {str(row["symbol"]) for row in rows if row["state"] != "flat"}
    dust = {key[1] for key, held in fair.venue.held.items() if held}
    dust |= {"SOL/USDT"} if any(fair.venue.assets["SOL"]) else set()
    assert left == dust
    assert all(abs(held) < Decimal("0.001") for held in fair.venue.held.values())
    assert all(holding_left(outcome, symbol) for symbol in left)


def holding_left(outcome: AccountOutcome, symbol: str) -> bool:
    """Whether every row of the symbol that is not flat names quantity and reason."""
    rows = outcome.data["holdings"]
    assert isinstance(rows, list)
    return all(
        row["left"] not in {None, "0"} and row["why"]
        for row in rows
        if row["symbol"] == symbol and row["state"] != "flat"
    )


@pytest.mark.invariant("I16")
def test_an_exchange_that_forgets_the_flag_is_caught_by_the_watch() -> None:
    """The watch of the fake itself works: without clipping a second operator would flip."""
    campaign = Campaign(
        Weather(
            hedge=False,
            btc=Decimal(1),
            eth=Decimal(0),
            sol=Decimal(0),
            script=["late:4000", "late:4000"],
            lag_ms=0,
            look_up_lag_ms=0,
            depth="1000",
            slice_cap=None,
            cap=None,
            second_after_ms=10,
        )
    )
    campaign.venue.clips = False
    campaign.run()
    assert campaign.venue.violations
    clipped = Campaign(campaign.weather)
    clipped.run()
    assert clipped.venue.violations == []
    assert any(
        isinstance(one, AccountOutcome) and holding(one, BTC)["state"] == "flat"
        for one in clipped.outcomes
    )
