"""What every implementation of `VenueView` and `VenueCancel` must do, whatever is behind it.

A test module makes a `Bench` for each implementation and runs every function of `RULES` on it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from resyncctl.core.model import Order, Scope
from resyncctl.core.mutation import OutcomeKind, Permit
from resyncctl.core.snapshot import Known, NotFound, OrderReference, Unknown, Window
from resyncctl.ports.powers import VenueCancel
from resyncctl.ports.views import ClockReading, VenueView


@dataclass(slots=True, kw_only=True)
class Bench:
    """One implementation, and the hand of its world.

    `rest` lets an order rest in a scope on a venue symbol and returns its client id; `blind` makes
    the listing of a scope fail from now on; `mutations` counts the requests that could change
    something. `symbols` are two of the
    venue's own names.
    """

    view: VenueView
    cancel: VenueCancel
    scope: Scope
    now_ms: Callable[[], int]
    permit: Callable[[], Permit]
    rest: Callable[[str], None]
    blind: Callable[[], None]
    mutations: Callable[[], int]
    symbols: tuple[str, str] = ("BTCUSDT", "ETHUSDT")


async def orders_of(bench: Bench) -> tuple[Order, ...]:
    section = await bench.view.read_open_orders(bench.scope)
    assert isinstance(section, Known), section
    assert section.complete
    return section.data


def reference(order: Order) -> OrderReference:
    return OrderReference(
        product=order.product,
        symbol=order.symbol,
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        scope=order.scope,
    )


async def an_order_that_rests_is_listed(bench: Bench) -> None:
    assert await orders_of(bench) == ()
    bench.rest(bench.symbols[0])
    (order,) = await orders_of(bench)
    assert order.scope == bench.scope
    assert order.account == bench.view.account
    assert order.venue_symbol == bench.symbols[0]
    assert order.venue_order_id or order.client_order_id
    assert not order.is_terminal


async def a_listing_that_fails_is_unknown_and_never_empty(bench: Bench) -> None:
    bench.rest(bench.symbols[0])
    bench.blind()
    section = await bench.view.read_open_orders(bench.scope)
    assert isinstance(section, Unknown)
    assert section.reason


async def a_single_cancel_takes_one_order(bench: Bench) -> None:
    bench.rest(bench.symbols[0])
    bench.rest(bench.symbols[0])
    first, second = await orders_of(bench)
    outcome = await bench.cancel.cancel_order(first, bench.permit())
    assert outcome.kind is OutcomeKind.ACKNOWLEDGED
    (left,) = await orders_of(bench)
    assert left.venue_order_id == second.venue_order_id


async def a_symbol_cancel_takes_its_symbol_and_no_other(bench: Bench) -> None:
    assert bench.cancel.abilities(bench.scope).by_symbol
    bench.rest(bench.symbols[0])
    bench.rest(bench.symbols[0])
    bench.rest(bench.symbols[1])
    symbol = (await orders_of(bench))[0].symbol
    await bench.cancel.cancel_symbol(bench.scope, symbol, bench.symbols[0], bench.permit())
    assert {order.venue_symbol for order in await orders_of(bench)} == {bench.symbols[1]}


async def one_call_is_one_mutation(bench: Bench) -> None:
    bench.rest(bench.symbols[0])
    (order,) = await orders_of(bench)
    await bench.cancel.cancel_order(order, bench.permit())
    await bench.cancel.cancel_order(order, bench.permit())
    await bench.cancel.cancel_symbol(bench.scope, order.symbol, bench.symbols[0], bench.permit())
    assert bench.mutations() == 3


async def a_cancel_of_what_is_gone_is_no_acknowledgement(bench: Bench) -> None:
    bench.rest(bench.symbols[0])
    (order,) = await orders_of(bench)
    await bench.cancel.cancel_order(order, bench.permit())
    outcome = await bench.cancel.cancel_order(order, bench.permit())
    assert outcome.kind is OutcomeKind.REJECTED
    assert outcome.already_gone


async def a_look_up_tells_the_terminal_status(bench: Bench) -> None:
    bench.rest(bench.symbols[0])
    (order,) = await orders_of(bench)
    found = await bench.view.look_up_order(reference(order))
    assert isinstance(found, Order)
    assert not found.is_terminal
    await bench.cancel.cancel_order(order, bench.permit())
    ended = await bench.view.look_up_order(reference(order))
    assert isinstance(ended, Order)
    assert ended.is_terminal


async def a_look_up_of_a_stranger_is_not_found(bench: Bench) -> None:
    bench.rest(bench.symbols[0])
    (order,) = await orders_of(bench)
    stranger = OrderReference(order.product, order.symbol, "777777", None, order.scope)
    assert isinstance(await bench.view.look_up_order(stranger), NotFound)


async def the_first_contact_answers(bench: Bench) -> None:
    assert isinstance(await bench.view.measure_clock(), ClockReading)
    identity = await bench.view.read_identity(bench.scope.product)
    assert isinstance(identity, Known)
    assert identity.data


async def sections_say_when_they_were_read(bench: Bench) -> None:
    product = bench.scope.product
    window = Window(bench.now_ms() - 60_000, bench.now_ms())
    for section in (
        await bench.view.read_open_orders(bench.scope),
        await bench.view.read_positions(product),
        await bench.view.read_balances(product),
        await bench.view.read_fills(product, window, ()),
        await bench.view.read_ledger(product, window),
    ):
        assert isinstance(section, Known)
        assert section.as_of_ms == bench.now_ms()


async def the_profile_names_its_scopes_and_horizon(bench: Bench) -> None:
    assert bench.scope in bench.view.profile.scopes
    assert bench.view.profile.staleness_horizon_ms > 0
    assert bench.view.profile.request_validity_ms > 0


async def closing_twice_is_harmless(bench: Bench) -> None:
    await bench.view.close()
    await bench.view.close()


Rule = Callable[[Bench], Awaitable[None]]
RULES: tuple[Rule, ...] = (
    an_order_that_rests_is_listed,
    a_listing_that_fails_is_unknown_and_never_empty,
    a_single_cancel_takes_one_order,
    a_symbol_cancel_takes_its_symbol_and_no_other,
    one_call_is_one_mutation,
    a_cancel_of_what_is_gone_is_no_acknowledgement,
    a_look_up_tells_the_terminal_status,
    a_look_up_of_a_stranger_is_not_found,
    the_first_contact_answers,
    sections_say_when_they_were_read,
    the_profile_names_its_scopes_and_horizon,
    closing_twice_is_harmless,
)
