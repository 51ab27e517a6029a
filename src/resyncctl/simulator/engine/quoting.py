"""What the demo engine wants to have at the exchange, and how it gets there.

Two quotes around the mid for each pair, and one stop for each position. Every order goes through
`_submit`: the gate is asked and the intent is on disk before a byte leaves. An answer that is not
known is noted as such and left to the bookkeeper. Called by `loop`.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from resyncctl.sdk import NewOrder, Recoverable
from resyncctl.sdk.canonical import JsonObject, decimal_of
from resyncctl.simulator.engine.bookkeeping import Bookkeeper
from resyncctl.simulator.engine.client import NotKnown, Refused
from resyncctl.simulator.engine.config import Pair
from resyncctl.simulator.engine.dialect import GARBAGE, Dialect, Filters

_MOVED_BY_SPREADS = Decimal("0.5")
"""A quote is moved when it is half a spread away from where it should be."""


_REST_MS = 1_000


@dataclass(slots=True)
class Quoter:
    """Quotes one pair; `new_id` gives client order ids. After a refusal the pair rests a while."""

    pair: Pair
    filters: Filters
    dialect: Dialect
    state: Recoverable
    book: Bookkeeper
    new_id: Callable[[str], str]
    now_ms: Callable[[], int]
    request_validity_ms: int
    rests_until_ms: int = 0

    async def quote(self) -> None:
        """Place what is missing and cancel what stands in the wrong place."""
        mid = await self.dialect.mid(self.pair.symbol)
        for side, wanted in desired_prices(mid, self.pair, self.filters).items():
            mine = [row for row in self._live("quote") if row["side"] == side]
            for row in mine:
                if row["state"] == "open" and self._is_misplaced(row, wanted):
                    await self.cancel(row)
            if not mine and self.now_ms() >= self.rests_until_ms:
                await self._submit(self._quote(side, wanted))

    async def protect(self) -> None:
        """Keep exactly one stop of the right size for the position, and none without one."""
        position = next(
            (row for row in self.state.positions or () if row["symbol"] == self.pair.symbol), None
        )
        stops = self._live("stop")
        if position is None:
            fitting: list[JsonObject] = []
        else:
            side = "sell" if position["side"] == "long" else "buy"
            fitting = [
                row for row in stops if row["amount"] == position["amount"] and row["side"] == side
            ]
            if not fitting:
                # The new stop comes first: the position is never naked in between.
                await self._submit(self._stop(position, side))
        for row in stops:
            if row["state"] == "open" and row not in fitting[:1]:
                await self.cancel(row)

    async def cancel(self, row: JsonObject) -> None:
        """Ask for one cancel. What became of it is for the bookkeeper to find out."""
        self.book.due = True
        self.state.cancel_requested(str(row["client_id"]))
        with contextlib.suppress(Refused, NotKnown):
            await self.dialect.cancel(row)

    def _live(self, role: str) -> list[JsonObject]:
        return [row for row in self.book.live(self.pair.symbol) if row["role"] == role]

    def _is_misplaced(self, row: JsonObject, wanted: Decimal) -> bool:
        price = decimal_of(row.get("price")) or wanted
        allowed = wanted * self.pair.number("spread") * _MOVED_BY_SPREADS
        return abs(price - wanted) > allowed

    def _quote(self, side: str, price: Decimal) -> NewOrder:
        return NewOrder(
            client_id=self.new_id("q"),
            symbol=self.pair.symbol,
            side=side,
            type="limit",
            amount=self.filters.amount(self.pair.number("size")),
            price=price,
            role="quote",
            tif="GTX",
        )

    def _stop(self, position: JsonObject, side: str) -> NewOrder:
        entry = decimal_of(position.get("entry_price")) or Decimal(0)
        away = self.pair.number("stop_distance") * (-1 if side == "sell" else 1)
        return NewOrder(
            client_id=self.new_id("s"),
            symbol=self.pair.symbol,
            side=side,
            type="stop_market",
            amount=decimal_of(position["amount"]) or Decimal(0),
            stop_price=self.filters.price(entry * (1 + away)),
            role="stop",
            reduce_only=True,
            order_class="algo",
            parent_position=self.pair.symbol,
        )

    async def _submit(self, order: NewOrder) -> None:
        """Send one order.

        Raises:
            GateClosed: The gate does not permit it; nothing was sent.
            RecoveryError: The intent is not on disk; nothing was sent.
        """
        self.state.before_submit(order)
        self.book.due = True
        try:
            exchange_id = await self.dialect.place(order)
        except Refused:
            self.state.rejected(order.client_id)
            self.rests_until_ms = self.now_ms() + _REST_MS
        except (NotKnown, *GARBAGE):
            until_ms = self.now_ms() + self.request_validity_ms
            self.state.unknown(order.client_id, until_ms=until_ms)
        else:
            self.state.acknowledged(order.client_id, exchange_id=exchange_id)


def desired_prices(mid: Decimal, pair: Pair, filters: Filters) -> dict[str, Decimal]:
    """Given the mid price, return where the two quotes belong, on the grid and apart."""
    spread = pair.number("spread")
    buy = min(filters.price(mid * (1 - spread)), filters.price(mid) - filters.tick)
    sell = max(filters.price(mid * (1 + spread)), filters.price(mid) + filters.tick)
    return {"buy": buy, "sell": sell}
