"""Exact numbers come in, exact numbers go out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.money import NotANumber, decimal_from, plain, relative_gap

finite = st.decimals(allow_nan=False, allow_infinity=False, places=12).filter(
    lambda number: not (number.is_zero() and number.is_signed())
)


@given(finite)
def test_text_and_decimal_survive_unchanged(number: Decimal) -> None:
    assert decimal_from(str(number)) == number
    assert decimal_from(plain(number)) == number


@pytest.mark.invariant("I36")
@pytest.mark.parametrize(
    "value",
    [0.1, True, None, "", " 1", "1_0", "NaN", "Infinity", "-0", Decimal("-0.00"), "1,5", b"1"],
)
def test_everything_else_is_refused(value: object) -> None:
    with pytest.raises(NotANumber):
        decimal_from(value)


def test_plain_text_has_no_exponent_and_no_padding() -> None:
    assert plain(Decimal("1E+3")) == "1000"
    assert plain(Decimal("0.00000001")) == "0.00000001"
    assert plain(Decimal("2.5000")) == "2.5"
    assert plain(Decimal("0.000")) == "0"


@given(finite, finite)
def test_the_relative_gap_is_symmetric_and_zero_only_for_equals(
    left: Decimal, right: Decimal
) -> None:
    assert relative_gap(left, right) == relative_gap(right, left)
    assert (relative_gap(left, right) == 0) == (left == right)
