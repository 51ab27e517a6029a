"""The exchangeInfo documents of every market, rendered once and compressed once.

Promises: a document follows the status overrides that it is given; asking the same question again
under the same statuses costs a dictionary lookup, because the real spot document weighs about
17 MB and is asked for by every client that starts. `serverTime` in a document is therefore the
time at which it was rendered, not the time of the answer: clients must ask `/time`.

Shapes: binance-spot-api-docs rest-api.md "Exchange information" and filters.md; USD-M
"Exchange Information" of developers.binance.com.

Called by the REST dialects (documents) and by the server (compression).
"""

import gzip
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal

from resyncctl.simulator.catalogue import Catalogue, Market, SymbolRow
from resyncctl.simulator.coinm_exchange_info import coinm_head, coinm_symbol

_CACHED_DOCUMENTS = 8
_GZIP_LEVEL = 6
_PERPETUAL_DELIVERY_MS = 4_133_404_800_000
_ONBOARD_MS = 1_569_398_400_000
_SPOT_QUESTION = ("symbol", "symbols", "symbolStatus", "showPermissionSets")
_SPOT_ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
_USDM_ORDER_TYPES = (
    "LIMIT",
    "MARKET",
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
)


class UnknownSymbol(LookupError):  # noqa: N818  # the name is the message
    """A question names a symbol that the market does not list."""


class ExchangeInfo:
    """Answers exchangeInfo questions about one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._documents: OrderedDict[object, bytes] = OrderedDict()

    def document(
        self,
        market: Market,
        parameters: Mapping[str, str],
        *,
        statuses: Mapping[str, str],
        now_ms: int,
    ) -> bytes:
        """Given the query parameters, return the exchangeInfo document as JSON bytes.

        `statuses` holds, by symbol, the statuses that differ from the listing now. Spot understands
        `symbol`, `symbols`, `symbolStatus` and `showPermissionSets`; USD-M takes no parameters, as
        on the real venue. Raise `UnknownSymbol` when a named symbol is not listed.
        """
        question = parameters if market == "spot" else {}
        key = (
            market,
            tuple(question.get(name, "") for name in _SPOT_QUESTION),
            tuple(sorted(statuses.items())),
        )
        known = self._documents.get(key)
        if known is None:
            known = _render(self._catalogue.rows(market), market, question, statuses, now_ms)
        _remember(self._documents, key, known)
        return known


class Compressor:
    """Compresses answers with gzip, and remembers the large ones."""

    def __init__(self) -> None:
        self._known: OrderedDict[object, bytes] = OrderedDict()

    def gzip(self, body: bytes, *, remember_from: int = 100_000) -> bytes:
        """Return the body as one gzip member; a large body that comes again is not redone."""
        if len(body) < remember_from:
            return gzip.compress(body, compresslevel=1, mtime=0)
        known = self._known.get(body)
        if known is None:
            known = gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0)
        _remember(self._known, body, known)
        return known


def _remember(cache: OrderedDict[object, bytes], key: object, value: bytes) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > _CACHED_DOCUMENTS:
        cache.popitem(last=False)


def _render(
    listed: Mapping[str, SymbolRow],
    market: Market,
    question: Mapping[str, str],
    statuses: Mapping[str, str],
    now_ms: int,
) -> bytes:
    wanted_status = question.get("symbolStatus", "")
    with_sets = question.get("showPermissionSets", "true").lower() != "false"
    parts = []
    for row in _asked_rows(listed, question):
        status = statuses.get(row.name, row.status)
        if wanted_status and status != wanted_status:
            continue
        parts.append(_json(_symbol(row, status, with_sets=with_sets)))
    head = _HEADS[market](now_ms)
    return (_json(head)[:-1] + ',"symbols":[' + ",".join(parts) + "]}").encode()


def _symbol(row: SymbolRow, status: str, *, with_sets: bool) -> dict[str, object]:
    if row.market == "spot":
        return _spot_symbol(row, status, with_sets=with_sets)
    return coinm_symbol(row, status) if row.inverse else _usdm_symbol(row, status)


def _asked_rows(listed: Mapping[str, SymbolRow], question: Mapping[str, str]) -> list[SymbolRow]:
    if question.get("symbol"):
        names = [question["symbol"]]
    elif question.get("symbols"):
        names = _names_in(question["symbols"])
    else:
        return list(listed.values())
    missing = [name for name in names if name not in listed]
    if missing:
        raise UnknownSymbol(missing[0])
    return [listed[name] for name in names]


def _names_in(text: str) -> list[str]:
    """Return the names in `["A","B"]`; a text that is not such a list names one unknown symbol."""
    try:
        names = json.loads(text)
    except json.JSONDecodeError:
        return [text]
    return [str(name) for name in names] if isinstance(names, list) else [text]


def _spot_head(now_ms: int) -> dict[str, object]:
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, 6000),
            _rate_limit("ORDERS", "SECOND", 10, 100),
            _rate_limit("ORDERS", "DAY", 1, 200_000),
            _rate_limit("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ],
        "exchangeFilters": [],
    }


def _usdm_head(now_ms: int) -> dict[str, object]:
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
            _rate_limit("ORDERS", "MINUTE", 1, 1200),
            _rate_limit("ORDERS", "SECOND", 10, 300),
        ],
        "exchangeFilters": [],
        "assets": [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
            for asset in ("USDT", "BTC", "BNB", "ETH", "USDC")
        ],
    }


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit,
    }


def _spot_symbol(row: SymbolRow, status: str, *, with_sets: bool) -> dict[str, object]:
    document: dict[str, object] = {
        "symbol": row.name,
        "status": status,
        "baseAsset": row.base,
        "baseAssetPrecision": 8,
        "quoteAsset": row.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": _SPOT_ORDER_TYPES,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": row.permission_groups > 0,
        "filters": _spot_filters(row),
        "permissions": [],
        "permissionSets": [_permission_set(row.permission_groups)] if with_sets else [],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": [
            "EXPIRE_TAKER",
            "EXPIRE_MAKER",
            "EXPIRE_BOTH",
            "DECREMENT",
        ],
    }
    return document


def _permission_set(groups: int) -> list[str]:
    return ["SPOT", "MARGIN", *(f"TRD_GRP_{number:03d}" for number in range(4, groups + 4))]


def _spot_filters(row: SymbolRow) -> list[dict[str, object]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": _eight(row.tick),
            "maxPrice": _eight(row.max_price),
            "tickSize": _eight(row.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": _eight(row.min_quantity),
            "maxQty": _eight(row.max_quantity),
            "stepSize": _eight(row.step),
        },
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": _eight(row.market_max_quantity),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": _eight(row.min_notional),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]


def _usdm_symbol(row: SymbolRow, status: str) -> dict[str, object]:
    return {
        "symbol": row.name,
        "pair": row.name,
        "contractType": "PERPETUAL",
        "deliveryDate": _PERPETUAL_DELIVERY_MS,
        "onboardDate": _ONBOARD_MS,
        "status": status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": row.base,
        "quoteAsset": row.quote,
        "marginAsset": row.quote,
        "pricePrecision": row.price_digits,
        "quantityPrecision": row.quantity_digits,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": _usdm_filters(row),
        "orderTypes": _USDM_ORDER_TYPES,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY"],
    }


def _usdm_filters(row: SymbolRow) -> list[dict[str, object]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": f"{row.tick:f}",
            "maxPrice": f"{row.max_price:f}",
            "tickSize": f"{row.tick:f}",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": f"{row.min_quantity:f}",
            "maxQty": f"{row.max_quantity:f}",
            "stepSize": f"{row.step:f}",
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": f"{row.min_quantity:f}",
            "maxQty": f"{row.market_max_quantity:f}",
            "stepSize": f"{row.step:f}",
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": f"{row.min_notional:f}"},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
    ]


_HEADS: Mapping[Market, Callable[[int], dict[str, object]]] = {
    "spot": _spot_head,
    "usdm": _usdm_head,
    "coinm": coinm_head,
}


def _eight(number: Decimal) -> str:
    """Spot writes every amount with eight digits after the point."""
    return f"{number:.8f}"


def _json(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))
