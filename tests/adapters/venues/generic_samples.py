"""Success bodies of fourteen venues, with rows as their documentation shows them.

Each venue maps a route to the body of a success with rows. Ids, prices and sizes are those of the
venues' own documentation where it gives a sample (ccxt repeats many of them beside its parsers).
"""

from collections.abc import Mapping

Bodies = Mapping[str, object]

BYBIT_ORDER: dict[str, object] = {
    "orderId": "fd4300ae-7847-404e-b947-b46980a4d140",
    "orderLinkId": "test-000005",
    "symbol": "ETHUSDT",
    "price": "1600.00",
    "qty": "0.10",
    "side": "Buy",
    "positionIdx": 1,
    "orderStatus": "New",
    "avgPrice": "",
    "leavesQty": "0.10",
    "cumExecQty": "0.00",
    "orderType": "Limit",
    "stopOrderType": "UNKNOWN",
    "triggerPrice": "0.00",
    "reduceOnly": False,
    "createdTime": "1684738540559",
    "updatedTime": "1684738540561",
}


def bybit(rows: list[object], cursor: str = "", **more: object) -> dict[str, object]:
    result = {"list": rows, "nextPageCursor": cursor, "category": "linear", **more}
    return {
        "retCode": 0,
        "retMsg": "OK",
        "result": result,
        "retExtInfo": {},
        "time": 1684765770483,
    }


BYBIT: Bodies = {
    "GET /v5/order/realtime": bybit([BYBIT_ORDER]),
    "GET /v5/order/history": bybit([BYBIT_ORDER]),
    "GET /v5/execution/list": bybit(
        [
            {
                "symbol": "ETHPERP",
                "orderType": "Market",
                "orderLinkId": "",
                "side": "Buy",
                "orderId": "8c065341-7b52-4ca9-ac2c-37e31ac55c94",
                "leavesQty": "0.0",
                "execTime": "1672282722429",
                "feeCurrency": "",
                "execFee": "0.071409",
                "feeRate": "0.0006",
                "execId": "e0cbe81d-0f18-5866-9415-cf319b5dab3b",
                "execPrice": "1190.15",
                "execType": "Trade",
                "execQty": "0.1",
                "isMaker": False,
            }
        ]
    ),
    "GET /v5/position/list": bybit(
        [
            {
                "positionIdx": 0,
                "symbol": "BTCUSDT",
                "side": "Sell",
                "size": "0.299",
                "avgPrice": "30004.5006897",
                "markPrice": "28538.81",
                "positionValue": "8971.3457062",
                "updatedTime": "1682754538834",
            }
        ]
    ),
    "GET /v5/account/wallet-balance": bybit(
        [
            {
                "accountType": "UNIFIED",
                "coin": [
                    {
                        "coin": "USDC",
                        "equity": "201.34882644",
                        "walletBalance": "201.34882644",
                        "locked": "1.5",
                    }
                ],
            }
        ]
    ),
    "GET /v5/user/query-api": {
        "retCode": 0,
        "retMsg": "",
        "result": {"id": "13770661", "userID": 24617703, "readOnly": 1},
        "retExtInfo": {},
        "time": 1684765770483,
    },
    "POST /v5/order/cancel": {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"orderId": "fd4300ae-7847-404e-b947-b46980a4d140", "orderLinkId": "test-000005"},
        "retExtInfo": {},
        "time": 1672217377164,
    },
    "POST /v5/order/cancel-all": {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"list": [{"orderId": "1", "orderLinkId": "a"}], "success": "1"},
        "retExtInfo": {},
        "time": 1707381118116,
    },
}

OKX_ORDER: dict[str, object] = {
    "accFillSz": "0",
    "avgPx": "",
    "cTime": "1724733617998",
    "clOrdId": "",
    "fee": "0",
    "feeCcy": "BTC",
    "instId": "BTC-USDT",
    "instType": "SPOT",
    "ordId": "1752588852617379840",
    "ordType": "post_only",
    "posSide": "net",
    "px": "13013.5",
    "reduceOnly": "false",
    "side": "buy",
    "state": "live",
    "sz": "0.001",
    "tgtCcy": "",
    "uTime": "1724733617998",
}
OKX_ALGO: dict[str, object] = {
    "algoClOrdId": "",
    "algoId": "681096944655273984",
    "actualSz": "",
    "cTime": "1708658165774",
    "closeFraction": "",
    "instId": "BTC-USDT-SWAP",
    "instType": "SWAP",
    "ordType": "conditional",
    "ordPx": "",
    "posSide": "net",
    "reduceOnly": "true",
    "side": "sell",
    "slOrdPx": "-1",
    "slTriggerPx": "40000",
    "state": "live",
    "sz": "2",
    "tgtCcy": "",
    "tpTriggerPx": "",
    "triggerPx": "",
    "uTime": "1708658165774",
}


def okx(rows: list[object]) -> dict[str, object]:
    return {"code": "0", "msg": "", "data": rows}


OKX: Bodies = {
    "GET /api/v5/trade/orders-pending": okx([OKX_ORDER]),
    "GET /api/v5/trade/orders-algo-pending": okx([OKX_ALGO]),
    "GET /api/v5/trade/fills-history": okx(
        [
            {
                "side": "buy",
                "fillSz": "0.00192834",
                "fillPx": "51858",
                "fee": "-0.00000192834",
                "ordId": "680800019749904384",
                "instType": "SPOT",
                "instId": "BTC-USDT",
                "clOrdId": "",
                "posSide": "net",
                "billId": "680800019754098688",
                "feeCcy": "BTC",
                "tradeId": "744876980",
                "ts": "1708587373362",
            }
        ]
    ),
    "GET /api/v5/account/positions": okx(
        [
            {
                "avgPx": "2566.31",
                "instId": "BTC-USDT-SWAP",
                "instType": "SWAP",
                "markPx": "2566.22",
                "pos": "3",
                "posCcy": "",
                "posId": "307173036051017730",
                "posSide": "short",
                "uTime": "1619507761462",
            }
        ]
    ),
    "GET /api/v5/account/balance": okx(
        [
            {
                "details": [
                    {
                        "availBal": "4834.317093622894",
                        "cashBal": "4850.435693622894",
                        "ccy": "USDT",
                        "eq": "4992.890093622894",
                        "frozenBal": "16.1186",
                    }
                ],
                "totalEq": "55837.43",
                "uTime": "1705474164160",
            }
        ]
    ),
    "GET /api/v5/account/config": okx([{"uid": "44705892343619584", "posMode": "net_mode"}]),
    "GET /api/v5/trade/order": okx([OKX_ORDER]),
    "GET /api/v5/trade/order-algo": okx([OKX_ALGO]),
    "POST /api/v5/trade/cancel-order": okx(
        [{"clOrdId": "", "ordId": "1752588852617379840", "sCode": "0", "sMsg": ""}]
    ),
    "POST /api/v5/trade/cancel-algos": okx(
        [{"algoClOrdId": "", "algoId": "681096944655273984", "sCode": "0", "sMsg": ""}]
    ),
}

KRAKEN_ORDER: dict[str, object] = {
    "refid": None,
    "userref": None,
    "cl_ord_id": "1234",
    "status": "open",
    "opentm": 1733815269.370054,
    "starttm": 0,
    "expiretm": 0,
    "descr": {
        "pair": "XBTUSD",
        "type": "buy",
        "ordertype": "limit",
        "price": "70000.0",
        "price2": "0",
        "leverage": "none",
        "order": "buy 0.00010000 XBTUSD @ limit 70000.0",
        "close": "",
    },
    "vol": "0.00010000",
    "vol_exec": "0.00000000",
    "cost": "0.00000",
    "fee": "0.00000",
    "price": "0.00000",
    "stopprice": "0.00000",
    "limitprice": "0.00000",
    "misc": "",
    "oflags": "fciq",
}


def kraken(result: object) -> dict[str, object]:
    return {"error": [], "result": result}


KRAKEN: Bodies = {
    "POST /0/private/OpenOrders": kraken({"open": {"O45M52-BFD5S-YXKQOU": KRAKEN_ORDER}}),
    "POST /0/private/TradesHistory": kraken(
        {
            "trades": {
                "THVRQM-33VKH-UCI7BS": {
                    "ordertxid": "OQCLML-BW3P3-BUCMWZ",
                    "postxid": "TKH2SE-M7IF5-CFI7LT",
                    "pair": "XXBTZUSD",
                    "time": 1688667796.8802,
                    "type": "buy",
                    "ordertype": "limit",
                    "price": "30010.00000",
                    "cost": "600.20000",
                    "fee": "0.00000",
                    "vol": "0.02000000",
                    "margin": "0.00000",
                    "misc": "",
                    "trade_id": 40274859,
                    "maker": True,
                }
            },
            "count": 1,
        }
    ),
    "POST /0/private/OpenPositions": kraken(
        [
            {
                "pair": "XXBTZUSD",
                "type": "sell",
                "leverage": "5.00000",
                "cost": "3000.0",
                "vol": "0.10000000",
                "vol_closed": "0.02000000",
            }
        ]
    ),
    "POST /0/private/BalanceEx": kraken(
        {
            "ZUSD": {"balance": "25435.21", "hold_trade": "8249.76"},
            "XXBT": {"balance": "1.2435", "hold_trade": "0.8423"},
        }
    ),
    "POST /0/private/QueryOrders": kraken({"O45M52-BFD5S-YXKQOU": KRAKEN_ORDER}),
    "POST /0/private/CancelOrder": kraken({"count": 1}),
}

KRAKENFUTURES: Bodies = {
    "GET /derivatives/api/v3/openorders": {
        "result": "success",
        "openOrders": [
            {
                "order_id": "59302619-41d2-4f0b-941f-7e7914760ad3",
                "symbol": "pi_xbtusd",
                "side": "sell",
                "orderType": "lmt",
                "limitPrice": 10640,
                "unfilledSize": 304,
                "receivedTime": "2019-09-05T17:01:17.410Z",
                "status": "untouched",
                "filledSize": 0,
                "reduceOnly": True,
                "lastUpdateTime": "2019-09-05T17:01:17.410Z",
            }
        ],
        "serverTime": "2019-09-05T17:08:18.138Z",
    },
    "GET /derivatives/api/v3/fills": {
        "result": "success",
        "fills": [
            {
                "fill_id": "522d4e08-96e7-4b44-9694-bfaea8fe215e",
                "symbol": "pi_xbtusd",
                "side": "buy",
                "order_id": "c18f0c17-9971-40e6-8e5b-10df05d422f0",
                "cliOrdId": "d427f920-ec55-4c18-ba95-5fe241513b30",
                "size": 2000,
                "price": 4255,
                "fillTime": "2016-02-25T09:47:01.000Z",
                "fillType": "maker",
            }
        ],
        "serverTime": "2020-07-22T13:44:24.311Z",
    },
    "GET /derivatives/api/v3/openpositions": {
        "result": "success",
        "openPositions": [
            {
                "side": "short",
                "symbol": "pi_xbtusd",
                "price": 9392.749993345933,
                "fillTime": "2020-07-22T14:39:12.376Z",
                "size": 10000,
                "unrealizedFunding": 0.00001045432180096817,
            }
        ],
        "serverTime": "2020-07-22T14:39:12.376Z",
    },
    "GET /derivatives/api/v3/accounts": {
        "result": "success",
        "accounts": {
            "cash": {"balances": {"xrp": "2.20188538338"}, "type": "cashAccount"},
            "fi_xbtusd": {"balances": {"xbt": "0.5"}, "currency": "xbt", "type": "marginAccount"},
            "flex": {
                "currencies": {"USDT": {"quantity": "1", "value": "1.0001"}},
                "type": "multiCollateralMarginAccount",
            },
        },
        "serverTime": "2022-04-12T07:48:07.475Z",
    },
    "POST /derivatives/api/v3/cancelorder": {
        "result": "success",
        "cancelStatus": {
            "status": "cancelled",
            "order_id": "59302619-41d2-4f0b-941f-7e7914760ad3",
            "receivedTime": "2020-07-22T13:26:20.806Z",
            "orderEvents": [],
        },
        "serverTime": "2020-07-22T13:26:20.806Z",
    },
    "POST /derivatives/api/v3/cancelallorders": {
        "result": "success",
        "cancelStatus": {"status": "cancelled", "cancelOnly": "all", "cancelledOrders": []},
        "serverTime": "2020-07-22T13:26:20.806Z",
    },
}


def kucoin(items: list[object]) -> dict[str, object]:
    data = {
        "currentPage": 1,
        "pageSize": 500,
        "totalNum": len(items),
        "totalPage": 1,
        "items": items,
    }
    return {"code": "200000", "data": data}


_KUCOIN_SPOT: dict[str, object] = {
    "id": "63c97ce8d686c500015793bb",
    "symbol": "USDC-USDT",
    "type": "limit",
    "side": "sell",
    "price": "1.05",
    "size": "1",
    "dealSize": "0",
    "stop": "",
    "stopPrice": "0",
    "clientOid": "d602d73f-5424-4751-bef0-8debce8f0a82",
    "isActive": True,
    "cancelExist": False,
    "createdAt": 1674149096927,
    "tradeType": "TRADE",
}
_KUCOIN_STOP: dict[str, object] = {
    "id": "vs9f6ou9e864rgq8000t4qnm",
    "symbol": "USDC-USDT",
    "status": "NEW",
    "type": "market",
    "side": "sell",
    "price": None,
    "size": "1.00000000000000000000",
    "clientOid": "5d3fd727-6456-438d-9550-40d9d85eee0b",
    "createdAt": 1674146316994,
    "stop": "loss",
    "stopPrice": "0.97000000000000000000",
}
_KUCOIN_FUTURE: dict[str, object] = {
    "id": "64507d02921f1c0001ff6892",
    "symbol": "XBTUSDTM",
    "type": "limit",
    "side": "buy",
    "price": "27992",
    "size": 3,
    "dealSize": 1,
    "filledSize": 1,
    "stop": "",
    "stopPrice": None,
    "clientOid": None,
    "isActive": True,
    "cancelExist": False,
    "createdAt": 1682996482000,
    "updatedAt": 1682996483062,
    "reduceOnly": False,
    "status": "open",
}

KUCOIN_HF: dict[str, object] = {
    "id": "6478cf1439bdfc0001528a1d",
    "symbol": "USDC-USDT",
    "opType": "DEAL",
    "type": "limit",
    "side": "buy",
    "price": "50",
    "size": "0.1",
    "funds": "5",
    "dealSize": "0",
    "dealFunds": "0",
    "clientOid": "d4d2016b-8e3a-445c-aa5d-dc6df5d1678d",
    "cancelExist": False,
    "createdAt": 1685638932074,
    "lastUpdatedAt": 1685639013735,
    "tradeType": "TRADE",
    "inOrderBook": True,
    "active": True,
}

KUCOIN: Bodies = {
    "GET /api/v1/hf/orders/active/symbols": {"code": "200000", "data": {"symbols": []}},
    "GET /api/v1/hf/orders/active": {"code": "200000", "data": [KUCOIN_HF]},
    "GET /api/v1/hf/fills": {"code": "200000", "data": {"items": [], "lastId": 0}},
    "DELETE /api/v1/hf/orders/6478cf1439bdfc0001528a1d": {
        "code": "200000",
        "data": {"orderId": "6478cf1439bdfc0001528a1d"},
    },
    "GET /api/v1/orders": kucoin([_KUCOIN_SPOT]),
    "GET /api/v1/stop-order": kucoin([_KUCOIN_STOP]),
    "GET /api/v1/fills": kucoin(
        [
            {
                "symbol": "USDC-USDT",
                "tradeId": "5c35c02709e4f67d5266954e",
                "orderId": "5c35c02703aa673ceec2a168",
                "side": "buy",
                "price": "0.083",
                "size": "0.8424304",
                "fee": "0.01",
                "feeCurrency": "USDT",
                "createdAt": 1547026472000,
            }
        ]
    ),
    "GET /api/v1/accounts": {
        "code": "200000",
        "data": [
            {"balance": "0.5", "available": "0.4", "holds": "0.1", "currency": "BTC", "id": "1"}
        ],
    },
    "GET /api/v1/orders/63c97ce8d686c500015793bb": {"code": "200000", "data": _KUCOIN_SPOT},
    "DELETE /api/v1/orders/63c97ce8d686c500015793bb": {
        "code": "200000",
        "data": {"cancelledOrderIds": ["63c97ce8d686c500015793bb"]},
    },
    "DELETE /api/v1/stop-order/vs9f6ou9e864rgq8000t4qnm": {
        "code": "200000",
        "data": {"cancelledOrderIds": ["vs9f6ou9e864rgq8000t4qnm"]},
    },
}

KUCOINFUTURES: Bodies = {
    "GET /api/v1/orders": kucoin([_KUCOIN_FUTURE]),
    "GET /api/v1/stopOrders": kucoin(
        [{**_KUCOIN_FUTURE, "id": "8", "stop": "down", "stopPrice": "25000"}]
    ),
    "GET /api/v1/fills": kucoin(
        [
            {
                "symbol": "XBTUSDTM",
                "tradeId": "5ce24c1f0c19fc3c58edc47c",
                "orderId": "5ce24c16b210233c36ee321d",
                "side": "sell",
                "price": "8302",
                "size": 10,
                "feeCurrency": "USDT",
                "fee": "0.0000012022",
                "createdAt": 1558334496000,
            }
        ]
    ),
    "GET /api/v1/positions": {
        "code": "200000",
        "data": [
            {
                "id": "615ba79f83a3410001cde321",
                "symbol": "XBTUSDTM",
                "currentQty": -2,
                "isOpen": True,
                "markPrice": 4183.38,
                "avgEntryPrice": 4189.35,
            }
        ],
    },
    "GET /api/v1/account-overview": {
        "code": "200000",
        "data": {"marginBalance": 0.00005, "availableBalance": 0.00004, "currency": "XBT"},
    },
    "GET /api/v2/position/getPositionMode": {"code": "200000", "data": {"positionMode": 0}},
    "GET /api/v1/orders/64507d02921f1c0001ff6892": {"code": "200000", "data": _KUCOIN_FUTURE},
    "DELETE /api/v1/orders/64507d02921f1c0001ff6892": {
        "code": "200000",
        "data": {"cancelledOrderIds": ["64507d02921f1c0001ff6892"]},
    },
    "DELETE /api/v1/orders/8": {"code": "200000", "data": {"cancelledOrderIds": ["8"]}},
}
