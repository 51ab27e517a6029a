"""Open a generic venue over a scripted session, with a small market table and documented bodies."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import yarl

from resyncctl.adapters.venues.via_ccxt.connect import Secrets
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.generic import GenericVenue
from resyncctl.adapters.venues.via_ccxt.generic_open import GenericConnection, open_generic
from resyncctl.adapters.venues.via_ccxt.generic_unplanned import UnplannedVenue
from resyncctl.core.model import Scope
from resyncctl.core.mutation import Permit
from tests.adapters.venues import generic_samples as some
from tests.adapters.venues import generic_samples_more as more
from tests.adapters.venues.scripted import Asked, Say, ScriptedSession
from tests.fakes.fake_clock import FakeClock

NOW_MS = 1_790_000_000_000
WALLET = "0x1111111111111111111111111111111111111111"
CANARY = "canary-secret-7f3a9c"
SECRETS = Secrets(
    api_key="canary-key-51d2",
    secret="Y2FuYXJ5LXNlY3JldC03ZjNhOWMtbG9uZy1lbm91Z2gtZm9yLWFueS1obWFj",
    password="canary-pass-8e1b",
    wallet_address=WALLET,
    private_key="0x" + "1" * 64,
)
BODIES: Mapping[str, Mapping[str, object]] = {
    "bitget": more.BITGET,
    "bybit": some.BYBIT,
    "coinbase": more.COINBASE,
    "cryptocom": more.CRYPTOCOM,
    "deribit": more.DERIBIT,
    "gate": more.GATE,
    "htx": more.HTX,
    "hyperliquid": more.HYPERLIQUID,
    "kraken": some.KRAKEN,
    "krakenfutures": some.KRAKENFUTURES,
    "kucoin": some.KUCOIN,
    "kucoinfutures": some.KUCOINFUTURES,
    "mexc": more.MEXC,
    "okx": some.OKX,
}


@dataclass(frozen=True)
class M:
    """A market: venue id, unified symbol, contract size (None for spot), inverse."""

    id: str
    symbol: str
    size: str | None = None
    inverse: bool = False
    base_id: str | None = None
    more: Mapping[str, object] = field(default_factory=dict)


MARKETS: Mapping[str, tuple[M, ...]] = {
    "bitget": (M("BTCUSDT", "BTC/USDT"), M("BTCUSDT", "BTC/USDT:USDT", "1")),
    "bybit": (
        M("ETHUSDT", "ETH/USDT"),
        M("ETHUSDT", "ETH/USDT:USDT", "1"),
        M("BTCUSDT", "BTC/USDT:USDT", "1"),
        M("BTCUSD", "BTC/USD:BTC", "1", inverse=True),
        M("ETHPERP", "ETH/USDC:USDC", "1"),
    ),
    "coinbase": (M("BTC-USDT", "BTC/USDT"),),
    "cryptocom": (M("BTC_USD", "BTC/USD"), M("BTCUSD-PERP", "BTC/USD:USD", "1")),
    "deribit": (
        M("BTC-PERPETUAL", "BTC/USD:BTC", "10", inverse=True),
        M("ETH-22FEB19-120-C", "ETH/USD:ETH-190222-120-C", "1", inverse=True),
    ),
    "gate": (M("BTC_USDT", "BTC/USDT"), M("BTC_USDT", "BTC/USDT:USDT", "0.0001")),
    "htx": (M("btcusdt", "BTC/USDT"),),
    "hyperliquid": (M("1", "ETH/USDC:USDC", "1", base_id="1"), M("@107", "HYPE/USDC")),
    "kraken": (M("XXBTZUSD", "BTC/USD", more={"altname": "XBTUSD"}),),
    "krakenfutures": (M("PI_XBTUSD", "BTC/USD:BTC", "1", inverse=True),),
    "kucoin": (M("USDC-USDT", "USDC/USDT"),),
    "kucoinfutures": (M("XBTUSDTM", "BTC/USDT:USDT", "0.001"),),
    "mexc": (M("BTCUSDT", "BTC/USDT"), M("BTC_USDT", "BTC/USDT:USDT", "0.0001")),
    "okx": (M("BTC-USDT", "BTC/USDT"), M("BTC-USDT-SWAP", "BTC/USDT:USDT", "0.01")),
}


class JsonSession(ScriptedSession):
    """A scripted session that also reads JSON bodies, and names Hyperliquid's reads by type."""

    def _answer(self, method: str, url: yarl.URL, data: bytes | None) -> Say:
        text = (data or b"").decode()
        params: dict[str, Any] = dict(url.query)
        route = f"{method} {url.path}"
        if text[:1] in {"{", "["}:
            body = json.loads(text)
            params |= {"body": body}
            if route == "POST /info":
                route = body["type"]
        else:
            params |= dict(parse_qsl(text))
        asked = Asked(method, url.host or "", url.path, params, str(url))
        self.asked.append(asked)
        answers = self.routes.get(route) or self.routes.get("*")
        if not answers:
            raise AssertionError(f"nobody scripted {route}")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        said = answer(asked) if callable(answer) else answer
        if isinstance(said, BaseException):
            raise said
        return said


@dataclass
class Opened:
    view: GenericVenue
    session: JsonSession
    egress: Egress
    clock: FakeClock
    exchange: Any


def open_scripted(
    venue: str,
    routes: Mapping[str, object] | None = None,
    *,
    scopes: Iterable[Scope] = (),
    markets: bool = True,
) -> Opened:
    """Open a planned venue whose every answer is scripted; documented bodies by default."""
    opened = open_any(venue, BODIES[venue] if routes is None else routes, scopes=scopes)
    assert isinstance(opened.view, GenericVenue)
    if markets:
        set_markets(opened.exchange, MARKETS[venue])
    return opened


def open_any(venue: str, routes: Mapping[str, object], *, scopes: Iterable[Scope] = ()) -> Opened:
    """Open any venue, planned or not, without a market table."""
    session = JsonSession()
    for route, body in routes.items():
        session.on(route, *_answers(body))
    clock = FakeClock(NOW_MS)
    egress = Egress(clock)
    view: Any = open_generic(
        GenericConnection(
            venue=venue,
            account="desk-a",
            secrets=SECRETS,
            egress=egress,
            clock=clock,
            scopes=tuple(scopes),
            session_factory=lambda: session,
        )
    )
    assert isinstance(view, GenericVenue | UnplannedVenue)
    exchange = view._exchange
    return Opened(view, session, egress, clock, exchange)  # type: ignore[arg-type]  # tests of unplanned venues use the ports only


def set_markets(exchange: Any, markets: Iterable[M]) -> None:
    """Give ccxt the few markets of a test, without any request."""
    made = []
    for one in markets:
        pair, _, settle = one.symbol.partition(":")
        base, quote = pair.split("/")
        settle = settle.split("-")[0]
        contract = one.size is not None
        is_option = one.symbol.endswith(("-C", "-P"))
        made.append(
            exchange.safe_market_structure(
                {
                    "id": one.id,
                    "symbol": one.symbol,
                    "base": base,
                    "quote": quote,
                    "settle": settle or None,
                    "baseId": one.base_id or base,
                    "quoteId": quote,
                    "settleId": settle or None,
                    "type": "option" if is_option else "swap" if contract else "spot",
                    "spot": not contract,
                    "swap": contract and not is_option,
                    "option": is_option,
                    "contract": contract,
                    "linear": contract and not one.inverse,
                    "inverse": contract and one.inverse,
                    "contractSize": one.size,
                    "active": True,
                    "precision": {"amount": "0.00000001", "price": "0.01"},
                    "info": {},
                    **one.more,
                }
            )
        )
    exchange.set_markets(made)
    exchange.options["marketsByAltname"] = {
        str(one.more["altname"]): exchange.market(one.symbol)
        for one in markets
        if "altname" in one.more
    }


def permit(number: int = 1, deadline_ms: int = NOW_MS + 10_000) -> Permit:
    return Permit(f"intent-{number}", deadline_ms, 1)


def _answers(body: object) -> list[Any]:
    if isinstance(body, Say | BaseException) or callable(body):
        return [body]
    if isinstance(body, tuple):
        return [answer for part in body for answer in _answers(part)]
    return [Say(body)]


Script = Callable[[Asked], Say]
