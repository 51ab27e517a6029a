"""Opening an account: worlds, keys, and the life of a request."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, VenueOptions, open_venue
from resyncctl.core.errors import ConfigurationError, CredentialsRefusedError
from resyncctl.core.mutation import Permit
from resyncctl.core.snapshot import Known, Unknown, Window
from tests.adapters.venues.practice import KEY, LINEAR, SECRET, SPOT, Practice, open_practice
from tests.adapters.venues.scripted import Say, ScriptedSession
from tests.fakes.fake_clock import FakeClock


@pytest.fixture
async def place() -> AsyncIterator[Practice]:
    made = open_practice()
    yield made
    await made.venue.close()


def options(session: ScriptedSession, **changes: Any) -> VenueOptions:
    fields: dict[str, Any] = {
        "account": "main",
        "venue": "binance",
        "secrets": Secrets(api_key=KEY, secret=SECRET),
        "clock": FakeClock(),
        "session_factory": lambda: session,
    }
    return VenueOptions(**(fields | changes))


async def test_opening_sends_nothing() -> None:
    session = ScriptedSession({"*": Say([])})
    async with open_venue(options(session)):
        pass
    assert session.asked == []
    assert session.closed


@pytest.mark.invariant("I44")
async def test_the_test_world_never_meets_the_real_one() -> None:
    session = ScriptedSession({"*": Say([])})
    clock = FakeClock()
    async with open_venue(options(session, mode="testnet", clock=clock)) as venue:
        await venue.view.measure_clock()
        for scope in (SPOT, LINEAR):
            await venue.view.read_open_orders(scope)
            permit = Permit(str(scope), clock.now_ms() + 5_000, 1)
            await venue.cancel.cancel_symbol(scope, "BTCUSDT", "BTCUSDT", permit)
        ledger = await venue.view.read_ledger("spot", Window(clock.now_ms() - 9, clock.now_ms()))
    assert isinstance(ledger, Unknown), "the demo world has no wallet endpoints"
    hosts = {one.host for one in session.asked}
    assert hosts == {"demo-api.binance.com", "demo-fapi.binance.com"}


async def test_a_venue_without_a_test_world_says_so() -> None:
    session = ScriptedSession({"*": Say([])})
    with pytest.raises(ConfigurationError, match="no test environment"):
        open_venue(options(session, venue="kraken", mode="testnet"))


async def test_an_unknown_venue_is_refused_before_anything() -> None:
    with pytest.raises(ConfigurationError, match="not an exchange"):
        open_venue(options(ScriptedSession(), venue="binnance"))


@pytest.mark.parametrize("secrets", [("", SECRET), (KEY, ""), ("", "")])
async def test_a_missing_key_is_told_at_first_contact(secrets: tuple[str, str]) -> None:
    session = ScriptedSession({"*": Say([])})
    asked = options(session, secrets=Secrets(api_key=secrets[0], secret=secrets[1]))
    async with open_venue(asked) as venue:
        with pytest.raises(CredentialsRefusedError, match="could not be signed"):
            await venue.view.read_identity("spot")
    assert session.asked == []


async def test_a_cancel_dies_at_the_exchange_with_its_permit(place: Practice) -> None:
    made = place.spot_order()
    section = await place.view.read_open_orders(SPOT)
    assert isinstance(section, Known)
    (order,) = section.data
    permit = Permit("short", place.clock.now_ms() + 1_200, 1)
    place.control.inject(
        "request_delayed", "spot.cancel", parameters={"delay_ms": 1_300, "fate": "drop"}
    )
    await place.cancel.cancel_order(order, permit)
    (row,) = place.exchange.log.mutations()
    assert row.parameters["recvWindow"] == "1200"
    place.clock.advance(1_300)
    resting = place.control.open_orders("main")
    assert [one["order_id"] for one in resting] == [made["order_id"]]


async def test_few_requests_stand_before_the_first_cancel() -> None:
    place = open_practice(may_load_markets=False)
    place.spot_order()
    await place.view.measure_clock()
    sections = [await place.view.read_open_orders(scope) for scope in place.view.profile.scopes]
    assert all(isinstance(section, Known) for section in sections)
    await place.cancel.cancel_symbol(SPOT, "BTCUSDT", "BTCUSDT", place.permit())
    assert [row.endpoint for row in place.asked()] == [
        "spot.time",
        "spot.open_orders",
        "spot.open_order_lists",
        "usdm.open_orders",
        "usdm.open_algos",
        "spot.cancel_all",
    ]
    await place.venue.close()


async def test_timestamps_are_signed_with_the_short_window(place: Practice) -> None:
    await place.view.read_balances("spot")
    (row,) = [row for row in place.asked() if row.endpoint == "spot.account"]
    assert row.parameters["recvWindow"] == "5000"
