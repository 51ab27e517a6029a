"""What COIN-M demands of an order, and where its rules and books are read.

Promises: as on USD-M; quantities are contracts, and a row that does not tell what one contract is
worth, or that settles in anything but its own coin, is not understood.

Source: Binance COIN-M documentation, "Exchange Information" (`contractSize` is the dollars of one
contract, `contractStatus` its status, and no filter asks for a least notional) and "Order Book".
Called by `open`.
"""

from dataclasses import replace

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.binance.market import Source, linear_rules
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row
from resyncctl.core.market import InstrumentRules


def inverse_rules(symbol: str, row: Row) -> InstrumentRules:
    """Read a row of COIN-M's exchangeInfo.

    Raises:
        Malformed: Something that an order needs is missing or odd.
    """
    if read.text(row, "marginAsset") != read.text(row, "baseAsset"):
        raise Malformed("the contract does not settle in its own coin")
    as_linear = linear_rules(symbol, {**row, "status": read.text(row, "contractStatus")})
    if as_linear.quantity_step % 1 or as_linear.quantity_min % 1:
        raise Malformed("the contract can be ordered in parts")
    return replace(
        as_linear,
        product="inverse",
        inverse=True,
        contract_value=read.positive(read.number(row, "contractSize"), "contractSize"),
    )


INVERSE_SOURCE = Source(
    info_method="dapiPublicGetExchangeInfo",
    book_method="dapiPublicGetDepth",
    one_symbol=False,
    rules=inverse_rules,
)
