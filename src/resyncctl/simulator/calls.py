"""One request after it was understood: who asks, what, through which view, under which quirks.

Promises: a handler sees the venue only through its `Call`; reading a parameter either returns a
value of the right kind or raises the refusal that the venue documents (-1100, -1102, -1130).

Called by `pipeline`, which makes calls, and by the handlers of the dialects.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from resyncctl.simulator.events import Market
from resyncctl.simulator.ledger import Account
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.orders import Order
from resyncctl.simulator.replicas import FRESH, View
from resyncctl.simulator.venue_errors import illegal_characters, missing_parameter, refuse
from resyncctl.simulator.world import World

Security = Literal["public", "key", "signed"]
Kind = Literal["read", "cancel", "create", "amend", "other"]
CLIENT_ID = r"^[.A-Z:/a-z0-9_-]{1,36}$"
SYMBOL = r"^[A-Z0-9-_.]{1,20}$"
_DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_DECIMAL_PATTERN = re.compile(_DECIMAL)
_CLIENT_ID_PATTERN = re.compile(CLIENT_ID)


@dataclass
class Quirks:
    """What a fault makes the matching engine do to this one call.

    `pretend_cancels`: so many cancels are acknowledged and not done (-1: all). `cancel_only`: a
    mass cancel reaches only so many orders (-1: all). `refuse_elements`: so many elements at the
    end of a batch fail.
    """

    pretend_cancels: int = 0
    cancel_only: int = -1
    refuse_elements: int = 0


@dataclass
class Call:
    """One understood request."""

    world: World
    parameters: dict[str, str]
    market: Market = "spot"
    api_key: str = ""
    user: Account | None = None
    view: View = FRESH
    quirks: Quirks = field(default_factory=Quirks)
    placed: int = 0
    pretended: int = 0
    touched: list[Order] = field(default_factory=list)

    @property
    def account(self) -> Account:
        """The account that asks; only signed endpoints may use it."""
        if self.user is None:
            raise LookupError("this endpoint needs a signed request")
        return self.user

    def text(self, name: str, default: str = "") -> str:
        """Return the parameter, or the default."""
        return self.parameters.get(name) or default

    def required(self, name: str) -> str:
        """Return the parameter. Raise VenueError -1102 when it is missing or empty."""
        value = self.parameters.get(name)
        if not value:
            raise missing_parameter(name)
        return value

    def whole(self, name: str, default: int = 0) -> int:
        """Return the parameter as a whole number. Raise VenueError -1100."""
        value = self.parameters.get(name)
        if not value:
            return default
        if not value.isdecimal() or len(value) > 20:
            raise illegal_characters(name, "^[0-9]{1,20}$")
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Return the page size; a larger one than allowed is cut, as the venue does."""
        limit = self.whole("limit", default)
        if limit == 0:
            raise refuse(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(limit, most)

    def decimal(self, name: str) -> Decimal:
        """Return the parameter as a decimal, zero when absent. Raise VenueError -1100."""
        value = self.parameters.get(name)
        if not value:
            return ZERO
        if not _DECIMAL_PATTERN.match(value):
            raise illegal_characters(name, _DECIMAL)
        return Decimal(value)

    def flag(self, name: str) -> bool:
        """Return the parameter as a truth value. Raise VenueError -1130."""
        value = self.text(name, "false").lower()
        if value not in ("true", "false"):
            raise refuse(-1130, f"Data sent for parameter '{name}' is not valid.")
        return value == "true"

    def choice(self, name: str, allowed: tuple[str, ...], default: str, code: int) -> str:
        """Return one of the allowed texts. Raise VenueError with the code."""
        value = self.text(name, default)
        if value not in allowed:
            raise refuse(code, f"Invalid {name}.")
        return value

    def symbol(self, market: Market) -> str:
        """Return the symbol. Raise VenueError -1102 or -1121."""
        name = self.required("symbol")
        self.world.symbol(market, name)
        return name

    def maybe_symbol(self, market: Market) -> str:
        """Return the symbol or "". Raise VenueError -1121."""
        return self.symbol(market) if self.parameters.get("symbol") else ""

    def client_id(self, name: str) -> str:
        """Return the client id or "". Raise VenueError -1100."""
        value = self.text(name)
        if value and not _CLIENT_ID_PATTERN.match(value):
            raise illegal_characters(name, CLIENT_ID)
        return value

    def new_client_id(self, name: str, prefix: str) -> str:
        """Return the client id that was sent, or one that the venue makes up."""
        return self.client_id(name) or f"{prefix}{self.world.next_number('client_id', 1):020d}"


Handler = Callable[[Call], object]
Weight = int | Callable[[dict[str, str]], int]


@dataclass(frozen=True)
class Endpoint:
    """One row of a dialect: where it is, what it costs, who may call it, what it does."""

    name: str
    market: Market
    method: str
    path: str
    handler: Handler
    weight: Weight = 1
    security: Security = "signed"
    permission: str = "READ"
    kind: Kind = "read"
    free_when_successful: bool = False

    def cost(self, parameters: dict[str, str]) -> int:
        """Return the request weight of this question."""
        return self.weight if isinstance(self.weight, int) else self.weight(parameters)


def pretend(call: Call) -> bool:
    """Return whether the next cancel of this call is only acknowledged, and count it."""
    if call.quirks.pretend_cancels == 0:
        return False
    call.quirks.pretend_cancels -= 1
    call.pretended += 1
    return True


def reachable(call: Call, orders: list[Order]) -> list[Order]:
    """Return the orders that a mass cancel reaches: all of them, unless a fault says otherwise."""
    only = call.quirks.cancel_only
    return orders if only < 0 else orders[:only]
