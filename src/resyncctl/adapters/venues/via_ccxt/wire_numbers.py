"""How the parameters of a signed request are read again, from its bytes, before it leaves.

Promises: nothing is guessed: a parameter that stands twice, has no value, or hides behind another
encoding makes the whole request unreadable; a number is plain digits with at most one point.
Called by the proofs of reducing requests.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import parse_qsl

_PLAIN = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?")
_WHOLE = re.compile(r"[0-9]{1,16}")


class UnreadableRequest(Exception):  # noqa: N818  # reads as the sentence that it is
    """The bytes cannot be read as one meaning. The reason is for the operator's eyes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def form_fields(body: bytes) -> Mapping[str, str]:
    """Return the fields of a form body.

    Raises:
        UnreadableRequest: It is no plain form, or a name stands in it twice.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"
        )
    except ValueError:
        raise UnreadableRequest("its body is not a plain form") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise UnreadableRequest(f"{name!r} stands in it twice")
        fields[name] = value
    return fields


def plain_number(fields: Mapping[str, str], name: str) -> Decimal:
    """Return a number that is written as plain digits.

    Raises:
        UnreadableRequest: It is missing, or written in any other way.
    """
    text = fields.get(name, "")
    if _PLAIN.fullmatch(text) is None:
        raise UnreadableRequest(f"{name} is not a plain number")
    return Decimal(text)


def whole_number(fields: Mapping[str, str], name: str) -> int:
    """Return a whole number.

    Raises:
        UnreadableRequest: It is missing, or written in any other way.
    """
    text = fields.get(name, "")
    if _WHOLE.fullmatch(text) is None:
        raise UnreadableRequest(f"{name} is not a whole number")
    return int(text)
