"""Sending a reducing order to Binance: one permit, one request, one classified outcome.

Promises: nothing is sent that the permit does not carry, for another account, before the exchange's
clock was measured, or so late that the exchange could still honour it after the permit's deadline;
nothing is repeated. An outcome is a rejection only where the venue's own code is one of those below
that mean that no order was made; everything else is unknown, and the order is looked up by its
client id.
Called by `abilities`.
"""

from collections.abc import Mapping
from dataclasses import replace

from resyncctl.adapters.venues.via_ccxt.binance.desk import Desk
from resyncctl.adapters.venues.via_ccxt.binance.reduce_proof import (
    ACKNOWLEDGEMENT,
    LONGEST_VALIDITY_MS,
)
from resyncctl.adapters.venues.via_ccxt.classify import (
    REJECTED_BEFORE_THE_ENGINE,
    VenueWord,
    is_clock_error,
    outcome_of,
    venue_word,
)
from resyncctl.adapters.venues.via_ccxt.transport import Attempt
from resyncctl.core.model import Side
from resyncctl.core.money import plain
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.reduction import Protection, Reduction
from resyncctl.ports.views import ClockReading

METHODS: Mapping[str, str] = {
    "spot": "privatePostOrder",
    "linear": "fapiPrivatePostOrder",
    "inverse": "dapiPrivatePostOrder",
}
SIGNING_MARGIN_MS = 250
"""What may pass between asking for the validity and leaving. A request that takes longer is refused
by the transport, because the exchange could honour it past its deadline."""

_REQUEST_FAULTS = (
    "-1002 -1003 -1008 -1013 -1014 -1015 -1020 -1021 -1022 -1100 -1101 -1102 -1103 -1104 -1105"
    " -1106 -1108 -1109 -1110 -1111 -1112 -1114 -1115 -1116 -1117 -1118 -1121 -1122 -1128 -1130"
    " -1131 -1134 -1135 -1136"
)
_ACCOUNT_FAULTS = (
    "-2008 -2010 -2014 -2015 -2016 -2017 -2018 -2019 -2020 -2022 -2023 -2024 -2025 -2026"
    " -2027 -2028 -5021 -5022 -5024 -5025 -5028 -5037 -5039"
)
_ORDER_FAULTS = (
    "-4000 -4001 -4002 -4003 -4004 -4005 -4006 -4007 -4008 -4013 -4014 -4015 -4016 -4023 -4024"
    " -4029 -4030 -4054 -4055 -4061 -4062 -4074 -4087 -4088 -4104 -4108 -4109 -4110 -4111 -4112"
    " -4113 -4114 -4115 -4118 -4120 -4131 -4135 -4136 -4137 -4138 -4140 -4141 -4142 -4164 -4183"
    " -4184 -4192 -4400 -4401 -4402 -4403 -4531"
)
DEFINITE = frozenset(f"{_REQUEST_FAULTS} {_ACCOUNT_FAULTS} {_ORDER_FAULTS}".split())
"""Codes with which an order was not made. Sources: binance-spot-api-docs errors.md; USD-M error
codes. -4116 (the client id is taken) and -2010 "Duplicate order sent" are not among them: when a
request is delivered twice, that is the answer to the second one, and the first has made an order.
"""
_TAKEN_TEXT = "Duplicate order"
_SERVER_ERRORS = 500

REDUCE_ONLY_REFUSED = frozenset({"-2022", "-4118"})
"""The position is flat, or orders that close it already rest: read again, keep the flag."""


async def reduce(desk: Desk, reduction: Reduction, permit: Permit) -> MutationOutcome:
    """Send the order once and classify what came back."""
    trouble = _trouble(desk, reduction, permit) or await _other_name(desk, reduction)
    if trouble is not None:
        return _not_sent(trouble)
    # Until the clock is measured nobody knows when the exchange stops honouring a request.
    known = desk.connection.clock.measured or isinstance(await desk.measure(), ClockReading)
    if not known:
        return _not_sent("the exchange's clock could not be measured")
    left_ms = permit.deadline_ms - desk.clock.now_ms() - SIGNING_MARGIN_MS
    if left_ms < 1:
        return _not_sent("there is no time left before the order's deadline")
    params = order_params(reduction) | {"recvWindow": min(left_ms, LONGEST_VALIDITY_MS)}
    attempt = await desk.connection.ask(METHODS[reduction.product], params, permit=permit)
    if is_clock_error(attempt):
        await desk.measure()  # so that whatever comes next is signed with the right time
    return created_outcome(attempt, reduction)


def order_params(reduction: Reduction) -> dict[str, object]:
    """Return the request for a reduction; the transport proves it again from its bytes."""
    params: dict[str, object] = {
        "symbol": reduction.venue_symbol,
        "side": "BUY" if reduction.side is Side.BUY else "SELL",
        "type": "LIMIT",
        "timeInForce": "IOC",
        "quantity": plain(reduction.quantity),
        "price": plain(reduction.limit_price),
        "newClientOrderId": reduction.client_order_id,
        "newOrderRespType": ACKNOWLEDGEMENT,
    }
    match reduction.protection:
        case Protection.REDUCE_ONLY:
            params["reduceOnly"] = "true"
        case Protection.HEDGE_LEG:
            params["positionSide"] = reduction.leg.value.upper()
        case Protection.FREE_BALANCE:
            pass  # the quantity is capped, and a sale on spot cannot borrow
    return params


def created_outcome(attempt: Attempt, reduction: Reduction) -> MutationOutcome:
    """Classify the answer to a new order; whatever is not known to have failed is unknown."""
    base = outcome_of(attempt)
    if base.kind is OutcomeKind.ACKNOWLEDGED:
        return _acknowledged(base, attempt.body, reduction)
    plain_refusal = replace(base, already_gone=False, expected=False)
    if base.kind is OutcomeKind.REJECTED and base.sent and not _made_no_order(attempt):
        return replace(plain_refusal, kind=OutcomeKind.UNKNOWN)
    return plain_refusal


def _made_no_order(attempt: Attempt) -> bool:
    if (attempt.status or 0) >= _SERVER_ERRORS:
        return True  # only the few texts that say so are rejections there
    word = venue_word(attempt.body)
    if word is None:
        return attempt.status in REJECTED_BEFORE_THE_ENGINE
    return _is_definite(word)


def _is_definite(word: VenueWord) -> bool:
    if word.code == "-2010" and word.message.startswith(_TAKEN_TEXT):
        return False
    return word.code in DEFINITE


def _acknowledged(base: MutationOutcome, body: object, reduction: Reduction) -> MutationOutcome:
    """Take an acknowledgement only when it names the very order that was sent."""
    named = isinstance(body, Mapping) and (
        body.get("symbol") == reduction.venue_symbol
        and body.get("clientOrderId") == reduction.client_order_id
    )
    if not named or not isinstance(body, Mapping):
        return replace(
            base, kind=OutcomeKind.UNKNOWN, message="the answer names another order than was sent"
        )
    return replace(base, venue_order_id=str(body["orderId"]))


def _trouble(desk: Desk, reduction: Reduction, permit: Permit) -> str | None:
    if reduction.product not in METHODS:
        return f"orders of {reduction.product} cannot be sent here"
    if permit.reduces != reduction:
        return "the permit is not for this reduction"
    if reduction.account != desk.account:
        return f"the reduction is for the account {reduction.account}"
    return None


async def _other_name(desk: Desk, reduction: Reduction) -> str | None:
    """Say why the exchange's name is not that of the symbol, None when it is."""
    name = await desk.markets.find_id(reduction.product, reduction.symbol)
    if name == reduction.venue_symbol:
        return None
    told = "not in the table of instruments" if name is None else f"{name} at the exchange"
    return f"{reduction.symbol} is {told} and not {reduction.venue_symbol}"


def _not_sent(why: str) -> MutationOutcome:
    return MutationOutcome(kind=OutcomeKind.REJECTED, message=why, sent=False)
