"""Lagging replicas: listings that answer from a view of the past, while the engine is up to date.

Promises: a view never invents anything; it shows what was true at an earlier time, wholly or in
part. Which endpoints lag, and how, is set by `control` or by a fault; without it views are fresh.

Modes: `steady` answers wholly from the past; `missing_new` hides what is newer than the lag;
`showing_old` still shows what was closed within the lag; `flapping` answers in turn from the past
and from the present.

Why: /api/v3/openOrders was seen to return 0..3 of 3 orders on successive calls, with delays above
20 s (binance-api-postman #102, freqtrade #3649).
Called by the read handlers of the dialects.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from resyncctl.simulator.events import Market
from resyncctl.simulator.ledger import Account, Balance, Position, PositionSide
from resyncctl.simulator.orders import AlgoOrder, AlgoState, Fill, Order, OrderState
from resyncctl.simulator.world import World

LagMode = Literal["steady", "missing_new", "showing_old", "flapping"]
LAG_MODES: tuple[LagMode, ...] = ("steady", "missing_new", "showing_old", "flapping")


@dataclass(frozen=True)
class View:
    """As of when a listing answers; None everywhere is the present.

    `past_ms` answers wholly from then; `newest_ms` hides what was created later; `oldest_ms` still
    shows what was open then.
    """

    past_ms: int | None = None
    newest_ms: int | None = None
    oldest_ms: int | None = None


FRESH = View()


@dataclass
class Lag:
    """A lag that is in force on some endpoints."""

    where: str
    lag_ms: int
    mode: LagMode
    asked: int = 0


@dataclass
class Lags:
    """Every lag in force; a later one for the same endpoints replaces the earlier."""

    rows: dict[str, Lag] = field(default_factory=dict)

    def put(self, where: str, lag_ms: int, mode: LagMode) -> None:
        """Put a lag into force; zero milliseconds ends it."""
        if lag_ms:
            self.rows[where] = Lag(where, lag_ms, mode)
        else:
            self.rows.pop(where, None)


def lag_mode(text: str) -> LagMode:
    """Return the mode of that name. Raise ValueError for another text."""
    for mode in LAG_MODES:
        if mode == text:
            return mode
    raise ValueError(f"mode must be one of {', '.join(LAG_MODES)}, not {text!r}")


def view_of(mode: LagMode, lag_ms: int, now_ms: int, asked: int) -> View:
    """Return the view of a lag; `asked` counts the questions and decides which replica answers."""
    past_ms = now_ms - lag_ms
    if mode == "missing_new":
        return View(newest_ms=past_ms)
    if mode == "showing_old":
        return View(oldest_ms=past_ms)
    if mode == "flapping" and asked % 2:
        return FRESH
    return View(past_ms=past_ms)


def open_orders(
    world: World, account: str, market: Market, symbol: str, view: View
) -> list[tuple[Order, OrderState]]:
    """Return the open orders (of the symbol, or all for "") that the view shows, with states."""
    drawer = world.register.drawer(account, market)
    present: Iterable[Order] = drawer.open.values()
    if view == FRESH:
        return [
            (order, order.now) for order in present if not symbol or order.terms.symbol == symbol
        ]
    candidates = [*(order for _, order in drawer.closed_lately), *present]
    rows = []
    for order in dict.fromkeys(sorted(candidates, key=_age)):
        if symbol and order.terms.symbol != symbol:
            continue
        state = _seen(order, view)
        if state is not None and state.status in ("NEW", "PARTIALLY_FILLED"):
            rows.append((order, state))
    return rows


def open_algos(
    world: World, account: str, market: Market, symbol: str, view: View
) -> list[tuple[AlgoOrder, AlgoState]]:
    """Return the waiting conditional orders that the view shows, with states."""
    register = world.register
    closed = [] if view == FRESH else [algo for _, algo in register.closed_algos_lately]
    rows = []
    for algo in dict.fromkeys([*closed, *register.open_algos.values()]):
        terms = algo.terms
        if (algo.account, terms.market) != (account, market):
            continue
        if symbol and terms.symbol != symbol:
            continue
        state = _seen_algo(algo, view)
        if state is not None and state.status == "NEW":
            rows.append((algo, state))
    return rows


def fills(world: World, account: str, market: Market, symbol: str, view: View) -> list[Fill]:
    """Return the fills of the symbol that the view shows, oldest first."""
    rows = world.register.drawer(account, market).fills.get(symbol, [])
    newest_ms = view.past_ms if view.past_ms is not None else view.newest_ms
    if newest_ms is None:
        return rows
    return [fill for fill in rows if fill.time_ms <= newest_ms]


def order_state(order: Order, view: View) -> OrderState | None:
    """Return the state of one order that the view shows, None when it knows of no such order."""
    if view.past_ms is not None:
        return order.states.at(view.past_ms)
    if view.newest_ms is not None and order.created_ms > view.newest_ms:
        return None
    return order.now


def balances(account: Account, market: Market, view: View) -> dict[str, Balance]:
    """Return the wallet that the view shows."""
    wallet = account.wallets[market]
    if view.past_ms is None:
        return {asset: versions.now for asset, versions in wallet.items()}
    past = {asset: versions.at(view.past_ms) for asset, versions in wallet.items()}
    return {asset: balance for asset, balance in past.items() if balance is not None}


def positions(account: Account, view: View) -> dict[tuple[str, PositionSide], Position]:
    """Return the legs that the view shows."""
    if view.past_ms is None:
        return {leg: versions.now for leg, versions in account.positions.items()}
    past = {leg: versions.at(view.past_ms) for leg, versions in account.positions.items()}
    return {leg: position for leg, position in past.items() if position is not None}


def _seen(order: Order, view: View) -> OrderState | None:
    if view.past_ms is not None:
        return order.states.at(view.past_ms)
    if view.newest_ms is not None:
        return order.now if order.created_ms <= view.newest_ms else None
    if order.is_open or view.oldest_ms is None:
        return order.now
    return order.states.at(view.oldest_ms)


def _seen_algo(algo: AlgoOrder, view: View) -> AlgoState | None:
    if view.past_ms is not None:
        return algo.states.at(view.past_ms)
    if view.newest_ms is not None:
        return algo.states.now if algo.created_ms <= view.newest_ms else None
    if algo.is_open or view.oldest_ms is None:
        return algo.states.now
    return algo.states.at(view.oldest_ms)


def _age(order: Order) -> tuple[int, str, int]:
    return (order.created_ms, order.terms.symbol, order.order_id)
