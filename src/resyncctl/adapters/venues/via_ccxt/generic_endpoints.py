"""Which requests the generic profile may send, for each venue.

Promise: a request is a read only when a rule says so; a cancel only when its exact path (and, for
Hyperliquid, its action) is one that a plan uses; everything else is unlisted and cannot leave.
Verbs do not decide: Deribit moves money by GET, Kraken and Hyperliquid read by POST.

A venue without rules may send GET requests whose path holds no mutating word, and nothing else.
Called by `transport` for each request, through `classifier_for`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from resyncctl.adapters.venues.via_ccxt.permits import Classifier, Endpoint, EndpointKind

_MUTATING_WORDS = re.compile(
    r"(?i)(?<![a-z])(add|amend|apply|borrow|buy|cancel|claim|close|convert|create|delete|"
    r"edit|flash|modify|move|place|purchase|redeem|repay|replace|reset|revoke|sell|send|set|sign|"
    r"stake|submit|subscribe|toggle|transfer|unstake|update|withdraw)(?![a-z])"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Rules:
    """One venue's rules. Patterns match the whole path after the method.

    `reads` are POST requests that change nothing; `get_only` limits GET reads to these patterns
    where the venue also mutates by GET. `switches` start and stop a countdown that cancels.
    """

    cancels: tuple[str, ...]
    reads: tuple[str, ...] = ()
    get_only: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()


_KUCOIN = Rules(
    cancels=(
        r"DELETE /api/v1/orders/[^/]+",
        r"DELETE /api/v1/stop-order/[^/]+",
        r"DELETE /api/v1/hf/orders/(?!cancel|cancelAll|sync|client-order)[^/]+",
    )
)

RULES: Mapping[str, Rules] = {
    "bybit": Rules(cancels=(r"POST /v5/order/cancel", r"POST /v5/order/cancel-all")),
    "okx": Rules(
        cancels=(r"POST /api/v5/trade/cancel-order", r"POST /api/v5/trade/cancel-algos"),
        switches=(r"POST /api/v5/trade/cancel-all-after",),
    ),
    "kraken": Rules(
        cancels=(r"POST /0/private/CancelOrder",),
        switches=(r"POST /0/private/CancelAllOrdersAfter",),
        reads=(r"POST /0/private/(OpenOrders|TradesHistory|OpenPositions|BalanceEx|QueryOrders)",),
    ),
    "krakenfutures": Rules(
        cancels=(
            r"POST /derivatives/api/v3/cancelorder",
            r"POST /derivatives/api/v3/cancelallorders",
        ),
        switches=(r"POST /derivatives/api/v3/cancelallordersafter",),
    ),
    "kucoin": _KUCOIN,
    "kucoinfutures": _KUCOIN,
    "gate": Rules(
        cancels=(
            r"DELETE /api/v4/spot/(price_)?orders/[^/]+",
            r"DELETE /api/v4/futures/(usdt|btc)/(price_)?orders/[^/]+",
        ),
    ),
    "bitget": Rules(
        cancels=(
            r"POST /api/v2/spot/trade/cancel-order",
            r"POST /api/v2/spot/trade/cancel-plan-order",
            r"POST /api/v2/mix/order/cancel-order",
            r"POST /api/v2/mix/order/cancel-plan-order",
        ),
    ),
    "deribit": Rules(
        cancels=(
            r"GET /api/v2/private/cancel",
            r"GET /api/v2/private/cancel_all_by_instrument",
        ),
        get_only=(
            r"/api/v2/public/get_\w+",
            r"/api/v2/public/(status|test|ticker)",
            r"/api/v2/private/get_(open_orders|user_trades|positions?)\w*",
            r"/api/v2/private/get_(account_summar|order_state)\w*",
        ),
    ),
    "hyperliquid": Rules(cancels=(), reads=(r"POST /info",)),
    "htx": Rules(cancels=(r"POST /v1/order/orders/[^/]+/submitcancel",)),
    "mexc": Rules(
        cancels=(
            r"POST (/api/v1)?/private/order/cancel",
            r"POST (/api/v1)?/private/planorder/cancel",
        ),
    ),
    "coinbase": Rules(cancels=(r"POST /api/v3/brokerage/orders/batch_cancel",)),
    "cryptocom": Rules(
        cancels=(r"POST /exchange/v1/private/cancel-order",),
        reads=(
            r"POST /exchange/v1/private/get-(open-orders|trades|positions|order-detail)",
            r"POST /exchange/v1/private/user-balance",
        ),
    ),
}


def classifier_for(venue: str) -> Classifier:
    """Return the function that the transport asks about every request of this venue."""
    rules = RULES.get(venue, Rules(cancels=()))
    cancels = tuple(re.compile(pattern) for pattern in rules.cancels)
    reads = tuple(re.compile(pattern) for pattern in rules.reads)
    switches = tuple(re.compile(pattern) for pattern in rules.switches)
    gets = tuple(re.compile(pattern) for pattern in rules.get_only)

    def classify(method: str, _host: str, path: str, _query: str, body: bytes) -> Endpoint:
        line = f"{method} {path}"
        if venue == "hyperliquid" and line == "POST /exchange":
            return Endpoint("POST /exchange", hyperliquid_kind(body))
        if any(pattern.fullmatch(line) for pattern in cancels):
            return Endpoint(line, EndpointKind.CANCEL)
        if any(pattern.fullmatch(line) for pattern in switches):
            return Endpoint(line, EndpointKind.SWITCH)
        if any(pattern.fullmatch(line) for pattern in reads):
            return Endpoint(line, EndpointKind.READ)
        if method == "GET" and _may_get(path, gets):
            return Endpoint(line, EndpointKind.READ)
        return Endpoint(line, EndpointKind.UNLISTED)

    return classify


def _may_get(path: str, allowed: tuple[re.Pattern[str], ...]) -> bool:
    """Whether a GET only reads. Where a venue mutates by GET, only listed paths do."""
    if allowed:
        return any(pattern.fullmatch(path) for pattern in allowed)
    return _MUTATING_WORDS.search(_CAMEL.sub(" ", path)) is None


def hyperliquid_kind(body: bytes) -> EndpointKind:
    """Tell what a signed action does by its type; every action goes to the same path."""
    try:
        action = json.loads(body)["action"]
        kind, cancels = action["type"], action.get("cancels")
    except (ValueError, KeyError, TypeError, AttributeError):
        return EndpointKind.UNLISTED
    if kind in {"cancel", "cancelByCloid"} and isinstance(cancels, list) and len(cancels) == 1:
        return EndpointKind.CANCEL
    return {"order": EndpointKind.CREATE, "modify": EndpointKind.AMEND}.get(
        kind, EndpointKind.UNLISTED
    )
