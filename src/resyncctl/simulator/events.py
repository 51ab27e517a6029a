"""What the heart of the practice exchange tells its listeners: the streams send it on.

Promises: a payload is the complete venue-dialect event, JSON-ready (decimals are strings), and is
never changed after it was announced; events are announced in the order in which they happened.

Called by the engines when an order, a balance or a position changes; consumed by `streams/`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Market = Literal["spot", "usdm", "coinm"]


@dataclass(frozen=True)
class Event:
    """One announcement.

    `audience` is "user" for the private streams of `account`, or "public" (then `account` is empty
    and `symbol` names the market). `name` equals `payload["e"]`.
    """

    market: Market
    audience: Literal["user", "public"]
    account: str
    symbol: str
    name: str
    payload: dict[str, Any]
    time_ms: int


Listener = Callable[[Event], None]
