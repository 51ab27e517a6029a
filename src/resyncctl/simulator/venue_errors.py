"""Refusals of the practice exchange: HTTP status, code and text as the venue documents them.

Promises: every refusal of the dialects is one `VenueError`; raising it means that the request was
not executed, unless `executed` says otherwise.

Sources: "Error codes" of the Binance spot and USD-M documentation, read 2026-07 and 2026-08.
Called by the dialects and engines; `pipeline` turns a VenueError into an answer.
"""

from collections.abc import Mapping
from types import MappingProxyType


class VenueError(Exception):
    """The venue refuses a request."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        executed: bool = False,
        data: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.executed = executed
        self.data = data


def refuse(code: int, message: str, status: int = 400) -> VenueError:
    """Return the refusal; most have HTTP status 400."""
    return VenueError(status, code, message)


def filter_failure(name: str) -> VenueError:
    """Return the refusal of an order that a symbol filter does not let pass."""
    return refuse(-1013, f"Filter failure: {name}")


def missing_parameter(name: str) -> VenueError:
    """Return the refusal of a request without a mandatory parameter."""
    return refuse(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def illegal_characters(name: str, legal: str) -> VenueError:
    """Return the refusal of a parameter whose text is outside its legal range."""
    return refuse(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def unknown_symbol() -> VenueError:
    """Return the refusal of a symbol that the market does not list."""
    return refuse(-1121, "Invalid symbol.")


def unknown_order_cancel() -> VenueError:
    """Return the refusal of a cancel whose order is not open."""
    return refuse(-2011, "Unknown order sent.")


def unknown_order_query() -> VenueError:
    """Return the refusal of a look-up that finds nothing."""
    return refuse(-2013, "Order does not exist.")


def no_such_key() -> VenueError:
    """Return the refusal of a key that is unknown, revoked or not allowed to do this."""
    return refuse(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def rejected_order(text: str) -> VenueError:
    """Return the refusal of a new order by the matching engine."""
    return refuse(-2010, text)
