"""Exact numbers. A quantity, price or amount is a `Decimal` from the first byte to the last."""

from contextlib import AbstractContextManager
from decimal import Context, Decimal, InvalidOperation, localcontext

ZERO = Decimal(0)
_EXACT = Context(prec=60)


def exactly() -> AbstractContextManager[Context]:
    """Return a context in which sums and products of amounts keep every digit.

    The default of 28 digits would round a product of an eighteen-decimal token and its price.
    """
    return localcontext(_EXACT)


class NotANumber(ValueError):  # noqa: N818  # the name is the message
    """Text or a value from outside is not an exact, finite number."""


def decimal_from(value: object) -> Decimal:
    """Given text, an integer or a `Decimal`, return the exact `Decimal`.

    Raise `NotANumber` for a float (it has already lost digits), a boolean, NaN, an infinity,
    negative zero, blank text, and anything else.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise NotANumber(f"{value!r} is not a number") from None
        if value != value.strip() or "_" in value:
            raise NotANumber(f"{value!r} is not a plain number")
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        raise NotANumber(f"{value!r} ({type(value).__name__}) is not an exact number")
    if not number.is_finite():
        raise NotANumber(f"{value!r} is not finite")
    if number.is_zero() and number.is_signed():
        raise NotANumber(f"{value!r} is negative zero")
    return number


def plain(number: Decimal) -> str:
    """Return the number as text without an exponent and without trailing zeros after the point."""
    with localcontext(_EXACT):
        text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def relative_gap(left: Decimal, right: Decimal) -> Decimal:
    """Return |left - right| as a ratio of the larger magnitude; zero when both are zero."""
    scale = max(abs(left), abs(right))
    if scale == ZERO:
        return ZERO
    with localcontext(_EXACT):
        return abs(left - right) / scale
