"""The venue's instruments: its own names, the unified names, and the sizes.

Promises: the mapping between a venue's name and the unified name is one to one per product, and a
name that breaks this is left out and told; a table comes from the disk when it is young enough; a
name that no table has stays the venue's own name, so that cancelling never needs this module.
Called by the venue profiles.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from resyncctl.adapters.venues.via_ccxt.loader import ccxt_version
from resyncctl.core.money import NotANumber, decimal_from
from resyncctl.ports.views import Clock

FORMAT = 1
KEPT_MS = 24 * 3_600_000
REFRESH_AFTER_MS = 10 * 60_000
"""A name that the table lacks is worth a new table only when the table is older than this."""
ASK_AGAIN_AFTER_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One instrument. Numbers are text on disk and `Decimal` here."""

    product: str
    venue_id: str
    symbol: str
    base: str
    quote: str
    settle: str | None
    contract_size: Decimal | None
    tick: Decimal | None
    step: Decimal | None
    least_notional: Decimal | None


@dataclass(frozen=True, slots=True)
class MarketTable:
    """The instruments of some products. `ambiguous` names what the mapping had to leave out."""

    by_id: Mapping[tuple[str, str], Market]
    by_symbol: Mapping[tuple[str, str], Market]
    fetched_ms: int
    ambiguous: frozenset[tuple[str, str]] = frozenset()


Fetch = Callable[[str], Awaitable[list[Market] | None]]
"""Given a product, fetch its instruments; None when that was not possible."""


def build_table(markets: Iterable[Market], fetched_ms: int) -> MarketTable:
    """Index the instruments, leaving out every name that is not one to one."""
    by_id: dict[tuple[str, str], list[Market]] = {}
    by_symbol: dict[tuple[str, str], list[Market]] = {}
    for market in markets:
        by_id.setdefault((market.product, market.venue_id), []).append(market)
        by_symbol.setdefault((market.product, market.symbol), []).append(market)
    bad = {id(m) for group in (*by_id.values(), *by_symbol.values()) for m in group[1:]}
    bad |= {id(group[0]) for group in (*by_id.values(), *by_symbol.values()) if len(group) > 1}
    names = {key for key, group in by_id.items() if any(id(m) in bad for m in group)}
    return MarketTable(
        {key: group[0] for key, group in by_id.items() if id(group[0]) not in bad},
        {key: group[0] for key, group in by_symbol.items() if id(group[0]) not in bad},
        fetched_ms,
        frozenset(names),
    )


def market_from_ccxt(row: Mapping[str, Any]) -> Market | None:
    """Given one market as ccxt writes it, return it, or None for a kind that is not read."""
    if row.get("spot"):
        product = "spot"
    elif row.get("option"):
        return None
    elif row.get("linear"):
        product = "linear"
    elif row.get("inverse"):
        product = "inverse"
    else:
        return None
    precision, limits = row.get("precision") or {}, row.get("limits") or {}
    return Market(
        product=product,
        venue_id=str(row["id"]),
        symbol=str(row["symbol"]),
        base=str(row["base"]),
        quote=str(row["quote"]),
        settle=str(row["settle"]) if row.get("settle") else None,
        contract_size=_number(row.get("contractSize")),
        tick=_number(precision.get("price")),
        step=_number(precision.get("amount")),
        least_notional=_number((limits.get("cost") or {}).get("min")),
    )


def _number(value: object) -> Decimal | None:
    try:
        return None if value is None else decimal_from(value)
    except NotANumber:
        return None


@dataclass(slots=True)
class Markets:
    """The table of one venue, loaded when it is first needed.

    `may_fetch` False means that the disk is all there is: for the way to a cancel.
    """

    venue: str
    products: tuple[str, ...]
    clock: Clock
    fetch: Fetch
    cache_dir: Path | None = None
    may_fetch: bool = True
    world: str = "live"
    trouble: str | None = None
    _table: MarketTable | None = field(default=None)
    _late: MarketTable | None = field(default=None)
    _read_disk: bool = field(default=False)
    _asked_ms: int | None = field(default=None)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def symbol(self, product: str, venue_id: str) -> str:
        """Return the unified name, or the venue's own when nobody knows a unified one."""
        found = self._table.by_id.get((product, venue_id)) if self._table else None
        return found.symbol if found else venue_id

    def venue_id(self, product: str, symbol: str) -> str | None:
        """Return the venue's name of a unified symbol; a name that it already is stays."""
        if self._table is not None:
            found = self._table.by_symbol.get((product, symbol))
            if found is not None:
                return found.venue_id
        return None if "/" in symbol else symbol

    async def find_id(self, product: str, symbol: str) -> str | None:
        """Return the venue's name of a symbol, fetching the table when nothing else knows it.

        For look-ups, which come after the cancels: they may fetch where the way to a cancel may
        not. Names that were already given out stay as they were given.
        """
        await self.prepare(product)
        found = self.venue_id(product, symbol)
        if found is not None or self.may_fetch:
            return found
        async with self._lock:
            now_ms = self.clock.now_ms()
            waited = self._asked_ms is None or now_ms - self._asked_ms >= ASK_AGAIN_AFTER_MS
            if self._late is None and waited:
                self._asked_ms = now_ms
                pages = [await self.fetch(one) for one in self.products]
                rows = [market for page in pages if page is not None for market in page]
                self._late = build_table(rows, now_ms) if rows else None
        late = self._late.by_symbol.get((product, symbol)) if self._late else None
        return late.venue_id if late else None

    def wanted_in_vain(self, product: str) -> bool:
        """Whether names were to be translated and there is no table to do it with.

        A listing in untranslated names is whole only for those who do not select by name.
        """
        table = self._table.by_id if self._table else {}
        return self.may_fetch and not any(key[0] == product for key in table)

    def notes(self, product: str, venue_ids: Iterable[str]) -> tuple[str, ...]:
        """Return what a reader must know about names that are not mapped."""
        table = self._table.by_id if self._table else {}
        missing = sorted({name for name in venue_ids if (product, name) not in table})
        doubtful = self._table.ambiguous if self._table else frozenset()
        notes = tuple(
            f"{name} stands for more than one {product} instrument"
            if (product, name) in doubtful
            else f"{name} is not in the table of {product} instruments"
            for name in missing
        )
        return (*notes, self.trouble) if missing and self.trouble else notes

    async def prepare(self, product: str, venue_ids: Iterable[str] = ()) -> None:
        """Load the table from disk or venue; load it again for names that it lacks."""
        async with self._lock:
            if not self._read_disk:
                self._read_disk = True
                self._table = self._read_cache()
            if self.may_fetch and self._wants_another(product, venue_ids):
                await self._refresh()

    def _wants_another(self, product: str, venue_ids: Iterable[str]) -> bool:
        now_ms = self.clock.now_ms()
        if self._asked_ms is not None and now_ms - self._asked_ms < ASK_AGAIN_AFTER_MS:
            return False
        if self._table is None or not any(key[0] == product for key in self._table.by_id):
            return True
        unknown = any((product, name) not in self._table.by_id for name in venue_ids)
        return unknown and now_ms - self._table.fetched_ms > REFRESH_AFTER_MS

    async def _refresh(self) -> None:
        self._asked_ms = self.clock.now_ms()
        markets: list[Market] = []
        missing: list[str] = []
        for product in self.products:
            fetched = await self.fetch(product)
            if fetched is None:
                missing.append(product)
            else:
                markets += fetched
        if missing and self._table is not None:
            markets += [m for m in self._table.by_id.values() if m.product in missing]
        self.trouble = f"the instruments of {', '.join(missing)} were not read" if missing else None
        self._table = build_table(markets, self.clock.now_ms())
        if not missing:
            self._write_cache(markets)

    def _path(self) -> Path | None:
        if self.cache_dir is None:
            return None
        products = "-".join(self.products)
        return self.cache_dir / f"markets-{self.venue}-{self.world}-{products}.json"

    def _read_cache(self) -> MarketTable | None:
        path = self._path()
        if path is None:
            return None
        try:
            document = orjson.loads(path.read_bytes())
            age_ms = self.clock.now_ms() - int(document["fetched_ms"])
            same = (document["format"], document["ccxt"]) == (FORMAT, ccxt_version())
            if not same or (self.may_fetch and not 0 <= age_ms <= KEPT_MS):
                return None
            markets = [_market_from_row(row) for row in document["markets"]]
            return build_table(markets, int(document["fetched_ms"]))
        except (OSError, ValueError, KeyError, TypeError, NotANumber):
            return None

    def _write_cache(self, markets: Iterable[Market]) -> None:
        """Write atomically; a cache that cannot be written is no trouble for anybody."""
        path = self._path()
        if path is None:
            return
        document = {
            "format": FORMAT,
            "ccxt": ccxt_version(),
            "venue": self.venue,
            "fetched_ms": self.clock.now_ms(),
            "markets": [asdict(market) for market in markets],
        }
        beside = path.with_name(f"{path.name}.{os.getpid()}.new")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(orjson.dumps(document, default=str))
            beside.replace(path)


def _market_from_row(row: Mapping[str, Any]) -> Market:
    def exact(name: str) -> Decimal | None:
        return None if row[name] is None else decimal_from(row[name])

    return Market(
        product=str(row["product"]),
        venue_id=str(row["venue_id"]),
        symbol=str(row["symbol"]),
        base=str(row["base"]),
        quote=str(row["quote"]),
        settle=None if row["settle"] is None else str(row["settle"]),
        contract_size=exact("contract_size"),
        tick=exact("tick"),
        step=exact("step"),
        least_notional=exact("least_notional"),
    )
