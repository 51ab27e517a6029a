"""What may leave towards a venue is decided by its exact path, not by its verb."""

import json

import pytest

from resyncctl.adapters.venues.via_ccxt.generic_endpoints import (
    RULES,
    classifier_for,
    hyperliquid_kind,
)
from resyncctl.adapters.venues.via_ccxt.generic_plans import PLANNED
from resyncctl.adapters.venues.via_ccxt.permits import EndpointKind

READ, CANCEL = EndpointKind.READ, EndpointKind.CANCEL


def kind(venue: str, line: str, body: bytes = b"") -> EndpointKind:
    method, _, path = line.partition(" ")
    return classifier_for(venue)(method, "host", path, "", body).kind


@pytest.mark.parametrize(
    ("venue", "line", "expected"),
    [
        ("deribit", "GET /api/v2/private/cancel", CANCEL),
        ("deribit", "GET /api/v2/private/cancel_all_by_instrument", CANCEL),
        ("deribit", "GET /api/v2/private/get_open_orders_by_currency", READ),
        ("deribit", "GET /api/v2/private/get_account_summary", READ),
        ("deribit", "GET /api/v2/public/get_time", READ),
        ("kraken", "POST /0/private/OpenOrders", READ),
        ("kraken", "POST /0/private/CancelOrder", CANCEL),
        ("hyperliquid", "POST /info", READ),
        ("krakenfutures", "GET /derivatives/api/v3/openorders", READ),
        ("krakenfutures", "POST /derivatives/api/v3/cancelorder", CANCEL),
        ("kucoin", "DELETE /api/v1/orders/5c35c02703aa673ceec2a168", CANCEL),
        ("kucoin", "DELETE /api/v1/hf/orders/6478cf1439bdfc0001528a1d", CANCEL),
        ("kucoin", "GET /api/v1/orders/5c35c02703aa673ceec2a168", READ),
        ("gate", "DELETE /api/v4/spot/orders/12", CANCEL),
        ("gate", "DELETE /api/v4/futures/usdt/price_orders/12", CANCEL),
        ("bybit", "GET /v5/order/realtime", READ),
        ("bybit", "POST /v5/order/cancel", CANCEL),
        ("cryptocom", "POST /exchange/v1/private/get-trades", READ),
        ("mexc", "POST /api/v1/private/planorder/cancel", CANCEL),
        ("htx", "POST /v1/order/orders/77/submitcancel", CANCEL),
        ("coinbase", "GET /api/v3/brokerage/orders/historical/batch", READ),
        ("bitfinex", "GET /v2/conf/pub:list:pair:exchange", READ),
    ],
)
def test_the_table_knows_reads_from_cancels(venue: str, line: str, expected: EndpointKind) -> None:
    assert kind(venue, line) is expected


@pytest.mark.parametrize(
    ("venue", "line"),
    [
        ("deribit", "GET /api/v2/private/buy"),
        ("deribit", "GET /api/v2/private/sell"),
        ("deribit", "GET /api/v2/private/edit"),
        ("deribit", "GET /api/v2/private/cancel_all"),
        ("deribit", "GET /api/v2/private/close_position"),
        ("deribit", "GET /api/v2/private/withdraw"),
        ("deribit", "GET /api/v2/private/submit_transfer_to_user"),
        ("deribit", "GET /api/v2/private/get_new_deposit_address_by_surprise"),
        ("kraken", "POST /0/private/AddOrder"),
        ("kraken", "POST /0/private/CancelAll"),
        ("kraken", "POST /0/private/CancelAllOrdersAfter"),
        ("kraken", "POST /0/private/Withdraw"),
        ("bybit", "POST /v5/order/create"),
        ("bybit", "POST /v5/order/amend"),
        ("bybit", "POST /v5/order/disconnected-cancel-all"),
        ("bybit", "GET /v5/asset/withdraw/query-record"),
        ("okx", "POST /api/v5/trade/order"),
        ("okx", "POST /api/v5/trade/cancel-all-after"),
        ("okx", "POST /api/v5/trade/close-position"),
        ("kucoin", "DELETE /api/v1/orders"),
        ("kucoin", "DELETE /api/v1/hf/orders"),
        ("kucoin", "DELETE /api/v1/hf/orders/cancelAll"),
        ("kucoin", "POST /api/v1/hf/orders"),
        ("kucoin", "POST /api/v1/orders"),
        ("gate", "DELETE /api/v4/futures/usdt/orders"),
        ("gate", "DELETE /api/v4/wallet/anything/12"),
        ("bitget", "POST /api/v2/mix/order/place-order"),
        ("krakenfutures", "POST /derivatives/api/v3/sendorder"),
        ("hyperliquid", "POST /exchange"),
        ("bitfinex", "POST /v2/auth/w/order/submit"),
        ("bitfinex", "POST /v2/auth/w/order/cancel"),
        ("bitfinex", "POST /v2/auth/r/orders"),
        ("bitfinex", "GET /v2/auth/cancelOrders"),
        ("bitfinex", "DELETE /v1/orders/1"),
    ],
)
def test_everything_else_cannot_leave(venue: str, line: str) -> None:
    assert kind(venue, line) not in {READ, CANCEL}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"type": "cancel", "cancels": [{"a": 1, "o": 2}]}, CANCEL),
        ({"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": "0x"}]}, CANCEL),
        (
            {"type": "cancel", "cancels": [{"a": 1, "o": 2}, {"a": 1, "o": 3}]},
            EndpointKind.UNLISTED,
        ),
        ({"type": "order", "orders": []}, EndpointKind.CREATE),
        ({"type": "modify"}, EndpointKind.AMEND),
        ({"type": "approveBuilderFee"}, EndpointKind.UNLISTED),
        ({"type": "setReferrer"}, EndpointKind.UNLISTED),
        ({"type": "withdraw3"}, EndpointKind.UNLISTED),
        ({"type": "scheduleCancel", "time": 1}, EndpointKind.UNLISTED),
    ],
)
def test_a_signed_action_is_told_by_its_type(
    action: dict[str, object], expected: EndpointKind
) -> None:
    body = json.dumps({"action": action, "nonce": 1}).encode()
    assert hyperliquid_kind(body) is expected
    assert kind("hyperliquid", "POST /exchange", body) is expected


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"action": null}', b"\xff"])
def test_an_action_that_cannot_be_read_cannot_leave(body: bytes) -> None:
    assert hyperliquid_kind(body) is EndpointKind.UNLISTED


def test_every_planned_venue_has_rules() -> None:
    assert set(RULES) == set(PLANNED)
