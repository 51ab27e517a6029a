"""The fail-closed matrix seen from the top: whole runs of reconcile and cancel-all.

Every venue with a plan, every kind of broken body, everything broken at once: no run ends clean,
no run ends 0, and a cancel-all that cannot see proves nothing.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.open_venue import VenueOptions, open_venue
from resyncctl.core.discrepancy import Verdict
from resyncctl.core.errors import ResyncError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import Balance
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import Known
from resyncctl.procedures.cancel_all import CancelAllRequest, cancel_all
from resyncctl.procedures.reconcile import ReconcileRequest, reconcile
from tests.adapters.venues.fail_closed_cells import KINDS, broken
from tests.adapters.venues.generic_kit import (
    BODIES,
    MARKETS,
    NOW_MS,
    SECRETS,
    JsonSession,
    Opened,
    open_any,
    set_markets,
)
from tests.adapters.venues.generic_samples import KRAKEN_ORDER, kraken
from tests.adapters.venues.scripted import Asked, Say
from tests.fakes.fake_clock import FakeClock
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryGate, MemoryLeases, ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress
from tests.fakes.stub_engine import StubEngine

DOLLARS = Balance(
    account="desk-a",
    product="spot",
    asset="USD",
    free=Decimal(100),
    locked=Decimal(0),
    total=Decimal(100),
)


def open_broken(venue: str, kind: str) -> Opened:
    """Open a venue at which every answer is broken in one way, the clock included."""
    opened = open_any(venue, {})
    set_markets(opened.exchange, MARKETS[venue])
    everything = [lambda asked: broken(venue, kind, asked)]
    opened.session.routes = {"*": everything}  # type: ignore[dict-item]  # a script of one answer
    opened.session.routes |= dict.fromkeys(
        (name for name in BODIES[venue] if " " not in name),
        everything,  # type: ignore[arg-type]  # a script of one answer
    )
    opened.exchange.has["fetchTime"] = False  # the documented bodies hold no time
    return opened


def cover_everything(opened: Opened) -> None:
    """Take the declared blind spots away, so that only what was read decides."""
    opened.view._profile = replace(opened.view.profile, not_covered=())


async def run_reconcile(opened: Opened) -> AccountOutcome:
    return await reconcile(
        ReconcileRequest(
            account="desk-a", scopes=opened.view.profile.scopes, symbols=("BTC/USDT:USDT",)
        ),
        venue=opened.view,
        engine=StubEngine(balances=Known((DOLLARS,), 0)),
        gate=MemoryGate(state=GateState.UNSAFE),
        journal=MemoryJournal(),
        clock=opened.clock,
        progress=RecordingProgress(),
        policy=Policy(),
    )


async def run_cancel_all(opened: Opened, deadline_ms: int = 600_000) -> AccountOutcome:
    return await cancel_all(
        CancelAllRequest(
            account="desk-a",
            scopes=opened.view.profile.scopes,
            reason="lost the stream",
            by="me",
            assume_yes=True,
            protective="cancel",
            deadline_ms=deadline_ms,
        ),
        venue=opened.view,
        cancel=opened.view,
        gate=MemoryGate(),
        leases=MemoryLeases(),
        journal=MemoryJournal(),
        clock=opened.clock,
        progress=RecordingProgress(),
        prompter=ScriptedPrompter(),
        policy=Policy(),
    )


async def how_it_ended(run: Awaitable[AccountOutcome]) -> AccountOutcome:
    """Return the outcome of a run; a refusal at first contact is an outcome too."""
    try:
        return await run
    except ResyncError as refusal:
        return AccountOutcome(
            account="desk-a", status="refused", exit_code=refusal.exit_code, verdict=None
        )


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("venue", sorted(BODIES))
async def test_no_reconcile_over_broken_bodies_ends_clean(venue: str, kind: str) -> None:
    opened = open_broken(venue, kind)
    cover_everything(opened)
    ended = await how_it_ended(run_reconcile(opened))
    assert ended.verdict is not Verdict.CLEAN
    assert ended.exit_code is not ExitCode.OK
    assert {record.kind for record in opened.egress.records} <= {"read"}
    await opened.view.close()


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("venue", sorted(BODIES))
async def test_no_cancel_all_over_broken_bodies_ends_proved(venue: str, kind: str) -> None:
    opened = open_broken(venue, kind)
    cover_everything(opened)
    ended = await how_it_ended(run_cancel_all(opened, deadline_ms=60_000))
    assert ended.exit_code is not ExitCode.OK
    assert ended.status != "proved_empty"
    await opened.view.close()


DEEP_BODIES = {
    "empty": "",
    "object": {},
    "null": "null",
    "html": "<html>maintenance</html>",
    "truncated": '[{"symbol": "BTCUS',
    "wrong_envelope": {"ok": True, "result": [], "data": {}},
    "truncated_page": [{"symbol": "BTCUSDT"}],
    "error_in_200": {"code": -1000, "msg": "An unknown error occurred."},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("venue", ["binance", "binanceusdm"])
@pytest.mark.parametrize("run", [run_reconcile, run_cancel_all], ids=["reconcile", "cancel-all"])
async def test_the_deep_profiles_fail_closed_in_the_same_way(
    run: Callable[[Opened], Awaitable[AccountOutcome]], venue: str, kind: str
) -> None:
    clock = FakeClock(NOW_MS)
    egress = Egress(clock)
    session = JsonSession()
    session.on("*", Say(DEEP_BODIES[kind]))
    opened_venue = open_venue(
        VenueOptions(
            account="desk-a",
            venue=venue,
            secrets=SECRETS,
            clock=clock,
            session_factory=lambda: session,
            egress=egress,
            may_load_markets=False,
        )
    )
    view: Any = opened_venue.view
    opened = Opened(view, session, egress, clock, None)
    ended = await how_it_ended(run(opened))
    assert ended.exit_code is not ExitCode.OK
    assert ended.verdict is not Verdict.CLEAN
    assert session.asked
    await opened_venue.close()


class Kraken:
    """A small Kraken: orders rest until they are cancelled, one by one."""

    def __init__(self, *order_ids: str) -> None:
        self.resting = list(order_ids)
        self.cancelled: list[str] = []

    def routes(self) -> dict[str, object]:
        return {
            "POST /0/private/OpenOrders": lambda _asked: Say(kraken({"open": self._open()})),
            "POST /0/private/CancelOrder": self._cancel,
            "POST /0/private/QueryOrders": self._query,
            "POST /0/private/TradesHistory": kraken({"trades": {}, "count": 0}),
            "POST /0/private/OpenPositions": kraken([]),
            "POST /0/private/BalanceEx": kraken({"ZUSD": {"balance": "100", "hold_trade": "0"}}),
            "GET /0/public/Time": lambda _asked: Say(
                kraken({"unixtime": 1_790_000_000, "rfc1123": "Mon"})
            ),
        }

    def _open(self) -> dict[str, object]:
        return dict.fromkeys(self.resting, KRAKEN_ORDER)

    def _cancel(self, asked: Asked) -> Say:
        order_id = str(asked.params["txid"])
        if order_id not in self.resting:
            return Say({"error": ["EOrder:Unknown order"]})
        self.resting.remove(order_id)
        self.cancelled.append(order_id)
        return Say(kraken({"count": 1}))

    def _query(self, asked: Asked) -> Say:
        order_id = str(asked.params["txid"])
        status = "open" if order_id in self.resting else "canceled"
        return Say(kraken({order_id: {**KRAKEN_ORDER, "status": status}}))


def open_kraken(place: Kraken) -> Opened:
    opened = open_any("kraken", place.routes())
    set_markets(opened.exchange, MARKETS["kraken"])
    return opened


async def test_a_flat_account_that_was_read_whole_is_clean_but_for_what_is_not_covered() -> None:
    opened = open_kraken(Kraken())
    guarded = await run_reconcile(opened)
    assert guarded.exit_code is ExitCode.INCOMPLETE
    assert guarded.verdict is Verdict.UNKNOWN
    cover_everything(opened)
    bare = await run_reconcile(opened)
    assert (bare.exit_code, bare.verdict) == (ExitCode.OK, Verdict.CLEAN), json.dumps(
        [finding.detail for finding in bare.findings]
    )
    await opened.view.close()


async def test_every_order_is_cancelled_one_by_one_with_an_intent_of_its_own() -> None:
    place = Kraken("OAAAAA", "OBBBBB", "OCCCCC")
    opened = open_kraken(place)
    outcome = await run_cancel_all(opened)
    assert sorted(place.cancelled) == ["OAAAAA", "OBBBBB", "OCCCCC"]
    assert place.resting == []
    writes = [record for record in opened.egress.records if record.kind == "cancel"]
    assert len(writes) == len(opened.egress.desk.spent) == 3
    assert {record.path for record in writes} == {"/0/private/CancelOrder"}
    assert outcome.counts["gone"] == 3
    await opened.view.close()


async def test_an_order_that_stays_is_never_proved_gone() -> None:
    place = Kraken("OAAAAA", "OBBBBB")
    opened = open_kraken(place)
    stubborn = Say({"error": ["EService:Busy"]})
    opened.session.on("POST /0/private/CancelOrder", stubborn)
    outcome = await run_cancel_all(opened)
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert place.resting == ["OAAAAA", "OBBBBB"]
    assert outcome.counts["gone"] == 0
    await opened.view.close()


async def test_a_cancel_that_was_acknowledged_and_did_nothing_is_noticed() -> None:
    place = Kraken("OAAAAA")
    opened = open_kraken(place)
    opened.session.on("POST /0/private/CancelOrder", Say(kraken({"count": 1})))
    outcome = await run_cancel_all(opened)
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert place.resting == ["OAAAAA"]
    await opened.view.close()
