"""What an account holds that can be reduced: position legs, and spot assets above the target asset.

Promises: nothing is chosen that the operator or the policy keeps (the asset that everything is
sold into, ignored assets); a holding whose leg does not fit the position mode gets no protection,
so no order can be made for it. Pure; called by the flatten procedures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.model import Balance, Leg, Order, Position, Side
from resyncctl.core.reduction import Protection
from resyncctl.core.snapshot import Unknown

SPOT = "spot"
HEDGE = "hedge"
ONE_WAY = "one_way"
HoldingKey = tuple[str, str, str]
"""Product, unified symbol (or asset), and leg."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One thing that is held: a position leg, or a spot asset.

    `quantity` is signed and is all of it; `available` is the part that an order could take now:
    for a spot asset what is free, None when the exchange did not tell.
    """

    product: str
    symbol: str
    leg: Leg
    quantity: Decimal
    available: Decimal | None
    asset: str = ""

    @property
    def key(self) -> HoldingKey:
        """What identifies the holding within its account."""
        return (self.product, self.symbol, self.leg.value)

    @property
    def side(self) -> Side:
        """The side of an order that makes it smaller."""
        return Side.SELL if self.quantity > 0 else Side.BUY


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which holdings are meant, and what is never touched.

    `symbols` are unified or venue symbols, empty for all. `into` is the asset that spot assets are
    sold into; without it no spot asset can be sold.
    """

    symbols: tuple[str, ...] = ()
    into: str | None = None
    ignored_assets: tuple[str, ...] = ()

    def wants(self, symbol: str) -> bool:
        """Whether a holding of this symbol is meant."""
        return not self.symbols or bool(names_of(symbol) & set(self.symbols))


def names_of(symbol: str) -> frozenset[str]:
    """Return the ways in which an operator may write a unified symbol."""
    pair, _, settled = symbol.partition(":")
    plain_name = pair.replace("/", "")
    _, _, delivery = settled.partition("-")
    if delivery:  # a dated contract is another instrument than the perpetual of its pair
        return frozenset({symbol, f"{plain_name}_{delivery}"})
    return frozenset({symbol, plain_name, f"{plain_name}_PERP"})


def position_holdings(positions: Iterable[Position], choice: Choice) -> tuple[Holding, ...]:
    """Return the position legs that are meant."""
    return tuple(
        Holding(
            product=row.product,
            symbol=row.symbol,
            leg=row.leg,
            quantity=row.quantity,
            available=row.quantity,
        )
        for row in positions
        if row.quantity and choice.wants(row.symbol)
    )


def spot_holdings(balances: Iterable[Balance], choice: Choice) -> tuple[Holding, ...]:
    """Return the spot assets that are meant. Without `into` their symbol is only the asset."""
    kept = {*choice.ignored_assets, choice.into}
    found = []
    for row in balances:
        symbol = f"{row.asset}/{choice.into}" if choice.into else row.asset
        if row.product == SPOT and row.total and row.asset not in kept and choice.wants(symbol):
            found.append(
                Holding(
                    product=SPOT,
                    symbol=symbol,
                    leg=Leg.BOTH,
                    quantity=row.total,
                    available=row.free,
                    asset=row.asset,
                )
            )
    return tuple(found)


def quote_of_pairs(symbols: Iterable[str]) -> str | None:
    """Return the one asset in which all of these spot pairs are quoted, None without just one."""
    quotes = {name.partition("/")[2] for name in symbols if "/" in name and ":" not in name}
    return quotes.pop() if len(quotes) == 1 else None


def protection_of(holding: Holding, mode: str | None) -> Protection | str:
    """Return what keeps an order on the holding from increasing it, or words why nothing does."""
    if holding.product == SPOT:
        if holding.quantity < 0:
            return "the asset is borrowed, and nothing is bought here"
        return Protection.FREE_BALANCE
    if mode == ONE_WAY and holding.leg is Leg.BOTH:
        return Protection.REDUCE_ONLY
    fitting = Leg.LONG if holding.quantity > 0 else Leg.SHORT
    if mode == HEDGE and holding.leg is fitting:
        return Protection.HEDGE_LEG
    if mode is None:
        return "the position mode is not known"
    return f"its leg ({holding.leg}) does not fit the position mode {mode}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """The rules and the book of a holding's symbol, as far as they could be read."""

    rules: InstrumentRules | Unknown
    book: OrderBook | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReading:
    """One fresh look at the account. `unread` names in words what could not be read."""

    account: str
    as_of_ms: int
    began_ms: int
    modes: Mapping[str, str | None]
    holdings: tuple[Holding, ...]
    orders: tuple[Order, ...]
    instruments: Mapping[tuple[str, str], Instrument]
    unread: tuple[str, ...] = ()
