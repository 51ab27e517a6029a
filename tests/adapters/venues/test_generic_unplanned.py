"""A venue that nobody has checked is read with reservations and never cancelled at."""

from decimal import Decimal
from typing import Any

import pytest

from resyncctl.core.errors import CredentialsRefusedError
from resyncctl.core.model import Leg, OrderClass, Scope
from resyncctl.core.mutation import OutcomeKind
from resyncctl.core.snapshot import Known, OrderReference, Unknown, Window
from tests.adapters.venues.generic_kit import NOW_MS, M, open_any, permit, set_markets
from tests.adapters.venues.scripted import Say
from tests.adapters.venues.test_generic_cancels import an_order

ORDERS = "GET /api/v2/trade/orders"
SPOT = Scope("spot")
WAITING: dict[str, Any] = {
    "market": "BTC-EUR",
    "orderId": "1be6d0df-d5dc-4b53-a250-3376f3b393e6",
    "created": 1542621155181,
    "updated": 1542621155181,
    "status": "new",
    "side": "buy",
    "orderType": "limit",
    "amount": "10",
    "amountRemaining": "4",
    "price": "7000",
    "filledAmount": "6",
    "filledAmountQuote": "0",
    "fills": [],
    "feePaid": "0",
    "feeCurrency": "EUR",
}


def open_bitvavo(answers: dict[str, object]) -> Any:
    opened = open_any("bitvavo", answers)
    set_markets(opened.exchange, [M("BTC-EUR", "BTC/EUR")])
    return opened


async def test_rows_are_told_but_never_called_complete() -> None:
    opened = open_bitvavo({"GET /v2/ordersOpen": [WAITING]})
    section = await opened.view.read_open_orders(SPOT)
    assert isinstance(section, Known), section
    (order,) = section.data
    assert (order.symbol, order.quantity, order.filled) == ("BTC/EUR", Decimal(10), Decimal(6))
    assert not section.complete
    assert section.notes
    await opened.view.close()


@pytest.mark.parametrize("body", [[], {}, "<html>", "null", ""])
async def test_an_empty_answer_proves_nothing(body: object) -> None:
    opened = open_bitvavo({"GET /v2/ordersOpen": Say(body)})
    assert isinstance(await opened.view.read_open_orders(SPOT), Unknown)
    await opened.view.close()


async def test_nothing_is_cancelled_there() -> None:
    opened = open_bitvavo({"*": Say({})})
    abilities = opened.view.abilities(SPOT)
    assert (abilities.by_symbol, abilities.single) == (False, False)
    one = await opened.view.cancel_order(an_order(SPOT, "1", "BTC-EUR"), permit())
    many = await opened.view.cancel_symbol(SPOT, "BTC/EUR", "BTC-EUR", permit())
    for outcome in (one, many):
        assert (outcome.kind, outcome.sent) == (OutcomeKind.REJECTED, False)
        assert "Cancel at the venue itself" in outcome.message
    assert opened.session.asked == []
    await opened.view.close()


async def test_even_ccxt_itself_cannot_send_a_write_there() -> None:
    opened = open_bitvavo({"*": Say({})})
    exchange = opened.exchange
    writes: dict[str, Any] = {
        "cancel": lambda: exchange.cancel_order("1", "BTC/EUR", {"operatorId": 1}),
        "create": lambda: exchange.create_order(
            "BTC/EUR", "limit", "buy", "1", "1", {"operatorId": 1}
        ),
    }
    for write in writes.values():
        with pytest.raises(Exception, match="may send"):
            await write()
    assert opened.session.asked == []
    await opened.view.close()


async def test_what_is_not_known_is_said() -> None:
    opened = open_bitvavo(
        {"GET /v2/balance": [{"symbol": "BTC", "available": "1.5", "inOrder": "0.5"}]}
    )
    view = opened.view
    reference = OrderReference("spot", "BTC/EUR", "1", None, SPOT)
    for answer in (
        await view.measure_clock(),
        await view.read_identity("spot"),
        await view.read_open_orders(Scope("spot", OrderClass.ALGO)),
        await view.read_ledger("spot", Window(0, NOW_MS)),
        await view.look_up_order(reference),
        await view.read_position_mode("swap"),
    ):
        assert isinstance(answer, Unknown)
        assert answer.reason
    balances = await view.read_balances("spot")
    assert isinstance(balances, Known)
    assert not balances.complete
    assert balances.data[0].total == 2
    assert await view.read_position_mode("spot") is None
    assert view.weight_used() is None
    assert "everything of bitvavo" in {gap.what for gap in view.profile.not_covered}
    await view.close()
    await view.close()


async def test_a_refused_key_is_told_at_first_contact() -> None:
    refusal = {"errorCode": 305, "error": "No active API key found."}
    opened = open_bitvavo({"GET /v2/balance": Say(refusal, status=403)})
    with pytest.raises(CredentialsRefusedError):
        await opened.view.read_identity("spot")
    await opened.view.close()


async def test_positions_and_fills_of_contracts_become_base_units() -> None:
    opened = open_any("phemex", {})
    set_markets(opened.exchange, [M("BTCUSDT", "BTC/USDT:USDT", "0.001")])
    fill = {
        "id": "t1",
        "order": "o1",
        "symbol": "BTC/USDT:USDT",
        "side": "sell",
        "amount": "5",
        "price": "20000",
        "timestamp": NOW_MS - 1_000,
        "fee": {"cost": "0.1", "currency": "USDT"},
    }
    held = {
        "symbol": "BTC/USDT:USDT",
        "contracts": "-7",
        "side": "short",
        "entryPrice": "20000",
        "hedged": True,
    }

    async def fetch_my_trades(symbol: str, since: int) -> list[dict[str, Any]]:
        assert (symbol, since) == ("BTC/USDT:USDT", 0)
        return [fill, {**fill, "id": "t2", "timestamp": NOW_MS + 1}]

    async def fetch_positions() -> list[dict[str, Any]]:
        return [held]

    opened.exchange.fetch_my_trades = fetch_my_trades
    opened.exchange.fetch_positions = fetch_positions
    fills = await opened.view.read_fills("swap", Window(0, NOW_MS), ("BTC/USDT:USDT",))
    assert isinstance(fills, Known)
    assert [(one.trade_id, one.quantity, one.fee_asset) for one in fills.data] == [
        ("t1", Decimal("0.005"), "USDT")
    ]
    assert not fills.complete
    positions = await opened.view.read_positions("swap")
    assert isinstance(positions, Known)
    (position,) = positions.data
    assert (position.quantity, position.leg) == (Decimal("-0.007"), Leg.SHORT)
    held["side"] = "sideways"
    assert isinstance(await opened.view.read_positions("swap"), Unknown)
    assert isinstance(await opened.view.read_fills("swap", Window(0, NOW_MS), ()), Unknown)
    assert (await opened.view.read_positions("spot")) == Known((), NOW_MS)
    await opened.view.close()


async def test_an_answer_that_is_no_list_is_no_answer() -> None:
    opened = open_any("phemex", {})
    set_markets(opened.exchange, [M("BTCUSDT", "BTC/USDT:USDT", "0.001")])

    async def fetch_positions() -> None:
        return None

    opened.exchange.fetch_positions = fetch_positions
    assert isinstance(await opened.view.read_positions("swap"), Unknown)
    await opened.view.close()
