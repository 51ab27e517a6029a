"""The venue's ground truth about an account, for oracles: never lagging, never faulty.

Promises: everything is JSON-ready and in a stable order; two runs with the same seed, clock and
calls give the same documents and the same digest.

Called by `control`.
"""

import hashlib
from typing import Any

import orjson

from resyncctl.simulator.events import Market
from resyncctl.simulator.ledger import Account
from resyncctl.simulator.numbers import plain
from resyncctl.simulator.orders import AlgoOrder, Order
from resyncctl.simulator.seeding import fill_document, order_document
from resyncctl.simulator.world import World

_MARKETS: tuple[Market, ...] = ("spot", "usdm", "coinm")


def truth(world: World, account: Account) -> dict[str, Any]:
    """Return everything that is true about an account."""
    return {
        "account": account.label,
        "now_ms": world.now_ms(),
        "hedge_mode": account.hedge_mode,
        "open_orders": [order_document(order) for order in open_orders(world, account)],
        "open_algo_orders": [order_document(item) for item in open_algos(world, account)],
        "orders": [order_document(order) for order in every_order(world, account)],
        "algo_orders": [
            order_document(item)
            for item in world.register.algos.values()
            if item.account == account.label
        ],
        "open_order_lists": [
            entry.list_id
            for entry in world.register.lists.values()
            if entry.account == account.label and entry.is_open
        ],
        "fills": fills(world, account),
        "positions": positions(account),
        "balances": balances(account),
        "postings": [
            {
                "number": posting.number,
                "time_ms": posting.time_ms,
                "market": posting.market,
                "asset": posting.asset,
                "amount": plain(posting.amount),
                "kind": posting.kind,
                "symbol": posting.symbol,
                "reference": posting.reference,
                "counterparty": posting.counterparty,
            }
            for posting in world.ledger.postings
            if posting.account == account.label
        ],
        "countdowns": [
            name
            for name in sorted({**world.catalogue.rows("usdm"), **world.catalogue.rows("coinm")})
            if world.agenda.has(("countdown", account.label, name))
        ],
    }


def digest(world: World) -> str:
    """Return one hash of the truth about all accounts."""
    documents = [truth(world, account) for account in world.ledger.accounts.values()]
    return hashlib.sha256(orjson.dumps(documents)).hexdigest()


def open_orders(world: World, account: Account) -> list[Order]:
    """Return the regular orders that are open, of every market."""
    return [
        order
        for market in _MARKETS
        for order in world.register.drawer(account.label, market).open.values()
    ]


def open_algos(world: World, account: Account) -> list[AlgoOrder]:
    """Return the conditional orders that wait."""
    return [item for item in world.register.open_algos.values() if item.account == account.label]


def every_order(world: World, account: Account) -> list[Order]:
    """Return every regular order that ever was."""
    return [
        order
        for market in _MARKETS
        for orders in world.register.drawer(account.label, market).every.values()
        for order in orders
    ]


def fills(world: World, account: Account) -> list[dict[str, Any]]:
    """Return every fill, by market and symbol, oldest first."""
    return [
        fill_document(fill)
        for market in _MARKETS
        for rows in world.register.drawer(account.label, market).fills.values()
        for fill in rows
    ]


def positions(account: Account) -> list[dict[str, Any]]:
    """Return the legs that are not flat."""
    return [
        {
            "symbol": symbol,
            "position_side": side,
            "amount": plain(versions.now.amount),
            "entry_price": plain(versions.now.entry_price),
        }
        for (symbol, side), versions in sorted(account.positions.items())
        if versions.now.amount
    ]


def balances(account: Account) -> dict[str, dict[str, dict[str, str]]]:
    """Return free, locked and total per market and asset."""
    return {
        market: {
            asset: {
                "free": plain(versions.now.free),
                "locked": plain(versions.now.locked),
                "total": plain(versions.now.total),
            }
            for asset, versions in sorted(wallet.items())
        }
        for market, wallet in account.wallets.items()
    }
