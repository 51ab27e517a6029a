"""Exact numbers of the practice exchange: reading them from requests, writing them into answers.

Promises: quantities, prices and amounts are `Decimal` from end to end; arithmetic runs under the
venue's own decimal context, because a client library in the same process may have changed the
rounding and the traps of the thread's context.

Called by every engine and dialect of the practice exchange.
"""

import inspect
from collections.abc import Callable
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from functools import wraps
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")
Decorated = TypeVar("Decorated")

VENUE_CONTEXT = Context(
    prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)
ZERO = Decimal(0)
_EIGHT_DIGITS = Decimal("0.00000001")


def amount_of(value: "str | int | Decimal") -> Decimal:
    """Given a decimal as text or whole number, return it exactly.

    Raise ValueError for floats, not-a-number, infinities and text that is no number.
    """
    if isinstance(value, bool | float):
        raise ValueError(f"a decimal must be given as text, not as {type(value).__name__}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"not a decimal: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"not a finite decimal: {value!r}")
    return number


def cut(number: Decimal) -> Decimal:
    """Return the number with eight digits after the point, cut towards zero as the venue does."""
    return number.quantize(_EIGHT_DIGITS, rounding=ROUND_DOWN)


def plain(number: Decimal) -> str:
    """Return the number without an exponent and without idle zeros: how USD-M writes it."""
    if number == 0:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def padded(number: Decimal) -> str:
    """Return the number with at least eight digits after the point: how spot writes it."""
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -8:
        text = plain(number)
        digits = len(text.partition(".")[2])
        return text if digits >= 8 else f"{number:.8f}"
    return f"{number:.8f}"


def exact(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Return the function so that it always runs under the venue's decimal context."""

    @wraps(function)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        with localcontext(VENUE_CONTEXT):
            return function(*args, **kwargs)

    return run


def exact_methods(cls: type[Decorated]) -> type[Decorated]:
    """Let every public method of the class run under the venue's decimal context."""
    for name, member in inspect.getmembers(cls, inspect.isfunction):
        if not name.startswith("_"):
            setattr(cls, name, exact(member))
    return cls
