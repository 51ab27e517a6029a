"""What a fill costs, and in which asset.

Promises: fees are cut to eight digits; a discount asset is used only when the account has enough of
it free, as on the real venue, otherwise the ordinary asset pays.

Called by the settlement of fills.
"""

from decimal import Decimal

from resyncctl.simulator.catalogue import SymbolRow
from resyncctl.simulator.ledger import Account
from resyncctl.simulator.numbers import cut
from resyncctl.simulator.world import World

_DISCOUNT = {"spot": Decimal("0.75"), "usdm": Decimal("0.9")}
"""COIN-M fees are always paid in the margin coin."""


def fee_of(
    world: World,
    account: Account,
    row: SymbolRow,
    received: tuple[str, Decimal],
    notional: Decimal,
    *,
    maker: bool,
) -> tuple[str, Decimal]:
    """Given what a fill brings in and its notional in the quote asset, return asset and fee."""
    rates = account.fees[row.market]
    rate = rates.maker if maker else rates.taker
    asset, amount = received
    if rates.asset and rates.asset != asset and row.market in _DISCOUNT:
        price = _price_in(world, rates.asset, row.quote)
        if price is not None:
            discounted = cut(notional * rate * _DISCOUNT[row.market] / price)
            if account.balance(row.market, rates.asset).free >= discounted:
                return rates.asset, discounted
    return asset, cut(amount * rate)


def _price_in(world: World, asset: str, quote: str) -> Decimal | None:
    if world.catalogue.find("spot", asset + quote) is None:
        return None
    return world.mid("spot", asset + quote)
