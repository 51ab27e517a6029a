"""Countdowns of venues with a plan: one request, and an answer that tells the same countdown."""

from collections.abc import Mapping

import pytest

from resyncctl.adapters.venues.via_ccxt.generic_open import abilities_of
from resyncctl.adapters.venues.via_ccxt.generic_plan import VenuePlan
from resyncctl.adapters.venues.via_ccxt.generic_plans import PLANNED, plan_for
from resyncctl.core.model import Scope
from resyncctl.core.mutation import OutcomeKind, Permit
from resyncctl.core.reduction import Reduction
from resyncctl.core.snapshot import Unknown
from resyncctl.core.switches import SwitchTarget
from resyncctl.procedures.dead_man_switch import Switches
from resyncctl.procedures.held_lease import HeldLease
from tests.adapters.venues.generic_kit import NOW_MS, Opened, open_any, open_scripted, permit
from tests.adapters.venues.reductions import SPOT_HOLDING
from tests.adapters.venues.scripted import Say
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryLeases
from tests.fakes.recording_progress import RecordingProgress

ROUTES = {
    "kraken": "POST /0/private/CancelAllOrdersAfter",
    "krakenfutures": "POST /derivatives/api/v3/cancelallordersafter",
    "okx": "POST /api/v5/trade/cancel-all-after",
}
PRODUCTS = {"kraken": "spot", "krakenfutures": "futures", "okx": "swap"}
ARMED: Mapping[str, object] = {
    "kraken": {
        "error": [],
        "result": {
            "currentTime": "2023-03-24T17:41:56Z",
            "triggerTime": "2023-03-24T17:42:56Z",
        },
    },
    "krakenfutures": {
        "result": "success",
        "serverTime": "2018-06-19T16:51:23.839Z",
        "status": {
            "currentTime": "2018-06-19T16:51:23.839Z",
            "triggerTime": "2018-06-19T16:52:23.839Z",
        },
    },
    "okx": {"code": "0", "msg": "", "data": [{"triggerTime": "1587971460", "ts": "1587971400"}]},
}
STOPPED: Mapping[str, object] = {
    "kraken": {
        "error": [],
        "result": {"currentTime": "2023-03-24T17:41:56Z", "triggerTime": "0"},
    },
    "krakenfutures": {
        "result": "success",
        "serverTime": "2018-06-19T16:51:23.839Z",
        "status": {"currentTime": "2018-06-19T16:51:23.839Z", "triggerTime": "0"},
    },
    "okx": {"code": "0", "msg": "", "data": [{"triggerTime": "0", "ts": "1587971400"}]},
}
REFUSED: Mapping[str, object] = {
    "kraken": {"error": ["EGeneral:Permission denied"]},
    "krakenfutures": {"result": "error", "error": "authenticationError", "serverTime": "x"},
    "okx": {"code": "50110", "msg": "Your IP is not included", "data": []},
}
VENUES = pytest.mark.parametrize("venue", ROUTES)


def opened_with(venue: str, *answers: object) -> Opened:
    return open_scripted(venue, {ROUTES[venue]: answers}, markets=False)


def sent(opened: Opened) -> list[str]:
    """Return the countdowns that were asked for, in seconds."""
    found = []
    for one in opened.session.asked:
        params = one.params.get("body", one.params)
        assert isinstance(params, Mapping)
        found.append(str(params.get("timeout", params.get("timeOut"))))
    return found


@VENUES
async def test_it_is_armed_and_stopped_by_one_request_each(venue: str) -> None:
    opened = opened_with(venue, Say(ARMED[venue]), Say(STOPPED[venue]))
    power = abilities_of(opened.view)
    assert power is not None
    product = PRODUCTS[venue]
    assert (await power.arm(product, None, 60_000, permit(1))).kind is OutcomeKind.ACKNOWLEDGED
    assert (await power.disarm(product, None, permit(2))).kind is OutcomeKind.ACKNOWLEDGED
    assert sent(opened) == ["60", "0"]
    again = await power.arm(product, None, 60_000, permit(2))
    assert (again.kind, again.sent) == (OutcomeKind.REJECTED, False)
    reducing = Permit("i", NOW_MS + 10_000, 1, SPOT_HOLDING)
    assert not (await power.arm(product, None, 60_000, reducing)).sent
    assert len(opened.session.asked) == 2
    await opened.view.close()


@VENUES
async def test_an_answer_that_tells_another_countdown_is_unknown(venue: str) -> None:
    opened = opened_with(
        venue, Say(STOPPED[venue]), Say(ARMED[venue]), Say("<html>"), Say({}), Say(REFUSED[venue])
    )
    power = abilities_of(opened.view)
    assert power is not None
    product = PRODUCTS[venue]
    outcomes = [
        await power.arm(product, None, 60_000, permit(1)),
        await power.disarm(product, None, permit(2)),
        await power.arm(product, None, 60_000, permit(3)),
        await power.disarm(product, None, permit(4)),
    ]
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.UNKNOWN}
    refused = await power.arm(product, None, 60_000, permit(5))
    assert refused.kind is OutcomeKind.REJECTED, refused
    await opened.view.close()


async def test_kraken_tells_how_long_it_runs() -> None:
    opened = opened_with("kraken", Say(ARMED["kraken"]))
    power = abilities_of(opened.view)
    assert power is not None
    outcome = await power.arm("spot", None, 90_000, permit(1))
    assert outcome.kind is OutcomeKind.UNKNOWN
    await opened.view.close()


@VENUES
async def test_what_is_not_covered_has_none(venue: str) -> None:
    opened = opened_with(venue, Say(ARMED[venue]))
    power = abilities_of(opened.view)
    assert power is not None
    assert power.switch("no such product") is None
    for outcome in (
        await power.arm("no such product", None, 60_000, permit(1)),
        await power.arm(PRODUCTS[venue], "BTCUSDT", 60_000, permit(2)),
        await power.arm(PRODUCTS[venue], None, 0, permit(3)),
        await power.disarm("no such product", None, permit(4)),
    ):
        assert (outcome.kind, outcome.sent) == (OutcomeKind.REJECTED, False)
    assert opened.session.asked == []
    await opened.view.close()


def plans() -> list[VenuePlan]:
    return [plan for venue in PLANNED if (plan := plan_for(venue)) is not None]


def test_only_these_venues_have_one_and_the_profile_says_so() -> None:
    with_one = {plan.venue for plan in plans() if plan.countdown is not None}
    assert with_one == set(ROUTES)
    for plan in plans():
        profile = plan.profile((), 0)
        assert bool(profile.switches) == (plan.venue in with_one)
        assert profile.reduces == ()
        if plan.venue == "okx":
            assert plan.profile((Scope("spot"),), 0).switches == ("spot",)


async def test_other_venues_say_that_they_have_none() -> None:
    opened = open_scripted("bybit", {}, markets=False)
    power = abilities_of(opened.view)
    assert power is not None
    assert power.switch("linear") is None
    assert not (await power.arm("linear", None, 60_000, permit(1))).sent
    assert power.why_not("linear")
    assert isinstance(await power.read_book("linear", "BTC/USDT:USDT"), Unknown)
    assert isinstance(await power.read_rules("linear", "BTC/USDT:USDT"), Unknown)
    reduction: Reduction = SPOT_HOLDING
    assert not (await power.reduce(reduction, permit(2))).sent
    await opened.view.close()
    stranger = open_any("bitfinex", {})
    assert abilities_of(stranger.view) is None
    await stranger.view.close()


@VENUES
async def test_stops_are_not_taken_along_unless_that_is_wanted(venue: str) -> None:
    opened = opened_with(venue, Say(ARMED[venue]))
    power = abilities_of(opened.view)
    assert power is not None
    switches = Switches(
        account="desk-a",
        power=power,
        journal=MemoryJournal(),
        lease=HeldLease.acquire(MemoryLeases(), "desk-a", "run", NOW_MS),
        clock=opened.clock,
        progress=RecordingProgress(),
        countdown_ms=60_000,
        request_validity_ms=5_000,
    )
    target = SwitchTarget(product=PRODUCTS[venue], symbol="BTC/USD", venue_symbol="X")
    state = await switches.arm([target])
    if venue == "okx":
        assert [one.target.venue_symbol for one in state.armed] == [None]
    else:
        assert (state.armed, len(opened.session.asked)) == ((), 0)
        assert "protect a position" in state.notes[0]
        state = await switches.arm([target], protective_too=True)
        assert len(state.armed) == 1
    ability = power.switch(target.product)
    assert ability is not None
    assert state.fires_by_ms == NOW_MS + ability.lands_within_ms + 1_000 + 60_000
    await opened.view.close()
