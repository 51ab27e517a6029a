"""Take up what other runs left open on an account, once it is ours.

Promises: every order that such a request was about is asked for like one that was seen, and the
last of their deadlines is known to whoever waits before proving. Called by `cancel_all`, and by
procedures that it is a step of.
"""

from collections.abc import Sequence

from resyncctl.core.model import Order
from resyncctl.core.open_requests import OpenRequest, last_deadline_ms
from resyncctl.ports.views import Journal
from resyncctl.procedures.prove_absence import remember


def take_up(
    requests: Sequence[OpenRequest], account: str, *, seen: dict[str, Order], journal: Journal
) -> int:
    """Add the orders of these requests to those seen, and write down that this run resolves them.

    Returns the wall-clock time until which one of them may still take effect, 0 without requests.
    """
    until_ms = last_deadline_ms(requests)
    for request in requests:
        remember(seen, request.orders)
    if requests:
        journal.record(
            "earlier_requests",
            {
                "account": account,
                "until_ms": until_ms,
                "requests": [[one.run_id, one.intent_id, one.action] for one in requests],
            },
        )
    return until_ms
