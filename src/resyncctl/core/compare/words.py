"""What a finding says: subjects, both sides' values and the remedy in an operator's words.

Every remedy names the next act and never promises more than is known. The texts are part of the
report and not of a finding's id. Called by the comparers when they make a finding.
"""

from collections.abc import Mapping
from decimal import Decimal

from resyncctl.core.discrepancy import Kind, Subject, Values
from resyncctl.core.model import Balance, Fill, Order, Position

REMEDIES: Mapping[Kind, str] = {
    Kind.ORPHAN_ORDER: (
        "Find out who placed it before you touch it; then cancel it, or adopt it with "
        "`reconcile --repair`."
    ),
    Kind.CLAIMED_ORDER: "Nothing to do: a strategy claims this order.",
    Kind.MISSING_ORDER: "Bring the engine to the order's final state with `reconcile --repair`.",
    Kind.STATUS_MISMATCH: "Bring the engine to the exchange's state with `reconcile --repair`.",
    Kind.ORDER_AMENDED: (
        "Find out who amended the order; then cancel it, or take the new terms over with "
        "`reconcile --repair`."
    ),
    Kind.FILL_QUANTITY_MISMATCH: (
        "Compare the order's trade rows by hand, then take the exchange's filled quantity over "
        "with `reconcile --repair`."
    ),
    Kind.DUPLICATE_CLIENT_ID: (
        "An order was probably sent twice. Cancel the copy that you do not want by its venue "
        "order id; cancelling by client id may hit either."
    ),
    Kind.STALE_ORDER: "Cancel it with `cancel-all --stale` if nobody wants it any more.",
    Kind.IN_FLIGHT_UNRESOLVED: (
        "Wait until the request can have no effect any more, look the order up again, and cancel "
        "it if it rests. Do not send it again before."
    ),
    Kind.UNMAPPED_INSTRUMENT: (
        "Look at this instrument at the exchange by hand; its rows were not compared. Run again "
        "when the market table knows it: it is read anew for a name that it lacks."
    ),
    Kind.UNKNOWN_ORDER_STORM: (
        "Keep the gate closed, revoke or rotate the key that places these orders, then "
        "`cancel-all`."
    ),
    Kind.MISSING_FILL: "Book the fill in the engine with `reconcile --repair`.",
    Kind.PHANTOM_FILL: (
        "The exchange does not know this fill. Do not trade on the engine's position; take the "
        "fill back with `reconcile --repair`."
    ),
    Kind.FILL_CONFLICT: "Take the exchange's values over with `reconcile --repair`.",
    Kind.DUPLICATE_FILL: "Book the fill once: `reconcile --repair` removes the copies.",
    Kind.ORPHAN_FILL: (
        "Somebody or something else traded on this account. Find the order's owner, then book the "
        "fill with `reconcile --repair`."
    ),
    Kind.OVERFILL: (
        "More was filled than was ordered. Check the position at the exchange and reduce the "
        "excess by hand if it is real."
    ),
    Kind.POSITION_MISMATCH: (
        "The fills do not explain the rest. Check for trades by hand, liquidation or transfers; "
        "then take the exchange's position over with `reconcile --repair`."
    ),
    Kind.UNTRACKED_POSITION: (
        "Nobody manages this position. Decide whether to adopt it (`reconcile --repair`) or to "
        "reduce it; check that a protective stop rests."
    ),
    Kind.PHANTOM_POSITION: (
        "The engine believes in a position that is gone. Do not let it reduce: that would open "
        "one. Take the exchange's position over with `reconcile --repair`."
    ),
    Kind.LEG_MISMATCH: (
        "Compare both hedge legs at the exchange one by one; a net of zero is not empty. Then "
        "take them over with `reconcile --repair`."
    ),
    Kind.SIDE_FLIP: (
        "The engine would trade in the wrong direction. Keep the gate closed until the position "
        "is taken over with `reconcile --repair`."
    ),
    Kind.ENTRY_PRICE_DRIFT: (
        "Profit and stop levels are computed from the wrong price; take the exchange's entry "
        "price over with `reconcile --repair`."
    ),
    Kind.BALANCE_MISMATCH: (
        "Check deposits, withdrawals, transfers and fees of this asset for the unexplained rest; "
        "then take the exchange's balance over with `reconcile --repair`."
    ),
    Kind.LOCKED_MISMATCH: (
        "Something holds or frees this asset that the orders do not explain: look for orders in "
        "scopes that were not read, and for loans or withdrawals under way."
    ),
    Kind.SECTION_UNREADABLE: "Read again; nothing is called clean while this is not known.",
    Kind.WINDOW_NOT_COVERED: "Read again with a window that covers the gap (`--since`).",
    Kind.SCOPE_NOT_COVERED: "Look at this place by hand at the exchange, or add it to the scopes.",
    Kind.CHECKPOINT_STALE: (
        "The engine's state is old: start from the exchange's truth, or repair the checkpoint."
    ),
    Kind.CHECKPOINT_CORRUPT: "Restore an older generation, or start from the exchange's truth.",
    Kind.CHECKPOINT_FOREIGN: "Check which account and engine this state belongs to.",
    Kind.CLOCK_SKEW: "Fix the clock (chrony, NTP) and run `doctor`; times cannot be compared.",
    Kind.MOVING: "Stop what trades on this account, or try again when it is quiet.",
    Kind.SETTLING: "Look again in a few seconds.",
}
"""The standing remedy of each kind. A comparer may say something more exact."""


def order_subject(order: Order) -> Subject:
    """Return what a finding about an order is about."""
    return Subject(
        account=order.account,
        product=order.product,
        symbol=order.symbol,
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
    )


def pair_subject(engine: Order, venue: Order) -> Subject:
    """Return the subject of an order that both sides hold, with every id that either tells."""
    return Subject(
        account=engine.account,
        product=engine.product,
        symbol=engine.symbol,
        client_order_id=engine.client_order_id or venue.client_order_id,
        venue_order_id=venue.venue_order_id or engine.venue_order_id,
    )


def fill_subject(fill: Fill) -> Subject:
    """Return what a finding about a fill is about."""
    return Subject(
        account=fill.account,
        product=fill.product,
        symbol=fill.symbol,
        leg=None if fill.leg.value == "both" else fill.leg.value,
        client_order_id=fill.client_order_id,
        venue_order_id=fill.venue_order_id,
        trade_id=fill.trade_id,
    )


def leg_subject(account: str, product: str, symbol: str, leg: str | None) -> Subject:
    """Return what a finding about a position leg is about."""
    return Subject(account=account, product=product, symbol=symbol, leg=leg)


def asset_subject(account: str, product: str, asset: str) -> Subject:
    """Return what a finding about a balance is about."""
    return Subject(account=account, product=product, asset=asset)


def order_values(order: Order) -> dict[str, Decimal | str | bool | int | None]:
    """Return the values of an order that a finding shows."""
    return {
        "side": order.side.value,
        "type": order.type,
        "status": order.status.value,
        "quantity": order.quantity,
        "filled": order.filled,
        "price": order.price,
        "trigger_price": order.trigger_price,
        "reduce_only": order.reduce_only,
        "order_class": order.order_class.value,
        "protective": order.protective,
    }


def fill_values(fill: Fill) -> dict[str, Decimal | str | bool | int | None]:
    """Return the values of a fill that a finding shows."""
    return {
        "side": fill.side.value,
        "quantity": fill.quantity,
        "price": fill.price,
        "fee": fill.fee,
        "fee_asset": fill.fee_asset,
        "at_ms": fill.at_ms,
        "inferred": fill.inferred,
    }


def position_values(position: Position | None) -> Values:
    """Return the values of a position leg that a finding shows; flat when there is none."""
    if position is None:
        return {"quantity": Decimal(0)}
    return {"quantity": position.quantity, "entry_price": position.entry_price}


def balance_values(balance: Balance | None) -> Values:
    """Return the values of a balance that a finding shows; zero when there is none."""
    if balance is None:
        return {"total": Decimal(0)}
    return {"free": balance.free, "locked": balance.locked, "total": balance.total}
