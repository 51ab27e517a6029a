"""The control plane of the practice exchange: seed it, steer it, break it, ask for the truth.

Promises: every method takes and returns JSON-friendly values (decimals as text), so the HTTP plane
can call each by name; nothing here obeys the limits of a client, everything obeys the ledger. An
unusable argument is a ValueError, an unknown name a LookupError.

Called by tests, by drills, by the HTTP control plane, and by faults that are events.
"""

from collections.abc import Callable, Mapping
from typing import Any

from resyncctl.simulator import (
    algo,
    endpoints,
    matching,
    seeding,
    treasury,
    truth,
    usdm_engine,
    usdm_events,
    usdm_orders,
)
from resyncctl.simulator.fault_kinds import KINDS
from resyncctl.simulator.faults import FaultBoard, StreamFault, StreamFaults
from resyncctl.simulator.ledger import Account, FeeRates
from resyncctl.simulator.limits import Limits
from resyncctl.simulator.numbers import amount_of, exact_methods
from resyncctl.simulator.replicas import Lags, lag_mode
from resyncctl.simulator.seeding import Wish, market_of, order_document, side_of
from resyncctl.simulator.world import World

Document = dict[str, Any]


@exact_methods
class Control:
    """What a practice exchange lets its owner do. Only methods without an underscore are called."""

    def __init__(
        self,
        world: World,
        *,
        limits: Limits,
        lags: Lags,
        board: FaultBoard,
        latencies: dict[str, int],
        advance: Callable[[], None],
    ) -> None:
        self._world = world
        self._limits = limits
        self._lags = lags
        self._board = board
        self._latencies = latencies
        self._advance = advance
        self.stream_faults = StreamFaults(board, world.now_ms)
        self.defects: list[str] = []

    def call(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """Call a method by name. Raise LookupError when there is none of that name."""
        function = getattr(self, method, None)
        if method.startswith("_") or method == "call" or not callable(function):
            raise LookupError(f"no control method named {method!r}")
        return function(**arguments)

    # -- accounts and money ---------------------------------------------------------------------

    def add_account(
        self,
        account: str,
        api_key: str = "",
        secret: str = "",
        permissions: list[str] | None = None,
    ) -> Document:
        """Open an account with one key and return it; unnamed keys follow from the seed."""
        self._world.ledger.open_account(account, self._world.now_ms())
        return self.add_key(account, api_key, secret, permissions)

    def add_key(
        self,
        account: str,
        api_key: str = "",
        secret: str = "",
        permissions: list[str] | None = None,
    ) -> Document:
        """Give an account another key; `permissions` may be ["READ"] or ["READ", "TRADE"]."""
        made = treasury.add_key(self._world, self._account(account), api_key, secret, permissions)
        return {"account": account, "api_key": made.api_key, "secret": made.secret}

    def revoke_keys(self, account: str) -> int:
        """Make every key of the account invalid; return how many there were."""
        return treasury.revoke_keys(self._world, account)

    def set_key_permissions(self, api_key: str, permissions: list[str]) -> None:
        """Change what a key may do, and restore it when it was revoked."""
        treasury.permit(self._world, api_key, permissions)

    def set_fees(self, account: str, market: str, maker: str, taker: str, asset: str = "") -> None:
        """Set fee rates as parts of the notional; `asset` names a discount asset such as BNB."""
        rates = FeeRates(amount_of(maker), amount_of(taker), asset)
        self._account(account).fees[market_of(market)] = rates

    def close_account(self, account: str, closed: bool = True) -> None:
        """Forbid (or allow again) new orders of an account."""
        self._account(account).closed_to_trading = closed
        self._world.changed()

    def deposit(self, account: str, asset: str, amount: str, market: str = "spot") -> None:
        """Bring money in from outside; into a futures wallet it comes as a transfer."""
        owner, place = self._account(account), market_of(market)
        treasury.move_outside(self._world, owner, place, asset, amount_of(amount))

    def withdraw(self, account: str, asset: str, amount: str, market: str = "spot") -> None:
        """Take money out."""
        owner, place = self._account(account), market_of(market)
        treasury.move_outside(self._world, owner, place, asset, -amount_of(amount))

    def transfer(
        self, account: str, asset: str, amount: str, source: str = "spot", target: str = ""
    ) -> str:
        """Move money between two wallets; without a target from spot to USD-M, or to spot."""
        route = (market_of(source), market_of(target or ("usdm" if source == "spot" else "spot")))
        owner = self._account(account)
        return treasury.transfer(self._world, owner, asset, amount_of(amount), route)

    # -- orders and legs ------------------------------------------------------------------------

    def seed_order(self, account: str, **wish: Any) -> Document:
        """Make an order exist (fields of `seeding.Wish`); return it."""
        wish["market"] = market_of(wish["market"])
        order = seeding.seed_order(self._world, self._account(account), Wish(**wish))
        return order_document(order)

    def seed_orders(self, account: str, orders: list[Document]) -> list[Document]:
        """Make many orders exist."""
        return [self.seed_order(account, **order) for order in orders]

    def seed_oco(
        self,
        account: str,
        *,
        symbol: str,
        side: str,
        quantity: str,
        price: str,
        stop_price: str,
        stop_limit_price: str,
        client_order_id: str = "",
    ) -> Document:
        """Make a spot OCO list exist."""
        prices = (amount_of(price), amount_of(stop_price), amount_of(stop_limit_price))
        return seeding.seed_oco(
            self._world,
            self._account(account),
            symbol=symbol,
            side=side,
            prices=prices,
            quantity=amount_of(quantity),
            client_id=client_order_id,
        )

    def trade(self, account: str, price: str, **wish: Any) -> Document:
        """Make an order exist that was filled at once; return the fill."""
        wish["market"] = market_of(wish["market"])
        made = seeding.trade(
            self._world, self._account(account), Wish(**wish, price=price), amount_of(price)
        )
        return seeding.fill_document(made)

    def fill(
        self,
        order: Document,
        quantity: str = "",
        price: str = "",
        maker: bool = True,
    ) -> Document:
        """Fill an order (market, symbol, order_id), wholly and at its price unless told else."""
        found = seeding.find_order(self._world, order)
        done = seeding.fill(self._world, found, quantity, price, maker=maker)
        return seeding.fill_document(done)

    def fill_first(
        self, account: str, market: str = "", symbol: str = "", quantity: str = ""
    ) -> Document | None:
        """Fill the account's oldest open order (of the market, of the symbol); None: no order."""
        for order in truth.open_orders(self._world, self._account(account)):
            terms = order.terms
            if market in ("", terms.market) and symbol in ("", terms.symbol):
                return self.fill(order_document(order), quantity)
        return None

    def cancel(self, order: Document) -> Document:
        """Cancel an open order as its owner would elsewhere (web page, other tool)."""
        return seeding.cancel(self._world, order)

    def expire(self, order: Document) -> Document:
        """Let an open regular order expire."""
        found = seeding.find_order(self._world, order)
        matching.close(self._world, found, "EXPIRED")
        return order_document(found)

    def trigger(self, algo_id: int) -> Document | None:
        """Trigger a conditional order; return the regular order, None when none was placed."""
        order = algo.trigger(self._world, self._world.register.algos[algo_id])
        return order_document(order) if order is not None else None

    def set_position(
        self,
        account: str,
        symbol: str,
        amount: str,
        entry_price: str,
        position_side: str = "BOTH",
    ) -> None:
        """Set a leg as if it had always been there."""
        leg = (symbol, side_of(position_side))
        seeding.set_position(
            self._world, self._account(account), leg, amount_of(amount), amount_of(entry_price)
        )

    def liquidate(self, account: str, symbol: str, price: str = "") -> list[Document]:
        """Close every leg of the symbol by force, and its orders; return the fills."""
        owner = self._account(account)
        usdm_orders.fire_countdown(self._world, owner, symbol)
        return self._force(owner, symbol, "autoclose-", "1", price)

    def auto_deleverage(
        self, account: str, symbol: str, fraction: str = "0.5", price: str = ""
    ) -> list[Document]:
        """Shrink every leg of the symbol; return the fills."""
        return self._force(self._account(account), symbol, "adl_autoclose", fraction, price)

    def set_position_mode(self, account: str, hedge: bool) -> None:
        """Set the position mode, whatever is open."""
        self._account(account).hedge_mode = hedge
        self._world.changed()

    def flip_position_mode(self, account: str) -> bool:
        """Change the position mode, whatever is open; return the new one."""
        owner = self._account(account)
        owner.hedge_mode = not owner.hedge_mode
        self._world.changed()
        return owner.hedge_mode

    def set_leverage(self, account: str, symbol: str, leverage: int) -> None:
        """Set the leverage of a symbol."""
        self._account(account).leverage[symbol] = leverage
        self._world.changed()

    def fire_countdown(self, account: str, symbol: str) -> int:
        """Let a countdown cancel the regular orders of a symbol now; return how many."""
        return usdm_orders.fire_countdown(self._world, self._account(account), symbol)

    # -- market and venue -----------------------------------------------------------------------

    def set_price(self, symbol: str, price: str = "", market: str = "") -> None:
        """Hold the mid price of a symbol (in one market or both); "" lets it move again."""
        held = amount_of(price) if price else None
        seeding.hold_price(self._world, symbol, held, market)
        self._advance()

    def hold_all_prices(self, hold: bool = True) -> None:
        """Stop every price at its value at the start of the exchange, or let them move again."""
        seeding.freeze_prices(self._world, hold=hold)

    def set_liquidity(self, market: str, symbol: str, quantity: str = "") -> None:
        """Cap what one match can fill; "" removes the cap."""
        seeding.set_liquidity(self._world, (market_of(market), symbol), quantity)

    def funding(self, symbol: str, rate: str, account: str = "") -> None:
        """Pay funding on every leg of the symbol, of all accounts or of one."""
        for owner in self._world.ledger.accounts.values():
            if account in ("", owner.label):
                usdm_engine.pay_funding(self._world, owner, symbol, amount_of(rate))

    def schedule(self, after_ms: int, method: str, arguments: Document, every_ms: int = 0) -> None:
        """Call a control method later, then (not zero) again and again: funding, for example."""

        def act() -> None:
            self.call(method, arguments)
            if every_ms:
                self._world.later(every_ms, act)

        self._world.later(after_ms, act)

    def set_symbol_status(self, market: str, symbol: str, status: str) -> None:
        """Set a symbol's status, such as HALT, BREAK or CANCEL_ONLY."""
        seeding.set_status(self._world, market_of(market), symbol, status)

    def set_clock_skew(self, milliseconds: int, drift_ppm: int = 0) -> None:
        """Set how far the venue's clock is ahead, and how fast it drifts further from now on."""
        settings = self._world.settings
        settings.skew_ms, settings.drift_ppm = milliseconds, drift_ppm
        settings.drift_from_ms = self._world.clock_now_ms()
        self._world.changed()

    def set_weight_limit(self, market: str, per_minute: int) -> None:
        """Set the request weight that one client may use per minute."""
        self._limits.set_weight(market_of(market), per_minute)

    def ban(self, client: str = "", length_ms: int = 120_000) -> int:
        """Ban a client address; return until when."""
        return self._limits.ban(client, self._world.now_ms(), length_ms)

    def set_latency(self, milliseconds: int, where: str = "*") -> None:
        """Answer the named endpoints only after some time; zero ends it."""
        self._latencies.pop(where, None)
        if milliseconds:
            self._latencies[where] = milliseconds

    def set_system_status(self, status: int) -> None:
        """Announce maintenance (1) or normal operation (0)."""
        self._world.settings.system_status = status
        self._world.changed()

    def set_lag(self, where: str, lag_ms: int, mode: str = "steady") -> None:
        """Let listings lag: steady, missing_new, showing_old or flapping; zero ends it."""
        self._lags.put(where, lag_ms, lag_mode(mode))

    def lapse_listen_key(self, account: str) -> str:
        """End the account's USD-M listen key and say so on its stream; return the key."""
        owner = self._account(account)
        key = self._world.end_listen_key(owner, "usdm")
        if key:
            self._world.changed()
            usdm_events.tell_listen_key_expired(self._world, owner, key)
        return key

    # -- faults ---------------------------------------------------------------------------------

    def inject(self, kind: str, where: str = "*", **settings: Any) -> int:
        """Arm a fault (account, skip, times, parameters); return its number."""
        if kind not in KINDS:
            raise ValueError(f"unknown kind of fault {kind!r}")
        unknown = set(settings) - {"account", "skip", "times", "parameters"}
        if unknown:
            raise ValueError(f"unknown settings of a fault: {', '.join(sorted(unknown))}")
        return self._board.arm(kind, where, settings).number

    def inject_stream(self, kind: str, where: str = "*", **settings: Any) -> None:
        """Arm a fault that the streams read; see `faults.StreamFault` for `where`."""
        self.stream_faults.add(StreamFault(kind, where, **settings))

    def clear_faults(self) -> int:
        """Disarm every fault; return how many were armed."""
        self.stream_faults.clear()
        return self._board.clear()

    def fault_ledger(self) -> list[Document]:
        """Return every firing, oldest first."""
        return [row.as_document() for row in self._board.fired]

    def fault_kinds(self) -> dict[str, str]:
        """Return every kind of fault with its summary."""
        return {name: kind.summary for name, kind in KINDS.items()}

    def endpoint_names(self) -> list[str]:
        """Return the name of every endpoint, for `where`."""
        return list(endpoints.names())

    # -- truth ----------------------------------------------------------------------------------

    def truth(self, account: str) -> Document:
        """Return everything that is true about an account now."""
        self._advance()
        return truth.truth(self._world, self._account(account))

    def open_orders(self, account: str) -> list[Document]:
        """Return every open order of an account: regular ones and waiting conditional ones."""
        self._advance()
        owner = self._account(account)
        orders = [order_document(order) for order in truth.open_orders(self._world, owner)]
        return orders + [order_document(item) for item in truth.open_algos(self._world, owner)]

    def digest(self) -> str:
        """Return one hash of the truth about all accounts."""
        self._advance()
        return truth.digest(self._world)

    def imbalance(self) -> dict[str, str]:
        """Return per asset what the ledger cannot account for; empty when all is right."""
        wrong = self._world.ledger.imbalance()
        return {asset: format(amount, "f") for asset, amount in wrong.items()}

    def accounts(self) -> list[str]:
        """Return the labels of all accounts."""
        return list(self._world.ledger.accounts)

    def _account(self, label: str) -> Account:
        return self._world.ledger.account(label)

    def _force(
        self, owner: Account, symbol: str, prefix: str, fraction: str, price: str
    ) -> list[Document]:
        fills = seeding.force_close(
            self._world, owner, symbol, prefix=prefix, fraction=amount_of(fraction), price=price
        )
        return [seeding.fill_document(fill) for fill in fills]
