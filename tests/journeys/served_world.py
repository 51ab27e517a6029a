"""A served practice exchange, a configuration for it, and the real command line as processes."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from resyncctl.cli.demo_world import ACCOUNT, DemoWorld, Ran, demo_world

__all__ = ["ACCOUNT", "DemoWorld", "Ran", "journals", "records", "rest_orders", "served"]


@contextlib.asynccontextmanager
async def served(folder: Path, *, horizon: str = "400ms") -> AsyncIterator[DemoWorld]:
    """Serve an exchange with held prices; the proof's horizon is short because nothing lags."""
    async with demo_world(folder, seed=3) as world:
        text = world.config.read_text()
        world.config.write_text(
            text.replace('staleness_horizon = "6s"', f'staleness_horizon = "{horizon}"')
        )
        world.control.call("hold_all_prices")
        yield world


def rest_orders(world: DemoWorld, number: int, *, market: str = "spot") -> list[dict[str, Any]]:
    """Rest `number` orders far below the market, spread over four symbols."""
    prices = {"BTCUSDT": "30000", "ETHUSDT": "1500", "BNBUSDT": "300", "XRPUSDT": "0.3"}
    sizes = {"BTCUSDT": "0.01", "ETHUSDT": "0.1", "BNBUSDT": "0.1", "XRPUSDT": "100"}
    symbols = list(prices)
    orders = [
        {
            "market": market,
            "symbol": symbols[index % len(symbols)],
            "side": "BUY",
            "quantity": sizes[symbols[index % len(symbols)]],
            "price": prices[symbols[index % len(symbols)]],
            "client_order_id": f"mm-{market}-{index}",
        }
        for index in range(number)
    ]
    return list(world.control.call("seed_orders", account=ACCOUNT, orders=orders))


def journals(world: DemoWorld) -> list[Path]:
    """Every journal of the host's state directory, oldest first; `latest` is only a link."""
    found = (world.folder / "state" / "runs").glob("*/journal.jsonl")
    return sorted(path for path in found if not path.parent.is_symlink())


def records(path: Path) -> list[dict[str, Any]]:
    """The whole records of a journal; a torn or preallocated end is not one."""
    found = []
    for line in path.read_bytes().split(b"\n"):
        text = line.strip(b"\0 ")
        if text.startswith(b"{") and text.endswith(b"}"):
            with contextlib.suppress(ValueError):
                found.append(json.loads(text))
    return found
