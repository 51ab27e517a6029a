"""What most people write at three in the morning: import ccxt, load markets, cancel everything.

It is the named alternative of the first-cancel benchmark. The only thing that is special is the
session, which leads it to the practice exchange instead of to the real one. With `--cached` it
loads its markets from a file, as careful people do.
"""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import ccxt.async_support as ccxt

from resyncctl.simulator.transparent import resolver, ssl_context


async def cancel_everything(ready: dict, account: dict, cache: Path | None) -> None:  # type: ignore[type-arg]  # plain JSON
    """List, then cancel symbol by symbol, believing every answer."""
    connector = aiohttp.TCPConnector(
        resolver=resolver(ready["address"]), ssl=ssl_context(ready["ca_file"]), use_dns_cache=False
    )
    async with aiohttp.ClientSession(connector=connector) as session:
        exchange = ccxt.binance(
            {
                "apiKey": Path(account["api_key_file"]).read_text().strip(),
                "secret": Path(account["api_secret_file"]).read_text().strip(),
                "session": session,
                "options": {
                    "warnOnFetchOpenOrdersWithoutSymbol": False,
                },
            }
        )
        if cache is not None and cache.exists():
            exchange.set_markets(json.loads(cache.read_text()))
        else:
            await exchange.load_markets()
            if cache is not None:
                cache.write_text(json.dumps(exchange.markets))
        orders = await exchange.fetch_open_orders()
        for symbol in sorted({order["symbol"] for order in orders}):
            await exchange.cancel_all_orders(symbol)
        await exchange.close()


async def main() -> None:
    """Cancel on every account of the ready document, all at once."""
    ready = json.loads(Path(sys.argv[1]).read_text())
    cache = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    await asyncio.gather(*(cancel_everything(ready, a, cache) for a in ready["accounts"]))


asyncio.run(main())
