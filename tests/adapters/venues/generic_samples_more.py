"""The other half of the venues' success bodies; see `generic_samples`."""

from collections.abc import Mapping

Bodies = Mapping[str, object]

_GATE_SPOT: dict[str, object] = {
    "id": "62364648575",
    "text": "apiv4",
    "create_time_ms": "1626354833544",
    "update_time_ms": "1626354833544",
    "status": "open",
    "currency_pair": "BTC_USDT",
    "type": "limit",
    "account": "spot",
    "side": "buy",
    "amount": "0.0001",
    "price": "30000",
    "left": "0.00004",
    "fill_price": "0",
    "avg_deal_price": "0",
}
_GATE_SWAP: dict[str, object] = {
    "id": 123028481731,
    "contract": "BTC_USDT",
    "tif": "gtc",
    "is_reduce_only": False,
    "is_close": False,
    "create_time": 1643950262.68,
    "price": "10000",
    "size": -5,
    "left": -3,
    "text": "api",
    "fill_price": "1.05273",
    "status": "open",
}
_GATE_TRIGGER: dict[str, object] = {
    "user": 6320300,
    "trigger": {"price_type": 0, "price": "1.03", "rule": 2},
    "initial": {
        "contract": "BTC_USDT",
        "size": -1,
        "price": "1.02",
        "text": "",
        "is_close": False,
        "is_reduce_only": True,
        "auto_size": "",
    },
    "id": 126393906,
    "status": "open",
    "create_time": 1643953482,
    "order_type": "",
}
_GATE_SPOT_TRIGGER: dict[str, object] = {
    "market": "BTC_USDT",
    "user": 6392049,
    "trigger": {"price": "1.08", "rule": ">=", "expiration": 86400},
    "put": {"type": "limit", "side": "buy", "price": "1.08", "amount": "1.0", "text": ""},
    "id": 71639298,
    "ctime": 1643945985,
    "status": "open",
}
_GATE_SWAP_ROUTES: Bodies = {
    route.replace("{s}", settle): body
    for settle in ("usdt", "btc")
    for route, body in {
        "GET /api/v4/futures/{s}/orders": [_GATE_SWAP],
        "GET /api/v4/futures/{s}/price_orders": [_GATE_TRIGGER],
        "GET /api/v4/futures/{s}/my_trades_timerange": [
            {
                "trade_id": "121234231",
                "create_time": 1514764800.123,
                "contract": "BTC_USDT",
                "order_id": "21893289839",
                "size": -100,
                "price": "100.123",
                "text": "t-1",
                "fee": "0.01",
                "role": "taker",
            }
        ],
        "GET /api/v4/futures/{s}/positions": [
            {
                "mode": "dual_short",
                "contract": "BTC_USDT",
                "entry_price": "46030.3",
                "mark_price": "46051.6",
                "size": -1,
                "update_time": 1705034246,
            }
        ],
        "GET /api/v4/futures/{s}/accounts": {
            "total": "12.51345151332",
            "available": "2.5",
            "in_dual_mode": True,
            "currency": "USDT",
        },
        "GET /api/v4/futures/{s}/orders/123028481731": _GATE_SWAP,
        "GET /api/v4/futures/{s}/price_orders/126393906": _GATE_TRIGGER,
        "DELETE /api/v4/futures/{s}/orders/123028481731": {**_GATE_SWAP, "status": "finished"},
        "DELETE /api/v4/futures/{s}/price_orders/126393906": {
            **_GATE_TRIGGER,
            "status": "finished",
        },
    }.items()
}

GATE: Bodies = {
    "GET /api/v4/spot/open_orders": [
        {"currency_pair": "BTC_USDT", "total": 1, "orders": [_GATE_SPOT]}
    ],
    "GET /api/v4/spot/price_orders": [_GATE_SPOT_TRIGGER],
    "GET /api/v4/spot/my_trades": [
        {
            "id": "2876130500",
            "create_time_ms": "1645464610777.399200",
            "currency_pair": "BTC_USDT",
            "side": "sell",
            "amount": "10.97",
            "price": "0.137384",
            "order_id": "125924049993",
            "fee": "0.00301420496",
            "fee_currency": "USDT",
        }
    ],
    "GET /api/v4/spot/accounts": [{"currency": "DBC", "available": "1.5", "locked": "0.5"}],
    "GET /api/v4/account/detail": {"user_id": 1667201533, "tier": 2, "ip_whitelist": []},
    "GET /api/v4/spot/orders/62364648575": _GATE_SPOT,
    "GET /api/v4/spot/price_orders/71639298": _GATE_SPOT_TRIGGER,
    "DELETE /api/v4/spot/orders/62364648575": {**_GATE_SPOT, "status": "cancelled"},
    "DELETE /api/v4/spot/price_orders/71639298": {**_GATE_SPOT_TRIGGER, "status": "canceled"},
    **_GATE_SWAP_ROUTES,
}


def bitget(data: object) -> dict[str, object]:
    return {"code": "00000", "msg": "success", "requestTime": 1700728123994, "data": data}


_BITGET_SPOT: dict[str, object] = {
    "userId": "7264631750",
    "symbol": "BTCUSDT",
    "orderId": "1111499608327360513",
    "clientOid": "d0d4dad5-18d0-4869-a074-ec40bb47cba6",
    "priceAvg": "25000.0000000000000000",
    "size": "0.0002000000000000",
    "orderType": "limit",
    "side": "buy",
    "status": "live",
    "basePrice": "0",
    "baseVolume": "0.0000000000000000",
    "cTime": "1700728077966",
    "uTime": "1700728077966",
}
_BITGET_FUTURE: dict[str, object] = {
    "symbol": "BTCUSDT",
    "size": "0.002",
    "orderId": "1111488897767604224",
    "clientOid": "1111488897805352960",
    "baseVolume": "0",
    "price": "25000",
    "priceAvg": "",
    "status": "live",
    "side": "buy",
    "posSide": "long",
    "tradeSide": "open",
    "posMode": "hedge_mode",
    "orderType": "limit",
    "reduceOnly": "NO",
    "cTime": "1700725524378",
    "uTime": "1700725524378",
}
_BITGET_PLAN: dict[str, object] = {
    "planType": "normal_plan",
    "symbol": "BTCUSDT",
    "size": "0.001",
    "orderId": "1111491399869075457",
    "clientOid": "1111491399869075456",
    "price": "27000",
    "triggerPrice": "24000",
    "planStatus": "live",
    "side": "buy",
    "posSide": "long",
    "tradeSide": "open",
    "posMode": "hedge_mode",
    "orderType": "limit",
    "cTime": "1700726120917",
    "uTime": "1700726120917",
}

BITGET: Bodies = {
    "GET /api/v2/spot/trade/unfilled-orders": bitget([_BITGET_SPOT]),
    "GET /api/v2/spot/trade/current-plan-order": bitget(
        {
            "nextFlag": False,
            "idLessThan": "1111503385931620352",
            "orderList": [
                {
                    "orderId": "1111503385931620352",
                    "clientOid": "1111503385910648832",
                    "symbol": "BTCUSDT",
                    "size": "0.0002",
                    "planType": "AMOUNT",
                    "executePrice": "25000",
                    "triggerPrice": "26000",
                    "status": "live",
                    "orderType": "limit",
                    "side": "buy",
                    "cTime": "1700728978617",
                    "uTime": "1700728978617",
                }
            ],
        }
    ),
    "GET /api/v2/spot/trade/fills": bitget(
        [
            {
                "symbol": "BTCUSDT",
                "orderId": "1098394344925597696",
                "tradeId": "1098394344974925824",
                "side": "sell",
                "priceAvg": "28467.68",
                "size": "0.0002",
                "feeDetail": {"feeCoin": "USDT", "totalFee": "-0.005693536"},
                "cTime": "1697603539699",
            }
        ]
    ),
    "GET /api/v2/spot/account/assets": bitget(
        [{"coin": "USDT", "available": "3.00000000", "frozen": "1.0", "locked": "0.5"}]
    ),
    "GET /api/v2/mix/order/orders-pending": bitget(
        {"entrustedList": [_BITGET_FUTURE], "endId": "1111488897767604224"}
    ),
    "GET /api/v2/mix/order/orders-plan-pending": bitget(
        {"entrustedList": [_BITGET_PLAN], "endId": "1111491399869075457"}
    ),
    "GET /api/v2/mix/order/fills": bitget(
        {
            "fillList": [
                {
                    "tradeId": "1111468664328269825",
                    "symbol": "BTCUSDT",
                    "orderId": "1111468664264753162",
                    "price": "37271.4",
                    "baseVolume": "0.001",
                    "feeDetail": [{"feeCoin": "USDT", "totalFee": "-0.02236284"}],
                    "side": "buy",
                    "tradeSide": "close",
                    "posMode": "hedge_mode",
                    "cTime": "1700720700342",
                }
            ],
            "endId": "1111468664328269825",
        }
    ),
    "GET /api/v2/mix/position/all-position": bitget(
        [
            {
                "marginCoin": "USDT",
                "symbol": "BTCUSDT",
                "holdSide": "short",
                "total": "0.002",
                "openPriceAvg": "37355.5",
                "markPrice": "37370.5",
                "posMode": "hedge_mode",
            }
        ]
    ),
    "GET /api/v2/mix/account/accounts": bitget(
        [{"marginCoin": "USDT", "accountEquity": "105.5", "unrealizedPL": "5.5"}]
    ),
    "GET /api/v2/spot/account/info": bitget({"userId": "1000000009", "authorities": ["trade"]}),
    "GET /api/v2/spot/trade/orderInfo": bitget([{**_BITGET_SPOT, "price": "25000"}]),
    "GET /api/v2/mix/order/detail": bitget({**_BITGET_FUTURE, "state": "live"}),
    "POST /api/v2/spot/trade/cancel-order": bitget(
        {"orderId": "1111499608327360513", "clientOid": "d0d4dad5"}
    ),
    "POST /api/v2/spot/trade/cancel-plan-order": bitget({"result": "success"}),
    "POST /api/v2/mix/order/cancel-order": bitget(
        {"orderId": "1111488897767604224", "clientOid": "1111488897805352960"}
    ),
    "POST /api/v2/mix/order/cancel-plan-order": bitget(
        {
            "successList": [{"clientOid": "", "orderId": "1111491399869075457"}],
            "failureList": [],
        }
    ),
}


def deribit(result: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 5276, "result": result, "usIn": 1, "usOut": 2, "usDiff": 1}


_DERIBIT_ORDER: dict[str, object] = {
    "time_in_force": "good_til_cancelled",
    "reduce_only": False,
    "price": 50000.0,
    "order_type": "limit",
    "order_state": "open",
    "order_id": "ETH-349249",
    "last_update_timestamp": 1550657341322,
    "label": "market0000234",
    "instrument_name": "BTC-PERPETUAL",
    "filled_amount": 10,
    "direction": "buy",
    "creation_timestamp": 1550657341322,
    "average_price": 143.81,
    "amount": 40,
}

DERIBIT: Bodies = {
    "GET /api/v2/private/get_open_orders_by_currency": deribit([_DERIBIT_ORDER]),
    "GET /api/v2/private/get_user_trades_by_currency_and_time": deribit(
        {
            "trades": [
                {
                    "trade_id": "ETH-34066",
                    "timestamp": 1550219814585,
                    "price": 0.04,
                    "order_id": "ETH-334607",
                    "instrument_name": "ETH-22FEB19-120-C",
                    "fee_currency": "ETH",
                    "fee": 0.0011,
                    "direction": "buy",
                    "amount": 11,
                }
            ],
            "has_more": False,
        }
    ),
    "GET /api/v2/private/get_positions": deribit(
        [
            {
                "instrument_name": "BTC-PERPETUAL",
                "size": -40.0,
                "direction": "sell",
                "average_price": 20000.0,
                "mark_price": 3556.62,
            }
        ]
    ),
    "GET /api/v2/private/get_account_summary": deribit(
        {"id": 10, "currency": "BTC", "balance": 0.00062359, "equity": 0.00062359}
    ),
    "GET /api/v2/private/get_order_state": deribit(_DERIBIT_ORDER),
    "GET /api/v2/private/cancel": deribit({**_DERIBIT_ORDER, "order_state": "cancelled"}),
    "GET /api/v2/private/cancel_all_by_instrument": deribit(4),
}

_HYPERLIQUID_ORDER: dict[str, object] = {
    "children": [],
    "cloid": None,
    "coin": "ETH",
    "isPositionTpsl": False,
    "isTrigger": True,
    "limitPx": "0.5",
    "oid": 8670487141,
    "orderType": "Stop Limit",
    "origSz": "20.0",
    "reduceOnly": True,
    "side": "B",
    "sz": "15.0",
    "timestamp": 1715523663687,
    "triggerPx": "0.6",
}

HYPERLIQUID: Bodies = {
    "frontendOpenOrders": [_HYPERLIQUID_ORDER],
    "userFillsByTime": [
        {
            "coin": "ETH",
            "fee": "0.050062",
            "feeToken": "USDC",
            "oid": 3929354691,
            "px": "2381.1",
            "side": "A",
            "sz": "0.0841",
            "tid": 128423918764978,
            "time": 1704262888911,
        }
    ],
    "clearinghouseState": {
        "assetPositions": [
            {
                "position": {
                    "coin": "ETH",
                    "entryPx": "2213.9",
                    "szi": "-0.2259",
                    "unrealizedPnl": "1.5",
                },
                "type": "oneWay",
            }
        ],
        "marginSummary": {"accountValue": "101.5"},
        "time": 1704261007014,
    },
    "spotClearinghouseState": {"balances": [{"coin": "USDC", "hold": "0.5", "total": "1481.844"}]},
    "orderStatus": {
        "order": {
            "order": _HYPERLIQUID_ORDER,
            "status": "open",
            "statusTimestamp": 1715523663687,
        },
        "status": "order",
    },
    "POST /exchange": {
        "status": "ok",
        "response": {"type": "cancel", "data": {"statuses": ["success"]}},
    },
}

HTX: Bodies = {
    "GET /v2/user/uid": {"code": 200, "data": 63628520},
    "GET /v1/order/openOrders": {
        "status": "ok",
        "data": [
            {
                "symbol": "btcusdt",
                "source": "web",
                "price": "0.555550000000000000",
                "created-at": 1630633835224,
                "amount": "572.330000000000000000",
                "account-id": 13496526,
                "filled-cash-amount": "0.0",
                "client-order-id": "",
                "filled-amount": "72.33",
                "filled-fees": "0.0",
                "id": 357630527817871,
                "state": "partial-filled",
                "type": "sell-limit",
            }
        ],
    },
    "GET /v1/order/matchresults": {
        "status": "ok",
        "data": [
            {
                "symbol": "btcusdt",
                "fee-currency": "btc",
                "filled-fees": "0.1",
                "id": 83789509854000,
                "type": "buy-limit",
                "order-id": 83711103204909,
                "price": "0.0000001401",
                "created-at": 1597933260729,
                "filled-amount": "30.5",
                "trade-id": 100050305348,
            }
        ],
    },
    "GET /v1/order/orders/357630527817871": {
        "status": "ok",
        "data": {
            "id": 357630527817871,
            "symbol": "btcusdt",
            "amount": "0.045",
            "price": "0.034014",
            "created-at": 1545836976871,
            "type": "sell-limit",
            "field-amount": "0.045",
            "state": "filled",
        },
    },
    "POST /v1/order/orders/357630527817871/submitcancel": {
        "status": "ok",
        "data": "357630527817871",
    },
}

_MEXC_ORDER: dict[str, object] = {
    "orderId": "264995729269765120",
    "symbol": "BTC_USDT",
    "price": "2.2",
    "vol": "15",
    "side": "1",
    "orderType": "1",
    "dealAvgPrice": "0",
    "dealVol": "5",
    "state": "2",
    "externalOid": "_m_0e9520c256744d64b942985189026d20",
    "createTime": "1648850305236",
    "updateTime": "1648850305245",
    "positionMode": "1",
}

MEXC: Bodies = {
    "GET /api/v1/private/order/list/open_orders": {
        "success": True,
        "code": 0,
        "data": [_MEXC_ORDER],
    },
    "GET /api/v1/private/planorder/list/orders": {
        "success": True,
        "code": 0,
        "data": [
            {
                "id": "265557643326564352",
                "triggerPrice": "3",
                "price": "2.9",
                "symbol": "BTC_USDT",
                "side": "1",
                "vol": "13",
                "state": "1",
                "orderType": "1",
                "createTime": "1648984276000",
                "updateTime": "1648984276000",
            }
        ],
    },
    "GET /api/v1/private/order/list/order_deals": {
        "success": True,
        "code": 0,
        "data": [
            {
                "id": "299444585",
                "symbol": "BTC_USDT",
                "side": "1",
                "vol": "1",
                "price": "2.45455",
                "feeCurrency": "USDT",
                "fee": "0.00147273",
                "timestamp": "1648924557000",
                "orderId": "265307163526610432",
                "positionMode": "1",
            }
        ],
    },
    "GET /api/v1/private/position/open_positions": {
        "success": True,
        "code": 0,
        "data": [
            {
                "positionId": 1394650,
                "symbol": "BTC_USDT",
                "positionType": 2,
                "holdVol": 4,
                "holdAvgPrice": 1217.3,
                "updateTime": 1609991676000,
            }
        ],
    },
    "GET /api/v1/private/account/assets": {
        "success": True,
        "code": 0,
        "data": [{"currency": "USDT", "cashBalance": 5, "availableBalance": 4}],
    },
    "GET /api/v1/private/position/position_mode": {
        "success": True,
        "code": 0,
        "data": 2,
    },
    "GET /api/v1/private/order/get/264995729269765120": {
        "success": True,
        "code": 0,
        "data": _MEXC_ORDER,
    },
    "GET /api/v3/account": {
        "accountType": "SPOT",
        "balances": [{"asset": "USDT", "free": "0.5", "locked": "0.25"}],
    },
    "POST /api/v1/private/order/cancel": {
        "success": True,
        "code": 0,
        "data": [{"orderId": "264995729269765120", "errorCode": 0, "errorMsg": "success"}],
    },
    "POST /api/v1/private/planorder/cancel": {"success": True, "code": 0},
}

_COINBASE_ORDER: dict[str, object] = {
    "order_id": "9bc1eb3b-5b46-4b71-9628-ae2ed0cca75b",
    "product_id": "BTC-USDT",
    "order_configuration": {
        "limit_limit_gtc": {"base_size": "0.2", "limit_price": "0.006", "post_only": False}
    },
    "side": "SELL",
    "client_order_id": "e5fe8482-05bb-428f-ad4d-dbc8ce39239c",
    "status": "OPEN",
    "created_time": "2023-01-16T23:37:23.947030Z",
    "filled_size": "0.05",
    "average_filled_price": "0",
    "size_in_quote": False,
}

COINBASE: Bodies = {
    "GET /api/v3/brokerage/key_permissions": {
        "can_view": True,
        "can_trade": True,
        "can_transfer": False,
        "portfolio_uuid": "e0a6a5bb-2f1c-5f0e-9a34-0b4c6cbb9f4c",
        "portfolio_type": "DEFAULT",
    },
    "GET /api/v3/brokerage/orders/historical/batch": {
        "orders": [_COINBASE_ORDER],
        "sequence": "0",
        "has_next": False,
        "cursor": "",
    },
    "GET /api/v3/brokerage/orders/historical/fills": {
        "fills": [
            {
                "entry_id": "b88b82cc89e326a2778874795102cbafd08dd979a2a7a3c69603fc4c23c2e010",
                "trade_id": "cdc39e45-bbd3-44ec-bf02-61742dfb16a1",
                "order_id": "813a53c5-3e39-47bb-863d-2faf685d22d8",
                "trade_time": "2023-01-18T01:37:38.091377090Z",
                "price": "20000",
                "size": "100",
                "commission": "0.0000280983986004",
                "product_id": "BTC-USDT",
                "size_in_quote": True,
                "side": "BUY",
            }
        ],
        "cursor": "",
    },
    "GET /api/v3/brokerage/accounts": {
        "accounts": [
            {
                "uuid": "1",
                "currency": "BTC",
                "available_balance": {"value": "1.5", "currency": "BTC"},
                "hold": {"value": "0.5", "currency": "BTC"},
            }
        ],
        "has_next": False,
        "cursor": "",
        "size": 1,
    },
    "GET /api/v3/brokerage/orders/historical/9bc1eb3b-5b46-4b71-9628-ae2ed0cca75b": {
        "order": _COINBASE_ORDER
    },
    "POST /api/v3/brokerage/orders/batch_cancel": {
        "results": [
            {
                "success": True,
                "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON",
                "order_id": "9bc1eb3b-5b46-4b71-9628-ae2ed0cca75b",
            }
        ]
    },
}


def cryptocom(result: object) -> dict[str, object]:
    return {"id": 1, "method": "private/call", "code": 0, "result": result}


_CRYPTOCOM_ORDER: dict[str, object] = {
    "order_id": "6530219477767564494",
    "client_oid": "CCXT_7ce730f0388441df9bc218",
    "order_type": "LIMIT",
    "side": "BUY",
    "exec_inst": [],
    "quantity": "0.00020",
    "limit_price": "20000.00",
    "avg_price": "0",
    "ref_price": "0",
    "cumulative_quantity": "0.0001",
    "status": "ACTIVE",
    "instrument_name": "BTC_USD",
    "create_time": 1686806053992,
    "update_time": 1686806053993,
}

CRYPTOCOM: Bodies = {
    "POST /exchange/v1/private/get-open-orders": cryptocom(
        {
            "data": [
                _CRYPTOCOM_ORDER,
                {**_CRYPTOCOM_ORDER, "order_id": "7", "instrument_name": "BTCUSD-PERP"},
            ]
        }
    ),
    "POST /exchange/v1/private/get-trades": cryptocom(
        {
            "data": [
                {
                    "side": "BUY",
                    "instrument_name": "BTC_USD",
                    "fees": "-0.0000000525",
                    "trade_id": "6142909898247428343",
                    "create_time": 1686941992887,
                    "traded_price": "26347.16",
                    "traded_quantity": "0.00021",
                    "fee_instrument_name": "BTC",
                    "client_oid": "d1c70a60-1234-4c92-b2a0-72b931cb31e0",
                    "order_id": "6142909895036331486",
                }
            ]
        }
    ),
    "POST /exchange/v1/private/get-positions": cryptocom(
        {
            "data": [
                {
                    "quantity": "-0.0001",
                    "cost": "-3.02392",
                    "update_timestamp_ms": 1688015919091,
                    "instrument_name": "BTCUSD-PERP",
                }
            ]
        }
    ),
    "POST /exchange/v1/private/user-balance": cryptocom(
        {
            "data": [
                {
                    "instrument_name": "USD",
                    "position_balances": [
                        {
                            "quantity": "0.0002119875",
                            "reserved_qty": "0.0001",
                            "instrument_name": "BTC",
                        }
                    ],
                }
            ]
        }
    ),
    "POST /exchange/v1/private/get-order-detail": cryptocom(_CRYPTOCOM_ORDER),
    "POST /exchange/v1/private/cancel-order": cryptocom(
        {"client_oid": "CCXT_c2d2152cc32d40a3ae7fbf", "order_id": "6530219477767564494"}
    ),
}
