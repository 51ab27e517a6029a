"""One side's books in a seeded world: what a fill and a resting order do to them."""

from dataclasses import dataclass, field
from decimal import Decimal

from resyncctl.core.model import Balance, Fill, Leg, Order, Position, Side

ACCOUNT = "main"


@dataclass
class Books:
    """One side's books, keyed by identity."""

    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    positions: dict[tuple[str, str, Leg], Position] = field(default_factory=dict)
    totals: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    held: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    def move(self, product: str, asset: str, amount: Decimal) -> None:
        self.totals[product, asset] = self.totals.get((product, asset), Decimal(0)) + amount

    def shift(self, fill: Fill, times: int = 1) -> None:
        """Let a fill move position and balances, `times` over (negative: take it back)."""
        sign = (1 if fill.side is Side.BUY else -1) * times
        base, quote = fill.symbol.split(":")[0].split("/")
        if fill.product == "spot":
            self.move("spot", base, sign * fill.quantity)
            self.move("spot", quote, -sign * fill.quantity * (fill.price or Decimal(0)))
        else:
            key = (fill.product, fill.symbol, fill.leg)
            known = self.positions.get(key)
            quantity = (known.quantity if known else Decimal(0)) + sign * fill.quantity
            entry = known.entry_price if known else fill.price
            self.positions[key] = Position(
                account=ACCOUNT,
                product=fill.product,
                symbol=fill.symbol,
                leg=fill.leg,
                quantity=quantity,
                entry_price=entry,
            )
        if fill.fee and fill.fee_asset:
            self.move(fill.product, fill.fee_asset, -fill.fee * times)

    def locked(self) -> dict[tuple[str, str], Decimal]:
        amounts = dict(self.held)
        for order in self.orders.values():
            if order.product == "spot" and not order.is_terminal:
                base, quote = order.symbol.split("/")
                rest = order.quantity - order.filled
                asset = base if order.side is Side.SELL else quote
                value = rest if order.side is Side.SELL else rest * (order.price or Decimal(0))
                amounts["spot", asset] = amounts.get(("spot", asset), Decimal(0)) + value
        return amounts

    def balances(self, product: str | None = None) -> tuple[Balance, ...]:
        locked = self.locked()
        return tuple(
            Balance(
                account=ACCOUNT,
                product=key[0],
                asset=key[1],
                free=total - locked.get(key, Decimal(0)),
                locked=locked.get(key, Decimal(0)),
                total=total,
            )
            for key, total in self.totals.items()
            if product in {None, key[0]} and (total or locked.get(key))
        )
