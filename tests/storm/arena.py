"""One world of the storm: the practice exchange, its account, its faults, and the door to it.

Promises: every request of an operator passes `Door.handle`, where the dice of the seed decide which
faults meet it and the oracle looks before and after; nothing of the product is changed.
Called by `story`.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from resyncctl.simulator import endpoints
from resyncctl.simulator.catalogue import Catalogue, SymbolRow, build_catalogue
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.signatures import parameters_of
from resyncctl.simulator.wire import Reply, Request
from tests.fakes.virtual_time import VirtualClock, VirtualLoop
from tests.storm.kit import SECRET
from tests.storm.oracle import ACCOUNT, Oracle
from tests.storm.scenario import EXECUTED, Scenario

KEY = "stormKey".ljust(64, "K")
ONLY_READS = frozenset(
    {
        "stale_listing",
        "page_truncated",
        "page_hole",
        "page_duplicate",
        "page_unstable",
        "body_other_account",
        "body_list",
        "body_extra_fields",
    }
)
ONLY_CANCELS = frozenset(
    {
        "cancel_pretended",
        "mass_cancel_partial",
        "late_fill_before_cancel",
        "late_fill_after_cancel",
    }
)
ONLY_CREATES = frozenset({"reduce_only_refused"})
MUTATING = frozenset({"create", "cancel", "amend"})

HOLDINGS = (
    "spot.account",
    "spot.my_trades",
    "usdm.account",
    "usdm.balance",
    "usdm.positions",
    "usdm.user_trades",
)
"""What tells of positions, money and fills: it lags as one with the listings, or not at all."""

_CATALOGUE: list[Catalogue] = []


def catalogue() -> Catalogue:
    """Return the symbols; building them once per process is enough, they never change."""
    if not _CATALOGUE:
        _CATALOGUE.append(build_catalogue(seed=0))
    return _CATALOGUE[0]


def meets(kind: str, endpoint_kind: str) -> bool:
    """Whether a kind of fault can meet an endpoint of this kind at all."""
    if kind in ONLY_READS:
        return endpoint_kind == "read"
    if kind in ONLY_CANCELS:
        return endpoint_kind == "cancel"
    if kind in ONLY_CREATES:
        return endpoint_kind == "create"
    return True


@dataclass(slots=True)
class Arena:
    """The world of one seed. `stages` says what each run is doing, for the cells of coverage."""

    scenario: Scenario
    loop: VirtualLoop
    clock: VirtualClock
    exchange: PracticeExchange
    oracle: Oracle
    dice: random.Random
    protective: frozenset[str] = frozenset()
    stages: dict[str, str] = field(default_factory=dict)
    sites: set[tuple[str, str, str]] = field(default_factory=set)
    cells: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    fired: int = 0
    effective: int = 0
    faults_on: bool = True
    symbols: tuple[SymbolRow, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)

    def arm_faults(self, endpoint_name: str, endpoint_kind: str) -> None:
        """Let the dice choose the faults that this request meets."""
        scenario = self.scenario
        if not scenario.faults or not self.faults_on:
            return
        for kind in scenario.faults:
            if self.dice.random() < scenario.rate and meets(kind, endpoint_kind):
                self.exchange.control.inject(
                    kind, endpoint_name, account="", parameters=self._parameters(kind)
                )

    def _parameters(self, kind: str) -> dict[str, Any]:
        if kind in EXECUTED:
            return {"executed": self.scenario.executed}
        if kind == "stale_listing":
            mode = self.dice.choice(("steady", "missing_new", "flapping"))
            return {"lag_ms": self.dice.randint(1_000, 40_000), "mode": mode}
        if kind == "request_delayed":
            return {"delay_ms": self.dice.randint(100, 9_000)}
        if kind == "answer_slow":
            return {"delay_ms": self.dice.randint(200, 9_000)}
        if kind == "limited_429":
            return {"retry_after_s": self.dice.randint(1, 15)}
        if kind == "late_fill_after_cancel":
            return {"fraction": "0.5"}
        if kind == "body_other_account":
            return {"account": "other"}
        if kind == "order_filled":
            return {"account": ACCOUNT}
        return {}


@dataclass(slots=True)
class Door:
    """The way of one run to the exchange, for `InProcessSession`."""

    arena: Arena
    run: str

    def handle(self, request: Request) -> Reply:
        """Serve one request under the eyes of the oracle."""
        arena = self.arena
        exchange, oracle = arena.exchange, arena.oracle
        endpoint = endpoints.find(request.method, request.host, request.path)
        if endpoint is None:
            oracle.blame("I13", f"{self.run} asked for {request.method} {request.path}")
            return exchange.handle(request)
        stage = arena.stages.get(self.run, "start")
        arena.sites.add((endpoint.name, stage, endpoint.kind))
        mutating = endpoint.kind in MUTATING or request.method != "GET"
        parameters = parameters_of(request) if mutating else {}
        if mutating:
            oracle.before_mutation(self.run, endpoint.kind, parameters)
        arena.arm_faults(endpoint.name, endpoint.kind)
        before = len(exchange.faults.fired)
        reply = exchange.handle(request)
        exchange.faults.clear()
        for row in exchange.faults.fired[before:]:
            arena.fired += 1
            arena.effective += row.changed
            arena.cells[row.kind, endpoint.name, stage] += 1
        if mutating:
            oracle.after_mutation(endpoint.kind, parameters, reply)
        oracle.step()
        return reply


def build_arena(scenario: Scenario, loop: VirtualLoop, clock: VirtualClock) -> Arena:
    """Build the exchange and the account of a scenario."""
    exchange = PracticeExchange(clock_ms=clock.now_ms, seed=scenario.seed, symbols=catalogue())
    arena = Arena(
        scenario=scenario,
        loop=loop,
        clock=clock,
        exchange=exchange,
        oracle=Oracle(exchange),
        dice=random.Random(f"arena/{scenario.seed}"),
    )
    _open_account(arena)
    _fill_account(arena)
    control = exchange.control
    if scenario.lag_mode:
        for where in ("spot.open_orders", "usdm.open_orders", "usdm.open_algos", "*.order"):
            control.set_lag(where, scenario.lag_ms, scenario.lag_mode)
        for where in HOLDINGS if scenario.holdings_lag else ():
            control.set_lag(where, scenario.lag_ms, scenario.lag_mode)
    if scenario.skew_ms:
        control.set_clock_skew(scenario.skew_ms)
    if scenario.latency_ms:
        control.set_latency(scenario.latency_ms)
    # History is older than any replica's lag: what is seeded was always there.
    loop.virtual_s += 100
    exchange.advance()
    arena.oracle.arm()
    return arena


def markets_of(account: str) -> tuple[str, ...]:
    """Return where an account of this kind trades."""
    return {"spot": ("spot",), "mixed": ("spot", "usdm")}.get(account, ("usdm",))


def _open_account(arena: Arena) -> None:
    control, scenario = arena.exchange.control, arena.scenario
    control.hold_all_prices()
    control.add_account(ACCOUNT, api_key=KEY, secret=SECRET)
    control.add_account("other")
    for market in ("spot", "usdm"):
        control.deposit(ACCOUNT, "USDT", "10000000", market=market)
        control.deposit("other", "USDT", "77", market=market)
    if scenario.account == "hedge":
        control.set_position_mode(ACCOUNT, True)


def _fill_account(arena: Arena) -> None:
    """Give the account holdings, orders and stops, as the dice say."""
    dice, scenario, control = arena.dice, arena.scenario, arena.exchange.control
    protective: set[str] = set()
    rows: list[SymbolRow] = []
    for market in markets_of(scenario.account):
        listed = list(arena.exchange.catalogue.rows(market).values())  # type: ignore[arg-type]  # a market's name
        rows += dice.sample([row for row in listed if row.quote == "USDT"], scenario.symbols)
    arena.symbols = tuple(rows)
    for row in rows:
        if row.market == "spot":
            size = row.min_notional * dice.randint(3, 40) / row.anchor_price
            amount = max((size // row.step) * row.step, row.step) * 20
            control.deposit(ACCOUNT, row.base, str(amount))
        elif dice.random() < 0.8:
            protective |= _take_position(arena, row)
    for number in range(scenario.orders):
        place_order(arena, dice.choice(rows), f"mm1-{number}", dice)
    arena.protective = frozenset(protective)


def _take_position(arena: Arena, row: SymbolRow) -> set[str]:
    """Hold a leg (two under hedge mode), some with a stop that protects it."""
    dice, control = arena.dice, arena.exchange.control
    hedge = arena.scenario.account == "hedge"
    sides = dice.choice((("LONG",), ("SHORT",), ("LONG", "SHORT"))) if hedge else ("BOTH",)
    stops: set[str] = set()
    for side in sides:
        steps = dice.randint(1, 60)
        size = row.step * (10 * int(row.min_notional / row.anchor_price / row.step) + steps)
        short = side == "SHORT" or (side == "BOTH" and dice.random() < 0.5)
        amount = -size if short else size
        control.set_position(ACCOUNT, row.name, str(amount), str(row.anchor_price), side)
        if dice.random() < 0.5:
            name = f"stop-{row.name}-{side}"
            trigger = row.anchor_price * (2 if short else 1) / (1 if short else 2)
            control.seed_order(
                ACCOUNT,
                market="usdm",
                symbol=row.name,
                side="BUY" if short else "SELL",
                type="STOP_MARKET",
                quantity=str(size),
                stop_price=str(trigger.quantize(row.tick)),
                reduce_only=not hedge,
                position_side=side,
                client_order_id=name,
            )
            stops.add(name)
    return stops


def place_order(arena: Arena, row: SymbolRow, name: str, dice: random.Random) -> None:
    """Rest an order that will not trade by itself: limit, conditional, or an OCO list."""
    control, hedge = arena.exchange.control, arena.scenario.account == "hedge"
    low = str((row.anchor_price / 2).quantize(row.tick))
    high = str((row.anchor_price * 2).quantize(row.tick))
    common: dict[str, Any] = {
        "symbol": row.name,
        "quantity": str(row.min_quantity * 10),
        "client_order_id": name,
    }
    if row.market == "spot":
        if dice.random() < 0.15:
            made = control.seed_oco(
                ACCOUNT,
                symbol=row.name,
                side="SELL",
                quantity=str(row.min_quantity),
                price=high,
                stop_price=low,
                stop_limit_price=low,
            )
            # The legs have names of their own, and were signed when the list was.
            signed_ms = arena.oracle.signed_ms
            if name in signed_ms:
                for leg in made["orders"]:
                    signed_ms[str(leg["client_order_id"])] = signed_ms[name]
            return
        control.seed_order(ACCOUNT, market="spot", side="BUY", price=low, **common)
        return
    side = dice.choice(("LONG", "SHORT")) if hedge else "BOTH"
    common["position_side"] = side
    buys = side != "SHORT"
    way = "BUY" if buys else "SELL"
    if dice.random() < 0.35:
        stop = high if buys else low
        control.seed_order(
            ACCOUNT, market="usdm", side=way, type="STOP_MARKET", stop_price=stop, **common
        )
        return
    control.seed_order(ACCOUNT, market="usdm", side=way, price=low if buys else high, **common)
