"""May a resync go without cancelling? Only when all four conditions hold, and the record says so.

The open orders were fetched, the fills are fully reconciled, the inventory is verified, and the
exchange answers quickly enough that a cancel could wait. Anything less cancels. It only reads.
Called by `resync` when `--skip-cancel` was asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from resyncctl.core.discrepancy import Discrepancy, Kind, Severity
from resyncctl.core.plan import order_key
from resyncctl.core.policy import Policy
from resyncctl.core.safety import Condition
from resyncctl.core.snapshot import EngineSnapshot, Known, VenueSnapshot
from resyncctl.procedures.establish import Tools
from resyncctl.procedures.reconcile import Look, ReconcileRequest, look_once
from resyncctl.procedures.witness import WitnessedVenue

FILL_KINDS = frozenset(
    {
        Kind.MISSING_FILL,
        Kind.PHANTOM_FILL,
        Kind.FILL_CONFLICT,
        Kind.DUPLICATE_FILL,
        Kind.ORPHAN_FILL,
        Kind.OVERFILL,
        Kind.FILL_QUANTITY_MISMATCH,
        Kind.WINDOW_NOT_COVERED,
    }
)
HOLDING_KINDS = frozenset(
    {
        Kind.POSITION_MISMATCH,
        Kind.UNTRACKED_POSITION,
        Kind.PHANTOM_POSITION,
        Kind.LEG_MISMATCH,
        Kind.SIDE_FLIP,
        Kind.BALANCE_MISMATCH,
        Kind.LOCKED_MISMATCH,
        Kind.MOVING,
    }
)


@dataclass(frozen=True, slots=True)
class SkipDecision:
    """The four conditions, and the orders that both sides know: those may go on resting."""

    conditions: tuple[Condition, ...]
    expected: frozenset[str]
    open_orders: int

    @property
    def skips(self) -> bool:
        """Whether the cancel is left out."""
        return all(one.holds and one.known for one in self.conditions)


async def decide(request: ReconcileRequest, tools: Tools) -> SkipDecision:
    """Look once, and say whether every one of the four conditions holds."""
    began_ms = tools.clock.monotonic_ms()
    await tools.venue.measure_clock()
    took_ms = tools.clock.monotonic_ms() - began_ms
    look = await look_once(
        request,
        venue=tools.venue,
        engine=tools.engine,
        clock=tools.clock,
        progress=tools.progress,
        policy=tools.policy,
    )
    listed = {
        order_key(order)
        for reading in look.venue.products
        for _, section in reading.orders
        if isinstance(section, Known)
        for order in section.data
    }
    return SkipDecision(
        conditions=(
            _fetched(look.venue, request),
            _fills(look),
            _holdings(look),
            _latency(tools.venue, took_ms, tools.policy),
        ),
        expected=frozenset(listed & _believed(look.engine)),
        open_orders=len(listed),
    )


def _believed(engine: EngineSnapshot) -> set[str]:
    if not isinstance(engine.orders, Known):
        return set()
    return {order_key(order) for order in engine.orders.data if not order.is_terminal}


def _fetched(venue: VenueSnapshot, request: ReconcileRequest) -> Condition:
    name = "open orders were fetched"
    whole = {
        scope
        for reading in venue.products
        for scope, section in reading.orders
        if isinstance(section, Known) and section.complete
    }
    lacking = [str(scope) for scope in request.scopes if scope not in whole]
    lacking += [item.what for item in venue.not_covered]
    if lacking:
        return Condition(name, False, f"not read: {', '.join(lacking)}", known=False)
    return Condition(name, True, f"{len(request.scopes)} scopes", as_of_ms=venue.as_of_ms)


def _fills(look: Look) -> Condition:
    return _nothing_of(
        "fills are fully reconciled",
        look,
        FILL_KINDS,
        [(f"fills of {one.product}", one.fills) for one in look.venue.products]
        + [("the engine's fills", look.engine.fills)],
    )


def _holdings(look: Look) -> Condition:
    sections: list[tuple[str, object]] = []
    for one in look.venue.products:
        sections += [(f"positions of {one.product}", one.positions)]
        sections += [(f"balances of {one.product}", one.balances)]
    sections += [("the engine's positions", look.engine.positions)]
    sections += [("the engine's balances", look.engine.balances)]
    return _nothing_of("inventory is verified", look, HOLDING_KINDS, sections)


def _nothing_of(
    name: str, look: Look, kinds: frozenset[Kind], sections: Iterable[tuple[str, object]]
) -> Condition:
    lacking = [
        words
        for words, section in sections
        if not (isinstance(section, Known) and section.complete)
    ]
    if lacking:
        return Condition(name, False, f"not read: {', '.join(lacking)}", known=False)
    found = [one for one in look.comparison.findings if one.kind in kinds and _counts(one)]
    if found:
        return Condition(name, False, f"{len(found)} differ: {found[0].kind.value}")
    return Condition(name, True, "nothing differs", as_of_ms=look.venue.as_of_ms)


def _counts(finding: Discrepancy) -> bool:
    return finding.severity is not Severity.INFO


def _latency(venue: WitnessedVenue, took_ms: int, policy: Policy) -> Condition:
    name = "latency is not critical"
    if venue.round_trip_ms is None:
        return Condition(name, False, "it could not be measured", known=False)
    round_trip_ms = max(venue.round_trip_ms, took_ms)
    words = f"a round trip took {round_trip_ms} ms, the bound is {policy.latency_critical_ms} ms"
    return Condition(name, round_trip_ms < policy.latency_critical_ms, words)
