"""How COIN-M describes its contracts: the head and the symbols of GET /dapi/v1/exchangeInfo.

Promises: quantities are contracts, so the steps are whole numbers and `contractSize` says how many
dollars one is worth; the status stands under `contractStatus`, not under `status` as on USD-M.

Source: COIN-M "Exchange Information" of developers.binance.com, 2026-08.
Called by `exchange_info`.
"""

from resyncctl.simulator.catalogue import SymbolRow

_FOREVER_MS = 4_133_404_800_000
_ONBOARD_MS = 1_597_042_800_000


def coinm_head(now_ms: int) -> dict[str, object]:
    """Return everything of the document but the symbols; the limits are those of USD-M too."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
            _rate_limit("ORDERS", "MINUTE", 1, 1200),
            _rate_limit("ORDERS", "SECOND", 10, 300),
        ],
        "exchangeFilters": [],
    }


def coinm_symbol(row: SymbolRow, status: str) -> dict[str, object]:
    """Return one contract."""
    return {
        "symbol": row.name,
        "pair": row.pair,
        "contractType": "CURRENT_QUARTER" if row.delivery_ms else "PERPETUAL",
        "deliveryDate": row.delivery_ms or _FOREVER_MS,
        "onboardDate": _ONBOARD_MS,
        "contractStatus": status,
        "contractSize": int(row.contract_value),
        "marginAsset": row.settles_in,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": row.base,
        "quoteAsset": row.quote,
        "pricePrecision": row.price_digits,
        "quantityPrecision": row.quantity_digits,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "equalQtyPrecision": 4,
        "maxMoveOrderLimit": 10000,
        "triggerProtect": "0.0500",
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "liquidationFee": "0.015000",
        "marketTakeBound": "0.05",
        "filters": _filters(row),
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _filters(row: SymbolRow) -> list[dict[str, object]]:
    least, step = f"{row.min_quantity:f}", f"{row.step:f}"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": f"{row.tick:f}",
            "maxPrice": f"{row.max_price:f}",
            "tickSize": f"{row.tick:f}",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": least,
            "maxQty": f"{row.max_quantity:f}",
            "stepSize": step,
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": least,
            "maxQty": f"{row.market_max_quantity:f}",
            "stepSize": step,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 20},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
    ]


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit,
    }
