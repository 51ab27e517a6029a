"""The small types that configuration values are made of, each with the sentence for a mistake.

Promises: no sentence ever repeats the value that was found. Used by `settings.models` only.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict

from resyncctl.core.money import NotANumber, decimal_from
from resyncctl.settings.durations import EXAMPLE, parse_duration_ms

STRICT = ConfigDict(
    extra="forbid",
    hide_input_in_errors=True,
    frozen=True,
    use_attribute_docstrings=True,
)
"""A misspelt key is an error, and no error shows what was written: it may be a secret."""


def _duration(value: object) -> int:
    if isinstance(value, str):
        return parse_duration_ms(value)
    raise ValueError(f"write {EXAMPLE}")


def _decimal(value: object) -> Decimal:
    if isinstance(value, float):
        raise ValueError('write the number in quotes, e.g. "0.0001": a bare fraction is not exact')
    try:
        number = decimal_from(value)
    except NotANumber:
        raise ValueError('write an exact number in quotes, e.g. "0.0001"') from None
    if number < 0:
        raise ValueError("the number must not be negative")
    return number


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("write text in quotes")
    if not value.strip():
        raise ValueError("the text must not be empty")
    return value


def _address(value: object) -> str:
    text = _text(value)
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65_536:  # noqa: PLR2004  # the number of TCP ports
        raise ValueError('write host and port, e.g. "127.0.0.1:18443"')
    return text


def _web_address(value: object) -> str:
    text = _text(value)
    if not text.startswith(("https://", "http://")):
        raise ValueError("write a web address that starts with https:// or http://")
    return text


DurationMs = Annotated[int, BeforeValidator(_duration, json_schema_input_type=str)]
ExactDecimal = Annotated[Decimal, BeforeValidator(_decimal, json_schema_input_type=str)]
Text = Annotated[str, BeforeValidator(_text)]
Address = Annotated[str, BeforeValidator(_address)]
WebAddress = Annotated[str, BeforeValidator(_web_address)]
