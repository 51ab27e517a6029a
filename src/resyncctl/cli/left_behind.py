"""What one run leaves to another on the same account: read from this host's journals.

`open_requests` is called by the verbs that change an account, through the procedures, once the
account is theirs; `hand_over` at the end of a run that has lost it.
"""

import contextlib
from typing import TYPE_CHECKING, Any

from resyncctl.cli.memory import journal_roots
from resyncctl.core.errors import ResyncError
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


def hand_over(invocation: "Invocation", account: str) -> None:
    """Say in this run's journal that the run which took the account has proved it meanwhile.

    A run that was replaced while it was stopped wakes up after that, and needs no more looking
    after. Without that proof it stays unfinished.
    """
    from resyncctl.adapters.store.incident_facts import run_facts
    from resyncctl.adapters.store.lock_files import read_lock
    from resyncctl.adapters.store.places import lock_file
    from resyncctl.adapters.store.records import RESOLVED

    signed = read_lock(lock_file(invocation.configuration.state_dir, account))
    journal = invocation.shelf.get("journal")
    if signed is None or signed.taken_from != invocation.run_id or journal is None:
        return
    if run_facts(journal_roots(invocation), signed.run_id, account, "").proved_ms is None:
        return
    with contextlib.suppress(ResyncError):
        journal.record(RESOLVED, {"account": account, "by_run": signed.run_id, "remaining": []})


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
