"""What other runs left open on an account that this run holds: read from this host's journals.

Called by the verbs that change an account, through the procedures, once the account is theirs.
"""

from typing import TYPE_CHECKING, Any

from resyncctl.cli.memory import journal_roots
from resyncctl.core.model import Order, OrderClass, OrderStatus, Side
from resyncctl.core.money import ZERO
from resyncctl.core.open_requests import OpenRequest

if TYPE_CHECKING:
    from resyncctl.adapters.store.summary import OpenIntent
    from resyncctl.cli.invocation import Invocation


def open_requests(invocation: "Invocation", account: str) -> tuple[OpenRequest, ...]:
    """Return the requests of every other run for the account whose outcome is not known.

    To be asked when this run holds the account: a run that still lives has lost it then.
    """
    from resyncctl.adapters.store.runs import open_intents

    intents = open_intents(journal_roots(invocation), account, holder=invocation.run_id)
    return tuple(
        OpenRequest(
            run_id=intent.intent_id.rpartition(":")[0],
            intent_id=intent.intent_id,
            action=intent.action,
            deadline_ms=intent.deadline_ms,
            orders=_orders(account, intent),
        )
        for intent in intents
    )


def _orders(account: str, intent: "OpenIntent") -> tuple[Order, ...]:
    """Return the orders of a request; only their identity is known, which is all that is needed.

    Reducing orders are not among them: they never rest, and `flatten` asks for them by itself.
    """
    product, _, order_class = str(intent.details.get("scope", "")).partition("/")
    rows = intent.details.get("orders")
    if not product or intent.action == "reduce" or not isinstance(rows, list):
        return ()
    classes = {known.value for known in OrderClass}
    kind = OrderClass(order_class) if order_class in classes else OrderClass.REGULAR
    return tuple(
        _identity(account, product, kind, intent.details, row)
        for row in rows
        if isinstance(row, dict) and (row.get("venue_order_id") or row.get("client_order_id"))
    )


def _identity(
    account: str, product: str, order_class: OrderClass, details: Any, row: dict[str, Any]
) -> Order:
    return Order(
        account=account,
        product=product,
        symbol=str(details.get("symbol", "")),
        side=Side.BUY,
        type="unknown",
        status=OrderStatus.PENDING_CANCEL,
        client_order_id=row.get("client_order_id"),
        venue_order_id=row.get("venue_order_id"),
        quantity=ZERO,
        filled=ZERO,
        order_class=order_class,
        venue_symbol=details.get("venue_symbol"),
    )
