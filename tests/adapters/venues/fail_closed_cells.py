"""The cells of the fail-closed matrix: every venue, every call, every kind of broken body.

A call names its routes and how it is made; a body is broken in eight ways. `spoilt` gives the
routes of a venue in which every answer to the call is broken in that way.
"""

import copy
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from resyncctl.core.errors import ResyncError
from resyncctl.core.model import Order, OrderStatus, Scope, Side
from resyncctl.core.snapshot import OrderReference, Section, Unknown, Window
from tests.adapters.venues.generic_kit import BODIES, NOW_MS, Opened, permit
from tests.adapters.venues.scripted import Asked, Say

WINDOW = Window(NOW_MS - 3_600_000, NOW_MS)

ERRORS_IN_200: Mapping[str, object] = {
    "bitget": {"code": "40014", "msg": "Incorrect permissions", "requestTime": 1, "data": None},
    "bybit": {"retCode": 10016, "retMsg": "server error", "result": {}, "retExtInfo": {}},
    "coinbase": {"error": "INTERNAL", "error_details": "busy", "message": "busy"},
    "cryptocom": {"id": 1, "method": "private/call", "code": 50001, "message": "INTERNAL_ERROR"},
    "deribit": {"jsonrpc": "2.0", "id": 1, "error": {"code": 11094, "message": "internal"}},
    "gate": {"label": "SERVER_ERROR", "message": "server error"},
    "htx": {"status": "error", "err-code": "system-error", "err-msg": "busy", "data": None},
    "hyperliquid": {"status": "err", "response": "internal error"},
    "kraken": {"error": ["EService:Unavailable"], "result": {}},
    "krakenfutures": {"result": "error", "error": "Unavailable", "serverTime": "2020"},
    "kucoin": {"code": "500000", "msg": "Internal Server Error", "data": []},
    "kucoinfutures": {"code": "500000", "msg": "Internal Server Error", "data": []},
    "mexc": {"success": False, "code": 500, "message": "internal error", "data": []},
    "okx": {"code": "50026", "msg": "System error", "data": []},
}

HTML = "<html><head><title>Just a moment</title></head><body>maintenance</body></html>"
KINDS = (
    "empty",
    "object",
    "null",
    "html",
    "truncated",
    "wrong_envelope",
    "truncated_page",
    "error_in_200",
)


@dataclass(frozen=True)
class Call:
    """One call of the port. `cancel` tells whether the answer is an outcome."""

    name: str
    make: Callable[[Opened], Awaitable[Any]]
    cancel: bool = False


def calls_of(opened: Opened) -> list[Call]:
    """Return every read and cancel call that the venue's profile offers, scope by scope."""
    view: Any = opened.view
    products = list(dict.fromkeys(scope.product for scope in view.profile.scopes))
    calls: list[Call] = []
    for scope in view.profile.scopes:
        calls += _scope_calls(scope)
        if view.abilities(scope).by_symbol:
            calls.append(_cancel_symbol(scope))
    for product in products:
        calls += _product_calls(product)
    return calls


def _scope_calls(scope: Scope) -> list[Call]:
    order = _order(scope)
    reference = OrderReference(scope.product, order.symbol, order.venue_order_id, None, scope)
    return [
        Call(f"orders {scope}", lambda o: o.view.read_open_orders(scope)),
        Call(f"look-up {scope}", lambda o: o.view.look_up_order(reference)),
        Call(f"cancel {scope}", lambda o: o.view.cancel_order(order, permit()), cancel=True),
    ]


def _cancel_symbol(scope: Scope) -> Call:
    return Call(
        f"cancel-symbol {scope}",
        lambda o: o.view.cancel_symbol(scope, "BTC/USDT", "BTCUSDT", permit()),
        cancel=True,
    )


def _product_calls(product: str) -> list[Call]:
    symbols = ("BTC/USDT:USDT",)
    return [
        Call(f"fills {product}", lambda o: o.view.read_fills(product, WINDOW, symbols)),
        Call(f"positions {product}", lambda o: o.view.read_positions(product)),
        Call(f"mode {product}", lambda o: o.view.read_position_mode(product)),
        Call(f"balances {product}", lambda o: o.view.read_balances(product)),
        Call(f"identity {product}", lambda o: _identity(o, product)),
        Call(f"ledger {product}", lambda o: o.view.read_ledger(product, WINDOW)),
    ]


async def _identity(opened: Opened, product: str) -> Section[str]:
    """Ask who this is; a refusal at first contact is as good as not knowing."""
    try:
        return await opened.view.read_identity(product)
    except ResyncError as refusal:
        return Unknown(refusal.message)


def _order(scope: Scope) -> Order:
    return Order(
        account="desk-a",
        product=scope.product,
        symbol="ETH/USDC:USDC",
        side=Side.BUY,
        type="limit",
        status=OrderStatus.ACCEPTED,
        client_order_id=None,
        venue_order_id="123456",
        quantity=Decimal(1),
        filled=Decimal(0),
        order_class=scope.order_class,
        venue_symbol="BTCUSDT",
    )


def broken(venue: str, kind: str, asked: Asked) -> Say:
    """Return the answer to one request, broken in one of the eight ways."""
    whole = whole_body(venue, asked)
    match kind:
        case "empty":
            return Say("")
        case "object":
            return Say({})
        case "null":
            return Say("null")
        case "html":
            return Say(HTML, headers={"Content-Type": "text/html"})
        case "truncated":
            text = json.dumps(whole)
            return Say(text[: len(text) * 2 // 3])
        case "wrong_envelope":
            if isinstance(whole, list):
                return Say({"ok": True, "rows": []})
            return Say({"ok": True, "result": [], "rows": [], "data": {}})
        case "truncated_page":
            return Say(_cut_page(whole))
        case "error_in_200":
            return Say(ERRORS_IN_200[venue])
    raise AssertionError(kind)


def whole_body(venue: str, asked: Asked) -> object:
    """Return the documented success of a request, whatever ids its path names."""
    route = f"{asked.method} {asked.path}"
    if route == "POST /info":
        return copy.deepcopy(BODIES[venue][asked.params["body"]["type"]])  # type: ignore[index]  # parsed JSON
    if route in BODIES[venue]:
        return copy.deepcopy(BODIES[venue][route])
    stem = route.rsplit("/", 1)[0]
    for known in BODIES[venue]:
        if known.rsplit("/", 1)[0] == stem:
            return copy.deepcopy(BODIES[venue][known])
    raise AssertionError(f"no documented body for {venue} {route}")


def _cut_page(whole: object) -> object:
    """Cut a page short: keep the envelope, and break the last row and any count beside it."""
    rows = _rows_in(whole)
    if rows is None:
        return {}
    if rows and isinstance(rows[-1], dict):
        rows[-1] = dict(list(rows[-1].items())[:1])
    elif isinstance(whole, dict):
        rows.append("cut")
    return whole


def _rows_in(value: object) -> list[Any] | None:
    """Find the innermost list of rows, or a keyed object turned into one row that is cut."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    for name in (
        "result", "data", "list", "items", "orders", "fills", "accounts", "openOrders",
        "openPositions", "assetPositions", "balances", "entrustedList", "orderList", "fillList",
        "trades", "open", "order", "cancelStatus", "response", "results", "successList", "statuses",
    ):  # fmt: skip
        inner = value.get(name)
        if isinstance(inner, list) and inner:
            return inner
        if isinstance(inner, dict) and inner:
            found = _rows_in(inner)
            if found is not None:
                return found
            for key, row in inner.items():
                if isinstance(row, dict):
                    inner[key] = dict(list(row.items())[:1])
                    return []
            value[name] = dict(list(inner.items())[:0])
            return []
    return None
