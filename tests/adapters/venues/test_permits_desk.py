"""The desk where permits are spent, by itself: what it lets pass, and every reason why not."""

from decimal import Decimal

import pytest

from resyncctl.adapters.venues.via_ccxt.permits import (
    Endpoint,
    EndpointKind,
    PermitDesk,
    Prove,
    RefusedByTransport,
    Wire,
    lend,
)
from resyncctl.core.model import Leg, Side
from resyncctl.core.mutation import Permit
from resyncctl.core.reduction import Protection, Reduction

WIRE = Wire("main", "DELETE", "api.binance.com", "/api/v3/order", "symbol=BTCUSDT", b"")
CANCEL = Endpoint("cancel", EndpointKind.CANCEL)
NOW_MS, DEADLINE_MS = 1_000, 2_000
REDUCTION = Reduction(
    account="main",
    product="linear",
    symbol="BTC/USDT:USDT",
    venue_symbol="BTCUSDT",
    leg=Leg.BOTH,
    side=Side.SELL,
    quantity=Decimal("0.1"),
    limit_price=Decimal(59_000),
    client_order_id="rsc-1",
    protection=Protection.REDUCE_ONLY,
    holding=Decimal("0.2"),
    read_at_ms=NOW_MS,
)


def permit(number: int = 1, reduces: Reduction | None = None) -> Permit:
    return Permit(f"run:{number}", DEADLINE_MS, 7, reduces)


def fits(wire: Wire, given: Permit, now_ms: int) -> str | None:
    return None


def reduce_endpoint(prove: Prove | None = fits) -> Endpoint:
    return Endpoint("order", EndpointKind.REDUCE, prove=prove)


@pytest.mark.invariant("I13")
def test_an_endpoint_that_is_on_no_list_is_refused_whatever_was_lent() -> None:
    desk = PermitDesk()
    for kind in set(EndpointKind) - {
        EndpointKind.READ,
        EndpointKind.CANCEL,
        EndpointKind.REDUCE,
        EndpointKind.SWITCH,
    }:
        with lend(permit()), pytest.raises(RefusedByTransport, match="not a request"):
            desk.admit(Endpoint("odd", kind), WIRE, NOW_MS)
    assert desk.spent == frozenset()


def test_a_read_spends_nothing() -> None:
    desk = PermitDesk()
    with lend(permit()):
        desk.admit(Endpoint("read", EndpointKind.READ), WIRE, NOW_MS)
    assert desk.spent == frozenset()


@pytest.mark.invariant("I24")
@pytest.mark.parametrize("kind", [EndpointKind.CANCEL, EndpointKind.SWITCH])
def test_a_permit_pays_once_and_only_while_it_is_lent(kind: EndpointKind) -> None:
    desk, endpoint = PermitDesk(), Endpoint("x", kind)
    with pytest.raises(RefusedByTransport, match="has no permit"):
        desk.admit(endpoint, WIRE, NOW_MS)
    with lend(permit()):
        desk.admit(endpoint, WIRE, NOW_MS)
        assert desk.spent == {"run:1"}
        with pytest.raises(RefusedByTransport, match="already spent"):
            desk.admit(endpoint, WIRE, NOW_MS)
    with pytest.raises(RefusedByTransport, match="has no permit"):
        desk.admit(endpoint, WIRE, NOW_MS)


def test_a_permit_that_is_lent_inside_another_gives_it_back() -> None:
    desk = PermitDesk()
    with lend(permit(1)):
        with lend(permit(2)):
            desk.admit(CANCEL, WIRE, NOW_MS)
        desk.admit(CANCEL, WIRE, NOW_MS)
    assert desk.spent == {"run:1", "run:2"}


@pytest.mark.parametrize(("now_ms", "passes"), [(DEADLINE_MS - 1, True), (DEADLINE_MS, False)])
def test_a_permit_ends_at_its_deadline(now_ms: int, passes: bool) -> None:
    desk = PermitDesk()
    with lend(permit()):
        if passes:
            desk.admit(CANCEL, WIRE, now_ms)
        else:
            with pytest.raises(RefusedByTransport, match="past its deadline"):
                desk.admit(CANCEL, WIRE, now_ms)
    assert bool(desk.spent) is passes


@pytest.mark.invariant("I10")
def test_an_order_leaves_only_on_a_permit_for_exactly_that_reduction() -> None:
    desk = PermitDesk()
    with lend(permit(1, REDUCTION)):
        desk.admit(reduce_endpoint(), WIRE, NOW_MS)
    assert desk.spent == {"run:1"}
    asked: list[tuple[Wire, Permit, int]] = []

    def differs(wire: Wire, given: Permit, now_ms: int) -> str | None:
        asked.append((wire, given, now_ms))
        return "the quantity is larger"

    with (
        lend(permit(2, REDUCTION)),
        pytest.raises(RefusedByTransport, match=r"run:2 does not match .* the quantity is larger"),
    ):
        desk.admit(reduce_endpoint(differs), WIRE, NOW_MS)
    assert asked == [(WIRE, permit(2, REDUCTION), NOW_MS)]
    assert desk.spent == {"run:1"}


@pytest.mark.invariant("I10")
@pytest.mark.parametrize(
    ("endpoint", "reduces", "words"),
    [
        (reduce_endpoint(), None, "carries no reduction"),
        (reduce_endpoint(None), REDUCTION, "cannot be compared"),
        (CANCEL, REDUCTION, "is for a reducing order"),
        (Endpoint("switch", EndpointKind.SWITCH), REDUCTION, "is for a reducing order"),
    ],
)
def test_permits_of_one_kind_do_not_pay_for_the_other(
    endpoint: Endpoint, reduces: Reduction | None, words: str
) -> None:
    desk = PermitDesk()
    with lend(permit(1, reduces)), pytest.raises(RefusedByTransport, match=words) as refused:
        desk.admit(endpoint, WIRE, NOW_MS)
    assert refused.value.reason == str(refused.value)
    assert desk.spent == frozenset()


def test_an_endpoint_weighs_one_unless_it_says_so() -> None:
    assert Endpoint("x", EndpointKind.READ).weight == 1
