"""A second reconciler, in sets and sums, over the ground truth and what the engine believes.

It knows nothing of the product: it says which orders, legs and balances differ, by their names.
Called by `cron` and by the tests of the storm.
"""

from decimal import Decimal
from typing import Any

from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.snapshot import Known
from resyncctl.simulator.exchange import PracticeExchange
from tests.storm.belief import PRODUCTS, Mind, unified
from tests.storm.oracle import ACCOUNT

RESTING = frozenset({"ACCEPTED", "PARTIALLY_FILLED"})

Names = set[tuple[str, ...]]


def explained(outcome: AccountOutcome) -> Names:
    """Return what the product says differs for a reason that it names, such as a fee."""
    found: Names = set()
    rows: Any = outcome.data["explained"]
    for entry in rows:
        subject = entry["subject"]
        if "asset" in subject:
            found.add(("money", str(subject["product"]), str(subject["asset"])))
        elif "venue_order_id" in subject:
            found.add(("order", str(subject["symbol"]), str(subject["venue_order_id"])))
        else:
            found.add(("leg", str(subject["symbol"]), str(subject.get("leg", "both"))))
    return found


def _near(one: Decimal, other: Decimal) -> bool:
    """Whether amounts of money count as equal: one part in ten thousand, and at most a hundred."""
    most = min(max(abs(one), abs(other)) / 10_000, Decimal(100))
    return abs(one - other) <= max(most, Decimal("0.00000001"))


def differences(exchange: PracticeExchange, mind: Mind) -> Names:
    """Return what differs: orders by symbol and id, legs, and money by product and asset."""
    truth, catalogue = exchange.control.truth(ACCOUNT), exchange.catalogue
    rows = [*truth["open_orders"], *truth["open_algo_orders"]]
    resting = {
        (
            unified(catalogue, row["market"], row["symbol"]),
            str(row["algo_id"] if row["service"] == "algo" else row["order_id"]),
        )
        for row in rows
    }
    orders, positions, balances = mind.stub.orders, mind.stub.positions, mind.stub.balances
    assert isinstance(orders, Known)
    assert isinstance(positions, Known)
    assert isinstance(balances, Known)
    believed = {
        (row.symbol, str(row.venue_order_id)) for row in orders.data if row.status.value in RESTING
    }
    found: Names = {("order", *name) for name in resting ^ believed}
    held = {
        (unified(catalogue, "usdm", row["symbol"]), row["position_side"].lower()): row["amount"]
        for row in truth["positions"]
    }
    thought = {(row.symbol, row.leg.value): row.quantity for row in positions.data}
    for leg in held.keys() | thought.keys():
        if Decimal(held.get(leg, "0")) != thought.get(leg, Decimal(0)):
            found.add(("leg", *leg))
    money = {
        (PRODUCTS[market], asset): Decimal(row["total"])
        for market, wallet in truth["balances"].items()
        if PRODUCTS.get(market) in mind.products
        for asset, row in wallet.items()
    }
    counted = {(row.product, row.asset): row.total for row in balances.data}
    for key in money.keys() | counted.keys():
        if not _near(money.get(key, Decimal(0)), counted.get(key, Decimal(0))):
            found.add(("money", *key))
    return found
