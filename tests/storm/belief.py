"""What the engine believes, written from the ground truth and not from anybody's parser.

Promises: it uses nothing of the product's reading side, so that a misunderstanding there shows as a
difference. `Mind` implements `EngineView` and `CheckpointRepair`. Called by `story`.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from resyncctl.core.model import (
    Balance,
    Fill,
    Leg,
    Order,
    OrderClass,
    OrderStatus,
    Position,
    Side,
)
from resyncctl.core.snapshot import EngineSnapshot, Known
from resyncctl.simulator.catalogue import Catalogue
from resyncctl.simulator.exchange import PracticeExchange
from tests.fakes.stub_engine import StubEngine
from tests.storm.oracle import ACCOUNT

PRODUCTS = {"spot": "spot", "usdm": "linear"}
LEGS = {"BOTH": Leg.BOTH, "LONG": Leg.LONG, "SHORT": Leg.SHORT}
STATUSES = {"NEW": OrderStatus.ACCEPTED, "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED}
CLOSING = {(Leg.LONG, Side.SELL), (Leg.SHORT, Side.BUY)}


def unified(catalogue: Catalogue, market: str, name: str) -> str:
    """Return the unified name of a symbol."""
    row = catalogue.rows(market)[name]  # type: ignore[arg-type]  # a market's name
    return f"{row.base}/{row.quote}" + (f":{row.quote}" if market == "usdm" else "")


def order_of(document: dict[str, Any], catalogue: Catalogue) -> Order:
    """Return an order of the truth as an engine knows it."""
    leg, side = LEGS[document["position_side"]], Side(document["side"].lower())
    algo = document["service"] == "algo"
    reduces = document["reduce_only"] or document["close_position"] or (leg, side) in CLOSING
    price, stop = Decimal(document["price"]), Decimal(document["stop_price"])
    spot = document["market"] == "spot"
    return Order(
        account=ACCOUNT,
        product=PRODUCTS[document["market"]],
        symbol=unified(catalogue, document["market"], document["symbol"]),
        venue_symbol=document["symbol"],
        side=side,
        type=document["type"],
        status=STATUSES[document["status"]],
        client_order_id=document["client_order_id"],
        venue_order_id=str(document["algo_id"] if algo else document["order_id"]),
        quantity=Decimal(document["quantity"]),
        filled=Decimal(document.get("executed", "0")),
        price=price or None,
        trigger_price=stop or None,
        reduce_only=bool(reduces) and not spot,
        leg=leg,
        order_class=OrderClass.ALGO if algo else OrderClass.REGULAR,
        created_at_ms=document["created_ms"],
    )


def fill_of(document: dict[str, Any], catalogue: Catalogue) -> Fill:
    """Return a fill of the truth as an engine knows it."""
    return Fill(
        account=ACCOUNT,
        product=PRODUCTS[document["market"]],
        symbol=unified(catalogue, document["market"], document["symbol"]),
        trade_id=str(document["trade_id"]),
        venue_order_id=str(document["order_id"]),
        client_order_id=None,
        side=Side(document["side"].lower()),
        quantity=Decimal(document["quantity"]),
        price=Decimal(document["price"]),
        fee=Decimal(document["fee"]),
        fee_asset=document["fee_asset"],
        at_ms=document["time_ms"],
        leg=LEGS[document["position_side"]],
    )


def balances_of(document: dict[str, Any], products: set[str]) -> list[Balance]:
    """Return the balances of the truth."""
    found = []
    for market, wallet in document["balances"].items():
        product = PRODUCTS.get(market)
        if product not in products:
            continue
        for asset, row in wallet.items():
            if Decimal(row["total"]):
                spot = product == "spot"
                found.append(
                    Balance(
                        account=ACCOUNT,
                        product=str(product),
                        asset=asset,
                        free=Decimal(row["free"]) if spot else None,
                        locked=Decimal(row["locked"]) if spot else None,
                        total=Decimal(row["total"]),
                    )
                )
    return found


@dataclass(slots=True)
class Mind:
    """Implements `EngineView` and `CheckpointRepair`: learns the truth, or is left behind."""

    exchange: PracticeExchange
    products: set[str]
    stub: StubEngine = field(default_factory=StubEngine)

    def learn(self) -> None:
        """Take over the truth as it is now."""
        truth, catalogue = self.exchange.control.truth(ACCOUNT), self.exchange.catalogue
        resting = [*truth["open_orders"], *truth["open_algo_orders"]]
        now_ms = truth["now_ms"]
        orders = [order_of(one, catalogue) for one in resting]
        positions = [
            Position(
                account=ACCOUNT,
                product="linear",
                symbol=unified(catalogue, "usdm", one["symbol"]),
                leg=LEGS[one["position_side"]],
                quantity=Decimal(one["amount"]),
                entry_price=Decimal(one["entry_price"]),
            )
            for one in truth["positions"]
        ]
        self.stub.orders = Known(tuple(orders), now_ms)
        self.stub.fills = Known(tuple(fill_of(one, catalogue) for one in truth["fills"]), now_ms)
        self.stub.positions = Known(tuple(positions), now_ms)
        self.stub.balances = Known(tuple(balances_of(truth, self.products)), now_ms)

    def read(self, account: str, now_ms: int) -> EngineSnapshot:
        return self.stub.read(account, now_ms)

    def write(self, snapshot: EngineSnapshot, now_ms: int) -> str:
        return self.stub.write(snapshot, now_ms)

    def without(self, client_order_id: str) -> None:
        """Forget one order."""
        section = self.stub.orders
        if isinstance(section, Known):
            left = tuple(one for one in section.data if one.client_order_id != client_order_id)
            self.stub.orders = replace(section, data=left)
