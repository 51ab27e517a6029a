"""Inverse contracts in the comparison: quantities are contracts, and coins are what adds up."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from resyncctl.core.discrepancy import Kind
from resyncctl.core.flatten_holdings import names_of
from resyncctl.core.model import OrderStatus, Scope
from resyncctl.core.snapshot import Known
from tests.fakes.books import NOW_MS, engine, kinds, look, only, order, position, reading, venue

PERPETUAL = "BTC/USD:BTC"
CONTRACTS: dict[str, Any] = {"product": "inverse", "symbol": PERPETUAL}


def test_the_price_of_an_inferred_fill_comes_from_coins() -> None:
    """20 contracts at 60000 on average, 10 of them at 50000: the others were at 75000."""
    part: dict[str, Any] = {
        "status": OrderStatus.PARTIALLY_FILLED,
        "quantity": Decimal(40),
        **CONTRACTS,
    }
    ours = order(filled=Decimal(10), average_price=Decimal(50000), **part)
    theirs = order(filled=Decimal(20), average_price=Decimal(60000), **part)
    seen = reading("inverse", orders=((Scope("inverse"), Known((theirs,), NOW_MS)),))
    comparison = look(engine([ours]), venue(products=(seen,)))
    finding = next(one for one in comparison.findings if one.venue and one.venue.get("inferred"))
    assert finding.venue is not None
    assert (finding.venue["quantity"], finding.venue["price"]) == (Decimal(10), Decimal(75000))


def test_one_contract_too_many_is_a_finding() -> None:
    held = position(137, **CONTRACTS)
    seen = reading("inverse", positions=Known((replace(held, quantity=Decimal(138)),), NOW_MS))
    finding = only(look(engine(positions=[held]), venue(products=(seen,))))
    assert finding.kind is Kind.POSITION_MISMATCH
    assert finding.delta is not None
    assert finding.delta["quantity"] == 1
    same = reading("inverse", positions=Known((held,), NOW_MS))
    assert kinds(look(engine(positions=[held]), venue(products=(same,)))) == []


def test_a_dated_contract_and_the_perpetual_have_no_name_in_common() -> None:
    dated, perpetual = names_of("BTC/USD:BTC-270326"), names_of(PERPETUAL)
    assert not dated & perpetual
    assert "BTCUSD_270326" in dated
    assert {"BTCUSD", "BTCUSD_PERP"} <= perpetual
