"""A reduction cannot be built unless its own numbers prove that it makes a holding smaller."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.core.errors import RefusedError
from resyncctl.core.model import Leg, Side
from resyncctl.core.reduction import Protection, Reduction

LONG: dict[str, Any] = {
    "account": "main",
    "product": "linear",
    "symbol": "BTC/USDT:USDT",
    "venue_symbol": "BTCUSDT",
    "leg": Leg.BOTH,
    "side": Side.SELL,
    "quantity": Decimal("0.5"),
    "limit_price": Decimal(100),
    "client_order_id": "rsc-1",
    "protection": Protection.REDUCE_ONLY,
    "holding": Decimal("0.5"),
    "read_at_ms": 1,
}
SHORT = LONG | {"side": Side.BUY, "holding": Decimal("-0.5")}
HEDGED_LONG = LONG | {"leg": Leg.LONG, "protection": Protection.HEDGE_LEG}
HEDGED_SHORT = SHORT | {"leg": Leg.SHORT, "protection": Protection.HEDGE_LEG}
SPOT = LONG | {"product": "spot", "protection": Protection.FREE_BALANCE}
TINY = Decimal("0.00000001")


@pytest.mark.invariant("I16")
@pytest.mark.parametrize("terms", [LONG, SHORT, HEDGED_LONG, HEDGED_SHORT, SPOT])
def test_all_of_a_holding_may_be_reduced(terms: dict[str, Any]) -> None:
    made = Reduction(**terms)
    assert replace(made, quantity=TINY).quantity == TINY
    assert replace(made, limit_price=TINY).limit_price == TINY


@pytest.mark.invariant("I10", "I16")
@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (LONG | {"quantity": Decimal(0)}, "above zero"),
        (LONG | {"quantity": -TINY}, "above zero"),
        (LONG | {"limit_price": Decimal(0)}, "above zero"),
        (LONG | {"limit_price": -TINY}, "above zero"),
        (LONG | {"quantity": Decimal("0.5") + TINY}, "larger than the holding"),
        (SHORT | {"quantity": Decimal("0.5") + TINY}, "larger than the holding"),
        (LONG | {"side": Side.BUY}, "would increase"),
        (SHORT | {"side": Side.SELL}, "would increase"),
        (LONG | {"holding": Decimal(0)}, "would increase"),
        (SHORT | {"holding": Decimal(0)}, "larger than the holding"),
        (LONG | {"leg": Leg.LONG}, "naming the leg"),
        (SHORT | {"leg": Leg.SHORT}, "naming the leg"),
        (HEDGED_LONG | {"leg": Leg.SHORT}, "does not match"),
        (HEDGED_LONG | {"leg": Leg.BOTH}, "does not match"),
        (HEDGED_SHORT | {"leg": Leg.LONG}, "does not match"),
        (SPOT | {"product": "linear"}, "only spot"),
        (SPOT | {"side": Side.BUY, "holding": Decimal(-1)}, "never below zero"),
        *(
            (LONG | {name: Decimal(odd)}, "not finite")
            for name in ("quantity", "limit_price", "holding")
            for odd in ("NaN", "Infinity", "-Infinity")
        ),
    ],
)
def test_what_is_not_proved_to_reduce_cannot_exist(terms: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedError, match="is not proved to reduce") as refused:
        Reduction(**terms)
    assert words in str(refused.value)
