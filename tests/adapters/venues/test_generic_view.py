"""First contact, look-ups, clocks and wallets of a venue without a deep profile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.core.errors import (
    ConfigurationError,
    CredentialsRefusedError,
    TryAgainLaterError,
    VenueUnavailableError,
)
from resyncctl.core.model import Order, Scope
from resyncctl.core.snapshot import Known, NotFound, OrderReference, Unknown, Window
from tests.adapters.venues.generic_kit import (
    BODIES,
    NOW_MS,
    SECRETS,
    WALLET,
    JsonSession,
    open_any,
    open_scripted,
    permit,
)
from tests.adapters.venues.generic_samples import kraken, okx
from tests.adapters.venues.scripted import Say
from tests.adapters.venues.test_generic_cancels import an_order

EVER = Window(1_400_000_000_000, NOW_MS)
D = Decimal


def known(section: Any) -> tuple[Any, ...]:
    assert isinstance(section, Known), section
    assert section.complete, section.notes
    return section.data


def open_scopes(venue: str) -> tuple[Scope, ...]:
    from resyncctl.adapters.venues.via_ccxt.generic_plans import plan_for

    plan = plan_for(venue)
    assert plan is not None
    return tuple(plan.orders)


async def test_a_look_up_answers_found_not_found_or_unknown() -> None:
    reference = OrderReference("spot", "BTC/USD", "O45M52-BFD5S-YXKQOU", None, Scope("spot"))
    opened = open_scripted("kraken")
    found = await opened.view.look_up_order(reference)
    assert isinstance(found, Order)
    assert found.client_order_id == "1234"
    opened.session.on("POST /0/private/QueryOrders", Say(kraken({})))
    assert isinstance(await opened.view.look_up_order(reference), NotFound)
    opened.session.on(
        "POST /0/private/QueryOrders", Say({"error": ["EOrder:Unknown order"], "result": None})
    )
    assert isinstance(await opened.view.look_up_order(reference), NotFound)
    opened.session.on("POST /0/private/QueryOrders", Say("<html>"))
    assert isinstance(await opened.view.look_up_order(reference), Unknown)
    other = OrderReference("spot", "BTC/USD", "ANOTHER", None, Scope("spot"))
    opened.session.on(
        "POST /0/private/QueryOrders", Say(BODIES["kraken"]["POST /0/private/QueryOrders"])
    )
    assert isinstance(await opened.view.look_up_order(other), Unknown)
    await opened.view.close()


async def test_a_wallet_that_all_products_share_is_reported_once() -> None:
    opened = open_scripted("bybit", scopes=(Scope("linear"), Scope("spot")))
    assert len(known(await opened.view.read_balances("linear"))) == 1
    other = await opened.view.read_balances("spot")
    assert isinstance(other, Known)
    assert other.data == ()
    assert "linear" in other.notes[0]
    await opened.view.close()


async def test_first_contact_tells_key_patience_and_absence_apart() -> None:
    import aiohttp

    route = "GET /v5/user/query-api"
    refused = {"retCode": 10003, "retMsg": "API key is invalid.", "result": {}}
    opened = open_scripted("bybit", {route: Say(refused)})
    with pytest.raises(CredentialsRefusedError):
        await opened.view.read_identity("spot")
    opened.session.on(route, Say({"retCode": 10006, "retMsg": "Too many visits!", "result": {}}))
    with pytest.raises(TryAgainLaterError):
        await opened.view.read_identity("spot")
    key: Any = None
    opened.session.on(route, aiohttp.ClientConnectorError(key, OSError("refused")))
    with pytest.raises(VenueUnavailableError):
        await opened.view.read_identity("spot")
    opened.session.on(route, Say(BODIES["bybit"][route]))
    assert known(await opened.view.read_identity("spot")) == ("uid 24617703",)
    await opened.view.close()


async def test_the_clock_is_measured_and_used_for_signing() -> None:
    opened = open_scripted("okx")
    opened.session.on("GET /api/v5/public/time", Say(okx([{"ts": str(NOW_MS + 700)}])))
    reading = await opened.view.measure_clock()
    assert not isinstance(reading, Unknown)
    assert reading.offset_ms == 700
    assert opened.exchange.milliseconds() == NOW_MS + 700
    opened.session.on("GET /api/v5/public/time", Say(okx([])))
    assert isinstance(await opened.view.measure_clock(), Unknown)
    await opened.view.close()


@pytest.mark.parametrize(
    ("venue", "identity"),
    [
        ("okx", "uid 44705892343619584"),
        ("bybit", "uid 24617703"),
        ("deribit", "id 10"),
        ("gate", "user id 1667201533"),
        ("bitget", "user id 1000000009"),
        ("htx", "uid 63628520"),
        ("coinbase", "portfolio e0a6a5bb-2f1c-5f0e-9a34-0b4c6cbb9f4c"),
    ],
)
async def test_an_account_is_told_by_the_venues_own_id(venue: str, identity: str) -> None:
    opened = open_scripted(venue)
    assert known(await opened.view.read_identity("spot")) == (identity,)
    await opened.view.close()


async def test_an_address_is_the_identity_of_a_wallet() -> None:
    opened = open_scripted("hyperliquid")
    assert known(await opened.view.read_identity("perpetual")) == (f"address {WALLET}",)
    assert opened.session.asked == []
    await opened.view.close()


async def test_a_scope_that_the_plan_does_not_know_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="no scope perps/regular"):
        open_scripted("okx", scopes=(Scope("perps"),))


@pytest.mark.parametrize("venue", sorted(BODIES))
async def test_every_profile_says_what_it_does_not_cover(venue: str) -> None:
    opened = open_scripted(venue)
    assert opened.view.profile.not_covered
    assert not opened.view.profile.deep
    assert all(len(gap.reason) > 10 for gap in opened.view.profile.not_covered)
    await opened.view.close()


async def test_no_secret_stands_in_a_reason() -> None:
    echo = {"retCode": 10004, "retMsg": f"error sign! apiKey={SECRETS.api_key}", "result": {}}
    opened = open_scripted("bybit", {"GET /v5/order/realtime": Say(echo)})
    section = await opened.view.read_open_orders(Scope("linear"))
    assert isinstance(section, Unknown)
    assert SECRETS.api_key not in section.reason
    assert SECRETS.secret not in section.reason
    await opened.view.close()


async def test_on_the_way_to_a_cancel_no_market_table_is_asked_for() -> None:
    from dataclasses import replace

    opened = open_any("okx", BODIES["okx"])
    view = opened.view
    view._reader.may_load = False
    section = await view.read_open_orders(open_scopes("okx")[7])
    assert isinstance(section, Known)
    (order,) = section.data
    assert order.quantity == 2  # contracts, and the note says so
    assert any("own unit" in note for note in section.notes)
    assert {one.path for one in opened.session.asked} == {"/api/v5/trade/orders-algo-pending"}
    assert replace(order, quantity=D(1)) != order
    await view.close()


class CrowdedSession(JsonSession):
    """Answers after a while, and remembers how many requests were under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = 0
        self.most = 0

    def request(self, method: str, url: Any, **rest: Any) -> Any:
        inner = super().request(method, url, **rest)

        @asynccontextmanager
        async def slowly() -> AsyncIterator[Any]:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            for _turn in range(3):
                await asyncio.sleep(0)
            async with inner as response:
                yield response
            self.under_way -= 1

        return slowly()


@pytest.mark.parametrize(("venue", "most"), [("kraken", 1), ("okx", 4)])
async def test_requests_go_single_file_where_a_nonce_must_rise(venue: str, most: int) -> None:
    opened = open_scripted(venue)
    crowded = CrowdedSession()
    crowded.routes = opened.session.routes
    opened.exchange.session._inner = crowded
    await asyncio.gather(
        opened.view.read_open_orders(Scope("spot")),
        opened.view.read_balances("spot"),
        opened.view.read_fills("spot", Window(NOW_MS - 1_000, NOW_MS), ()),
        opened.view.cancel_order(an_order(Scope("spot"), "1", "BTC-USDT"), permit()),
    )
    assert crowded.most == most
    nonces = [int(one.params["nonce"]) for one in crowded.asked if "nonce" in one.params]
    assert nonces == sorted(nonces)
    await opened.view.close()
