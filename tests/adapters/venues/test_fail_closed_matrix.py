"""Whatever a venue says wrongly, no read calls it empty, no cancel calls it done, no run is clean.

Every read and cancel call x eight broken bodies x fourteen planned venues, with their real ccxt
classes. The deep profiles of Binance have a matrix of their own beside their tests.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from resyncctl.core.compare import compare
from resyncctl.core.discrepancy import Verdict
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import (
    EngineSnapshot,
    Known,
    ProductReading,
    Provenance,
    Unknown,
    VenueSnapshot,
)
from tests.adapters.venues.fail_closed_cells import (
    KINDS,
    WINDOW,
    Call,
    broken,
    calls_of,
    whole_body,
)
from tests.adapters.venues.generic_kit import (
    BODIES,
    MARKETS,
    NOW_MS,
    JsonSession,
    open_any,
    set_markets,
)
from tests.adapters.venues.scripted import Say

FLOOR = 1_750


def lie_in(call: Call, answer: Any) -> str | None:
    """Say what is wrong with an answer to a broken body, or None when it is honest."""
    if isinstance(answer, MutationOutcome):
        return "acknowledged" if answer.kind is OutcomeKind.ACKNOWLEDGED else None
    if isinstance(answer, Known) and answer.complete and not answer.data:
        return "complete and empty"
    if call.name.startswith("identity") and isinstance(answer, Known):
        return "an identity"
    if call.name.startswith("mode") and answer in {"one_way", "hedge"}:
        return "a position mode"
    return None


def could_be_clean(answer: Any) -> bool:
    """Whether a world that is clean everywhere else would be called clean with this section."""
    if not isinstance(answer, Known | Unknown):
        return False
    if isinstance(answer, Known) and answer.data:
        return False  # a row that the engine does not know is a finding, not silence
    nothing: Any = Known((), NOW_MS, WINDOW)
    scope_section: Any = answer
    reading = ProductReading(
        product="spot",
        orders=(),
        fills=nothing,
        positions=nothing,
        balances=nothing,
        ledger=nothing,
    )
    clean = False
    for field in ("fills", "positions", "balances"):
        clean = clean or _verdict(replace(reading, **{field: scope_section})) is Verdict.CLEAN
    return clean


def _verdict(reading: ProductReading) -> Verdict:
    nothing: Any = Known((), NOW_MS, WINDOW)
    engine = EngineSnapshot(
        account="desk-a",
        as_of_ms=NOW_MS,
        sequence=1,
        source=Provenance("test", "nowhere"),
        orders=nothing,
        fills=nothing,
        positions=nothing,
        balances=nothing,
    )
    venue = VenueSnapshot(
        account="desk-a",
        venue="any",
        as_of_ms=NOW_MS,
        products=(reading,),
        clock_offset_ms=0,
        identity=Known(("me",), NOW_MS),
    )
    return compare(engine, venue, Policy(lookback_ms=3_600_000), NOW_MS).verdict


def without_a_place(call: Call, venue: str) -> bool:
    """Whether the profile answers this call without asking the venue at all."""
    static = {
        "positions spot",
        "mode spot",
        "mode margin",
        "mode option",
        "mode derivatives",
        "mode futures",
        "mode perpetual",
    }
    if call.name in static and not (venue == "kraken" and call.name == "positions spot"):
        return True
    return call.name.startswith(("ledger", "identity"))


async def cells(venue: str) -> Iterator[tuple[Call, str, Any]]:
    """Make every call of a venue against every broken body, with one instance of its class."""
    found: list[tuple[Call, str, Any]] = []
    opened = open_any(venue, {})
    set_markets(opened.exchange, MARKETS[venue])
    number = 0
    try:
        for kind in KINDS:
            opened.session.routes = {
                "*": [lambda asked, kind=kind: broken(venue, kind, asked)]  # type: ignore[misc]  # a default argument binds the loop
            }
            opened.session.routes |= {
                name: opened.session.routes["*"] for name in BODIES[venue] if " " not in name
            }
            for call in calls_of(opened):
                number += 1
                asked_before = len(opened.session.asked)
                opened.egress.desk._spent.clear()
                answer = await call.make(opened)
                if len(opened.session.asked) > asked_before:
                    found.append((call, kind, answer))
                else:
                    assert without_a_place(call, venue) or isinstance(
                        answer, Unknown | MutationOutcome | Known
                    )
    finally:
        await opened.view.close()
    return iter(found)


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("venue", sorted(BODIES))
async def test_no_broken_body_is_believed(venue: str) -> None:
    lies = []
    count = 0
    for call, kind, answer in await cells(venue):
        count += 1
        reason = lie_in(call, answer)
        if reason is not None or could_be_clean(answer):
            lies.append(f"{venue} {call.name} x {kind}: {reason or 'clean'} {answer!r:.200}")
    assert not lies, "\n".join(lies)
    assert count >= 8 * 3, "the venue was hardly asked"


async def test_the_matrix_is_as_large_as_it_claims(capsys: pytest.CaptureFixture[str]) -> None:
    counted = {venue: len(list(await cells(venue))) for venue in sorted(BODIES)}
    total = sum(counted.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\nfail-closed matrix: {len(counted)} venues x {len(KINDS)} bodies, {total} cells\n"
        )
    assert len(counted) >= 12
    assert len(KINDS) == 8
    assert total >= FLOOR, counted


class BareSession:
    """The session of an unguarded client: what is scripted comes back as it is."""

    def __init__(self, inner: JsonSession) -> None:
        self._inner = inner
        self.headers: dict[str, str] = {}
        self.closed = False

    def __getattr__(self, method: str) -> Any:
        def call(url: Any, **rest: Any) -> Any:
            return self._inner.request(
                method.upper(), url, data=rest.get("data"), allow_redirects=False
            )

        return call

    async def close(self) -> None:
        self.closed = True


async def unguarded_lies(venue: str) -> int:
    """Count the cells in which ccxt alone calls a broken body a success."""
    opened = open_any(venue, {})
    set_markets(opened.exchange, MARKETS[venue])
    exchange = opened.exchange
    exchange.session = BareSession(opened.session)
    symbol = MARKETS[venue][-1].symbol
    calls = {
        "fetchOpenOrders": lambda: exchange.fetch_open_orders(symbol),
        "fetchMyTrades": lambda: exchange.fetch_my_trades(symbol),
        "fetchPositions": lambda: exchange.fetch_positions([symbol]),
        "fetchBalance": exchange.fetch_balance,
        "cancelOrder": lambda: exchange.cancel_order("123456", symbol),
    }
    lies = 0
    try:
        for kind in KINDS:
            if kind == "truncated_page":
                continue  # what ccxt makes of half a row is another story
            opened.session.routes = {
                "*": [lambda asked, kind=kind: broken(venue, kind, asked)]  # type: ignore[misc]  # a default argument binds the loop
            }
            for name, call in calls.items():
                if exchange.has.get(name) is not True:
                    continue
                try:
                    await call()
                except Exception:  # noqa: BLE001, S112  # any complaint at all is honest
                    continue
                lies += 1
    finally:
        await opened.view.close()
    return lies


def test_the_oracle_calls_an_empty_world_clean_and_an_unread_one_not() -> None:
    assert could_be_clean(Known((), NOW_MS, WINDOW))
    assert not could_be_clean(Known((), NOW_MS, WINDOW, complete=False))
    assert not could_be_clean(Unknown("nothing was read"))


@pytest.mark.parametrize("venue", sorted(BODIES))
async def test_the_unbroken_bodies_are_believed(venue: str) -> None:
    opened = open_any(venue, {})
    set_markets(opened.exchange, MARKETS[venue])
    opened.session.routes = {"*": [lambda asked: Say(whole_body(venue, asked))]}
    opened.session.routes |= {
        name: opened.session.routes["*"] for name in BODIES[venue] if " " not in name
    }
    listed = 0
    for scope in opened.view.profile.scopes:
        section = await opened.view.read_open_orders(scope)
        listed += isinstance(section, Known) and section.complete and len(section.data) > 0
    await opened.view.close()
    assert listed >= 1


async def test_without_the_guard_the_same_bodies_are_believed() -> None:
    lies = {venue: await unguarded_lies(venue) for venue in sorted(BODIES)}
    sys.stdout.write(f"unguarded, {sum(lies.values())} cells lie: {lies}\n")
    assert sum(lies.values()) > 100, lies
