"""A checkpoint's content for tests, as an engine would hand it to the writer."""

import itertools
from collections.abc import Callable
from pathlib import Path

from resyncctl.sdk.canonical import JsonObject, JsonValue
from resyncctl.sdk.writer import CheckpointWriter

NOW_MS = 1_790_000_000_000


def content(**changes: JsonValue) -> JsonObject:
    """Return a content with one row in each section; `changes` replace sections or header keys."""
    document: JsonObject = {
        "engine": {"name": "bot", "version": "1", "instance_id": "i", "pid": 7, "host": "h"},
        "account": {
            "exchange": "binance",
            "market_type": "spot",
            "account_ref": "main",
            "sandbox": False,
            "dry_run": False,
        },
        "state_as_of_ms": NOW_MS - 500,
        "event_cursor": {"last_trade_id": "9", "last_update_ms": NOW_MS - 500},
        "complete": True,
        "clean_shutdown": False,
        "orders": [order()],
        "positions": [
            {
                "symbol": "BTC/USDT:USDT",
                "side": "short",
                "amount": "0.5",
                "entry_price": "60000",
                "protective_order_ids": ["stop-1"],
            }
        ],
        "balances": [
            {
                "asset": "USDT",
                "free": "90",
                "used": "10",
                "total": "100",
                "as_of_ms": NOW_MS - 500,
                "source": "exchange",
            }
        ],
        "fills": [
            {
                "trade_id": "9",
                "order_exchange_id": "1000",
                "symbol": "BTC/USDT",
                "side": "buy",
                "price": "50000",
                "amount": "0.001",
                "fee": [{"asset": "USDT", "amount": "0.05"}],
                "ts_ms": NOW_MS - 500,
            }
        ],
        "external_claims": [{"client_id": "web-1", "owner": "desk", "note": "by hand"}],
    }
    document.update(changes)
    return document


def order(**changes: JsonValue) -> JsonObject:
    """Return one order row."""
    row: JsonObject = {
        "client_id": "bot-1",
        "exchange_id": "1000",
        "symbol": "BTC/USDT",
        "side": "buy",
        "type": "limit",
        "role": "quote",
        "state": "partially_filled",
        "price": "50000",
        "amount": "0.01",
        "filled": "0.001",
        "remaining": "0.009",
        "created_ms": NOW_MS - 1000,
        "updated_ms": NOW_MS - 500,
    }
    row.update(changes)
    return row


def ticking(start_ms: int = NOW_MS) -> Callable[[], int]:
    """Return a clock that moves one millisecond with every look."""
    ticks = itertools.count(start_ms)
    return lambda: next(ticks)


def write_generations(path: Path, count: int, **changes: JsonValue) -> None:
    """Write some generations; the order's `updated_ms` counts them."""
    with CheckpointWriter(path, now_ms=ticking()) as writer:
        for _ in range(count):
            writer.write(content(**changes))
