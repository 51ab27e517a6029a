"""What will be reduced, as a value: printable, with a digest, before anything is sent.

Promises: a plan is a pure function of one reading of the account and of what was asked; its digest
says what the operator agrees to and changes whenever that does, but not with the price; its
fingerprint says from which state it was made. A holding that cannot be reduced stays in the plan
with the reason. Called by `procedures.flatten`; written to and read from files by
`flatten_plan_json`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal

from resyncctl.core.flatten_holdings import (
    AccountReading,
    Choice,
    Holding,
    HoldingKey,
    Instrument,
    protection_of,
)
from resyncctl.core.flatten_slice import (
    Need,
    best_price,
    depth_inside,
    is_too_small,
    price_bound,
    round_down,
)
from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.model import Leg, Side
from resyncctl.core.money import ZERO, exactly, plain
from resyncctl.core.plan import order_key
from resyncctl.core.reduction import Protection
from resyncctl.core.snapshot import Unknown

_FINE = Decimal("0.00000001")
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenWish:
    """What was asked: which holdings, and the caps.

    `notional_max` is the cap of the run in each quote asset, None for what the plan itself is
    worth. `dust` gives per asset the amount that counts as flat.
    """

    choice: Choice
    slippage_max: Decimal
    notional_max: Decimal | None = None
    slice_notional_max: Decimal | None = None
    dust: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One holding and what is to become of it.

    `quantity` is what will be traded, always positive; zero with `blocked` None is dust. `price`
    is the best price when the plan was made. `slippage` is what the book promises for the whole
    quantity as a ratio, None when the book does not show that much. `rest` is what stays because
    it is smaller than the smallest order; up to `flat_below` the policy calls a rest flat.
    `blocked` says why nothing can be done.
    """

    product: str
    symbol: str
    venue_symbol: str
    leg: Leg
    base: str
    quote: str
    side: Side
    holding: Decimal
    protection: Protection | None
    quantity: Decimal = ZERO
    price: Decimal | None = None
    value: Decimal | None = None
    slippage: Decimal | None = None
    slices: int = 0
    rest: Decimal = ZERO
    rest_value: Decimal | None = None
    flat_below: Decimal = ZERO
    blocked: str | None = None

    @property
    def key(self) -> HoldingKey:
        """What identifies the holding within its account."""
        return (self.product, self.symbol, self.leg.value)

    @property
    def is_dust(self) -> bool:
        """Whether all of it is smaller than the smallest order."""
        return self.blocked is None and not self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenPlan:
    """What one run may do. `caps` are the notional caps by quote asset, `worth` what it adds up to.

    `orders` and `stops` count what rests: ordinary orders, and protective ones. `unread` are places
    that could not be read; what they hold is not known.
    """

    account: str
    made_at_ms: int
    expires_ms: int
    fingerprint: str
    wish: FlattenWish
    targets: tuple[Target, ...]
    caps: Mapping[str, Decimal] = field(default_factory=dict)
    orders: int = 0
    stops: int = 0
    unread: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Sixty-four hexadecimal digits that change with what is agreed to, not with prices."""
        wish = self.wish
        return _sha256(
            {
                "account": self.account,
                "fingerprint": self.fingerprint,
                "symbols": sorted(wish.choice.symbols),
                "into": wish.choice.into,
                "ignored": sorted(wish.choice.ignored_assets),
                "slippage_max": plain(wish.slippage_max),
                "notional_max": _maybe(wish.notional_max),
                "slice_notional_max": _maybe(wish.slice_notional_max),
                "targets": sorted(_terms(target) for target in self.targets),
            }
        )

    @property
    def worth(self) -> dict[str, Decimal]:
        """The value of what will be traded, by quote asset."""
        return worth_of(self.targets)

    @property
    def reducible(self) -> tuple[Target, ...]:
        """The targets for which orders can be sent."""
        return tuple(t for t in self.targets if t.blocked is None and t.quantity > 0)


def plan_flatten(
    reading: AccountReading,
    wish: FlattenWish,
    *,
    why_not: Mapping[str, str],
    validity_ms: int,
) -> FlattenPlan:
    """Given a reading of the account and what was asked, return the plan.

    `why_not` says per product why nothing of it can be reduced here.
    """
    targets = tuple(
        _target(holding, reading, wish, why_not)
        for holding in sorted(reading.holdings, key=lambda one: one.key)
    )
    return FlattenPlan(
        account=reading.account,
        made_at_ms=reading.as_of_ms,
        expires_ms=reading.as_of_ms + validity_ms,
        fingerprint=fingerprint_of(reading),
        wish=wish,
        targets=targets,
        caps=caps_for(worth_of(targets), wish),
        orders=sum(not order.protective for order in reading.orders),
        stops=sum(order.protective for order in reading.orders),
        unread=reading.unread,
    )


def worth_of(targets: tuple[Target, ...]) -> dict[str, Decimal]:
    """Return the value of what the targets trade, by quote asset."""
    found: dict[str, Decimal] = {}
    with exactly():
        for target in targets:
            if target.blocked is None and target.quantity > 0 and target.value is not None:
                found[target.quote] = found.get(target.quote, ZERO) + target.value
    return found


def caps_for(worth: Mapping[str, Decimal], wish: FlattenWish) -> dict[str, Decimal]:
    """Return the cap per quote asset: the asked one, else the worth and the price bound on top."""
    with exactly():
        own = {
            quote: (amount * (1 + wish.slippage_max)).quantize(_CENT, ROUND_CEILING)
            for quote, amount in worth.items()
        }
    if wish.notional_max is None:
        return own
    return {quote: min(cap, wish.notional_max) for quote, cap in own.items()}


def fingerprint_of(reading: AccountReading) -> str:
    """Return a digest of the state that a plan depends on: holdings, modes and resting orders."""
    return _sha256(
        {
            "holdings": sorted("|".join((*h.key, plain(h.quantity))) for h in reading.holdings),
            "modes": {product: mode or "none" for product, mode in reading.modes.items()},
            "orders": sorted(
                f"{order_key(order)}|{order.side}|{plain(order.quantity)}|{plain(order.filled)}"
                for order in reading.orders
            ),
        }
    )


def flat_below(rules: InstrumentRules, price: Decimal, wish: FlattenWish) -> Decimal:
    """Return the quantity up to which the policy calls a rest flat; zero without such a policy."""
    limit = dict(wish.dust).get(rules.base, ZERO)
    with exactly():
        return limit * price / rules.contract_value if rules.inverse else limit


def _target(
    holding: Holding, reading: AccountReading, wish: FlattenWish, why_not: Mapping[str, str]
) -> Target:
    instrument = reading.instruments.get((holding.product, holding.symbol))
    protection = protection_of(holding, reading.modes.get(holding.product))
    blocked = _blocked(holding, instrument, protection, why_not)
    rules = instrument.rules if instrument is not None else Unknown("not read")
    known = rules if isinstance(rules, InstrumentRules) else None
    base = known.base if known else holding.asset or holding.symbol.partition("/")[0]
    bare = Target(
        product=holding.product,
        symbol=holding.symbol,
        venue_symbol=known.venue_symbol if known else "",
        leg=holding.leg,
        base=base,
        quote=known.quote if known else holding.symbol.partition("/")[2].partition(":")[0],
        side=holding.side,
        holding=holding.quantity,
        protection=protection if isinstance(protection, Protection) else None,
        blocked=blocked,
        # Without rules the unit is known only where it is the asset itself.
        flat_below=dict(wish.dust).get(base, ZERO) if holding.asset else ZERO,
    )
    if instrument is None or known is None or isinstance(instrument.book, Unknown):
        return bare
    return _priced(bare, known, instrument.book, wish)


def _blocked(
    holding: Holding,
    instrument: Instrument | None,
    protection: Protection | str,
    why_not: Mapping[str, str],
) -> str | None:
    """Return why nothing can be done about a holding, None when something can."""
    if holding.product in why_not:
        return why_not[holding.product]
    if holding.asset and "/" not in holding.symbol:
        return "say which asset to sell it into: --into ASSET"
    if not isinstance(protection, Protection):
        return protection
    if holding.available is None:
        return "the exchange does not say how much of it is free"
    if instrument is None:
        return "its rules were not read"
    if isinstance(instrument.rules, Unknown):
        return f"its rules are not known: {instrument.rules.reason}"
    if isinstance(instrument.book, Unknown):
        return f"its book is not known: {instrument.book.reason}"
    if not instrument.rules.trading:
        return f"the exchange takes no orders for it ({instrument.rules.status})"
    return None


def _priced(target: Target, rules: InstrumentRules, book: OrderBook, wish: FlattenWish) -> Target:
    """Add quantities and values to a target whose instrument is known."""
    held = abs(target.holding)
    quantity = round_down(held, rules.quantity_step)
    best = best_price(book, target.side)
    if best is None:
        return replace(target, blocked=target.blocked or "nobody is on the other side of its book")
    with exactly():
        need = Need(available=target.holding, anchor_price=best, slippage_max=wish.slippage_max)
        limit = price_bound(need, rules, best)
        if is_too_small(quantity, rules, limit):
            quantity = ZERO
        rest = held - quantity
        return replace(
            target,
            quantity=quantity,
            price=best,
            value=rules.notional(quantity, best),
            slippage=_slippage(book, target.side, quantity, best),
            slices=_slices(quantity, rules, best, depth_inside(book, target.side, limit), wish),
            rest=rest,
            rest_value=rules.notional(rest, best),
            flat_below=flat_below(rules, best, wish),
        )


def _slippage(book: OrderBook, side: Side, quantity: Decimal, best: Decimal) -> Decimal | None:
    """Return how far the mean price of the whole quantity lies from the best, as a ratio."""
    levels = book.bids if side is Side.SELL else book.asks
    left, paid = quantity, ZERO
    for price, size in levels:
        taken = min(left, size)
        paid += taken * price
        left -= taken
        if not left:
            break
    if left or not quantity:
        return None
    return (abs(paid / quantity - best) / best).quantize(_FINE, ROUND_CEILING)


def _slices(
    quantity: Decimal, rules: InstrumentRules, best: Decimal, shown: Decimal, wish: FlattenWish
) -> int:
    """Return how many orders it will take at least, as the book is now."""
    if not quantity:
        return 0
    size = min(quantity, rules.quantity_max)
    if wish.slice_notional_max is not None:
        size = min(size, wish.slice_notional_max / rules.notional(Decimal(1), best))
    size = min(size, shown) if shown else size
    size = max(round_down(size, rules.quantity_step), rules.quantity_step, rules.quantity_min)
    return int((quantity / size).to_integral_value(ROUND_CEILING)) if size else 1


def _terms(target: Target) -> str:
    protection = target.protection.value if target.protection else "none"
    return "|".join((*target.key, target.side.value, plain(target.holding), protection))


def _maybe(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)


def _sha256(content: Mapping[str, object]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
