"""COIN-M handlers that read what USD-M tells in another form: account, balances, legs, trades.

Promises: the account lists every contract and every coin of the market, flat and empty ones too;
the listing of positions leaves out contracts whose status is not TRADING, as documented; trades are
asked for by symbol, or by pair without an id. All other reads are the handlers of USD-M.

Source: COIN-M "Account" and "Trade" documentation, 2026-08.
Called through `coinm_endpoints`.
"""

from dataclasses import replace
from typing import Any

from resyncctl.simulator import coinm_rows, replicas, usdm_reading
from resyncctl.simulator.calls import Call
from resyncctl.simulator.catalogue import SymbolRow
from resyncctl.simulator.ledger import Position
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.usdm_rows import asset_row
from resyncctl.simulator.venue_errors import refuse, unknown_symbol


def account(call: Call) -> dict[str, Any]:
    """GET /dapi/v1/account."""
    return {
        "assets": _assets(call),
        "positions": _legs(call, list(call.world.catalogue.rows("coinm").values())),
        "canDeposit": True,
        "canTrade": not call.account.closed_to_trading,
        "canWithdraw": False,
        "feeTier": 0,
        "updateTime": 0,
    }


def balances(call: Call) -> list[dict[str, Any]]:
    """GET /dapi/v1/balance."""
    alias = f"sim{call.account.number}"
    return [coinm_rows.balance_row(alias, asset) for asset in _assets(call)]


def positions(call: Call) -> list[dict[str, Any]]:
    """GET /dapi/v1/positionRisk: of a pair or a coin, else of what has the status TRADING."""
    pair, coin = call.text("pair"), call.text("marginAsset")
    return _legs(
        call,
        [
            row
            for row in call.world.catalogue.rows("coinm").values()
            if pair in ("", row.pair) and coin in ("", row.settles_in)
            if pair or coin or call.world.status_of("coinm", row.name) == "TRADING"
        ],
    )


def open_orders(call: Call) -> list[dict[str, Any]]:
    """GET /dapi/v1/openOrders: regular orders of a symbol, of a pair, or all."""
    rows = usdm_reading.open_orders(call)
    pair = call.text("pair")
    return [row for row in rows if pair in ("", row["pair"])]


def user_trades(call: Call) -> list[dict[str, Any]]:
    """GET /dapi/v1/userTrades, by symbol or by pair."""
    symbol, pair = call.text("symbol"), call.text("pair")
    if bool(symbol) == bool(pair):
        raise refuse(-1128, "Combination of optional parameters invalid.")
    if symbol:
        return usdm_reading.user_trades(call)
    if "fromId" in call.parameters:
        raise refuse(-1128, "Combination of optional parameters invalid.")
    names = [row.name for row in _contracts_of(call, pair)]
    asked = [replace(call, parameters={**call.parameters, "symbol": name}) for name in names]
    rows = [row for one in asked for row in usdm_reading.user_trades(one)]
    return sorted(rows, key=lambda row: (row["time"], row["symbol"], row["id"]))[
        : call.limit(100, 1000)
    ]


def _legs(call: Call, rows: list[SymbolRow]) -> list[dict[str, Any]]:
    held = replicas.positions(call.account, call.view)
    return [
        coinm_rows.position_row(
            call.account, row, side, held.get((row.name, side), Position()), call.world.mark(row)
        )
        for row in rows
        for side in usdm_reading.sides(call)
    ]


def _contracts_of(call: Call, pair: str) -> list[SymbolRow]:
    rows = [row for row in call.world.catalogue.rows("coinm").values() if row.pair == pair]
    if not rows:
        raise unknown_symbol()
    return rows


def _assets(call: Call) -> list[dict[str, Any]]:
    """Return every coin of the market; one that the account never had is empty."""
    told = {row["asset"]: row for row in usdm_reading.asset_rows(call)}
    coins = dict.fromkeys(row.settles_in for row in call.world.catalogue.rows("coinm").values())
    empty = (ZERO, ZERO)
    return [
        told.get(coin) or asset_row(coin, ZERO, ZERO, empty, 0)
        for coin in dict.fromkeys((*coins, *told))
    ]
