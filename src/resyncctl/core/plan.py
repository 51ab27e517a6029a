"""What will be cancelled, as a value: ordered, printable, with a digest, before anything is sent.

Used by `procedures.cancel_all`. A plan is a pure function of the orders that were listed, of the
selection, and of how the venue lets orders be cancelled.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from resyncctl.core.model import Order, Scope
from resyncctl.core.money import ZERO, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which orders are meant. Empty tuples and None select everything.

    `symbols` are unified or venue symbols, `prefixes` are beginnings of client order ids,
    `created_before_ms` selects orders that are older. `keep_protective` leaves protective orders
    (reduce-only stops and take-profits of an open position) resting and expects them afterwards.
    """

    symbols: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    created_before_ms: int | None = None
    keep_protective: bool = True

    def wants(self, order: Order) -> bool:
        """Whether the order is to be cancelled. An order of unknown age is not stale."""
        return self._matches(order) and not (self.keep_protective and order.protective)

    def _matches(self, order: Order) -> bool:
        if self.symbols and not {order.symbol, order.venue_symbol} & set(self.symbols):
            return False
        if self.prefixes and not (order.client_order_id or "").startswith(self.prefixes):
            return False
        if self.created_before_ms is not None:
            return order.created_at_ms is not None and order.created_at_ms < self.created_before_ms
        return True

    def words(self) -> str:
        """Return what narrows the selection, e.g. "symbol BTC/USDT"; empty when nothing does."""
        parts = [*(f"symbol {name}" for name in self.symbols)]
        parts += [f"prefix {text}" for text in self.prefixes]
        if self.created_before_ms is not None:
            parts.append("stale orders")
        return ", ".join(parts)

    @property
    def takes_whole_symbols(self) -> bool:
        """Whether what is selected on a symbol is everything on it (protective orders apart)."""
        return not self.prefixes and self.created_before_ms is None


@dataclass(frozen=True, slots=True)
class CancelAction:
    """One request to be sent: everything on a symbol of a scope, or one order."""

    verb: str
    scope: Scope
    symbol: str
    venue_symbol: str
    orders: tuple[Order, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies the action, independent of the order of listing."""
        return (self.verb, str(self.scope), self.venue_symbol, *sorted(map(_terms, self.orders)))


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What a plan touches, in nouns and numbers. `notional` is by quote or settle asset."""

    orders: int
    symbols: int
    notional: tuple[tuple[str, Decimal], ...]
    unpriced: int
    kept_protective: int


@dataclass(frozen=True, slots=True)
class CancelPlan:
    """The requests of one wave, and the orders that stay.

    `kept` are protective orders left resting on purpose. `left_alone` counts orders outside of the
    selection.
    """

    account: str
    actions: tuple[CancelAction, ...]
    kept: tuple[Order, ...]
    left_alone: int

    @property
    def digest(self) -> str:
        """Sixty-four hexadecimal digits that change whenever the plan does."""
        content = {
            "account": self.account,
            "actions": sorted(action.key for action in self.actions),
            "kept": sorted(map(_terms, self.kept)),
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def orders(self) -> tuple[Order, ...]:
        """Every order that the plan cancels."""
        return tuple(order for action in self.actions for order in action.orders)

    def blast_radius(self) -> BlastRadius:
        """Return what the plan touches. Orders without any price are counted, not valued."""
        notional: dict[str, Decimal] = {}
        unpriced = 0
        for order in self.orders:
            price = order.price or order.trigger_price
            if not price:
                unpriced += 1
                continue
            asset = order.symbol.partition("/")[2].partition(":")[0] or "quote"
            notional[asset] = notional.get(asset, ZERO) + price * order.remaining
        return BlastRadius(
            orders=len(self.orders),
            symbols=len({order.symbol for order in self.orders}),
            notional=tuple(sorted(notional.items())),
            unpriced=unpriced,
            kept_protective=len(self.kept),
        )


def order_key(order: Order) -> str:
    """Return a name for the order that is unique within its account."""
    identity = order.venue_order_id or f"client:{order.client_order_id}"
    return f"{order.scope}:{order.venue_symbol or order.symbol}:{identity}"


def _terms(order: Order) -> str:
    """Return what an operator agreed to: the order and its terms, not how much of it is filled."""
    price = order.price if order.price is not None else order.trigger_price
    worth = "" if price is None else plain(price)
    words = (order.client_order_id or "", order.side.value, plain(order.quantity), worth)
    return "|".join((order_key(order), *words))


def plan_cancels(
    account: str,
    orders: Iterable[Order],
    selection: Selection,
    can_cancel_by_symbol: Mapping[Scope, bool],
) -> CancelPlan:
    """Given the listed orders, return the fewest requests that cancel exactly the selection.

    A whole symbol is cancelled by one request only when the venue can do that for the scope and
    when nothing listed on it has to stay; otherwise its orders are cancelled one by one.
    """
    groups: dict[tuple[Scope, str], list[Order]] = {}
    for order in orders:
        groups.setdefault((order.scope, order.venue_symbol or order.symbol), []).append(order)
    actions: list[CancelAction] = []
    kept: list[Order] = []
    left_alone = 0
    for (scope, venue_symbol), group in sorted(groups.items(), key=_group_order):
        chosen = sorted((order for order in group if selection.wants(order)), key=order_key)
        kept += [order for order in group if _is_kept(order, selection)]
        left_alone += sum(not selection.wants(o) and not _is_kept(o, selection) for o in group)
        whole = len(chosen) == len(group) and selection.takes_whole_symbols
        if chosen and whole and can_cancel_by_symbol.get(scope, False):
            symbol = chosen[0].symbol
            actions.append(
                CancelAction("cancel_symbol", scope, symbol, venue_symbol, tuple(chosen))
            )
        else:
            actions += [
                CancelAction("cancel_order", scope, order.symbol, venue_symbol, (order,))
                for order in chosen
            ]
    return CancelPlan(account, tuple(actions), tuple(sorted(kept, key=order_key)), left_alone)


def blind_actions(scope: Scope, symbols: Iterable[tuple[str, str]]) -> tuple[CancelAction, ...]:
    """Given (unified, venue) symbols of a scope that cannot be listed, cancel each symbol unseen.

    Used when a listing stays unreadable: cancelling what may be there is the safer mistake.
    """
    return tuple(
        CancelAction("cancel_symbol", scope, symbol, venue_symbol, ())
        for symbol, venue_symbol in sorted(set(symbols))
    )


def _is_kept(order: Order, selection: Selection) -> bool:
    if not (selection.keep_protective and order.protective):
        return False
    everything = Selection(
        symbols=selection.symbols,
        prefixes=selection.prefixes,
        created_before_ms=selection.created_before_ms,
        keep_protective=False,
    )
    return everything.wants(order)


def _group_order(item: tuple[tuple[Scope, str], list[Order]]) -> tuple[str, str]:
    (scope, venue_symbol), _ = item
    return (str(scope), venue_symbol)
