"""How the COIN-M dialect writes orders, trades, legs and balances, where USD-M writes differently.

Promises: quantities are contracts, and what they are worth (`cumBase`, `baseQty`, `notionalValue`,
profit, margin) is told in the coin; the answers to placing and cancelling carry no average price,
as on USD-M since both share one architecture.

Source: COIN-M documentation of developers.binance.com, 2026-08, and its "Important CM-UM
Integration Notice".
Called by the futures handlers and by `coinm_reading`.
"""

from decimal import Decimal
from typing import Any

from resyncctl.simulator import contracts
from resyncctl.simulator.catalogue import SymbolRow
from resyncctl.simulator.ledger import Account, Position
from resyncctl.simulator.numbers import plain
from resyncctl.simulator.orders import Fill, Order, OrderState
from resyncctl.simulator.usdm_engine import DEFAULT_LEVERAGE
from resyncctl.simulator.usdm_rows import acknowledged_row


def order_row(order: Order, state: OrderState, row: SymbolRow) -> dict[str, Any]:
    """Write an order as GET order, openOrders and allOrders do."""
    return {
        **acknowledged_row(order, state),
        "pair": row.pair,
        "avgPrice": plain(contracts.average(row, state.quote, state.executed)),
        "cumBase": plain(round(state.quote, 8)),
        "time": order.created_ms,
    }


def trade_row(fill: Fill, row: SymbolRow) -> dict[str, Any]:
    """Write a fill as userTrades does."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "pair": row.pair,
        "side": fill.side,
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "realizedPnl": plain(fill.realized),
        "marginAsset": row.settles_in,
        "baseQty": plain(round(fill.quote, 8)),
        "commission": plain(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "positionSide": fill.position_side,
        "buyer": fill.side == "BUY",
        "maker": fill.maker,
    }


def position_row(
    account: Account, row: SymbolRow, side: str, position: Position, mark: Decimal
) -> dict[str, Any]:
    """Write a leg as positionRisk does: of every symbol, flat or not."""
    return {
        "symbol": row.name,
        "positionAmt": plain(position.amount),
        "entryPrice": plain(position.entry_price),
        "breakEvenPrice": plain(position.entry_price),
        "markPrice": plain(mark),
        "unRealizedProfit": plain(round(contracts.unrealized(row, position, mark), 8)),
        "liquidationPrice": "0",
        "leverage": str(account.leverage.get(row.name, DEFAULT_LEVERAGE)),
        "maxQty": "1000000",
        "marginType": account.margin_type.get(row.name, "cross"),
        "isolatedMargin": "0.00000000",
        "isAutoAddMargin": "false",
        "positionSide": side,
        "notionalValue": plain(round(contracts.worth(row, position.amount, mark), 8)),
        "isolatedWallet": "0",
        "updateTime": position.update_ms,
    }


def balance_row(alias: str, asset: dict[str, Any]) -> dict[str, Any]:
    """Write an asset as balance does, given how account writes it."""
    return {
        "accountAlias": alias,
        "asset": asset["asset"],
        "balance": asset["walletBalance"],
        "withdrawAvailable": asset["maxWithdrawAmount"],
        "crossWalletBalance": asset["crossWalletBalance"],
        "crossUnPnl": asset["crossUnPnl"],
        "availableBalance": asset["availableBalance"],
        "updateTime": asset["updateTime"],
    }
