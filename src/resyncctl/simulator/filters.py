"""The filters that a new order must pass, with the refusals of each dialect.

Promises: an order that passes stands on the tick and step grid, inside the ranges that exchangeInfo
advertises. Spot answers -1013 with the filter's name; USD-M answers its own -4xxx codes and -1111.

Sources: Binance spot filters.md; USD-M error codes.
Called when an order is placed.
"""

from decimal import Decimal

from resyncctl.simulator.catalogue import SymbolRow
from resyncctl.simulator.matching import STOP_KINDS
from resyncctl.simulator.numbers import plain
from resyncctl.simulator.orders import OrderTerms
from resyncctl.simulator.usdm_engine import closes_only
from resyncctl.simulator.venue_errors import VenueError, filter_failure, refuse
from resyncctl.simulator.world import World

MAX_NOTIONAL = Decimal(9_000_000)
_HIGH, _LOW = Decimal(5), Decimal("0.2")
PERCENT_UP, PERCENT_DOWN = Decimal("1.05"), Decimal("0.95")
"""USD-M's PERCENT_PRICE: a purchase may not be dearer, nor a sale cheaper, than these parts of the
mark price; exchangeInfo tells the same numbers."""
_MAX_STOPS = 5


def check_spot(world: World, row: SymbolRow, terms: OrderTerms) -> None:
    """Raise VenueError -1013 naming the first filter that the order fails."""
    mid = world.mid("spot", row.name)
    for price in (terms.price, terms.stop_price):
        if price and not _on_grid(price, row.tick, row.tick, row.max_price):
            raise filter_failure("PRICE_FILTER")
    if terms.price and not mid * _LOW <= terms.price <= mid * _HIGH:
        raise filter_failure("PERCENT_PRICE_BY_SIDE")
    if not _on_grid(terms.quantity, row.step, row.min_quantity, row.max_quantity):
        raise filter_failure("LOT_SIZE")
    if terms.kind == "MARKET" and terms.quantity > row.market_max_quantity:
        raise filter_failure("MARKET_LOT_SIZE")
    price = terms.price or terms.stop_price or mid
    notional = price * terms.quantity
    if notional < row.min_notional or (terms.price and notional > MAX_NOTIONAL):
        raise filter_failure("NOTIONAL")


def check_spot_counts(world: World, account: str, terms: OrderTerms) -> None:
    """Raise VenueError when the account has as many open orders on the symbol as are allowed."""
    drawer = world.register.drawer(account, "spot")
    resting = [order for order in drawer.open.values() if order.terms.symbol == terms.symbol]
    if len(resting) >= world.settings.max_open_orders:
        raise filter_failure("MAX_NUM_ORDERS")
    stops = sum(order.terms.kind in STOP_KINDS for order in resting)
    if terms.kind in STOP_KINDS and stops >= _MAX_STOPS:
        raise filter_failure("MAX_NUM_ALGO_ORDERS")


def check_usdm(world: World, row: SymbolRow, terms: OrderTerms) -> None:
    """Raise VenueError with the USD-M code of the first rule that the order fails."""
    for price in (terms.price, terms.stop_price):
        if price:
            _check_usdm_price(row, price)
    if not terms.close_position:
        _check_usdm_quantity(row, terms)
    mid = world.mark(row)
    if terms.side == "BUY" and terms.price > mid * PERCENT_UP:
        raise refuse(-4016, f"Limit price can't be higher than {plain(mid * PERCENT_UP)}.")
    if terms.side == "SELL" and 0 < terms.price < mid * PERCENT_DOWN:
        raise refuse(-4024, f"Limit price can't be lower than {plain(mid * PERCENT_DOWN)}.")
    notional = terms.quantity * (terms.price or terms.stop_price or mid)
    if not closes_only(terms) and notional < row.min_notional:
        raise refuse(
            -4164,
            f"Order's notional must be no smaller than {plain(row.min_notional)} "
            "(unless you choose reduce only).",
        )


def check_usdm_counts(world: World, account: str, terms: OrderTerms) -> None:
    """Raise VenueError -2025 when the symbol's open orders have reached their limit."""
    drawer = world.register.drawer(account, terms.market)
    resting = sum(order.terms.symbol == terms.symbol for order in drawer.open.values())
    if resting >= world.settings.max_open_orders:
        raise refuse(-2025, "Reach max open order limit.")


def _check_usdm_price(row: SymbolRow, price: Decimal) -> None:
    if _digits(price) > row.price_digits:
        raise _too_precise()
    if price < row.tick:
        raise refuse(-4013, f"Price less than min price {plain(row.tick)}.")
    if price > row.max_price:
        raise refuse(-4002, f"Price greater than max price {plain(row.max_price)}.")
    if price % row.tick:
        raise refuse(-4014, "Price not increased by tick size.")


def _check_usdm_quantity(row: SymbolRow, terms: OrderTerms) -> None:
    quantity = terms.quantity
    if quantity <= 0:
        raise refuse(-4003, "Quantity less than or equal to zero.")
    if _digits(quantity) > row.quantity_digits:
        raise _too_precise()
    most = row.market_max_quantity if not terms.price else row.max_quantity
    if quantity > most:
        raise refuse(-4005, f"Quantity greater than max quantity {plain(most)}.")
    if quantity < row.min_quantity:
        raise refuse(-4004, f"Quantity less than min quantity {plain(row.min_quantity)}.")
    if quantity % row.step:
        raise refuse(-4023, "Quantity not increased by step size.")


def _too_precise() -> VenueError:
    return refuse(-1111, "Precision is over the maximum defined for this asset.")


def _on_grid(value: Decimal, grid: Decimal, least: Decimal, most: Decimal) -> bool:
    return least <= value <= most and value % grid == 0


def _digits(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
