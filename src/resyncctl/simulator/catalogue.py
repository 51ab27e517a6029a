"""The symbol universe of the practice exchange.

Promises: the same size and seed always give the same symbols; every price and quantity filter is
an exact `Decimal`. A row holds the status at listing; what an incident changes later is kept by
the exchange and handed to `exchange_info` as an overriding map.

The shape of the large world (status mix, quote mix, tick sizes, permission groups) follows what
was measured on the real venue in 2026: about 3,000 spot symbols of which 42 % trade, and about 875
USD-M perpetuals in about 1.1 MB.

Called by the REST dialects (filters), the price path (ticks) and `exchange_info`.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

Market = Literal["spot", "usdm", "coinm"]

_PERMISSION_GROUPS_FULL = 271
_PERMISSION_GROUPS_SMALL = 4
_SPOT_QUOTES = (
    ("USDT", 22, "1"),
    ("BTC", 18, "60000"),
    ("USDC", 12, "1"),
    ("TRY", 12, "0.03"),
    ("ETH", 9, "3000"),
    ("BNB", 9, "600"),
    ("FDUSD", 8, "1"),
    ("EUR", 6, "1.08"),
    ("BRL", 4, "0.18"),
)
_STATUSES = (("TRADING", 420), ("BREAK", 575), ("HALT", 5))
_USDM_PER_SPOT = Decimal(875) / Decimal(3000)


@dataclass(frozen=True)
class SymbolRow:
    """One tradable symbol of one market, with the filters that orders must pass."""

    market: Market
    name: str
    base: str
    quote: str
    status: str
    tick: Decimal
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    market_max_quantity: Decimal
    min_notional: Decimal
    anchor_price: Decimal
    permission_groups: int = 0
    contract_value: Decimal = Decimal(0)
    delivery_ms: int = 0

    @property
    def inverse(self) -> bool:
        """Whether quantities are contracts, each worth `contract_value` of the quote asset."""
        return self.contract_value != 0

    @property
    def settles_in(self) -> str:
        """The asset in which margin, profit, fees and funding are counted."""
        return self.base if self.inverse else self.quote

    @property
    def pair(self) -> str:
        """Base and quote: what every contract of one underlying shares."""
        return self.base + self.quote

    @property
    def path(self) -> str:
        """The name of the price path: an inverse contract follows the coin's dollar price."""
        return f"{self.base}USDT" if self.inverse else self.name

    @property
    def max_price(self) -> Decimal:
        """The highest price that the price filter admits: two hundred times the anchor."""
        return (self.anchor_price * 200).quantize(self.tick, rounding=ROUND_HALF_EVEN)

    @property
    def price_digits(self) -> int:
        """The number of digits after the point that the tick allows."""
        return _digits(self.tick)

    @property
    def quantity_digits(self) -> int:
        """The number of digits after the point that the step allows."""
        return _digits(self.step)


# name, base, quote, tick, step, maximum quantity, minimum notional, anchor price
_KNOWN_SPOT = (
    ("BTC", "USDT", "0.01", "0.00001", "9000", "5", "60000"),
    ("ETH", "USDT", "0.01", "0.0001", "9000", "5", "3000"),
    ("SOL", "USDT", "0.01", "0.001", "90000", "5", "150"),
    ("BNB", "USDT", "0.01", "0.001", "900000", "5", "600"),
    ("XRP", "USDT", "0.0001", "0.1", "9222449", "5", "0.6"),
    ("ADA", "USDT", "0.0001", "0.1", "900000", "5", "0.45"),
    ("DOGE", "USDT", "0.00001", "1", "9000000", "1", "0.15"),
    ("LTC", "USDT", "0.01", "0.001", "90000", "5", "80"),
    ("LINK", "USDT", "0.01", "0.01", "90000", "5", "15"),
    ("AVAX", "USDT", "0.01", "0.01", "90222", "5", "35"),
    ("ETH", "BTC", "0.00001", "0.0001", "100000", "0.0001", "0.05"),
    ("BTC", "USDC", "0.01", "0.00001", "9000", "5", "60000"),
)
_KNOWN_USDM = (
    ("BTC", "USDT", "0.10", "0.001", "1000", "50", "60000"),
    ("ETH", "USDT", "0.01", "0.001", "10000", "20", "3000"),
    ("SOL", "USDT", "0.0100", "0.01", "1000000", "5", "150"),
    ("BNB", "USDT", "0.010", "0.01", "100000", "5", "600"),
    ("XRP", "USDT", "0.0001", "0.1", "10000000", "5", "0.6"),
    ("ADA", "USDT", "0.00010", "1", "2000000", "5", "0.45"),
    ("DOGE", "USDT", "0.000010", "1", "50000000", "5", "0.15"),
    ("LTC", "USDT", "0.01", "0.001", "10000", "20", "80"),
    ("LINK", "USDT", "0.001", "0.01", "200000", "20", "15"),
    ("AVAX", "USDT", "0.0010", "1", "100000", "5", "35"),
    ("DOT", "USDT", "0.001", "0.1", "500000", "5", "6"),
    ("1000PEPE", "USDT", "0.0000001", "1", "100000000", "5", "0.01"),
)

# base, tick, dollars of one contract, anchor price
_KNOWN_COINM = (
    ("BTC", "0.1", "100", "60000"),
    ("ETH", "0.01", "10", "3000"),
    ("SOL", "0.001", "10", "150"),
    ("BNB", "0.01", "10", "600"),
    ("XRP", "0.0001", "10", "0.6"),
)
_DELIVERIES = (("270326", 1_806_048_000_000),)


class Catalogue:
    """All symbols of every market."""

    def __init__(self, rows: Iterator[SymbolRow]) -> None:
        self._rows: dict[Market, dict[str, SymbolRow]] = {"spot": {}, "usdm": {}, "coinm": {}}
        for row in rows:
            self._rows[row.market][row.name] = row

    def rows(self, market: Market) -> Mapping[str, SymbolRow]:
        """Return every symbol of the market by name, in listing order."""
        return self._rows[market]

    def contract(self, name: str) -> SymbolRow:
        """Return a listed contract of either futures market: their names never meet."""
        return self._rows["usdm"].get(name) or self._rows["coinm"][name]

    def find(self, market: Market, name: str) -> SymbolRow | None:
        """Return the symbol, or None when the market does not list it."""
        return self._rows[market].get(name)


def build_catalogue(size: int | None = None, seed: int = 0) -> Catalogue:
    """Return the universe: the dozen well-known symbols, or about `size` spot symbols.

    A larger universe starts with the well-known symbols, so that a story told on the small one
    can be told on the large one.
    """
    return Catalogue(_every_row(size, seed))


def _every_row(size: int | None, seed: int) -> Iterator[SymbolRow]:
    full = size is not None and size > len(_KNOWN_SPOT)
    groups = _PERMISSION_GROUPS_FULL if full else _PERMISSION_GROUPS_SMALL
    for row in _KNOWN_SPOT:
        yield _known_row("spot", row, groups)
    for row in _KNOWN_USDM:
        yield _known_row("usdm", row, 0)
    yield from _known_contracts()
    if size is None or not full:
        return
    yield from _generated_spot(size - len(_KNOWN_SPOT), random.Random(f"{seed}/spot"))
    usdm = int(size * _USDM_PER_SPOT) - len(_KNOWN_USDM)
    yield from _generated_usdm(max(usdm, 0), random.Random(f"{seed}/usdm"))


def _known_row(
    market: Market, known: tuple[str, str, str, str, str, str, str], groups: int
) -> SymbolRow:
    base, quote, tick, step, most, notional, anchor = known
    return SymbolRow(
        market=market,
        name=base + quote,
        base=base,
        quote=quote,
        status="TRADING",
        tick=Decimal(tick),
        step=Decimal(step),
        min_quantity=Decimal(step),
        max_quantity=Decimal(most),
        market_max_quantity=Decimal(most) / 10,
        min_notional=Decimal(notional),
        anchor_price=Decimal(anchor),
        permission_groups=groups,
    )


def _known_contracts() -> Iterator[SymbolRow]:
    """Yield the inverse contracts: a perpetual of each coin, and dated ones of bitcoin."""
    for known in _KNOWN_COINM:
        yield _contract(known, "PERP", 0)
    for day, delivery_ms in _DELIVERIES:
        yield _contract(_KNOWN_COINM[0], day, delivery_ms)


def _contract(known: tuple[str, str, str, str], ending: str, delivery_ms: int) -> SymbolRow:
    base, tick, value, anchor = known
    return SymbolRow(
        market="coinm",
        name=f"{base}USD_{ending}",
        base=base,
        quote="USD",
        status="TRADING",
        tick=Decimal(tick),
        step=Decimal(1),
        min_quantity=Decimal(1),
        max_quantity=Decimal(1_000_000),
        market_max_quantity=Decimal(60_000),
        min_notional=Decimal(0),
        anchor_price=Decimal(anchor),
        contract_value=Decimal(value),
        delivery_ms=delivery_ms,
    )


def _generated_spot(count: int, dice: random.Random) -> Iterator[SymbolRow]:
    bases = [_invented_base(dice, number) for number in range(max(count // 3, 1))]
    taken = {base + quote for base, quote, *_ in _KNOWN_SPOT}
    made = 0
    while made < count:
        base = dice.choice(bases)
        quote, _, quote_value = dice.choices(_SPOT_QUOTES, [row[1] for row in _SPOT_QUOTES])[0]
        if base + quote in taken:
            bases.append(_invented_base(dice, len(bases)))
            continue
        taken.add(base + quote)
        made += 1
        status = dice.choices([row[0] for row in _STATUSES], [row[1] for row in _STATUSES])[0]
        yield _generated_row(
            dice,
            market="spot",
            base=base,
            quote=quote,
            status=status,
            quote_value=Decimal(quote_value),
        )


def _generated_usdm(count: int, dice: random.Random) -> Iterator[SymbolRow]:
    for number in range(count):
        base = _invented_base(dice, number)
        status = "TRADING" if dice.random() < 0.8 else "SETTLING"
        yield _generated_row(
            dice, market="usdm", base=base, quote="USDT", status=status, quote_value=Decimal(1)
        )


def _generated_row(
    dice: random.Random,
    *,
    market: Market,
    base: str,
    quote: str,
    status: str,
    quote_value: Decimal,
) -> SymbolRow:
    anchor = (Decimal(dice.randint(1000, 9999)).scaleb(-dice.randint(2, 6))) / quote_value
    # Five significant digits of price, within the ticks that the venue uses.
    tick = Decimal(1).scaleb(max(min(anchor.adjusted() - 4, -1), -8))
    step = Decimal(1).scaleb(-max(min(anchor.adjusted() + 3, 5), 0))
    anchor = max(anchor.quantize(tick, rounding=ROUND_HALF_EVEN), tick * 1000)
    notional = max(Decimal(5) / quote_value, Decimal("0.0001")).quantize(
        Decimal("0.0001"), rounding=ROUND_HALF_EVEN
    )
    return SymbolRow(
        market=market,
        name=base + quote,
        base=base,
        quote=quote,
        status=status,
        tick=tick,
        step=step,
        min_quantity=step,
        max_quantity=Decimal(9_000_000),
        market_max_quantity=Decimal(900_000),
        min_notional=notional,
        anchor_price=anchor,
        permission_groups=_PERMISSION_GROUPS_FULL + dice.randint(-8, 8) if market == "spot" else 0,
    )


def _invented_base(dice: random.Random, number: int) -> str:
    """Return a name of three to five letters; the number makes it unlike every other one."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    first, second = divmod(number, 26)
    unique = letters[first // 26 % 26] + letters[first % 26] + letters[second]
    return "Q" + unique + "".join(dice.choices(letters, k=dice.randint(0, 1)))


def _digits(increment: Decimal) -> int:
    exponent = increment.normalize().as_tuple().exponent
    return max(-int(exponent), 0)
