"""A practice exchange with a clock that moves only when told, and unmodified ccxt clients on it."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from ccxt.async_support.binance import binance
from ccxt.async_support.binanceusdm import binanceusdm

from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.in_process import InProcessSession
from resyncctl.simulator.wire import Reply, Request

START_MS = 1_790_000_000_000
SPOT = "https://api.binance.com"
USDM = "https://fapi.binance.com"
BTC, ETH = "BTC/USDT", "ETH/USDT"
BTC_PERPETUAL, ETH_PERPETUAL = "BTC/USDT:USDT", "ETH/USDT:USDT"
_MARKETS: dict[str, tuple[Any, Any]] = {}


@dataclass
class Bench:
    """One exchange, one account named "main", prices held at round numbers."""

    seed: int = 1
    moving: bool = False
    now_ms: int = START_MS
    clients: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exchange = PracticeExchange(clock_ms=lambda: self.now_ms, seed=self.seed)
        self.control = self.exchange.control
        self.log = self.exchange.log
        self.key = self.control.add_account("main")
        self.control.deposit("main", "USDT", "1000000")
        self.control.deposit("main", "BTC", "10")
        self.control.deposit("main", "USDT", "1000000", market="usdm")
        if not self.moving:
            self.control.set_price("BTCUSDT", "60000")
            self.control.set_price("ETHUSDT", "3000")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self.clients:
            await client.close()
        assert self.control.defects == []
        assert self.control.imbalance() == {}

    def pass_ms(self, milliseconds: int) -> None:
        """Let time pass, and let the exchange see it."""
        self.now_ms += milliseconds
        self.exchange.advance()

    async def spot(self, **settings: Any) -> Any:
        """Return the unmodified ccxt class for spot."""
        return await self._client(binance, settings)

    async def usdm(self, **settings: Any) -> Any:
        """Return the unmodified ccxt class for USD-M."""
        return await self._client(binanceusdm, settings)

    async def _client(self, cls: Any, settings: dict[str, Any]) -> Any:
        client = cls(
            {
                "apiKey": settings.pop("api_key", self.key["api_key"]),
                "secret": settings.pop("secret", self.key["secret"]),
                "session": InProcessSession(self.exchange, **settings.pop("session", {})),
                "enableRateLimit": False,
                "timeout": 50,
                "timeout_on_exit": 0,
                "options": {"warnOnFetchOpenOrdersWithoutSymbol": False},
                **settings,
            }
        )
        client.milliseconds = lambda: self.now_ms
        client.nonce = lambda: self.now_ms
        self.clients.append(client)
        if client.id not in _MARKETS:
            await client.load_markets()
            _MARKETS[client.id] = (client.markets, client.currencies)
            self.log.rows.clear()
        client.set_markets(*_MARKETS[client.id])
        return client

    def send(
        self,
        method: str,
        url: str,
        parameters: dict[str, Any] | None = None,
        *,
        signed: bool = True,
        key: dict[str, str] | None = None,
        client: str = "10.0.0.9",
        **over: Any,
    ) -> Reply:
        """Send one hand-made request; `over` replaces fields of the Request."""
        used = key or self.key
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        if signed:
            given.setdefault("timestamp", self.now_ms)
        query = urlencode(given)
        if signed:
            digest = hmac.new(used["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
            query += f"&signature={digest}"
        _, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        fields: dict[str, Any] = {
            "method": method,
            "host": host,
            "path": "/" + path,
            "query": query,
            "headers": {"x-mbx-apikey": used["api_key"]} if signed else {},
            "client": client,
        }
        return self.exchange.handle(Request(**(fields | over)))

    def sign(self, text: str) -> str:
        """Return the signature of a text under the account's secret."""
        return hmac.new(self.key["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()

    def ask(self, method: str, url: str, parameters: dict[str, Any] | None = None) -> Any:
        """Send a signed request and return its JSON."""
        return json.loads(self.send(method, url, parameters).body)

    def spot_order(self, price: str = "50000", quantity: str = "0.01", **more: Any) -> Any:
        """Seed a resting spot order."""
        wish = {"market": "spot", "symbol": "BTCUSDT", "side": "BUY"} | more
        return self.control.seed_order("main", price=price, quantity=quantity, **wish)

    def usdm_order(self, price: str = "50000", quantity: str = "0.01", **more: Any) -> Any:
        """Seed a resting USD-M order."""
        wish = {"market": "usdm", "symbol": "BTCUSDT", "side": "BUY"} | more
        return self.control.seed_order("main", price=price, quantity=quantity, **wish)

    def stop_order(self, stop_price: str = "55000", **more: Any) -> Any:
        """Seed a conditional order that sells when the price falls."""
        wish = {
            "market": "usdm",
            "symbol": "BTCUSDT",
            "side": "SELL",
            "type": "STOP_MARKET",
            "quantity": "0.01",
            "reduce_only": True,
        } | more
        return self.control.seed_order("main", stop_price=stop_price, **wish)
