"""One fault for each kind of discrepancy, injected into a world, with what must then be found.

Each fault disturbs objects of its own (a symbol or asset that nobody else takes) and answers with
the findings that it must cause: (kind, name of the object). `lasting` are those that no repair of
the engine's state can end, because they need an act at the exchange or a better reading.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from resyncctl.core.discrepancy import Kind
from resyncctl.core.model import LedgerEntry, Leg, OrderStatus, Position
from resyncctl.core.snapshot import Claim, NotCovered, NotFound, Unknown
from tests.fakes.fault_tools import (
    TENTH,
    Expected,
    any_product,
    found,
    id_of,
    lasting,
    reference_to,
    resting,
)
from tests.fakes.world_books import ACCOUNT
from tests.fakes.worlds import HOUR_MS, NOW_MS, World


def orphan_order(world: World) -> Expected:
    prefix = world.rng.choice(["mm1-", "someone-"])
    order = world.place(*any_product(world), on=("venue",), client_id=f"{prefix}{world.next_id()}")
    return found((Kind.ORPHAN_ORDER, id_of(order)))


def claimed_order(world: World) -> Expected:
    order = world.place(*any_product(world), on=("venue",))
    claim = world.rng.choice(
        [
            Claim("grid", venue_order_id=order.venue_order_id),
            Claim("grid", client_order_id=order.client_order_id, until_ms=NOW_MS + 1),
            Claim("grid", symbol=order.symbol),
        ]
    )
    world.claims.append(claim)
    return found((Kind.CLAIMED_ORDER, id_of(order)))


def missing_order(world: World) -> Expected:
    order = resting(world)
    key = (Kind.MISSING_ORDER, id_of(order))
    ending = world.rng.choice(["CANCELED", "EXPIRED", "REJECTED", "FILLED", "UNRESOLVED"])
    if ending == "UNRESOLVED":
        del world.venue.orders[id_of(order)]
        reference = reference_to(order)
        answers = [None, Unknown("timeout"), NotFound(reference, "-2013 Order does not exist.")]
        answer = world.rng.choice(answers)
        if answer is not None:
            world.look_ups[reference] = answer
        return lasting(key)
    expected = found(key)
    if ending == "FILLED":
        fills = [world.fill_of(order, order.quantity / 2) for _ in range(2)]
        for fill in fills:
            world.execute(fill, on=("venue",))
            expected.findings.add((Kind.MISSING_FILL, fill.trade_id))
    else:
        world.venue.orders[id_of(order)] = replace(order, status=OrderStatus[ending])
    world.look_ups[reference_to(order)] = world.venue.orders.pop(id_of(order))
    return expected


def status_mismatch(world: World) -> Expected:
    order = resting(world)
    status = world.rng.choice(
        [OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.SUBMITTED, OrderStatus.EMULATED]
    )
    world.engine.orders[id_of(order)] = replace(order, status=status)
    return found((Kind.STATUS_MISMATCH, id_of(order)))


def order_amended(world: World) -> Expected:
    order = resting(world)
    change = world.rng.choice(["price", "quantity"])
    value = getattr(order, change) + TENTH
    world.venue.orders[id_of(order)] = replace(order, **{change: value})
    return found((Kind.ORDER_AMENDED, id_of(order)))


def fill_quantity_mismatch(world: World) -> Expected:
    """The engine's counter left its own trade rows, in either direction."""
    order = resting(world)
    world.execute(world.fill_of(order, order.quantity / 4))
    ours = world.engine.orders[id_of(order)]
    filled = ours.filled * 2 if world.rng.random() < 0.5 else Decimal(0)
    world.engine.orders[id_of(order)] = replace(ours, filled=filled)
    return found((Kind.FILL_QUANTITY_MISMATCH, id_of(order)))


def duplicate_client_id(world: World) -> Expected:
    order = resting(world)
    world.place(order.product, order.symbol, on=("venue",), client_id=order.client_order_id)
    return found((Kind.DUPLICATE_CLIENT_ID, order.client_order_id or ""))


def stale_order(world: World) -> Expected:
    order = world.place(*any_product(world), created_ms=NOW_MS - 30 * HOUR_MS)
    return lasting((Kind.STALE_ORDER, id_of(order)))


def in_flight_unresolved(world: World) -> Expected:
    order = resting(world)
    old = NOW_MS - 60_000
    if world.rng.random() < 0.5:
        sent = replace(order, status=OrderStatus.SUBMITTED, venue_order_id=None, updated_at_ms=old)
        world.engine.orders[id_of(order)] = sent
        del world.venue.orders[id_of(order)]
        world.look_ups[reference_to(sent)] = NotFound(reference_to(sent), "-2013")
        return lasting((Kind.IN_FLIGHT_UNRESOLVED, sent.client_order_id or ""))
    world.engine.orders[id_of(order)] = replace(
        order, status=OrderStatus.PENDING_CANCEL, updated_at_ms=old
    )
    return found((Kind.IN_FLIGHT_UNRESOLVED, id_of(order)))


def unmapped_instrument(world: World) -> Expected:
    symbol = f"X{world.next_id()}USDT"
    world.place("linear", symbol, on=("venue",))
    return lasting((Kind.UNMAPPED_INSTRUMENT, f"{symbol} all"))


def unknown_order_storm(world: World) -> Expected:
    expected = found((Kind.UNKNOWN_ORDER_STORM, "account"))
    symbol = world.take_symbol("linear")
    for number in range(12):
        order = world.place(
            "linear", symbol, on=("venue",), created_ms=NOW_MS - HOUR_MS + 1000 * number
        )
        expected.findings.add((Kind.ORPHAN_ORDER, id_of(order)))
    return expected


def missing_fill(world: World) -> Expected:
    order = resting(world)
    fill = world.fill_of(order, order.quantity / 4)
    if world.rng.random() < 0.5:
        world.execute(fill, on=("venue",))
        return found((Kind.MISSING_FILL, fill.trade_id))
    bare = replace(fill, fee=None, fee_asset=None)
    world.venue.shift(bare)
    world.venue.orders[id_of(order)] = replace(
        order,
        filled=fill.quantity,
        status=OrderStatus.PARTIALLY_FILLED,
        average_price=fill.price,
        updated_at_ms=fill.at_ms,
    )
    return found((Kind.MISSING_FILL, f"inferred {id_of(order)}"))


def phantom_fill(world: World) -> Expected:
    fill = world.fill_of(order := resting(world), order.quantity / 4)
    world.execute(fill, on=("engine",))
    return found((Kind.PHANTOM_FILL, fill.trade_id))


def fill_conflict(world: World) -> Expected:
    order = resting(world)
    fill = world.fill_of(order, order.quantity / 4)
    world.execute(fill, on=("venue",))
    for entry in [entry for entry in world.ledger if entry.trade_id == fill.trade_id]:
        if entry.kind == "realized_pnl":
            world.engine.move(entry.product, entry.asset, entry.amount)
    name = world.rng.choice(["quantity", "price", "fee"])
    other = getattr(fill, name) + TENTH
    wrong = replace(fill, **{name: other})
    world.engine.fills.append(wrong)
    world.engine.shift(wrong)
    world.engine.orders[id_of(order)] = replace(
        order, filled=wrong.quantity, status=OrderStatus.PARTIALLY_FILLED
    )
    return found((Kind.FILL_CONFLICT, fill.trade_id))


def duplicate_fill(world: World) -> Expected:
    order = resting(world)
    fill = world.fill_of(order, order.quantity / 4)
    world.execute(fill)
    world.engine.fills.append(fill)
    if world.rng.random() < 0.5:
        world.engine.shift(fill)
        ours = world.engine.orders[id_of(order)]
        world.engine.orders[id_of(order)] = replace(ours, filled=ours.filled * 2)
    return found((Kind.DUPLICATE_FILL, fill.trade_id))


def orphan_fill(world: World) -> Expected:
    product, symbol = any_product(world)
    order = world.place(product, symbol, on=())
    fill = world.fill_of(order, order.quantity)
    world.execute(fill, on=("venue",))
    return found((Kind.ORPHAN_FILL, fill.trade_id))


def overfill(world: World) -> Expected:
    order = resting(world)
    world.engine.orders[id_of(order)] = replace(order, filled=order.quantity + TENTH)
    return found((Kind.OVERFILL, id_of(order)))


def _leg(world: World, mode: str) -> tuple[tuple[str, str, Leg], Position]:
    """Take an untouched leg that both sides hold, in a product of the given mode."""
    product = next(name for name, value in world.modes.items() if value == mode)
    symbol = world.take_symbol(product)
    key = (product, symbol, world.rng.choice(world.legs(product)))
    return key, world.engine.positions[key]


def _either(world: World) -> tuple[tuple[str, str, Leg], Position]:
    return _leg(world, world.rng.choice(["hedge", "one_way"]))


def _name(key: tuple[str, str, Leg]) -> str:
    return f"{key[1]} {key[2].value}"


def position_mismatch(world: World) -> Expected:
    key, position = _leg(world, "one_way")
    world.engine.positions[key] = replace(position, quantity=position.quantity * 2)
    return found((Kind.POSITION_MISMATCH, _name(key)))


def untracked_position(world: World) -> Expected:
    key, _position = _either(world)
    del world.engine.positions[key]
    return found((Kind.UNTRACKED_POSITION, _name(key)))


def phantom_position(world: World) -> Expected:
    key, _position = _either(world)
    del world.venue.positions[key]
    return found((Kind.PHANTOM_POSITION, _name(key)))


def leg_mismatch(world: World) -> Expected:
    key, position = _leg(world, "hedge")
    product, symbol, _which = key
    if world.rng.random() < 0.5:
        world.engine.positions[key] = replace(position, quantity=position.quantity * 2)
        return found((Kind.LEG_MISMATCH, _name(key)))
    for leg in (Leg.LONG, Leg.SHORT):
        del world.engine.positions[product, symbol, leg]
    world.engine.positions[product, symbol, Leg.BOTH] = replace(position, leg=Leg.BOTH)
    return found((Kind.LEG_MISMATCH, f"{symbol} all"))


def side_flip(world: World) -> Expected:
    key, position = _leg(world, "one_way")
    world.engine.positions[key] = replace(position, quantity=-position.quantity)
    return found((Kind.SIDE_FLIP, _name(key)))


def entry_price_drift(world: World) -> Expected:
    key, position = _either(world)
    price = (position.entry_price or Decimal(1)) * Decimal("1.0002")
    world.engine.positions[key] = replace(position, entry_price=price)
    return found((Kind.ENTRY_PRICE_DRIFT, _name(key)))


def _fresh_asset(world: World) -> tuple[str, str]:
    key = ("spot", f"B{world.next_id()}")
    value = world.amount(1000, 90000)
    world.engine.totals[key] = world.venue.totals[key] = value
    return key


def balance_mismatch(world: World) -> Expected:
    key = _fresh_asset(world)
    total = world.venue.totals[key]
    match world.rng.choice(["less", "engine only", "venue only", "ledger"]):
        case "less":
            world.engine.totals[key] = total / 2
        case "engine only":
            del world.venue.totals[key]
        case "venue only":
            del world.engine.totals[key]
        case _:
            world.venue.totals[key] = total + 5
            entry = f"l{world.next_id()}"
            at_ms = NOW_MS - world.rng.choice([500, HOUR_MS])
            world.ledger.append(
                LedgerEntry(
                    account=ACCOUNT,
                    product=key[0],
                    asset=key[1],
                    amount=Decimal(5),
                    kind="deposit",
                    entry_id=entry,
                    at_ms=at_ms,
                )
            )
    return found((Kind.BALANCE_MISMATCH, f"{key[0]} {key[1]}"))


def locked_mismatch(world: World) -> Expected:
    key = _fresh_asset(world)
    world.venue.held[key] = world.venue.totals[key] / 2
    return found((Kind.LOCKED_MISMATCH, f"{key[0]} {key[1]}"))


def section_unreadable(world: World) -> Expected:
    world.unreadable["option"] = "HTTP 502 with an HTML body"
    return lasting((Kind.SECTION_UNREADABLE, "fills of option"))


def window_not_covered(world: World) -> Expected:
    world.option_since_ms = NOW_MS - HOUR_MS
    if "option" in world.unreadable:
        return Expected()
    return lasting((Kind.WINDOW_NOT_COVERED, "fills of option"))


def scope_not_covered(world: World) -> Expected:
    world.not_covered.append(NotCovered("isolated margin", "the profile cannot read it"))
    return lasting((Kind.SCOPE_NOT_COVERED, "isolated margin"))


def trouble(kind: Kind) -> Callable[[World], Expected]:
    def inject(world: World) -> Expected:
        world.trouble.append((kind.value, "told by the state source"))
        return lasting((kind, "account"))

    return inject


def clock_skew(world: World) -> Expected:
    world.offset_ms = world.rng.choice([900, -900, None])
    return lasting((Kind.CLOCK_SKEW, "account"))


def moving(world: World) -> Expected:
    world.moving = "orders of linear/regular changed"
    return lasting((Kind.MOVING, "account"))


def settling(world: World) -> Expected:
    order = resting(world)
    now = NOW_MS - world.rng.randint(0, 4000)
    world.engine.orders[id_of(order)] = replace(
        order, status=OrderStatus.SUBMITTED, venue_order_id=None, updated_at_ms=now
    )
    del world.venue.orders[id_of(order)]
    return lasting((Kind.SETTLING, order.client_order_id or ""))


FAULTS: dict[Kind, Callable[[World], Expected]] = {
    Kind.ORPHAN_ORDER: orphan_order,
    Kind.CLAIMED_ORDER: claimed_order,
    Kind.MISSING_ORDER: missing_order,
    Kind.STATUS_MISMATCH: status_mismatch,
    Kind.ORDER_AMENDED: order_amended,
    Kind.FILL_QUANTITY_MISMATCH: fill_quantity_mismatch,
    Kind.DUPLICATE_CLIENT_ID: duplicate_client_id,
    Kind.STALE_ORDER: stale_order,
    Kind.IN_FLIGHT_UNRESOLVED: in_flight_unresolved,
    Kind.UNMAPPED_INSTRUMENT: unmapped_instrument,
    Kind.UNKNOWN_ORDER_STORM: unknown_order_storm,
    Kind.MISSING_FILL: missing_fill,
    Kind.PHANTOM_FILL: phantom_fill,
    Kind.FILL_CONFLICT: fill_conflict,
    Kind.DUPLICATE_FILL: duplicate_fill,
    Kind.ORPHAN_FILL: orphan_fill,
    Kind.OVERFILL: overfill,
    Kind.POSITION_MISMATCH: position_mismatch,
    Kind.UNTRACKED_POSITION: untracked_position,
    Kind.PHANTOM_POSITION: phantom_position,
    Kind.LEG_MISMATCH: leg_mismatch,
    Kind.SIDE_FLIP: side_flip,
    Kind.ENTRY_PRICE_DRIFT: entry_price_drift,
    Kind.BALANCE_MISMATCH: balance_mismatch,
    Kind.LOCKED_MISMATCH: locked_mismatch,
    Kind.SECTION_UNREADABLE: section_unreadable,
    Kind.WINDOW_NOT_COVERED: window_not_covered,
    Kind.SCOPE_NOT_COVERED: scope_not_covered,
    Kind.CHECKPOINT_STALE: trouble(Kind.CHECKPOINT_STALE),
    Kind.CHECKPOINT_CORRUPT: trouble(Kind.CHECKPOINT_CORRUPT),
    Kind.CHECKPOINT_FOREIGN: trouble(Kind.CHECKPOINT_FOREIGN),
    Kind.CLOCK_SKEW: clock_skew,
    Kind.MOVING: moving,
    Kind.SETTLING: settling,
}
"""One fault for every kind of the closed list."""
