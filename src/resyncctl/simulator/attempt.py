"""One request on its way through the practice exchange, and the answer that it gets.

Promises: an `Answer` says whether the venue did what was asked, beside what it told the client;
faults change the answer or the delivery, never this truth.

Called by `pipeline`; handed to the functions of `fault_kinds` and `fault_acts`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from resyncctl.simulator.calls import Call, Endpoint
from resyncctl.simulator.replicas import View
from resyncctl.simulator.venue_errors import VenueError
from resyncctl.simulator.wire import Delivery, Request
from resyncctl.simulator.world import World

JSON_TYPE = "application/json;charset=UTF-8"


@dataclass(frozen=True)
class Answer:
    """What the venue says. `body` wins over `data`; `data` is turned into JSON."""

    status: int
    data: Any = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    executed: bool = False
    code: int = 0
    content_type: str = JSON_TYPE

    def rendered(self) -> bytes:
        """Return the body as bytes."""
        if self.body is not None:
            return self.body
        if isinstance(self.data, bytes):
            return self.data
        return orjson.dumps(self.data)


@dataclass
class Attempt:
    """One request while it is being served.

    `act` runs a control method by name. `resend` lets the same request land again after some
    milliseconds; its answer goes nowhere. `reread` runs a reading handler again with another view
    or another account.
    """

    world: World
    request: Request
    endpoint: Endpoint
    account: str
    parameters: dict[str, str]
    act: Callable[[str, Mapping[str, Any]], Any]
    resend: Callable[[int], None]
    reread: Callable[[View | None, str], Any]
    call: Call | None = None
    delivery: Delivery = field(default_factory=Delivery)
    copies: int = 0
    lost: bool = False
    delayed: bool = False


def answer_of(error: VenueError) -> Answer:
    """Return the answer that carries a refusal."""
    document: dict[str, Any] = {"code": error.code, "msg": error.message}
    if error.data is not None:
        document["data"] = error.data
    return Answer(
        status=error.status,
        data=document,
        headers=error.headers,
        executed=error.executed,
        code=error.code,
    )
