"""Futures handlers that read, most of them for USD-M and COIN-M alike.

Promises: listings answer through the call's view; windows and retention are those of the venue:
trades and orders reach back seven days per question, canceled orders without a fill vanish after
three days, everything after ninety.

Source: USD-M "Account" and "Trade" documentation, 2026-08.
Called through `endpoints`.
"""

from collections.abc import Iterable
from typing import Any

from resyncctl.simulator import coinm_rows, replicas, usdm_engine
from resyncctl.simulator.calls import Call
from resyncctl.simulator.ledger import Position, PositionSide, Posting
from resyncctl.simulator.numbers import plain
from resyncctl.simulator.orders import Order, OrderState
from resyncctl.simulator.spot_reading import page_of_fills
from resyncctl.simulator.usdm_engine import DEFAULT_LEVERAGE
from resyncctl.simulator.usdm_rows import (
    asset_row,
    income_row,
    old_position_row,
    order_row,
    position_row,
    trade_row,
)
from resyncctl.simulator.usdm_trading import find_order
from resyncctl.simulator.venue_errors import refuse, unknown_order_query

DAY_MS = 86_400_000
WINDOW_MS = 7 * DAY_MS
VANISH_MS = 3 * DAY_MS
ARCHIVE_MS = 90 * DAY_MS
_ASSETS = ("USDT", "USDC", "BTC", "ETH", "BNB")


def account(call: Call) -> dict[str, Any]:
    """GET /fapi/v3/account."""
    assets = asset_rows(call)
    return {**_totals(assets), "assets": assets, "positions": positions(call)}


def old_account(call: Call) -> dict[str, Any]:
    """GET /fapi/v2/account."""
    user = call.account
    return {
        "feeTier": 0,
        "feeBurn": bool(user.fees["usdm"].asset),
        "canTrade": not user.closed_to_trading,
        "canDeposit": True,
        "canWithdraw": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
        **account(call),
        "positions": old_positions(call),
    }


def balances(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v2/balance and /fapi/v3/balance."""
    return [
        {
            "accountAlias": f"sim{call.account.number}",
            "asset": row["asset"],
            "balance": row["walletBalance"],
            "crossWalletBalance": row["crossWalletBalance"],
            "crossUnPnl": row["crossUnPnl"],
            "availableBalance": row["availableBalance"],
            "maxWithdrawAmount": row["maxWithdrawAmount"],
            "marginAvailable": True,
            "updateTime": row["updateTime"],
        }
        for row in asset_rows(call)
    ]


def positions(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v3/positionRisk: only legs that are held or whose symbol has open orders."""
    user, world = call.account, call.world
    symbol = call.maybe_symbol(call.market)
    held = replicas.positions(user, call.view)
    listed = world.catalogue.rows("usdm")
    busy = {leg[0] for leg, position in held.items() if position.amount and leg[0] in listed}
    busy |= {
        order.terms.symbol for order in world.register.drawer(user.label, "usdm").open.values()
    }
    wanted = [name for name in sorted(busy) if not symbol or name == symbol]
    return [
        position_row(
            user,
            (name, side),
            held.get((name, side), Position()),
            world.mid("usdm", name),
            world.symbol("usdm", name).quote,
        )
        for name in wanted
        for side in sides(call)
        if side == "BOTH" or held.get((name, side), Position()).amount
    ]


def old_positions(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v2/positionRisk: every symbol, flat or not."""
    user, world = call.account, call.world
    symbol = call.maybe_symbol(call.market)
    held = replicas.positions(user, call.view)
    names = [symbol] if symbol else list(world.catalogue.rows("usdm"))
    return [
        old_position_row(
            user, name, side, held.get((name, side), Position()), world.mid("usdm", name)
        )
        for name in names
        for side in sides(call)
    ]


def open_orders(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/openOrders: regular orders only."""
    symbol = call.maybe_symbol(call.market)
    rows = replicas.open_orders(call.world, call.account.label, call.market, symbol, call.view)
    return [written(call, order, state) for order, state in rows]


def open_order(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/openOrder: -2013 when it is not open any more."""
    found = find_order(call, call.symbol(call.market))
    state = replicas.order_state(found, call.view) if found is not None else None
    if found is None or state is None or state.status not in ("NEW", "PARTIALLY_FILLED"):
        raise unknown_order_query()
    return written(call, found, state)


def order(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/order."""
    found = find_order(call, call.symbol(call.market))
    state = replicas.order_state(found, call.view) if found is not None else None
    if found is None or state is None or _vanished(call, found, state):
        raise unknown_order_query()
    return written(call, found, state)


def all_orders(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/allOrders; the symbol is optional since 2026-08-26."""
    symbol = call.maybe_symbol(call.market)
    limit = call.limit(500, 1000)
    first = call.whole("orderId")
    start_ms, end_ms = _window(call)
    every = call.world.register.drawer(call.account.label, call.market).every
    candidates = every.get(symbol, []) if symbol else _by_age(every.values())
    rows = [
        (item, state)
        for item in candidates
        if (state := replicas.order_state(item, call.view)) is not None
        and not _vanished(call, item, state)
        and item.order_id >= first
        and (first or start_ms <= item.created_ms <= end_ms)
    ]
    page = rows[:limit] if first or call.whole("startTime") else rows[-limit:]
    return [written(call, item, state) for item, state in page]


def user_trades(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/userTrades: a window of at most seven days, or from an id upwards."""
    symbol = call.symbol(call.market)
    limit = call.limit(500, 1000)
    by_id = "fromId" in call.parameters
    if by_id and ("startTime" in call.parameters or "endTime" in call.parameters):
        raise refuse(-1128, "Combination of optional parameters invalid.")
    start_ms, end_ms = (0, 0) if by_id else _window(call)
    found = replicas.fills(call.world, call.account.label, call.market, symbol, call.view)
    if not by_id and "startTime" not in call.parameters:
        found = [fill for fill in found if fill.time_ms >= start_ms]
        start_ms = 0
    row = call.world.symbol(call.market, symbol)
    page = page_of_fills(call, found, start_ms, end_ms, limit)
    write = coinm_rows.trade_row if row.inverse else trade_row
    return [write(fill, row) for fill in page]


def income(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/income: the last seven days, or from a start; pages by `page` and `limit`."""
    symbol = call.maybe_symbol(call.market)
    limit = call.limit(100, 1000)
    kind = call.text("incomeType")
    now_ms = call.world.now_ms()
    start_ms = call.whole("startTime") or max((call.whole("endTime") or now_ms) - WINDOW_MS, 0)
    end_ms = call.whole("endTime") or now_ms
    rows: list[Posting] = [
        posting
        for posting in call.world.ledger.rows(call.account.label, call.market)
        if (not symbol or posting.symbol == symbol)
        and (not kind or posting.kind == kind)
        and start_ms <= posting.time_ms <= end_ms
    ]
    first = (max(call.whole("page", 1), 1) - 1) * limit
    paged = "page" in call.parameters or "startTime" in call.parameters
    page = rows[first : first + limit] if paged else rows[-limit:]
    return [income_row(posting) for posting in page]


def symbol_config(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/symbolConfig."""
    symbol = call.maybe_symbol(call.market)
    user = call.account
    names = [symbol] if symbol else list(call.world.catalogue.rows(call.market))
    return [
        {
            "symbol": name,
            "marginType": "ISOLATED" if user.margin_type.get(name) == "isolated" else "CROSSED",
            "isAutoAddMargin": False,
            "leverage": user.leverage.get(name, DEFAULT_LEVERAGE),
            "maxNotionalValue": "1000000",
        }
        for name in names
    ]


def account_config(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/accountConfig."""
    user = call.account
    return {
        "feeTier": 0,
        "canTrade": not user.closed_to_trading,
        "canDeposit": True,
        "canWithdraw": False,
        "dualSidePosition": user.hedge_mode,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def leverage_bracket(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/leverageBracket."""
    symbol = call.maybe_symbol(call.market)
    names = [symbol] if symbol else list(call.world.catalogue.rows(call.market))
    bracket = {
        "bracket": 1,
        "initialLeverage": 125,
        "notionalCap": 300_000_000,
        "notionalFloor": 0,
        "maintMarginRatio": 0.004,
        "cum": 0,
    }
    return [{"symbol": name, "brackets": [bracket]} for name in names]


def commission_rate(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/commissionRate."""
    rates = call.account.fees[call.market]
    return {
        "symbol": call.symbol(call.market),
        "makerCommissionRate": plain(rates.maker),
        "takerCommissionRate": plain(rates.taker),
    }


def multi_assets(_: Call) -> dict[str, Any]:
    """GET /fapi/v1/multiAssetsMargin."""
    return {"multiAssetsMargin": False}


def force_orders(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/forceOrders: liquidations and auto-deleveraging of this account."""
    symbol = call.maybe_symbol(call.market)
    prefixes = ("autoclose-", "adl_autoclose")
    every = call.world.register.drawer(call.account.label, call.market).every
    rows = [
        written(call, item, item.now)
        for item in _by_age(every.values())
        if item.terms.client_order_id.startswith(prefixes)
        and (not symbol or item.terms.symbol == symbol)
    ]
    return rows[-call.limit(50, 100) :]


def written(call: Call, order: Order, state: OrderState) -> dict[str, Any]:
    """Write an order as the call's market does."""
    row = call.world.symbol(call.market, order.terms.symbol)
    return coinm_rows.order_row(order, state, row) if row.inverse else order_row(order, state)


def asset_rows(call: Call) -> list[dict[str, Any]]:
    """Return the assets of the wallet of the call's market, as account and balance tell them."""
    user, world = call.account, call.world
    held = replicas.balances(user, call.market, call.view)
    rows = []
    for asset in dict.fromkeys((*sorted(held), *_ASSETS)):
        balance = held.get(asset)
        if balance is None:
            continue
        wallet = (call.market, asset)
        margins = (
            usdm_engine.position_margin(world, user, wallet),
            usdm_engine.order_margin(world, user, wallet),
        )
        profit = usdm_engine.open_profit(world, user, wallet)
        rows.append(asset_row(asset, balance.total, profit, margins, world.now_ms()))
    return rows


def _totals(assets: list[dict[str, Any]]) -> dict[str, str]:
    names = {
        "totalInitialMargin": "initialMargin",
        "totalMaintMargin": "maintMargin",
        "totalWalletBalance": "walletBalance",
        "totalUnrealizedProfit": "unrealizedProfit",
        "totalMarginBalance": "marginBalance",
        "totalPositionInitialMargin": "positionInitialMargin",
        "totalOpenOrderInitialMargin": "openOrderInitialMargin",
        "totalCrossWalletBalance": "crossWalletBalance",
        "totalCrossUnPnl": "crossUnPnl",
        "availableBalance": "availableBalance",
        "maxWithdrawAmount": "maxWithdrawAmount",
    }
    dollars = next((row for row in assets if row["asset"] == "USDT"), {})
    return {total: str(dollars.get(name, "0")) for total, name in names.items()}


def sides(call: Call) -> tuple[PositionSide, ...]:
    """Return the legs that the account's position mode has."""
    return ("LONG", "SHORT") if call.account.hedge_mode else ("BOTH",)


def _window(call: Call) -> tuple[int, int]:
    start_ms, end_ms = call.whole("startTime"), call.whole("endTime")
    now_ms = call.world.now_ms()
    if start_ms and end_ms and end_ms - start_ms > WINDOW_MS:
        raise refuse(-4165, "Maximum time interval is 7 days.")
    if start_ms:
        return start_ms, end_ms or start_ms + WINDOW_MS
    end_ms = end_ms or now_ms
    return max(end_ms - WINDOW_MS, 0), end_ms


def _vanished(call: Call, found: Order, state: OrderState) -> bool:
    age_ms = call.world.now_ms() - found.created_ms
    ended = state.status in ("CANCELED", "EXPIRED")
    return (ended and state.executed == 0 and age_ms > VANISH_MS) or age_ms > ARCHIVE_MS


def _by_age(groups: Iterable[list[Order]]) -> list[Order]:
    every = [item for group in groups for item in group]
    return sorted(every, key=lambda item: (item.created_ms, item.terms.symbol, item.order_id))
