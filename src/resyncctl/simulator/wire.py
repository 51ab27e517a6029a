"""What crosses the wire of the practice exchange: a request, a reply, and how the reply arrives.

Promises: plain frozen values, no input or output; a `Request` keeps the query and the body exactly
as they were sent, because the signature covers those very bytes.

Called by the transports (`in_process`, the TLS server) and by `exchange.PracticeExchange.handle`.
"""

from dataclasses import dataclass, field
from typing import Literal

Fate = Literal["whole", "drop", "reset", "truncate", "never"]


@dataclass(frozen=True)
class Request:
    """One HTTP request as the venue receives it; header names are lower case."""

    method: str
    host: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""


@dataclass(frozen=True)
class Delivery:
    """How a reply reaches the client.

    `drop`: the connection closes without an answer. `reset`: the connection is reset. `truncate`:
    the headers promise the full length and the body stops half way. `never`: nothing arrives until
    the client gives up. None of them says whether the request was executed: the request log does.
    """

    delay_ms: int = 0
    fate: Fate = "whole"


@dataclass(frozen=True)
class Reply:
    """One HTTP answer and the way in which it is delivered."""

    status: int
    headers: dict[str, str]
    body: bytes
    delivery: Delivery = field(default_factory=Delivery)
