"""Requests that another run may have sent, and whose outcome nobody has recorded.

Whoever takes an account up after that run must let their deadlines pass, and ask what became of
their orders, before anything is proved or sized. Built from the journals; used by procedures.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from resyncctl.core.model import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """One request of another run; its deadline is wall-clock time.

    Of its orders only the identity is known.
    """

    run_id: str
    intent_id: str
    action: str
    deadline_ms: int
    orders: tuple[Order, ...]


def last_deadline_ms(requests: Iterable[OpenRequest]) -> int:
    """Return the wall-clock time of the last deadline, 0 when there is no request."""
    return max((request.deadline_ms for request in requests), default=0)
