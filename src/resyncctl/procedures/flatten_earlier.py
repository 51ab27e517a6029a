"""Ask what became of reducing orders of runs that broke off, before anything new is sent.

Promises: an order that may still land is waited for; a holding whose earlier order has no known
end gets no new one. This part sends nothing. Called by `procedures.flatten`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from resyncctl.core.flatten_holdings import HoldingKey
from resyncctl.core.flatten_order import EarlierReduction, reference_for
from resyncctl.core.money import plain
from resyncctl.procedures.flatten_order import OrderTools, find_out


@dataclass(slots=True)
class Earlier:
    """What became of earlier orders, in words, and the holdings that have to wait."""

    resolved: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    blocked: frozenset[HoldingKey] = frozenset()


async def resolve_earlier(orders: Iterable[EarlierReduction], tools: OrderTools) -> Earlier:
    """Look every order up until its end is known, and write down what was found."""
    found = Earlier()
    for one in orders:
        words = f"{one.client_order_id} of run {one.run_id}"
        tools.progress.say(tools.account, "earlier", f"looking up {words}")
        # On the monotonic clock; an order that has been over for long needs no waiting.
        quiet_ms = tools.clock.monotonic_ms() + one.deadline_ms + tools.skew_ms
        quiet_ms -= tools.clock.now_ms()
        answer = await find_out(
            reference_for(one.product, one.symbol, one.client_order_id),
            tools,
            quiet_ms=quiet_ms,
            acknowledged=False,
        )
        tools.journal.record(
            "earlier_resolved",
            {
                "account": tools.account,
                "client_order_id": one.client_order_id,
                "run_id": one.run_id,
                "resolved": answer.resolved,
                "status": answer.order.status.value if answer.order else None,
                "filled": plain(answer.filled),
            },
        )
        if answer.resolved:
            found.resolved.append(f"{words}: {plain(answer.filled)} filled")
        else:
            found.open.append(f"what became of {words} is not known: {answer.why}")
            found.blocked |= {one.key}
    return found
