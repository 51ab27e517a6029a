"""A folder with a gate, a clock and a bot, and the orders and fills that it speaks of."""

from decimal import Decimal
from pathlib import Path

from resyncctl.sdk.canonical import JsonObject
from resyncctl.sdk.checkpoint import Checkpoint, read_checkpoint
from resyncctl.sdk.gate import GateState, write_gate
from resyncctl.sdk.ledger import Execution
from resyncctl.sdk.recoverable import Recoverable
from resyncctl.sdk.state import NewOrder
from tests.sdk.samples import NOW_MS


class World:
    """A folder with a gate, a clock and a bot that can be started again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bot.json"
        self.gate = folder / "gate.json"
        self.now_ms = NOW_MS
        self.move(GateState.RUNNING)

    def move(self, state: GateState) -> None:
        write_gate(
            self.gate,
            account="main",
            state=state,
            reason="test",
            by="test",
            run_id="r",
            now_ms=self.now_ms,
        )

    def start(self, *, account: str = "main", dry_run: bool = False) -> Recoverable:
        return Recoverable(
            self.path,
            self.gate,
            account=account,
            exchange="binance",
            market_type="swap",
            products=("spot", "linear"),
            dry_run=dry_run,
            now_ms=lambda: self.now_ms,
        )

    def on_disk(self) -> Checkpoint:
        return read_checkpoint(self.path)

    def order_on_disk(self, client_id: str = "bot-1") -> JsonObject:
        rows = self.on_disk().rows("orders") or []
        return next(row for row in rows if row["client_id"] == client_id)


def buy(client_id: str = "bot-1", symbol: str = "BTC/USDT:USDT", amount: str = "2") -> NewOrder:
    return NewOrder(
        client_id=client_id,
        symbol=symbol,
        side="buy",
        type="limit",
        amount=Decimal(amount),
        price=Decimal(100),
    )


def fill(
    trade_id: str = "t1",
    amount: str = "0.5",
    *,
    side: str = "buy",
    price: str = "100",
    symbol: str = "BTC/USDT:USDT",
    fee: str | None = "0.02",
) -> Execution:
    return Execution(
        trade_id=trade_id,
        symbol=symbol,
        side=side,
        price=Decimal(price),
        amount=Decimal(amount),
        at_ms=NOW_MS + 7,
        fee=None if fee is None else (("USDT", Decimal(fee)),),
    )
