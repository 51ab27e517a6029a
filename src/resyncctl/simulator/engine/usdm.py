"""The USD-M dialect, as the demo engine speaks it: regular orders, and stops in the algo service.

Source: USD-M documentation "Trade" and "Account", 2026-08; conditional orders are algo orders since
2025-12-09. Called through `Dialect`.
"""

from decimal import Decimal
from typing import Any

from resyncctl.sdk.canonical import JsonObject, decimal_text
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
from resyncctl.simulator.engine.spot import NO_SUCH_ORDER, PAGE, name_of, report_from

HOST = "fapi.binance.com"
_ALGO_STATES = {
    "NEW": "open",
    "TRIGGERING": "open",
    "TRIGGERED": "open",
    "FINISHED": "filled",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "REJECTED": "rejected",
}


class Usdm:
    """USD-M orders, stops, trades, positions and balances of a one-way account."""

    product = "linear"

    def __init__(self, client: VenueClient) -> None:
        self._client = client

    async def measure_clock(self) -> None:
        """Measure the exchange's clock."""
        await self._client.measure_clock(HOST, "/fapi/v1/time")

    async def filters(self, symbol: str) -> Filters:
        """Return the grids of a symbol."""
        name = venue_symbol(symbol)
        answer = await self._client.ask("GET", HOST, "/fapi/v1/exchangeInfo")
        return filters_from(
            next(row["filters"] for row in answer["symbols"] if row["symbol"] == name)
        )

    async def mid(self, symbol: str) -> Decimal:
        """Return the price in the middle of the book."""
        answer = await self._client.ask(
            "GET", HOST, "/fapi/v1/ticker/bookTicker", symbol=venue_symbol(symbol)
        )
        return (Decimal(answer["bidPrice"]) + Decimal(answer["askPrice"])) / 2

    async def open_orders(self, symbol: str) -> list[Resting]:
        """List the open orders of a symbol, regular and conditional."""
        name = venue_symbol(symbol)
        rows = await self._client.signed("GET", HOST, "/fapi/v1/openOrders", symbol=name)
        algos = await self._client.signed("GET", HOST, "/fapi/v1/openAlgoOrders", symbol=name)
        regular = [Resting(str(row["orderId"]), Decimal(row["executedQty"])) for row in rows]
        return regular + [Resting(str(row["algoId"]), Decimal(0), algo=True) for row in algos]

    async def report(self, row: JsonObject) -> Report | None:
        """Ask for one order, in the service where it rests."""
        try:
            if row.get("order_class") == "algo":
                answer = await self._client.signed(
                    "GET", HOST, "/fapi/v1/algoOrder", **_algo_name(row)
                )
                return _algo_report(answer)
            answer = await self._client.signed(
                "GET",
                HOST,
                "/fapi/v1/order",
                symbol=venue_symbol(str(row["symbol"])),
                **name_of(row),
            )
        except Refused as refused:
            if refused.code == NO_SUCH_ORDER:
                return None
            raise
        return report_from(answer)

    async def place(self, order: NewOrder) -> str:
        """Place a post-only limit order, or a reduce-only stop, and return its exchange id."""
        terms: dict[str, Any] = {
            "symbol": venue_symbol(order.symbol),
            "side": order.side.upper(),
            "quantity": f"{order.amount:f}",
        }
        if order.order_class == "algo":
            answer = await self._client.signed(
                "POST",
                HOST,
                "/fapi/v1/algoOrder",
                **terms,
                algoType="CONDITIONAL",
                type="STOP_MARKET",
                triggerPrice=f"{order.stop_price:f}",
                reduceOnly=True,
                clientAlgoId=order.client_id,
            )
            return str(answer["algoId"])
        answer = await self._client.signed(
            "POST",
            HOST,
            "/fapi/v1/order",
            **terms,
            type="LIMIT",
            timeInForce="GTX",
            price=f"{order.price:f}",
            newClientOrderId=order.client_id,
        )
        return str(answer["orderId"])

    async def cancel(self, row: JsonObject) -> None:
        """Cancel one order, in the service where it rests."""
        if row.get("order_class") == "algo":
            await self._client.signed("DELETE", HOST, "/fapi/v1/algoOrder", **_algo_name(row))
            return
        await self._client.signed(
            "DELETE",
            HOST,
            "/fapi/v1/order",
            symbol=venue_symbol(str(row["symbol"])),
            **name_of(row),
        )

    async def trades(self, symbol: str, *, after: int | None, since_ms: int) -> list[Trade]:
        """List every fill of a symbol; a window without an end reaches 7 days."""
        found: list[Trade] = []
        while True:
            span = {"startTime": since_ms} if after is None else {"fromId": after + 1}
            rows = await self._client.signed(
                "GET", HOST, "/fapi/v1/userTrades", symbol=venue_symbol(symbol), limit=PAGE, **span
            )
            found += [_trade(row, symbol) for row in rows]
            if len(rows) < PAGE:
                return found
            after = found[-1].number

    async def balances(self) -> AssetAmounts:
        """Return the wallet balances: what was paid in, earned and paid, without open profit."""
        rows = await self._client.signed("GET", HOST, "/fapi/v3/balance")
        held = {str(row["asset"]): Decimal(row["balance"]) for row in rows}
        return {asset: amount for asset, amount in held.items() if amount}

    async def positions(self) -> list[JsonObject] | None:
        """Return every position that is not flat."""
        rows = await self._client.signed("GET", HOST, "/fapi/v3/positionRisk")
        return [_position(row) for row in rows if Decimal(row["positionAmt"])]


def _algo_name(row: JsonObject) -> dict[str, str]:
    exchange_id = row.get("exchange_id")
    if exchange_id is not None:
        return {"algoId": str(exchange_id)}
    return {"clientAlgoId": str(row["client_id"])}


def _algo_report(answer: Json) -> Report:
    became = str(answer.get("actualOrderId") or "")
    return Report(
        exchange_id=str(answer["algoId"]),
        state=_ALGO_STATES[answer["algoStatus"]],
        filled=Decimal(0),
        at_ms=int(answer["updateTime"]),
        became=became or None,
    )


def _trade(row: Json, symbol: str) -> Trade:
    return Trade(
        int(row["id"]),
        str(row["orderId"]),
        Execution(
            trade_id=str(row["id"]),
            symbol=symbol,
            side=str(row["side"]).lower(),
            price=Decimal(row["price"]),
            amount=Decimal(row["qty"]),
            at_ms=int(row["time"]),
            fee=((str(row["commissionAsset"]), Decimal(row["commission"])),),
            liquidity="maker" if row["maker"] else "taker",
        ),
    )


def _position(row: Json) -> JsonObject:
    """Describe a position; quote assets of USD-M symbols are what the name ends in."""
    amount = Decimal(row["positionAmt"])
    asset = str(row["marginAsset"])
    base = str(row["symbol"]).removesuffix(asset)
    side = str(row["positionSide"])
    position: JsonObject = {
        "symbol": f"{base}/{asset}:{asset}",
        "side": "long" if amount > 0 else "short",
        "amount": decimal_text(abs(amount)),
        "entry_price": decimal_text(Decimal(row["entryPrice"])),
        "updated_ms": int(row["updateTime"]),
    }
    if side != "BOTH":
        position["leg"] = side.lower()
    return position
