"""Keeping the demo engine's state equal to what the exchange says, one product at a time.

`look` is cheap and says whether anything has changed; `sync` reads everything, twice where it could
move in between, and writes what it found as one generation of the checkpoint. Nothing is written
from a reading that failed half way. An order that the exchange does not know is given up only after
its request cannot arrive any more and three questions in a row found nothing. Called by `loop`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast

from resyncctl.sdk import Recoverable
from resyncctl.sdk.canonical import JsonObject, decimal_of
from resyncctl.sdk.errors import RecoveryError
from resyncctl.sdk.shape import TERMINAL_STATES
from resyncctl.sdk.state import AssetAmounts
from resyncctl.simulator.engine.client import NotKnown
from resyncctl.simulator.engine.dialect import Dialect, Report, Resting, Trade

DAY_MS = 24 * 3600 * 1000
_QUESTIONS = 3
_ATTEMPTS = 4
_RESTING = frozenset({"open", "partially_filled"})


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that one sync has read."""

    reports: dict[str, Report | None]
    trades: list[Trade]
    balances: AssetAmounts
    positions: list[JsonObject] | None
    as_of_ms: int


@dataclass(slots=True)
class Bookkeeper:
    """Keeps one product's orders, fills, balances and positions.

    `due` says that something was sent since the last sync. An order is given up `give_up_ms` after
    it was created, and `questions` counts how often in a row the exchange did not know it.
    """

    dialect: Dialect
    state: Recoverable
    symbols: tuple[str, ...]
    give_up_ms: int
    due: bool = True
    questions: dict[str, int] = field(default_factory=dict)

    def live(self, symbol: str | None = None) -> list[JsonObject]:
        """Return the live orders of this product, or of one of its symbols."""
        wanted = self.symbols if symbol is None else (symbol,)
        return [
            row
            for row in self.state.orders
            if row["state"] not in TERMINAL_STATES and row["symbol"] in wanted
        ]

    async def look(self) -> bool:
        """Return whether the listings differ from the book, so that a sync is due."""
        for symbol in self.symbols:
            listed = await self.dialect.open_orders(symbol)
            if not _agrees(self.live(symbol), listed):
                return True
        return False

    async def sync(self, now_ms: int) -> None:
        """Read everything and write it as one generation; raises as the dialect does."""
        self._write(await self._read(now_ms), now_ms)
        self.due = False

    async def _read(self, now_ms: int) -> Reading:
        """Read until no fill arrives between the first and the last question."""
        trades: list[Trade] = []
        for _ in range(_ATTEMPTS):
            trades += await self._new_trades(trades, now_ms)
            reports = {
                str(row["client_id"]): await self.dialect.report(row)
                for row in self.live()
                if row.get("client_id") is not None
            }
            balances = await self.dialect.balances()
            positions = await self.dialect.positions()
            late = await self._new_trades(trades, now_ms)
            if not late:
                return Reading(reports, trades, balances, positions, now_ms)
            trades += late
        raise NotKnown("the account moves faster than it can be read")

    async def _new_trades(self, known: list[Trade], now_ms: int) -> list[Trade]:
        found: list[Trade] = []
        for symbol in self.symbols:
            numbers = [trade.number for trade in known if trade.fill.symbol == symbol]
            cursor = self.state.event_cursor.get(self._cursor(symbol))
            after = max(numbers) if numbers else cursor if isinstance(cursor, int) else None
            found += await self.dialect.trades(symbol, after=after, since_ms=now_ms - DAY_MS + 1)
        return found

    def _cursor(self, symbol: str) -> str:
        return f"last_trade {symbol}"

    def _write(self, reading: Reading, now_ms: int) -> None:
        product = self.dialect.product
        with self.state.batch():
            for client_id, report in reading.reports.items():
                if report is not None:
                    self._acknowledge(client_id, report)
            for trade in reading.trades:
                self._book(trade)
            for client_id, report in reading.reports.items():
                self._conclude(client_id, report, now_ms)
            self.state.set_balances(product, reading.balances, as_of_ms=reading.as_of_ms)
            if reading.positions is not None:
                self.state.set_positions(product, self._protected(reading.positions))
            cursor = self.state.event_cursor
            for trade in reading.trades:
                cursor[self._cursor(trade.fill.symbol)] = trade.number
            self.state.note_cursor(cursor, as_of_ms=reading.as_of_ms)

    def _acknowledge(self, client_id: str, report: Report) -> None:
        """Note ids first, so that the fills that are booked next find their orders."""
        self.questions.pop(client_id, None)
        row = self._row(client_id)
        if report.became is not None and row.get("order_class") == "algo":
            self.state.triggered(client_id, exchange_id=report.became, at_ms=report.at_ms)
        elif row.get("exchange_id") is None:
            self.state.acknowledged(client_id, exchange_id=report.exchange_id, at_ms=report.at_ms)

    def _book(self, trade: Trade) -> None:
        self.state.filled(trade.fill, exchange_id=trade.exchange_id)

    def _conclude(self, client_id: str, report: Report | None, now_ms: int) -> None:
        row = self._row(client_id)
        if row["state"] in TERMINAL_STATES:
            return
        if report is None:
            self._not_found(client_id, row, now_ms)
        elif report.became is not None:
            return
        elif report.state in TERMINAL_STATES:
            # An order ends in the book only when every fill that it reports is booked.
            if _number(row, "filled") >= report.filled:
                _END[report.state](self.state, client_id, at_ms=report.at_ms)
        elif row["state"] != report.state and not {row["state"], report.state} <= _RESTING:
            self.state.acknowledged(
                client_id, exchange_id=report.exchange_id, state=report.state, at_ms=report.at_ms
            )

    def _not_found(self, client_id: str, row: JsonObject, now_ms: int) -> None:
        asked = self.questions[client_id] = self.questions.get(client_id, 0) + 1
        age_ms = now_ms - cast("int", row["created_ms"])
        if asked < _QUESTIONS or age_ms <= self.give_up_ms:
            return
        del self.questions[client_id]
        # It never arrived: nothing else ends an order without a trace.
        if row.get("exchange_id") is None:
            self.state.rejected(client_id)
        else:
            self.state.expired(client_id)

    def _protected(self, positions: Iterable[JsonObject]) -> list[JsonObject]:
        stops = [row for row in self.live() if row["role"] == "stop"]
        return [
            {
                **position,
                "protective_order_ids": [
                    str(stop["client_id"]) for stop in stops if stop["symbol"] == position["symbol"]
                ],
            }
            for position in positions
        ]

    def _row(self, client_id: str) -> JsonObject:
        for row in self.state.orders:
            if row.get("client_id") == client_id:
                return row
        raise RecoveryError(f"the order {client_id} has left the book")


_END = {
    "filled": Recoverable.completed,
    "canceled": Recoverable.cancelled,
    "expired": Recoverable.expired,
    "rejected": Recoverable.rejected,
}


def _agrees(live: list[JsonObject], listed: list[Resting]) -> bool:
    """Whether every live order rests as it is known, and nothing else concerns this engine."""
    by_id = {(resting.exchange_id, resting.algo): resting for resting in listed}
    for row in live:
        if row["state"] not in _RESTING:
            return False
        key = (str(row.get("exchange_id")), row.get("order_class") == "algo")
        resting = by_id.get(key)
        if resting is None or resting.filled != _number(row, "filled"):
            return False
    return True


def _number(row: JsonObject, key: str) -> Decimal:
    return decimal_of(row[key]) or Decimal(0)
