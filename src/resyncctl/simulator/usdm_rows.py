"""How the USD-M dialect writes orders, conditional orders, trades, legs, balances and income.

Promises: numbers are text without padding; field names as in the Binance USD-M documentation of
2026-08 (the answers to placing and cancelling carry no avgPrice and no cumQuote).

Called by the USD-M handlers.
"""

from decimal import Decimal
from typing import Any

from resyncctl.simulator.catalogue import SymbolRow
from resyncctl.simulator.ledger import Account, Position, Posting
from resyncctl.simulator.numbers import ZERO, plain
from resyncctl.simulator.orders import AlgoOrder, AlgoState, Fill, Order, OrderState
from resyncctl.simulator.usdm_engine import DEFAULT_LEVERAGE, MAINTENANCE_RATE


def order_row(order: Order, state: OrderState) -> dict[str, Any]:
    """Write an order as GET order, openOrders and allOrders do."""
    return {
        **acknowledged_row(order, state),
        "avgPrice": plain(round(state.quote / state.executed, 8) if state.executed else ZERO),
        "cumQuote": plain(state.quote),
        "time": order.created_ms,
    }


def acknowledged_row(order: Order, state: OrderState) -> dict[str, Any]:
    """Write an order as the answers to placing, amending and cancelling do."""
    terms = order.terms
    return {
        "orderId": order.order_id,
        "symbol": terms.symbol,
        "status": state.status,
        "clientOrderId": terms.client_order_id,
        "price": plain(state.price),
        "origQty": plain(state.quantity),
        "executedQty": plain(state.executed),
        "cumQty": plain(state.executed),
        "timeInForce": terms.time_in_force,
        "type": terms.kind,
        "reduceOnly": terms.reduce_only,
        "closePosition": terms.close_position,
        "side": terms.side,
        "positionSide": terms.position_side,
        "stopPrice": plain(terms.stop_price),
        "workingType": terms.working_type,
        "priceProtect": terms.price_protect,
        "origType": terms.original_kind or terms.kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": terms.self_trade_prevention,
        "goodTillDate": terms.good_till_ms,
        "updateTime": state.update_ms,
    }


def algo_row(algo: AlgoOrder, state: AlgoState, *, triggered_price: Decimal) -> dict[str, Any]:
    """Write a conditional order as the algo service does."""
    terms = algo.terms
    return {
        "algoId": algo.algo_id,
        "clientAlgoId": terms.client_order_id,
        "algoType": "CONDITIONAL",
        "orderType": terms.kind,
        "symbol": terms.symbol,
        "side": terms.side,
        "positionSide": terms.position_side,
        "timeInForce": terms.time_in_force,
        "quantity": plain(terms.quantity),
        "algoStatus": state.status,
        "actualOrderId": str(state.order_id) if state.order_id else "",
        "actualPrice": plain(triggered_price),
        "triggerPrice": plain(terms.stop_price),
        "price": plain(terms.price),
        "icebergQuantity": None,
        "tpTriggerPrice": "0",
        "tpPrice": "0",
        "slTriggerPrice": "0",
        "slPrice": "0",
        "tpOrderType": "",
        "selfTradePreventionMode": terms.self_trade_prevention,
        "workingType": terms.working_type,
        "priceMatch": "NONE",
        "closePosition": terms.close_position,
        "priceProtect": terms.price_protect,
        "reduceOnly": terms.reduce_only,
        "activatePrice": plain(algo.activate_price),
        "callbackRate": plain(algo.callback_rate),
        "createTime": algo.created_ms,
        "updateTime": state.update_ms,
        "triggerTime": state.trigger_ms,
        "goodTillDate": terms.good_till_ms,
    }


def trade_row(fill: Fill, row: SymbolRow) -> dict[str, Any]:
    """Write a fill as userTrades does."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "side": fill.side,
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "realizedPnl": plain(fill.realized),
        "marginAsset": row.settles_in,
        "quoteQty": plain(fill.quote),
        "commission": plain(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "positionSide": fill.position_side,
        "buyer": fill.side == "BUY",
        "maker": fill.maker,
    }


def position_row(
    account: Account, leg: tuple[str, str], position: Position, mark: Decimal, asset: str
) -> dict[str, Any]:
    """Write a leg as positionRisk v3 does."""
    symbol, side = leg
    notional = position.amount * mark
    leverage = account.leverage.get(symbol, DEFAULT_LEVERAGE)
    margin = abs(notional) / leverage
    return {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": plain(position.amount),
        "entryPrice": plain(position.entry_price),
        "breakEvenPrice": plain(position.entry_price),
        "markPrice": plain(mark),
        "unRealizedProfit": plain(round(position.amount * (mark - position.entry_price), 8)),
        "liquidationPrice": "0",
        "isolatedMargin": "0",
        "notional": plain(round(notional, 8)),
        "marginAsset": asset,
        "isolatedWallet": "0",
        "initialMargin": plain(round(margin, 8)),
        "maintMargin": plain(round(abs(notional) * MAINTENANCE_RATE, 8)),
        "positionInitialMargin": plain(round(margin, 8)),
        "openOrderInitialMargin": "0",
        "adl": 1 if position.amount else 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.update_ms,
    }


def old_position_row(
    account: Account, symbol: str, side: str, position: Position, mark: Decimal
) -> dict[str, Any]:
    """Write a leg as positionRisk v2 does, with leverage and margin type."""
    return {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": plain(position.amount),
        "entryPrice": plain(position.entry_price),
        "breakEvenPrice": plain(position.entry_price),
        "markPrice": plain(mark),
        "unRealizedProfit": plain(round(position.amount * (mark - position.entry_price), 8)),
        "liquidationPrice": "0",
        "leverage": str(account.leverage.get(symbol, DEFAULT_LEVERAGE)),
        "maxNotionalValue": "250000",
        "marginType": account.margin_type.get(symbol, "cross"),
        "isolatedMargin": "0.00000000",
        "isAutoAddMargin": "false",
        "notional": plain(round(position.amount * mark, 8)),
        "isolatedWallet": "0",
        "updateTime": position.update_ms,
    }


def income_row(posting: Posting) -> dict[str, Any]:
    """Write a posting of the USD-M wallet as income does."""
    trade_id = posting.reference.partition(":")[2] if posting.symbol else ""
    return {
        "symbol": posting.symbol,
        "incomeType": posting.kind,
        "income": plain(posting.amount),
        "asset": posting.asset,
        "time": posting.time_ms,
        "info": posting.kind if posting.kind != "COMMISSION" else trade_id,
        "tranId": posting.number,
        "tradeId": trade_id if posting.kind in ("REALIZED_PNL", "COMMISSION") else "",
    }


def asset_row(
    asset: str, wallet: Decimal, profit: Decimal, margins: tuple[Decimal, Decimal], update_ms: int
) -> dict[str, Any]:
    """Write an asset as account v2 and v3 do; margins are those of legs and of open orders."""
    leg_margin, order_margin = margins
    used = leg_margin + order_margin
    return {
        "asset": asset,
        "walletBalance": plain(wallet),
        "unrealizedProfit": plain(round(profit, 8)),
        "marginBalance": plain(round(wallet + profit, 8)),
        "maintMargin": plain(round(leg_margin * MAINTENANCE_RATE * DEFAULT_LEVERAGE, 8)),
        "initialMargin": plain(round(used, 8)),
        "positionInitialMargin": plain(round(leg_margin, 8)),
        "openOrderInitialMargin": plain(round(order_margin, 8)),
        "crossWalletBalance": plain(wallet),
        "crossUnPnl": plain(round(profit, 8)),
        "availableBalance": plain(round(max(wallet + profit - used, ZERO), 8)),
        "maxWithdrawAmount": plain(round(max(wallet + min(profit, ZERO) - used, ZERO), 8)),
        "updateTime": update_ms,
    }
