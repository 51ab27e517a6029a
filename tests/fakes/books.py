"""Small snapshots by hand, for stories about one order or one fill."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from resyncctl.core.compare import Comparison, compare
from resyncctl.core.discrepancy import Discrepancy, Kind
from resyncctl.core.model import (
    Balance,
    Fill,
    LedgerEntry,
    Leg,
    Order,
    OrderClass,
    OrderStatus,
    Position,
    Scope,
    Side,
)
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import (
    EngineSnapshot,
    Known,
    LookUp,
    OrderReference,
    ProductReading,
    Provenance,
    Unknown,
    VenueSnapshot,
    Window,
)

NOW_MS = 1_770_000_000_000
HOUR_MS = 3_600_000
WINDOW = Window(NOW_MS - 25 * HOUR_MS, NOW_MS)
SYMBOL = "BTC/USDT:USDT"
T = TypeVar("T")


def order(identity: str = "1", **terms: Any) -> Order:
    """A resting limit order of one base unit, an hour old."""
    whole = Order(
        account="main",
        product="linear",
        symbol=SYMBOL,
        side=Side.BUY,
        type="limit",
        status=OrderStatus.ACCEPTED,
        client_order_id=f"mm1-{identity}",
        venue_order_id=identity,
        quantity=Decimal(4),
        filled=Decimal(0),
        price=Decimal(100),
        created_at_ms=NOW_MS - HOUR_MS,
        updated_at_ms=NOW_MS - HOUR_MS,
    )
    return replace(whole, **terms)


def fill(identity: str = "t1", of: str = "1", **terms: Any) -> Fill:
    """A bought base unit at 100, half an hour ago."""
    whole = Fill(
        account="main",
        product="linear",
        symbol=SYMBOL,
        trade_id=identity,
        venue_order_id=of,
        client_order_id=f"mm1-{of}",
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(100),
        fee=None,
        fee_asset=None,
        at_ms=NOW_MS - HOUR_MS // 2,
    )
    return replace(whole, **terms)


def position(quantity: int, leg: Leg = Leg.BOTH, **terms: Any) -> Position:
    whole = Position(
        account="main",
        product="linear",
        symbol=SYMBOL,
        leg=leg,
        quantity=Decimal(quantity),
        entry_price=Decimal(100),
    )
    return replace(whole, **terms)


def balance(total: str, asset: str = "USDT", product: str = "spot", locked: str = "0") -> Balance:
    return Balance(
        account="main",
        product=product,
        asset=asset,
        free=Decimal(total) - Decimal(locked),
        locked=Decimal(locked),
        total=Decimal(total),
    )


def entry(
    amount: str, identity: str = "l1", at_ms: int = NOW_MS - 500, **terms: Any
) -> LedgerEntry:
    whole = LedgerEntry(
        account="main",
        product="linear",
        asset="USDT",
        amount=Decimal(amount),
        kind="funding",
        entry_id=identity,
        at_ms=at_ms,
    )
    return replace(whole, **terms)


def section(rows: Known[T] | Unknown | Iterable[T], as_of_ms: int) -> Known[T] | Unknown:
    """Rows as a section that is known; a section stays as it is."""
    return rows if isinstance(rows, Known | Unknown) else Known(tuple(rows), as_of_ms)


def engine(
    orders: Known[Order] | Unknown | Iterable[Order] = (),
    fills: Known[Fill] | Unknown | Iterable[Fill] = (),
    positions: Known[Position] | Unknown | Iterable[Position] = (),
    balances: Known[Balance] | Unknown | Iterable[Balance] = (),
    **parts: Any,
) -> EngineSnapshot:
    as_of = NOW_MS - 1000
    whole = EngineSnapshot(
        account="main",
        as_of_ms=as_of,
        sequence=1,
        source=Provenance("checkpoint", "checkpoint.json"),
        orders=section(orders, as_of),
        fills=section(fills, as_of),
        positions=section(positions, as_of),
        balances=section(balances, as_of),
    )
    return replace(whole, **parts)


def reading(product: str = "linear", **parts: Any) -> ProductReading:
    whole = ProductReading(
        product=product,
        orders=((Scope(product), Known((), NOW_MS)),),
        fills=Known((), NOW_MS, WINDOW),
        positions=Known((), NOW_MS),
        balances=Known((), NOW_MS),
        ledger=Known((), NOW_MS, WINDOW),
        position_mode=None if product == "spot" else "one_way",
    )
    return replace(whole, **parts)


def venue(
    orders: Iterable[Order] = (),
    fills: Iterable[Fill] = (),
    positions: Iterable[Position] = (),
    balances: Iterable[Balance] = (),
    *,
    ledger: Iterable[LedgerEntry] = (),
    look_ups: Iterable[tuple[Order, LookUp]] = (),
    **parts: Any,
) -> VenueSnapshot:
    """The exchange's side: spot with one book of orders, linear with the regular and the algo."""
    rows: list[tuple[Any, ...]] = [
        tuple(part) for part in (orders, fills, positions, balances, ledger)
    ]

    def of(index: int, product: str) -> tuple[Any, ...]:
        return tuple(row for row in rows[index] if row.product == product)

    products = []
    for product in ("linear", "spot"):
        classes = list(OrderClass) if product == "linear" else [OrderClass.REGULAR]
        scopes = [Scope(product, order_class) for order_class in classes]
        products.append(
            reading(
                product,
                orders=tuple(
                    (scope, Known(tuple(o for o in of(0, product) if o.scope == scope), NOW_MS))
                    for scope in scopes
                ),
                fills=Known(of(1, product), NOW_MS, WINDOW),
                positions=Known(of(2, product), NOW_MS),
                balances=Known(of(3, product), NOW_MS),
                ledger=Known(of(4, product), NOW_MS, WINDOW),
            )
        )
    whole = VenueSnapshot(
        account="main",
        venue="practice",
        as_of_ms=NOW_MS,
        products=tuple(products),
        look_ups=tuple((reference(row), answer) for row, answer in look_ups),
        clock_offset_ms=0,
        identity=Known(("uid 7",), NOW_MS),
    )
    return replace(whole, **parts)


def reference(row: Order) -> OrderReference:
    return OrderReference(
        row.product, row.symbol, row.venue_order_id, row.client_order_id, row.scope
    )


def look(ours: EngineSnapshot, theirs: VenueSnapshot, **policy: Any) -> Comparison:
    rules = Policy(client_id_prefixes=("mm1-",))
    return compare(ours, theirs, replace(rules, **policy), NOW_MS)


def kinds(comparison: Comparison) -> list[Kind]:
    return [finding.kind for finding in comparison.findings]


def only(comparison: Comparison) -> Discrepancy:
    """The one finding there is."""
    (finding,) = comparison.findings
    return finding
