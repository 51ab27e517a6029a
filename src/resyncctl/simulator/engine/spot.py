"""The spot dialect, as the demo engine speaks it.

Source: binance-spot-api-docs rest-api.md, 2026-07. Called through `Dialect`.
"""

from decimal import Decimal

from resyncctl.sdk.canonical import JsonObject
from resyncctl.sdk.ledger import Execution
from resyncctl.sdk.state import AssetAmounts, NewOrder
from resyncctl.simulator.engine.client import Json, Refused, VenueClient
from resyncctl.simulator.engine.dialect import (
    Filters,
    Report,
    Resting,
    Trade,
    filters_from,
    venue_symbol,
)

HOST = "api.binance.com"
NO_SUCH_ORDER = -2013
PAGE = 1000
STATES = {
    "NEW": "open",
    "PENDING_NEW": "open",
    "PARTIALLY_FILLED": "partially_filled",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "PENDING_CANCEL": "pending_cancel",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}


class Spot:
    """Spot orders, trades and balances."""

    product = "spot"

    def __init__(self, client: VenueClient) -> None:
        self._client = client

    async def measure_clock(self) -> None:
        """Measure the exchange's clock."""
        await self._client.measure_clock(HOST, "/api/v3/time")

    async def filters(self, symbol: str) -> Filters:
        """Return the grids of a symbol."""
        name = venue_symbol(symbol)
        answer = await self._client.ask("GET", HOST, "/api/v3/exchangeInfo", symbol=name)
        return filters_from(
            next(row["filters"] for row in answer["symbols"] if row["symbol"] == name)
        )

    async def mid(self, symbol: str) -> Decimal:
        """Return the price in the middle of the book."""
        answer = await self._client.ask(
            "GET", HOST, "/api/v3/ticker/bookTicker", symbol=venue_symbol(symbol)
        )
        return (Decimal(answer["bidPrice"]) + Decimal(answer["askPrice"])) / 2

    async def open_orders(self, symbol: str) -> list[Resting]:
        """List the open orders of a symbol."""
        rows = await self._client.signed(
            "GET", HOST, "/api/v3/openOrders", symbol=venue_symbol(symbol)
        )
        return [Resting(str(row["orderId"]), Decimal(row["executedQty"])) for row in rows]

    async def report(self, row: JsonObject) -> Report | None:
        """Ask for one order; by its exchange id where that is known."""
        try:
            answer = await self._client.signed(
                "GET",
                HOST,
                "/api/v3/order",
                symbol=venue_symbol(str(row["symbol"])),
                **name_of(row),
            )
        except Refused as refused:
            if refused.code == NO_SUCH_ORDER:
                return None
            raise
        return report_from(answer)

    async def place(self, order: NewOrder) -> str:
        """Place a post-only limit order and return its exchange id."""
        answer = await self._client.signed(
            "POST",
            HOST,
            "/api/v3/order",
            symbol=venue_symbol(order.symbol),
            side=order.side.upper(),
            type="LIMIT_MAKER",
            quantity=f"{order.amount:f}",
            price=f"{order.price:f}",
            newClientOrderId=order.client_id,
        )
        return str(answer["orderId"])

    async def cancel(self, row: JsonObject) -> None:
        """Cancel one order."""
        await self._client.signed(
            "DELETE", HOST, "/api/v3/order", symbol=venue_symbol(str(row["symbol"])), **name_of(row)
        )

    async def trades(self, symbol: str, *, after: int | None, since_ms: int) -> list[Trade]:
        """List every fill of a symbol; a window without an end reaches 24 hours."""
        found: list[Trade] = []
        while True:
            span = {"startTime": since_ms} if after is None else {"fromId": after + 1}
            rows = await self._client.signed(
                "GET", HOST, "/api/v3/myTrades", symbol=venue_symbol(symbol), limit=PAGE, **span
            )
            found += [_trade(row, symbol) for row in rows]
            if len(rows) < PAGE:
                return found
            after = found[-1].number

    async def balances(self) -> AssetAmounts:
        """Return every balance."""
        answer = await self._client.signed("GET", HOST, "/api/v3/account", omitZeroBalances=True)
        return {
            str(row["asset"]): (Decimal(row["free"]), Decimal(row["locked"]))
            for row in answer["balances"]
        }

    async def positions(self) -> list[JsonObject] | None:
        """Spot has no positions."""
        return None


def name_of(row: JsonObject) -> dict[str, str]:
    """Return the parameter that names an order; its client id where nothing else is known."""
    exchange_id = row.get("exchange_id")
    if exchange_id is not None:
        return {"orderId": str(exchange_id)}
    return {"origClientOrderId": str(row["client_id"])}


def report_from(answer: Json) -> Report:
    """Given an order as the exchange describes it, return the report."""
    return Report(
        exchange_id=str(answer["orderId"]),
        state=STATES[answer["status"]],
        filled=Decimal(answer["executedQty"]),
        at_ms=int(answer["updateTime"]),
    )


def _trade(row: Json, symbol: str) -> Trade:
    return Trade(
        int(row["id"]),
        str(row["orderId"]),
        Execution(
            trade_id=str(row["id"]),
            symbol=symbol,
            side="buy" if row["isBuyer"] else "sell",
            price=Decimal(row["price"]),
            amount=Decimal(row["qty"]),
            at_ms=int(row["time"]),
            fee=((str(row["commissionAsset"]), Decimal(row["commission"])),),
            liquidity="maker" if row["isMaker"] else "taker",
        ),
    )
