"""What is true at the practice exchange, compared at every step with what was claimed and sent.

Promises: the oracle reads the ground truth only, never a listing and nothing of the product; it is
asked after every request and every event of the world, so that a claim that is false for one
moment is seen. A violation names the invariant of the design that it breaks.
Called by `arena` and by the actors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from resyncctl.core.gate import GateState
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.orders import AlgoOrder, Fill, Order
from resyncctl.simulator.wire import Reply
from tests.fakes.operators import MemoryGate

ACCOUNT = "main"
MARKETS = ("spot", "usdm")
VALIDITY_MS = 5_000


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, when, and how."""

    invariant: str
    at_ms: int
    what: str


@dataclass(slots=True)
class Claim:
    """What an operator was told: nothing unexpected rests.

    `strong` holds until the gate opens. A claim of `cancel-all` alone does not cover what an
    engine sends after the gate was closed, and says so: `covers_until_ms` is the last moment at
    which an engine's order could be signed that the claim still speaks about.
    """

    by: str
    at_ms: int
    strong: bool
    kept: frozenset[str]
    covers_until_ms: int
    moves: int = 0


@dataclass(slots=True)
class Oracle:
    """Watches one exchange. `signed_ms` says when whoever places orders by itself signed them."""

    exchange: PracticeExchange
    violations: list[Violation] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    signed_ms: dict[str, int] = field(default_factory=dict)
    ours: set[str] = field(default_factory=set)
    intents: dict[str, int] = field(default_factory=dict)
    wires: dict[str, int] = field(default_factory=dict)
    in_flight: dict[tuple[str, str, str], int] = field(default_factory=dict)
    gate: MemoryGate | None = None
    lost_by: dict[str, tuple[int, int]] = field(default_factory=dict)
    """When a run lost the account, and how long what it sent before may still arrive."""
    readers: set[str] = field(default_factory=set)
    watchers: list[Callable[[], None]] = field(default_factory=list)
    creates: int = 0
    mutations: int = 0
    flat_ms: int | None = None
    foreign_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    """When somebody else traded a leg last."""
    _legs: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _fills_seen: dict[tuple[str, str], int] = field(default_factory=dict)
    _changes: int = -1

    def blame(self, invariant: str, what: str) -> None:
        """Note a violation once."""
        if not any((v.invariant, v.what) == (invariant, what) for v in self.violations):
            self.violations.append(Violation(invariant, self.exchange.now_ms(), what))

    # -- the account ---------------------------------------------------------------------------

    def resting(self) -> dict[str, Order | AlgoOrder]:
        """Return every order that rests now, by the id that its owner gave it."""
        register = self.exchange.world.register
        found: dict[str, Order | AlgoOrder] = {}
        for market in MARKETS:
            drawer = register.drawer(ACCOUNT, market)  # type: ignore[arg-type]  # a literal of MARKETS
            found |= {order.terms.client_order_id: order for order in drawer.open.values()}
        for algo in register.open_algos.values():
            if algo.account == ACCOUNT:
                found[algo.terms.client_order_id] = algo
        return found

    def holdings(self) -> dict[tuple[str, str], Decimal]:
        """Return every leg that is not flat."""
        account = self.exchange.world.ledger.account(ACCOUNT)
        return {
            leg: versions.now.amount
            for leg, versions in account.positions.items()
            if versions.now.amount
        }

    def step(self) -> None:
        """Look at the truth now."""
        changes = self.exchange.world.changes
        if changes == self._changes:
            return
        self._changes = changes
        self._look_at_fills()
        for watcher in self.watchers:
            watcher()
        if self.claims:
            self._look_at_claims()

    def forget(self) -> None:
        """Look again at the next step, even when nothing has changed."""
        self._changes = -1

    def _look_at_claims(self) -> None:
        resting = self.resting()
        for claim in self.claims:
            opened = self.moves_seen(claim.moves)
            for name in resting:
                if name in claim.kept or opened:
                    continue
                signed_ms = self.signed_ms.get(name, 0)
                if claim.strong or signed_ms <= claim.covers_until_ms:
                    kind = "strong" if claim.strong else "cancel-all"
                    self.blame("I1", f"{claim.by} was told {kind} SAFE while {name} rests")

    def moves_seen(self, since: int) -> bool:
        """Whether the gate let the engine trade again, however briefly: that ends a claim."""
        moves = self.gate.moves if self.gate is not None else []
        return any(state is GateState.RUNNING for state, _ in moves[since:])

    def arm(self) -> None:
        """Start counting: what was traded before now is history."""
        self._legs = self.holdings()
        for market, symbol, fills in self._fills():
            self._fills_seen[market, symbol] = len(fills)

    def _fills(self) -> list[tuple[str, str, list[Fill]]]:
        register = self.exchange.world.register
        return [
            (market, symbol, fills)
            for market in MARKETS
            for symbol, fills in register.drawer(ACCOUNT, market).fills.items()  # type: ignore[arg-type]  # a literal of MARKETS
        ]

    def _look_at_fills(self) -> None:
        """No fill of an order of ours makes a holding larger, or turns it round (I16)."""
        for market, symbol, fills in self._fills():
            seen = self._fills_seen.get((market, symbol), 0)
            for fill in fills[seen:]:
                self._look_at_fill(market, fill)
            self._fills_seen[market, symbol] = len(fills)
        if {leg: amount for leg, amount in self._legs.items() if amount} != self.holdings():
            self.blame("oracle", "the fills do not add up to the holdings")

    def told_flat(self, by: str, settle_ms: int) -> None:
        """Somebody was told FLAT: no leg is held, unless somebody else has traded it just now."""
        now_ms = self.exchange.now_ms()
        self.flat_ms = now_ms
        for leg, amount in self.holdings().items():
            if now_ms - self.foreign_ms.get(leg, 0) > settle_ms:
                self.blame("I16", f"{by} was told FLAT while {leg} holds {amount}")

    def _look_at_fill(self, market: str, fill: Fill) -> None:
        order = self.exchange.world.register.find(fill.market, fill.symbol, fill.order_id)
        name = order.terms.client_order_id if order is not None else ""
        if self.flat_ms is not None and name in self.ours:
            self.blame("I16", f"our order {name} filled after FLAT was told")
        if market == "spot":
            if name in self.ours and fill.side != "SELL":
                self.blame("I16", f"our spot order {name} bought")
            return
        leg = (fill.symbol, str(fill.position_side))
        before = self._legs.get(leg, Decimal(0))
        after = before + (fill.quantity if fill.side == "BUY" else -fill.quantity)
        self._legs[leg] = after
        if name not in self.ours:
            self.foreign_ms[leg] = self.exchange.now_ms()
        if name in self.ours and (abs(after) > abs(before) or before * after < 0):
            how = "flipped" if before * after < 0 else "increased"
            self.blame("I16", f"{name} {how} {leg} from {before} to {after}")

    # -- the account's lease -------------------------------------------------------------------

    def lost(self, run: str, grace_ms: int) -> None:
        """A run has lost the account; what it sent before may arrive for so long."""
        self.lost_by.setdefault(run, (self.exchange.now_ms(), grace_ms))

    def intended(self, run: str) -> None:
        """A run has written an intent down: it must not have lost the account before (I30)."""
        self.intents[run] = self.intents.get(run, 0) + 1
        self._still_holds(run, "intended a request", with_grace=False)

    def _still_holds(self, run: str, did: str, *, with_grace: bool) -> None:
        if run in self.lost_by:
            lost_ms, grace_ms = self.lost_by[run]
            if self.exchange.now_ms() > lost_ms + grace_ms * with_grace:
                self.blame("I30", f"{run} {did} after it had lost the account")

    # -- the wire ------------------------------------------------------------------------------

    def before_mutation(self, run: str, kind: str, parameters: Mapping[str, str]) -> None:
        """A mutating request of an operator is about to leave (I10, I17, I23, I24)."""
        self.mutations += 1
        self._still_holds(run, "sent a request", with_grace=True)
        if run in self.readers:
            self.blame("I13", f"{run} may only read, and sent a {kind}")
        self.wires[run] = self.wires.get(run, 0) + 1
        if self.wires[run] > self.intents.get(run, 0):
            self.blame("I23", f"request {self.wires[run]} of {run} has no journaled intent")
        if kind not in {"create", "amend"}:
            return
        self.creates += 1
        if kind == "amend" or not self._is_reducing(parameters):
            self.blame("I10", f"{run} sent a {kind} that is not proved to reduce")
        self.ours.add(parameters.get("newClientOrderId", ""))
        leg = _leg_of(parameters)
        now_ms = self.exchange.now_ms()
        if self.in_flight.get(leg, 0) > now_ms:
            self.blame("I17", f"{run} sent a second order for {leg} while one was in flight")
        self.in_flight[leg] = _deadline_ms(parameters, now_ms)

    def after_mutation(self, kind: str, parameters: Mapping[str, str], reply: Reply) -> None:
        """The answer of a mutating request was made; a delivered definite one ends the flight."""
        definite = reply.delivery.fate == "whole" and reply.status in range(200, 500)
        if kind == "create" and definite and reply.body.startswith(b"{"):
            self.in_flight.pop(_leg_of(parameters), None)

    def _is_reducing(self, parameters: Mapping[str, str]) -> bool:
        side = parameters.get("positionSide", "BOTH")
        if parameters.get("reduceOnly") == "true":
            return True
        if side in {"LONG", "SHORT"}:
            return parameters.get("side") == ("SELL" if side == "LONG" else "BUY")
        is_spot = "positionSide" not in parameters and "reduceOnly" not in parameters
        return is_spot and parameters.get("side") == "SELL"

    def to_json(self) -> list[dict[str, Any]]:
        """Return the violations for a file."""
        return [
            {"invariant": v.invariant, "at_ms": v.at_ms, "what": v.what} for v in self.violations
        ]


def _leg_of(parameters: Mapping[str, str]) -> tuple[str, str, str]:
    market = "usdm" if "reduceOnly" in parameters or "positionSide" in parameters else "spot"
    return market, parameters.get("symbol", ""), parameters.get("positionSide", "BOTH")


def _deadline_ms(parameters: Mapping[str, str], now_ms: int) -> int:
    stamp = parameters.get("timestamp", "")
    window = parameters.get("recvWindow", "")
    if stamp.isdecimal() and window.isdecimal():
        return int(stamp) + int(window)
    return now_ms + VALIDITY_MS
