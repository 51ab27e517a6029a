"""Whose is an order that only the exchange knows: claimed, lost by the engine, or foreign?

A claim is a strategy's word or the operator's policy; it makes an unlisted order expected. Without
one the client id's prefix tells an order that our engine lost from one that somebody else placed.
Many unknown orders within a short time are a storm: a run-away engine or a stolen key.
Called by `orders`.
"""

from collections.abc import Iterator, Sequence

from resyncctl.core.compare.result import Case
from resyncctl.core.compare.words import REMEDIES, order_subject, order_values
from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject
from resyncctl.core.model import Order

_KEEP_STOP = (
    "Keep it until you know that its position is gone or protected otherwise; then adopt it with "
    "`reconcile --repair`."
)


class Owners:
    """The claims that are in force, indexed so that each order costs one look."""

    def __init__(self, case: Case) -> None:
        policy = case.policy
        self._by_venue_id: dict[str, str] = {}
        self._by_client_id: dict[str, str] = {}
        self._by_symbol = dict.fromkeys(policy.external_order_claims, "policy")
        self._claimed_prefixes = policy.claimed_prefixes
        self._own_prefixes = policy.client_id_prefixes
        for claim in case.engine.claims:
            if claim.until_ms is not None and claim.until_ms < case.now_ms:
                continue
            if claim.venue_order_id is not None:
                self._by_venue_id[claim.venue_order_id] = claim.owner
            if claim.client_order_id is not None:
                self._by_client_id[claim.client_order_id] = claim.owner
            if claim.symbol is not None:
                self._by_symbol[claim.symbol] = claim.owner

    def claimant(self, order: Order) -> str | None:
        """Return who claims the order, or None."""
        if order.venue_order_id in self._by_venue_id:
            return self._by_venue_id[order.venue_order_id]
        if order.client_order_id in self._by_client_id:
            return self._by_client_id[order.client_order_id]
        if order.client_order_id and order.client_order_id.startswith(self._claimed_prefixes):
            return "policy"
        return self._by_symbol.get(order.symbol)

    def judge(self, order: Order) -> Discrepancy:
        """Return the finding about an order that only the exchange knows."""
        owner = self.claimant(order)
        if owner is not None:
            return Discrepancy(
                kind=Kind.CLAIMED_ORDER,
                severity=Severity.INFO,
                subject=order_subject(order),
                venue={**order_values(order), "owner": owner},
                remedy=REMEDIES[Kind.CLAIMED_ORDER],
                detail=f"Claimed by {owner}.",
            )
        detail, remedy = self._advise(order)
        return Discrepancy(
            kind=Kind.ORPHAN_ORDER,
            severity=Severity.MAJOR,
            subject=order_subject(order),
            venue=order_values(order),
            remedy=remedy,
            detail=detail,
        )

    def _advise(self, order: Order) -> tuple[str, str]:
        if order.protective:
            return (
                "It is a protective stop that the engine does not know.",
                _KEEP_STOP,
            )
        if not self._own_prefixes:
            return (
                "No client id prefix is configured, so nobody can tell whether it is ours.",
                REMEDIES[Kind.ORPHAN_ORDER],
            )
        if order.client_order_id and order.client_order_id.startswith(self._own_prefixes):
            return (
                "It carries our prefix: the engine sent it and lost track of it.",
                "Cancel it with `cancel-all`, or adopt it with `reconcile --repair`.",
            )
        return (
            "It does not carry our prefix: somebody or something else placed it.",
            REMEDIES[Kind.ORPHAN_ORDER],
        )


def storm(orphans: Sequence[Order], case: Case) -> Iterator[Discrepancy]:
    """Yield one finding when more unknown orders than allowed appeared within the window.

    An order whose time is not told counts as if it lay in every window.
    """
    limit, window = case.policy.unknown_order_storm, case.policy.unknown_order_storm_window_ms
    if len(orphans) <= limit:
        return
    times = sorted(order.created_at_ms for order in orphans if order.created_at_ms is not None)
    timeless = len(orphans) - len(times)
    largest, first = timeless, 0
    for last, at_ms in enumerate(times):
        while at_ms - times[first] > window:
            first += 1
        largest = max(largest, timeless + last - first + 1)
    if largest <= limit:
        return
    yield Discrepancy(
        kind=Kind.UNKNOWN_ORDER_STORM,
        severity=Severity.CRITICAL,
        subject=Subject(account=case.account),
        engine={"allowed": limit},
        venue={"unknown_orders": largest, "window_ms": window},
        delta={"unknown_orders": largest - limit},
        remedy=REMEDIES[Kind.UNKNOWN_ORDER_STORM],
        detail=f"{largest} unknown orders appeared within {window // 1000} seconds.",
    )
