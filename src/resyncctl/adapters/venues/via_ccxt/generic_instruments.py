"""The names and sizes of a venue's instruments, from ccxt's market table.

Promise: one venue name in one product means at most one instrument; where the table gives more
than one, or none, the instrument is not mapped and its raw name is used. The table comes from the
disk when a young one lies there, else from the venue by public requests only; on the way to a
cancel nothing is asked for. Called by `generic_reading`.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from resyncctl.adapters.venues.via_ccxt.generic_cache import MarketCache
from resyncctl.adapters.venues.via_ccxt.generic_convert import Instrument
from resyncctl.core.money import NotANumber, decimal_from

_SPOT_PRODUCTS = frozenset({"spot", "margin"})


class InstrumentTable:
    """ccxt's markets, asked in the venue's own names."""

    def __init__(self, exchange: Any, cache: MarketCache | None = None) -> None:
        self._exchange = exchange
        self._cache = cache
        self.from_disk = False

    @property
    def loaded(self) -> bool:
        """Whether the table is there."""
        return bool(self._exchange.markets)

    def take_from_disk(self, *, any_age: bool) -> bool:
        """Use the table that an earlier run kept; return whether there is one now."""
        rows = None if self._cache is None else self._cache.read(any_age=any_age)
        if rows is None:
            return False
        exchange = self._exchange
        exchange.set_markets([exchange.safe_market_structure(row) for row in rows])
        exchange.options["marketsByAltname"] = {
            row["altname"]: exchange.markets[row["symbol"]] for row in rows if row.get("altname")
        }
        self.from_disk = True
        return True

    async def fetch(self) -> None:
        """Read the table from the venue, with public requests only, and keep it."""
        exchange = self._exchange
        exchange.has["fetchCurrencies"] = False  # the currency list needs a signature
        await exchange.load_markets(self.loaded)
        self.from_disk = False
        if self._cache is not None and self.loaded:
            self._cache.write(exchange.markets.values())

    def find(self, venue_symbol: str, product: str) -> Instrument:
        """Return the instrument of a venue name; unmapped when the table has no single answer."""
        rows = [row for row in self._candidates(venue_symbol) if _fits(row, product)]
        if len(rows) != 1:
            return Instrument(symbol=venue_symbol, venue_symbol=venue_symbol, mapped=False)
        row = rows[0]
        return Instrument(
            symbol=str(row["symbol"]),
            venue_symbol=venue_symbol,
            quote=row.get("quote"),
            settle=row.get("settle"),
            contract_size=_size(row.get("contractSize")),
            inverse=row.get("inverse") is True,
        )

    def venue_symbol(self, symbol: str) -> str:
        """Return the venue's name of a unified symbol, or the symbol itself when unmapped."""
        row = (self._exchange.markets or {}).get(symbol)
        return str(row["id"]) if row else symbol

    def asset(self, name: str) -> str:
        """Return the common code of an asset, e.g. `BTC` for Kraken's `XXBT`."""
        code = self._exchange.safe_currency_code(name)
        return name if code is None else str(code)

    def _candidates(self, venue_symbol: str) -> Iterable[Mapping[str, Any]]:
        exchange = self._exchange
        if not self.loaded:
            return ()
        by_id = exchange.markets_by_id or {}
        altnames = exchange.options.get("marketsByAltname") or {}  # Kraken writes both names
        if venue_symbol in altnames:
            return (altnames[venue_symbol],)
        coin = getattr(exchange, "coin_to_market_id", None)  # Hyperliquid names coins, not pairs
        name = venue_symbol if coin is None or venue_symbol in by_id else coin(venue_symbol)
        if name in exchange.markets:
            return (exchange.markets[name],)
        found = by_id.get(name) or by_id.get(str(name).upper()) or by_id.get(str(name).lower())
        return tuple(found or ())


def _fits(row: Mapping[str, Any], product: str) -> bool:
    is_spot = row.get("spot") is True
    return is_spot if product in _SPOT_PRODUCTS else not is_spot


def _size(value: object) -> Decimal | None:
    try:
        return decimal_from(value) if value is not None else None
    except NotANumber:
        return None
