"""Private events of the futures dialects, ready to send.

Field lists: Binance USD-M "User Data Streams" documentation; every number is text.
Called by the USD-M engine and the algo service whenever an order, a balance or a leg changes.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from resyncctl.simulator import contracts
from resyncctl.simulator.events import Market
from resyncctl.simulator.ledger import Account, PositionSide
from resyncctl.simulator.numbers import ZERO, plain
from resyncctl.simulator.orders import AlgoOrder, Fill, Order
from resyncctl.simulator.world import World


def tell_order(world: World, order: Order, execution: str, fill: Fill | None = None) -> None:
    """Announce ORDER_TRADE_UPDATE: NEW, CANCELED, CALCULATED, EXPIRED, TRADE or AMENDMENT."""
    if not world.heard:
        return
    terms, state = order.terms, order.now
    row = world.symbol(terms.market, terms.symbol)
    body: dict[str, Any] = {
        "s": terms.symbol,
        "c": terms.client_order_id,
        "S": terms.side,
        "o": terms.kind,
        "f": terms.time_in_force,
        "q": plain(state.quantity),
        "p": plain(state.price),
        "ap": plain(contracts.average(row, state.quote, state.executed)),
        "sp": plain(terms.stop_price),
        "x": execution,
        "X": state.status,
        "i": order.order_id,
        "l": plain(fill.quantity if fill else ZERO),
        "z": plain(state.executed),
        "L": plain(fill.price if fill else ZERO),
        "T": state.update_ms,
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": terms.reduce_only,
        "wt": terms.working_type,
        "ot": terms.original_kind or terms.kind,
        "ps": terms.position_side,
        "cp": terms.close_position,
        "rp": plain(fill.realized if fill else ZERO),
        "pP": terms.price_protect,
        "si": 0,
        "ss": 0,
        "V": terms.self_trade_prevention,
        "pm": "NONE",
        "gtd": terms.good_till_ms,
        "er": str(state.expiry_reason),
    }
    if fill is not None:
        body |= {"N": fill.fee_asset, "n": plain(fill.fee)}
    payload = {
        "e": "ORDER_TRADE_UPDATE",
        "E": world.now_ms(),
        "T": state.update_ms,
        "o": body,
    }
    world.announce(terms.market, order.account, terms.symbol, payload)


def tell_account(
    world: World,
    account: Account,
    reason: str,
    assets: Iterable[tuple[str, Decimal]],
    legs: Iterable[tuple[str, PositionSide]] = (),
    *,
    market: Market = "usdm",
) -> None:
    """Announce ACCOUNT_UPDATE; each asset comes with what changed beside profit and fee."""
    if not world.heard:
        return
    now_ms = world.now_ms()
    balances = [_balance_row(account, market, asset, change) for asset, change in assets]
    positions = [_position_row(account, symbol, side, world) for symbol, side in legs]
    payload = {
        "e": "ACCOUNT_UPDATE",
        "E": now_ms,
        "T": now_ms,
        "a": {"m": reason, "B": balances, "P": positions},
    }
    world.announce(market, account.label, "", payload)


def tell_algo(world: World, algo: AlgoOrder) -> None:
    """Announce ALGO_UPDATE."""
    if not world.heard:
        return
    terms, state = algo.terms, algo.states.now
    payload = {
        "e": "ALGO_UPDATE",
        "T": state.update_ms,
        "E": world.now_ms(),
        "o": {
            "caid": terms.client_order_id,
            "aid": algo.algo_id,
            "at": "CONDITIONAL",
            "o": terms.kind,
            "s": terms.symbol,
            "S": terms.side,
            "ps": terms.position_side,
            "f": terms.time_in_force,
            "q": plain(terms.quantity),
            "X": state.status,
            "ai": str(state.order_id) if state.order_id else "",
            "tp": plain(terms.stop_price),
            "p": plain(terms.price),
            "V": terms.self_trade_prevention,
            "wt": terms.working_type,
            "pm": "NONE",
            "cp": terms.close_position,
            "pP": terms.price_protect,
            "R": terms.reduce_only,
            "tt": state.trigger_ms,
            "gtd": terms.good_till_ms,
        },
    }
    world.announce(terms.market, algo.account, terms.symbol, payload)


def tell_listen_key_expired(world: World, account: Account, listen_key: str) -> None:
    """Announce that the private stream of this key ends."""
    if world.heard:
        payload = {"e": "listenKeyExpired", "E": world.now_ms(), "listenKey": listen_key}
        world.announce("usdm", account.label, "", payload)


def _balance_row(account: Account, market: Market, asset: str, change: Decimal) -> dict[str, str]:
    total = plain(account.balance(market, asset).total)
    return {"a": asset, "wb": total, "cw": total, "bc": plain(change)}


def _position_row(
    account: Account, symbol: str, side: PositionSide, world: World
) -> dict[str, str]:
    position = account.position(symbol, side)
    row = world.catalogue.contract(symbol)
    profit = contracts.unrealized(row, position, world.mark(row))
    return {
        "s": symbol,
        "pa": plain(position.amount),
        "ep": plain(position.entry_price),
        "bep": plain(position.entry_price),
        "cr": "0",
        "up": plain(round(profit, 8)),
        "mt": account.margin_type.get(symbol, "cross"),
        "iw": "0",
        "ps": side,
    }
