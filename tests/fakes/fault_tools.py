"""What every fault needs: how findings are named, and untouched objects to disturb."""

from dataclasses import dataclass, field
from decimal import Decimal

from resyncctl.core.discrepancy import Discrepancy, Kind
from resyncctl.core.model import Order
from resyncctl.core.snapshot import OrderReference
from tests.fakes.worlds import World

Finding = tuple[Kind, str]
TENTH = Decimal("0.1")


@dataclass
class Expected:
    """What must be found after a fault, and which of it a repair cannot end."""

    findings: set[Finding] = field(default_factory=set)
    lasting: set[Finding] = field(default_factory=set)


def name_of(finding: Discrepancy) -> Finding:
    """Return a finding as faults name it."""
    subject = finding.subject
    if subject.trade_id is not None:
        trade = "inferred" if subject.trade_id.startswith("inferred") else subject.trade_id
        return finding.kind, trade if trade != "inferred" else f"inferred {subject.venue_order_id}"
    if subject.venue_order_id or subject.client_order_id:
        return finding.kind, subject.venue_order_id or subject.client_order_id or ""
    if subject.asset is not None:
        return finding.kind, f"{subject.product} {subject.asset}"
    if subject.symbol is not None:
        return finding.kind, f"{subject.symbol} {subject.leg or 'all'}"
    place = (finding.venue or {}).get("place")
    return finding.kind, str(place or subject.product or "account")


def found(*findings: Finding) -> Expected:
    return Expected(set(findings))


def lasting(*findings: Finding) -> Expected:
    return Expected(set(findings), set(findings))


def any_product(world: World) -> tuple[str, str]:
    product = world.rng.choice(("spot", "linear", "inverse"))
    return product, world.take_symbol(product)


def resting(world: World, product: str | None = None) -> Order:
    """Take an untouched resting order that both sides hold."""
    if product is None:
        product, symbol = any_product(world)
    else:
        symbol = world.take_symbol(product)
    return world.place(product, symbol)


def id_of(order: Order) -> str:
    return order.venue_order_id or ""


def reference_to(order: Order) -> OrderReference:
    return OrderReference(
        order.product, order.symbol, order.venue_order_id, order.client_order_id, order.scope
    )
