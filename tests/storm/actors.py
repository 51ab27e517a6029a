"""Who else acts on the account while operators work: the engine, the market, a person by hand.

Promises: every order that is placed here is known to the oracle with the moment at which it was
signed; an honest engine asks the gate immediately before it signs, as the sdk demands, and
acknowledges the closed gate; all of it follows from the seed. Called by `story`.
"""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.ports.views import GateView, SilenceView
from resyncctl.simulator.venue_errors import VenueError
from tests.storm.arena import Arena, place_order
from tests.storm.belief import Mind
from tests.storm.oracle import ACCOUNT, VALIDITY_MS

POLL_MS = 400
ORDERS_MOST = 15
"""How many orders it sends in a hurry; after that one now and then, for ever."""


@dataclass(slots=True)
class Engine:
    """The trading engine. `silent_since_ms` is what it acknowledged, None while it trades."""

    arena: Arena
    gate: GateView
    kind: str
    dice: random.Random
    mind: Mind
    silent_since_ms: int | None = None
    sent: int = 0
    stopped: bool = False
    _numbers: int = field(default=0)

    async def trade(self) -> None:
        """Quote until the gate is closed; a rogue engine goes on for ever."""
        while not self.stopped:
            closed = self.gate.read(ACCOUNT).state is not GateState.RUNNING
            if closed and self.kind != "rogue":
                self._acknowledge()
                await self.arena.clock.sleep_ms(POLL_MS)
                continue
            self.silent_since_ms = None
            if self.dice.random() < (0.35 if self.sent < ORDERS_MOST else 0.005):
                self._sign()
            await self.arena.clock.sleep_ms(self.dice.randint(50, 2 * POLL_MS))

    def _acknowledge(self) -> None:
        if self.silent_since_ms is None:
            self.silent_since_ms = self.arena.clock.now_ms()
            self.mind.learn()

    def _sign(self) -> None:
        """Sign an order now; it lands when the network likes, while the exchange honours it."""
        self.sent += 1
        name = f"eng-{self.arena.scenario.seed}-{self.sent}"
        late = self.kind == "late" or self.dice.random() < 0.1
        longest = VALIDITY_MS - 1 - abs(self.arena.scenario.skew_ms)
        delay_ms = self.dice.randint(longest - 300, longest) if late else self.dice.randint(1, 300)
        self.arena.oracle.signed_ms[name] = self.arena.clock.now_ms()
        self.arena.loop.call_later(delay_ms / 1000, self._land, name)

    def _land(self, name: str) -> None:
        if self.stopped or not self.arena.symbols:
            return
        # The exchange may refuse it, for example when there are too many orders already.
        with contextlib.suppress(VenueError, ValueError):
            place_order(self.arena, self.dice.choice(self.arena.symbols), name, self.dice)
        self.arena.oracle.step()
        if self.silent_since_ms is None:
            self.mind.learn()


@dataclass(slots=True)
class Acknowledged:
    """Implements `SilenceView` by what the engine acknowledged."""

    engine: Engine

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        if self.engine.kind == "absent":
            return Silence(kind=SilenceKind.PROVED, how="it is not running", since_ms=0)
        since_ms = self.engine.silent_since_ms
        if since_ms is None or gate.state is GateState.RUNNING:
            return Silence(kind=SilenceKind.UNPROVED, how="it did not acknowledge the closed gate")
        return Silence(kind=SilenceKind.PROVED, how="it acknowledged", since_ms=since_ms)


_silence: type[SilenceView] = Acknowledged


def book_events(arena: Arena) -> None:
    """Book fills, funding and orders by hand at the moments of the scenario."""
    scenario = arena.scenario
    dice = random.Random(f"events/{scenario.seed}")
    for moment_ms in scenario.fills:
        _book(arena, moment_ms, lambda: _fill_one(arena, dice))
    for moment_ms in scenario.funding:
        _book(arena, moment_ms, lambda: _fund(arena, dice))
    for number, moment_ms in enumerate(scenario.foreign):
        _book(arena, moment_ms, partial(_by_hand, arena, number, dice))


def _book(arena: Arena, moment_ms: int, act: Callable[[], Any]) -> None:
    def happen() -> None:
        act()
        arena.oracle.step()

    arena.loop.call_later(moment_ms / 1000, happen)


def _fill_one(arena: Arena, dice: random.Random) -> None:
    """Fill one of the account's orders, the oldest of a symbol, as the market does."""
    row = dice.choice(arena.symbols)
    arena.exchange.control.fill_first(ACCOUNT, market=row.market, symbol=row.name)


def _fund(arena: Arena, dice: random.Random) -> None:
    row = dice.choice(arena.symbols)
    if row.market == "usdm":
        arena.exchange.control.funding(row.name, "0.0001", account=ACCOUNT)


def _by_hand(arena: Arena, number: int, dice: random.Random) -> None:
    """Somebody clicks an order on the exchange's page."""
    name = f"web-{arena.scenario.seed}-{number}"
    arena.oracle.signed_ms[name] = arena.clock.now_ms()
    place_order(arena, dice.choice(arena.symbols), name, dice)
