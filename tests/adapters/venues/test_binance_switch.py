"""The countdown of a symbol at the practice exchange, through the procedure that keeps it."""

from collections.abc import AsyncIterator

import pytest

from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, VenueOptions, open_venue
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.snapshot import Known
from resyncctl.core.switches import SwitchTarget
from resyncctl.procedures.dead_man_switch import Switches
from resyncctl.procedures.held_lease import HeldLease
from tests.adapters.venues.practice import ALGO, LINEAR, SPOT, Practice, open_practice
from tests.adapters.venues.scripted import Say, ScriptedSession
from tests.fakes.fake_clock import FakeClock
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryLeases
from tests.fakes.recording_progress import RecordingProgress


@pytest.fixture
async def place() -> AsyncIterator[Practice]:
    made = open_practice()
    await made.view.measure_clock()
    yield made
    await made.venue.close()


async def resting(place: Practice) -> tuple[int, int]:
    sections = [await place.view.read_open_orders(scope) for scope in (LINEAR, ALGO)]
    found = [section.data for section in sections if isinstance(section, Known)]
    return len(found[0]), len(found[1])


def switches(place: Practice) -> Switches:
    return Switches(
        account="main",
        power=place.venue.switch,
        journal=MemoryJournal(),
        lease=HeldLease.acquire(MemoryLeases(), "main", "run", place.clock.now_ms()),
        clock=place.clock,
        progress=RecordingProgress(),
        countdown_ms=120_000,
        request_validity_ms=5_000,
    )


async def arm(
    place: Practice, countdown_ms: int = 60_000, name: str = "BTCUSDT"
) -> MutationOutcome:
    return await place.venue.switch.arm("linear", name, countdown_ms, place.permit())


async def disarm(place: Practice) -> MutationOutcome:
    return await place.venue.switch.disarm("linear", "BTCUSDT", place.permit())


async def test_it_takes_the_regular_orders_of_its_symbol_and_no_others(place: Practice) -> None:
    place.linear_order()
    place.linear_order(symbol="ETHUSDT", price="1000")
    place.algo_order()
    assert (await arm(place)).kind is OutcomeKind.ACKNOWLEDGED
    place.clock.advance(59_999)
    assert await resting(place) == (2, 1)
    place.clock.advance(2)
    assert await resting(place) == (1, 1)
    ability = place.venue.switch.switch("linear")
    assert ability is not None
    assert ability.per_symbol
    assert ability.covers == (LINEAR,)


async def test_a_stopped_countdown_takes_nothing(place: Practice) -> None:
    place.linear_order()
    await arm(place)
    place.clock.advance(30_000)
    assert (await disarm(place)).kind is OutcomeKind.ACKNOWLEDGED
    place.clock.advance(600_000)
    assert await resting(place) == (1, 0)


async def test_a_refreshed_countdown_begins_again(place: Practice) -> None:
    place.linear_order()
    await arm(place)
    place.clock.advance(30_000)
    await arm(place)
    place.clock.advance(59_000)
    assert await resting(place) == (1, 0)
    place.clock.advance(1_001)
    assert await resting(place) == (0, 0)


OUTCOMES = {
    "answer_lost": OutcomeKind.UNKNOWN,
    "answer_truncated": OutcomeKind.UNKNOWN,
    "body_html": OutcomeKind.UNKNOWN,
    "body_object": OutcomeKind.UNKNOWN,
    "code_1007": OutcomeKind.UNKNOWN,
    "unknown_503": OutcomeKind.UNKNOWN,
    "unavailable_503": OutcomeKind.REJECTED,
    "clock_refused": OutcomeKind.REJECTED,
    "key_refused": OutcomeKind.REJECTED,
    "limited_429": OutcomeKind.REJECTED,
}


@pytest.mark.parametrize("kind", OUTCOMES)
async def test_the_outcome_of_each_fault(place: Practice, kind: str) -> None:
    place.control.inject(kind, "usdm.countdown", times=1)
    outcome = await arm(place)
    assert outcome.kind is OUTCOMES[kind], outcome
    assert outcome.sent


@pytest.mark.parametrize(
    "told",
    [
        {"symbol": "BTCUSDT", "countdownTime": "1"},
        {"symbol": "ETHUSDT", "countdownTime": "60000"},
    ],
)
async def test_an_answer_that_tells_another_countdown_is_unknown(told: dict[str, str]) -> None:
    clock = FakeClock()
    session = ScriptedSession({"POST /fapi/v1/countdownCancelAll": Say(told)})
    options = VenueOptions(
        account="main",
        venue="binanceusdm",
        secrets=Secrets(api_key="k", secret="s"),
        clock=clock,
        session_factory=lambda: session,
    )
    async with open_venue(options) as venue:
        permit = Permit("i", clock.now_ms() + 5_000, 1)
        outcome = await venue.switch.arm("linear", "BTCUSDT", 60_000, permit)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert len(session.asked) == 1


async def test_what_has_no_countdown_is_told_and_nothing_is_sent(place: Practice) -> None:
    power = place.venue.switch
    assert power.switch("spot") is None
    outcomes = [
        await power.arm("spot", "BTCUSDT", 60_000, place.permit()),
        await power.arm("linear", None, 60_000, place.permit()),
        await power.arm("linear", "BTCUSDT", 0, place.permit()),
        await power.disarm("spot", "BTCUSDT", place.permit()),
    ]
    assert {(outcome.kind, outcome.sent) for outcome in outcomes} == {(OutcomeKind.REJECTED, False)}
    assert place.asked("") == [row for row in place.asked("") if row.endpoint != "usdm.countdown"]
    narrow = open_practice(scopes=(SPOT,))
    assert narrow.venue.switch.switch("linear") is None
    await narrow.venue.close()


async def test_a_permit_pays_once(place: Practice) -> None:
    permit = place.permit()
    power = place.venue.switch
    assert (await power.arm("linear", "BTCUSDT", 60_000, permit)).sent
    assert not (await power.arm("linear", "BTCUSDT", 60_000, permit)).sent


@pytest.mark.invariant("I22")
async def test_the_procedure_keeps_it_and_hands_it_back(place: Practice) -> None:
    place.linear_order()
    kept = switches(place)
    target = SwitchTarget(product="linear", symbol="BTC/USDT:USDT", venue_symbol="BTCUSDT")
    await kept.arm([target])
    for _ in range(30):
        place.clock.advance(10_000)
        await kept.refresh_if_due()
    assert await resting(place) == (1, 0), "it fired although it was refreshed"
    sent = [row for row in place.asked("") if row.endpoint == "usdm.countdown"]
    assert len(sent) == 1 + 5, "weight is spent only when needed"
    assert not (await kept.disarm()).blocks_resume(place.clock.now_ms())
    place.clock.advance(600_000)
    assert await resting(place) == (1, 0), "it fired after it was handed back"


async def test_it_fires_when_this_host_dies(place: Practice) -> None:
    place.linear_order()
    target = SwitchTarget(product="linear", symbol="BTC/USDT:USDT", venue_symbol="BTCUSDT")
    state = await switches(place).arm([target])
    assert state.fires_by_ms is not None
    place.clock.advance(state.fires_by_ms - place.clock.now_ms())
    assert await resting(place) == (0, 0)
