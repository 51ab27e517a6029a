"""Prove from the bytes about to leave that an order at Binance is the reduction of its permit.

Promises: every parameter is read back and compared, and one that is not known here refuses the
request; the order is a limit order that never rests, on the reduction's symbol and side, of exactly
its quantity, at no worse price, under its client id; what makes increasing impossible is really in
the request: `reduceOnly=true` in one-way mode, the leg's own `positionSide` in hedge mode (where
Binance takes no `reduceOnly`), or, on spot, that it sells; and the exchange will refuse the request
itself once the permit is past its deadline.

Sources: binance-spot-api-docs rest-api.md (New order); USD-M documentation (New order: positionSide
must be sent in hedge mode, reduceOnly cannot be; a closing side cannot open the other leg).
Called by the transport through the table of endpoints.
"""

import re
from collections.abc import Mapping

from resyncctl.adapters.venues.via_ccxt.permits import Prove, Wire
from resyncctl.adapters.venues.via_ccxt.wire_numbers import (
    UnreadableRequest,
    form_fields,
    plain_number,
    whole_number,
)
from resyncctl.core.model import Leg, Side
from resyncctl.core.mutation import Permit
from resyncctl.core.reduction import Protection, Reduction

LONGEST_VALIDITY_MS = 60_000
"""Binance refuses a longer recvWindow (rest-api.md, Timing security)."""

ACKNOWLEDGEMENT = "ACK"
_ORDER = frozenset(
    {"symbol", "side", "type", "timeInForce", "quantity", "price", "newClientOrderId"}
)
_ENVELOPE = frozenset({"newOrderRespType", "recvWindow", "timestamp", "signature"})
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")


def prove_for(product: str) -> Prove:
    """Return the proof for the endpoint that creates the orders of a product."""

    def prove(wire: Wire, permit: Permit, now_ms: int) -> str | None:
        reduction = permit.reduces
        if reduction is None:
            return "there is no reduction to compare it with"
        if reduction.product != product:
            return f"the reduction is for {reduction.product}, the endpoint for {product}"
        if reduction.account != wire.account:
            return "the reduction is for another account"
        if wire.query or wire.body is None:
            return "its parameters are not in a plain body"
        try:
            fields = form_fields(wire.body)
            return (
                _names(fields, reduction)
                or _terms(fields, reduction)
                or _protection(fields, reduction)
                or _validity(fields, permit, now_ms)
            )
        except UnreadableRequest as error:
            return error.reason

    return prove


def _names(fields: Mapping[str, str], reduction: Reduction) -> str | None:
    needed = _ORDER | _ENVELOPE | _protecting(reduction)
    strange, missing = sorted(set(fields) - needed), sorted(needed - set(fields))
    if strange:
        return f"it has the parameter {strange[0]!r}"
    return f"it lacks the parameter {missing[0]!r}" if missing else None


def _protecting(reduction: Reduction) -> frozenset[str]:
    match reduction.protection:
        case Protection.REDUCE_ONLY:
            return frozenset({"reduceOnly"})
        case Protection.HEDGE_LEG:
            return frozenset({"positionSide"})
        case Protection.FREE_BALANCE:
            return frozenset()


def _terms(fields: Mapping[str, str], reduction: Reduction) -> str | None:
    """Compare what the order does. The exact values come first: nothing else may stand there."""
    exact = {
        "symbol": reduction.venue_symbol,
        "side": "BUY" if reduction.side is Side.BUY else "SELL",
        "type": "LIMIT",
        "timeInForce": "IOC",
        "newClientOrderId": reduction.client_order_id,
        "newOrderRespType": ACKNOWLEDGEMENT,
    }
    for name, wanted in exact.items():
        if fields[name] != wanted:
            return f"{name} is not {wanted!r}"
    if _CLIENT_ID.fullmatch(fields["newClientOrderId"]) is None:
        return "the client id is not one that Binance takes"
    if plain_number(fields, "quantity") != reduction.quantity:
        return "the quantity differs"
    price = plain_number(fields, "price")
    buys = reduction.side is Side.BUY
    worse = price > reduction.limit_price if buys else price < reduction.limit_price
    return "the price is worse than its limit" if worse or price <= 0 else None


def _protection(fields: Mapping[str, str], reduction: Reduction) -> str | None:
    """Check that the exchange itself cannot let this order increase or flip anything."""
    spot = reduction.product == "spot"
    match reduction.protection:
        case Protection.FREE_BALANCE if spot:
            sells = reduction.side is Side.SELL and reduction.quantity <= reduction.holding
            return None if sells else "on spot only what is held may be sold"
        case Protection.REDUCE_ONLY if not spot:
            return None if fields["reduceOnly"] == "true" else "it is not reduce-only"
        case Protection.HEDGE_LEG if not spot:
            return _leg(fields["positionSide"], reduction)
    return f"{reduction.protection} protects nothing on {reduction.product}"


def _leg(position_side: str, reduction: Reduction) -> str | None:
    """A sale closes a long leg and a purchase a short one; the other pairs would open a leg."""
    closing = {(Leg.LONG, Side.SELL): "LONG", (Leg.SHORT, Side.BUY): "SHORT"}
    wanted = closing.get((reduction.leg, reduction.side))
    if wanted is None or position_side != wanted:
        return "its position side does not close the leg"
    return None


def _validity(fields: Mapping[str, str], permit: Permit, now_ms: int) -> str | None:
    """Check that the exchange stops honouring the request by the permit's deadline."""
    window_ms = whole_number(fields, "recvWindow")
    whole_number(fields, "timestamp")
    if not 1 <= window_ms <= LONGEST_VALIDITY_MS:
        return "recvWindow is not one that Binance takes"
    if now_ms + window_ms > permit.deadline_ms:
        return "the exchange would honour it past the permit's deadline"
    return None if re.fullmatch("[0-9A-Za-z+/=]{16,}", fields["signature"]) else "it is not signed"
