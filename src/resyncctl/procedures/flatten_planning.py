"""Agree on what will be reduced: compare it with a saved plan and the caps, ask the operator.

Promises: nothing is sent here; a plan that is expired, another account's or made from another state
ends the run; the confirmation is the account's name in full, and nothing else satisfies it. Called
by `procedures.flatten`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal

from resyncctl.core.errors import DeclinedError, RefusedError, StalePlanError
from resyncctl.core.flatten_holdings import AccountReading, Choice
from resyncctl.core.flatten_plan import FlattenPlan, FlattenWish
from resyncctl.core.model import Order, Scope
from resyncctl.core.money import plain
from resyncctl.core.plan import Selection
from resyncctl.core.policy import Policy
from resyncctl.ports.prompts import Prompter
from resyncctl.procedures.cancel_planning import CancelAllRequest

STOPS_NAMED_MAX = 6
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenRequest:
    """What is asked.

    `plan` is a saved plan that is to be carried out. `slippage_max` and `notional_max` are the
    operator's caps, None for the policy's. `protective` is `keep`, `cancel` or `ask`.
    `confirmed_name` is the account's name when it was given instead of being typed. `known_symbols`
    are (scope, unified, venue symbol) for scopes that cannot be listed, `known_pairs` spot pairs
    that tell which asset to sell into. `lock_timeout_ms` is how long another run is waited for,
    `take_over` the reason to take the account from it.
    """

    account: str
    scopes: tuple[Scope, ...]
    choice: Choice = field(default_factory=Choice)
    slippage_max: Decimal | None = None
    notional_max: Decimal | None = None
    protective: str = "keep"
    reason: str
    by: str
    mode: str = "LIVE"
    dry_run: bool = False
    confirmed_name: str | None = None
    plan: FlattenPlan | None = None
    known_symbols: tuple[tuple[Scope, str, str], ...] = ()
    known_pairs: tuple[str, ...] = ()
    deadline_ms: int = 1_200_000
    lock_timeout_ms: int = 0
    take_over: str | None = None


ShowPlan = Callable[[FlattenPlan, AccountReading], None]


def show_nothing(plan: FlattenPlan, reading: AccountReading) -> None:
    """Show no plan; for callers without a screen."""
    del plan, reading


def wish_of(request: FlattenRequest, policy: Policy) -> FlattenWish:
    """Return what is asked, with the policy's numbers where the operator gave none.

    Raises:
        RefusedError: A cap of the operator is wider than the policy allows.
    """
    if request.plan is not None:
        wish = request.plan.wish
        _refuse_wider(wish.slippage_max, policy)
        return wish
    slippage = policy.flatten_slippage_max if request.slippage_max is None else request.slippage_max
    _refuse_wider(slippage, policy)
    return FlattenWish(
        choice=replace(request.choice, ignored_assets=policy.ignored_assets),
        slippage_max=slippage,
        notional_max=request.notional_max,
        slice_notional_max=policy.flatten_slice_notional_max,
        dust=policy.dust,
    )


def _refuse_wider(slippage: Decimal, policy: Policy) -> None:
    if slippage > policy.flatten_slippage_max:
        raise RefusedError(
            f"a slippage of {plain(slippage)} is more than the policy allows "
            f"({plain(policy.flatten_slippage_max)})",
            hint="policy.flatten_slippage_max is the cap",
        )


def within_policy(plan: FlattenPlan, policy: Policy) -> FlattenPlan:
    """Return the plan with its caps cut to what the policy lets one run reduce.

    Raises:
        RefusedError: It is worth more, and the operator set no cap of the run below that.
    """
    limit = policy.flatten_notional_max
    if limit is None:
        return plan
    asked = plan.wish.notional_max
    for quote, worth in plan.worth.items():
        wanted = worth if asked is None else min(worth, asked)
        if wanted > limit:
            raise RefusedError(
                f"the plan is worth {plain(wanted)} {quote}, more than the policy lets one run "
                f"reduce ({plain(limit)})",
                hint=f"reduce in parts: --max-notional {plain(limit)}, or --symbol",
            )
    return replace(plan, caps={quote: min(cap, limit) for quote, cap in plan.caps.items()})


def check_saved(saved: FlattenPlan, fresh: FlattenPlan, request: FlattenRequest) -> None:
    """Refuse a saved plan that does not fit any more.

    Raises:
        StalePlanError: It is another account's, expired, or made from another state.
    """
    again = f"make a new one: resyncctl flatten {request.account} --plan-out FILE"
    if saved.account != request.account:
        raise StalePlanError(
            f"the plan is for account {saved.account}, not for {request.account}", hint=again
        )
    late_ms = fresh.made_at_ms - saved.expires_ms
    if late_ms > 0:
        raise StalePlanError(f"the plan expired {late_ms // 1000} s ago", hint=again)
    if fresh.unread:
        raise StalePlanError(
            f"the plan cannot be compared with the account: {fresh.unread[0]}", hint=again
        )
    if saved.fingerprint != fresh.fingerprint:
        raise StalePlanError(
            "the account is not in the state that the plan was made from: "
            "holdings, position mode or resting orders have changed",
            hint=again,
        )


def cancel_request(
    request: FlattenRequest, plan: FlattenPlan, *, protective: str, deadline_ms: int
) -> CancelAllRequest:
    """Return the cancel that comes before reducing. It was confirmed together with the plan."""
    return CancelAllRequest(
        account=request.account,
        scopes=request.scopes,
        selection=Selection(symbols=plan.wish.choice.symbols),
        protective=protective,
        reason=request.reason,
        by=request.by,
        mode=request.mode,
        assume_yes=True,
        known_symbols=request.known_symbols,
        deadline_ms=deadline_ms,
    )


async def choose_protective(
    request: FlattenRequest, reading: AccountReading, prompter: Prompter
) -> str:
    """Return `keep` or `cancel`; the stops are named before the question is asked."""
    stops = [order for order in reading.orders if order.protective]
    if request.protective != "ask" or not stops:
        return "cancel" if request.protective == "cancel" else "keep"
    return await prompter.choose(
        f"{len(stops)} protective: {named_stops(stops)}. Keep or cancel them before reducing?",
        [
            ("keep", "keep them resting; they cannot open a position"),
            ("cancel", "cancel them first"),
        ],
        default="keep",
        flag="--protective keep|cancel",
    )


def named_stops(stops: list[Order]) -> str:
    """Return every stop by symbol, side, quantity and trigger; a long list is cut short."""
    words = [
        f"{stop.symbol} {stop.side.value} {plain(stop.quantity)} at "
        f"{plain(stop.trigger_price) if stop.trigger_price is not None else '?'}"
        for stop in stops[:STOPS_NAMED_MAX]
    ]
    if len(stops) > STOPS_NAMED_MAX:
        words.append(f"and {len(stops) - STOPS_NAMED_MAX} more")
    return "; ".join(words)


async def confirm(
    request: FlattenRequest, plan: FlattenPlan, venue: str, prompter: Prompter
) -> None:
    """Ask for the account's name.

    Raises:
        DeclinedError: Another name was given.
        NoTerminalError: Nobody can be asked, and the name was not given.
    """
    if request.confirmed_name is not None:
        matches = request.confirmed_name == request.account
    else:
        matches = await prompter.type_name(
            f"{request.mode} {venue}/{request.account}: {plan_words(plan)}. "
            f"Type the account's name ({request.account}) to go on:",
            request.account,
            flag=f"--confirm {request.account}",
        )
    if not matches:
        raise DeclinedError(
            "the typed name does not match; nothing was sent, the gate stays UNSAFE",
            hint="Run it again when you are ready.",
        )


def plan_words(plan: FlattenPlan) -> str:
    """Return the blast radius, e.g. "cancel 3 orders; reduce 4 holdings, 182400 USDT; ..."."""
    worth, caps = amounts(plan.worth), amounts(plan.caps)
    reducible = len(plan.reducible)
    words = f"cancel {_counted(plan.orders, 'order')}; reduce {_counted(reducible, 'holding')}"
    if reducible:
        words += f" worth {worth}, at most {caps}, slippage at most {percent(plan)}"
    if plan.stops:
        words += f"; {_counted(plan.stops, 'protective stop')}"
    blocked = sum(target.blocked is not None for target in plan.targets)
    dust = sum(target.is_dust for target in plan.targets)
    if blocked:
        words += f"; {blocked} cannot be reduced"
    if dust:
        words += f"; {dust} dust"
    return words


def amounts(by_quote: Mapping[str, Decimal]) -> str:
    """Return amounts in hundredths, rounded up, e.g. "1250.20 USDT, 3.00 USD"."""
    return ", ".join(
        f"{amount.quantize(CENT, ROUND_CEILING)} {quote}"
        for quote, amount in sorted(by_quote.items())
    )


def percent(plan: FlattenPlan) -> str:
    """Return the slippage cap in percent."""
    return f"{plain(plan.wish.slippage_max * 100)} %"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
