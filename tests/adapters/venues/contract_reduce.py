"""What every `VenueReduce` with its `MarketView` must do, whatever is behind it.

A test module makes a `ReduceBench` for each implementation and runs every function of `RULES`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.model import Leg, Order, Scope, Side
from resyncctl.core.mutation import OutcomeKind, Permit
from resyncctl.core.reduction import Protection, Reduction
from resyncctl.core.snapshot import OrderReference, Unknown
from resyncctl.ports.powers import VenueReduce
from resyncctl.ports.views import MarketView, VenueView


@dataclass(slots=True, kw_only=True)
class ReduceBench:
    """One implementation, and the hand of its world.

    `holding` is what is really held now, `hold` sets it; `requests` counts the orders that were
    asked for. The price is about 100. `part` is a quantity between one and three in which
    the instrument can be ordered.
    """

    view: VenueView
    market: MarketView
    reducer: VenueReduce
    product: str
    symbol: str
    leg: Leg
    protection: Protection
    now_ms: Callable[[], int]
    permit: Callable[[Reduction | None], Permit]
    hold: Callable[[Decimal], None]
    holding: Callable[[], Decimal]
    requests: Callable[[], int]
    part: Decimal = Decimal("1.5")


async def order_for(bench: ReduceBench, holding: str, quantity: str, name: str) -> Reduction:
    held = Decimal(holding)
    side = Side.SELL if held > 0 else Side.BUY
    rules = await bench.market.read_rules(bench.product, bench.symbol)
    assert isinstance(rules, InstrumentRules), rules
    return Reduction(
        account=bench.view.account,
        product=bench.product,
        symbol=bench.symbol,
        venue_symbol=rules.venue_symbol,
        leg=bench.leg,
        side=side,
        quantity=Decimal(quantity),
        limit_price=Decimal(99 if side is Side.SELL else 101),
        client_order_id=f"rsc-{name}",
        protection=bench.protection,
        holding=held,
        read_at_ms=bench.now_ms(),
    )


def sign(bench: ReduceBench) -> int:
    return -1 if bench.leg is Leg.SHORT else 1


async def looked_up(bench: ReduceBench, order: Reduction) -> object:
    reference = OrderReference(
        order.product, order.symbol, None, order.client_order_id, Scope(order.product)
    )
    return await bench.view.look_up_order(reference)


async def it_makes_the_holding_smaller(bench: ReduceBench) -> None:
    bench.hold(Decimal(4) * sign(bench))
    order = await order_for(bench, str(4 * sign(bench)), str(bench.part), "a")
    outcome = await bench.reducer.reduce(order, bench.permit(order))
    assert outcome.kind is OutcomeKind.ACKNOWLEDGED, outcome
    assert bench.holding() == (4 - bench.part) * sign(bench)


async def it_can_be_looked_up_by_its_client_id(bench: ReduceBench) -> None:
    bench.hold(Decimal(4) * sign(bench))
    order = await order_for(bench, str(4 * sign(bench)), str(bench.part), "b")
    outcome = await bench.reducer.reduce(order, bench.permit(order))
    found = await looked_up(bench, order)
    assert isinstance(found, Order), found
    assert found.is_terminal
    assert found.filled == bench.part
    assert found.client_order_id == order.client_order_id
    assert outcome.venue_order_id in {None, found.venue_order_id}


async def a_price_that_is_not_met_never_rests(bench: ReduceBench) -> None:
    bench.hold(Decimal(4) * sign(bench))
    order = await order_for(bench, str(4 * sign(bench)), str(bench.part), "c")
    away = replace(order, limit_price=Decimal(150 if order.side is Side.SELL else 50))
    await bench.reducer.reduce(away, bench.permit(away))
    found = await looked_up(bench, away)
    assert isinstance(found, Order), found
    assert found.is_terminal
    assert found.filled == 0
    assert bench.holding() == 4 * sign(bench)


async def a_stale_holding_is_never_flipped(bench: ReduceBench) -> None:
    order = await order_for(bench, str(4 * sign(bench)), "3", "d")
    bench.hold(Decimal(1) * sign(bench))
    await bench.reducer.reduce(order, bench.permit(order))
    assert bench.holding() * sign(bench) in {Decimal(0), Decimal(1)}


async def nothing_is_held_and_nothing_is_opened(bench: ReduceBench) -> None:
    order = await order_for(bench, str(4 * sign(bench)), "3", "e")
    bench.hold(Decimal(0))
    outcome = await bench.reducer.reduce(order, bench.permit(order))
    assert outcome.kind is not OutcomeKind.UNKNOWN
    assert bench.holding() == 0


async def one_call_is_one_request(bench: ReduceBench) -> None:
    bench.hold(Decimal(4) * sign(bench))
    before = bench.requests()
    order = await order_for(bench, str(4 * sign(bench)), "1", "f")
    await bench.reducer.reduce(order, bench.permit(order))
    assert bench.requests() == before + 1


async def what_cannot_be_reduced_says_why(bench: ReduceBench) -> None:
    assert bench.reducer.why_not(bench.product) is None
    assert bench.reducer.why_not("no such product")


async def rules_and_books_fit_together(bench: ReduceBench) -> None:
    rules = await bench.market.read_rules(bench.product, bench.symbol)
    book = await bench.market.read_book(bench.product, bench.symbol)
    assert isinstance(rules, InstrumentRules)
    assert isinstance(book, OrderBook)
    assert (rules.product, rules.symbol) == (book.product, book.symbol)
    assert rules.trading
    assert 0 < rules.quantity_min <= rules.quantity_max
    assert rules.quantity_step > 0
    assert rules.price_tick > 0
    assert book.bids[0][0] < book.asks[0][0]
    assert book.as_of_ms <= bench.now_ms()


async def a_stranger_is_unknown(bench: ReduceBench) -> None:
    found = await bench.market.read_rules(bench.product, "NO/SUCH")
    assert isinstance(found, Unknown)
    assert found.reason


Rule = Callable[[ReduceBench], Awaitable[None]]
RULES: tuple[Rule, ...] = (
    it_makes_the_holding_smaller,
    it_can_be_looked_up_by_its_client_id,
    a_price_that_is_not_met_never_rests,
    a_stale_holding_is_never_flipped,
    nothing_is_held_and_nothing_is_opened,
    one_call_is_one_request,
    what_cannot_be_reduced_says_why,
    rules_and_books_fit_together,
    a_stranger_is_unknown,
)
