"""The state of the practice exchange and its clock: what every engine and dialect works on.

Promises: the venue's time is the clock that was handed in plus the skew; while an act of the agenda
runs, the venue's time is the time for which the act was booked; `changes` grows with every change
of the venue's truth, so a fault can be shown to have changed something.

Called by the engines, the dialects and `control`.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from resyncctl.simulator.agenda import Act, Agenda
from resyncctl.simulator.books import Books
from resyncctl.simulator.catalogue import Catalogue, SymbolRow
from resyncctl.simulator.events import Event, Listener, Market
from resyncctl.simulator.exchange_info import ExchangeInfo
from resyncctl.simulator.ledger import Account, Ledger
from resyncctl.simulator.orders import Order, OrderTerms, Register
from resyncctl.simulator.prices import MID_EVERY_MS, PricePath
from resyncctl.simulator.venue_errors import unknown_symbol

LISTEN_KEY_LASTS_MS = 3_600_000


@dataclass
class VenueSettings:
    """What the control plane may turn."""

    skew_ms: int = 0
    drift_ppm: int = 0
    drift_from_ms: int = 0
    system_status: int = 0
    max_open_orders: int = 200
    max_algo_orders: int = 200
    max_order_lists: int = 20


@dataclass
class World:
    """Everything that the venue knows."""

    clock_ms: Callable[[], int]
    catalogue: Catalogue
    prices: PricePath
    books: Books
    documents: ExchangeInfo
    seed: int
    settings: VenueSettings = field(default_factory=VenueSettings)
    ledger: Ledger = field(default_factory=Ledger)
    register: Register = field(default_factory=Register)
    agenda: Agenda = field(default_factory=Agenda)
    statuses: dict[Market, dict[str, str]] = field(
        default_factory=lambda: {"spot": {}, "usdm": {}, "coinm": {}}
    )
    liquidity: dict[tuple[Market, str], Decimal] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    changes: int = 0
    prices_held: int = 0
    swept_at: tuple[int, int] = (-1, -1)
    counters: dict[str, int] = field(default_factory=dict)
    started_ms: int = 0
    acting_ms: int | None = None

    def __post_init__(self) -> None:
        self.started_ms = self.clock_ms()

    def clock_now_ms(self) -> int:
        """Return the time on the clock that was handed in, or of the act that runs."""
        return self.acting_ms if self.acting_ms is not None else self.clock_ms()

    def now_ms(self) -> int:
        """Return the time on the venue's clock."""
        settings, clock_ms = self.settings, self.clock_now_ms()
        drift_ms = (clock_ms - settings.drift_from_ms) * settings.drift_ppm // 1_000_000
        return clock_ms + settings.skew_ms + drift_ms

    def later(self, delay_ms: int, act: Act, key: object = None) -> None:
        """Book an act."""
        self.agenda.book(self.clock_now_ms() + delay_ms, act, key)

    def symbol(self, market: Market, name: str) -> SymbolRow:
        """Return the symbol. Raise VenueError -1121 when it is not listed."""
        row = self.catalogue.find(market, name)
        if row is None:
            raise unknown_symbol()
        return row

    def status_of(self, market: Market, name: str) -> str:
        """Return the symbol's status now."""
        changed = self.statuses[market].get(name)
        return changed if changed is not None else self.symbol(market, name).status

    def unswept(self) -> list[tuple[Market, str]]:
        """Return the symbols whose orders must be compared with prices now, and note it.

        All of them when prices may have moved; else only those whose orders have changed.
        """
        register = self.register
        moment = (self.clock_now_ms() // MID_EVERY_MS, self.prices_held)
        if moment == self.swept_at and not register.unswept:
            return []
        names: Iterable[tuple[Market, str]] = register.unswept
        if moment != self.swept_at:
            names = dict.fromkeys([*register.resting, *register.waiting])
        self.swept_at = moment
        chosen = sorted(names)
        register.unswept.clear()
        return chosen

    def mid(self, market: Market, symbol: str) -> Decimal:
        """Return the price at which takers trade now."""
        return self.prices.mid(market, symbol, self.clock_now_ms())

    def owner(self, order: Order) -> Account:
        """Return the account of an order."""
        return self.ledger.account(order.account)

    def assets(self, terms: OrderTerms) -> tuple[str, str]:
        """Return base and quote asset of the order's symbol."""
        row = self.symbol(terms.market, terms.symbol)
        return row.base, row.quote

    def mark(self, row: SymbolRow) -> Decimal:
        """Return the mark price of a contract: the mid."""
        return self.mid(row.market, row.name)

    def next_number(self, name: str, first: int = 1) -> int:
        """Return the next number of a named counter."""
        number = self.counters.get(name, first)
        self.counters[name] = number + 1
        return number

    def changed(self) -> None:
        """Note that the venue's truth has changed."""
        self.changes += 1

    def start_listen_key(self, account: Account, market: Market) -> str:
        """Return the account's live listen key, made anew when it has lapsed, and extend it."""
        now_ms = self.now_ms()
        key = self.live_listen_key(account, market)
        if not key:
            number = self.next_number("listen_key")
            text = f"{self.seed}/{account.label}/{market}/{number}"
            key = hashlib.sha256(text.encode()).hexdigest()
        account.listen_keys[market] = (key, now_ms + LISTEN_KEY_LASTS_MS)
        return key

    def live_listen_key(self, account: Account, market: Market) -> str:
        """Return the account's listen key, "" when there is none or it has lapsed."""
        key, until_ms = account.listen_keys.get(market, ("", 0))
        return key if self.now_ms() < until_ms else ""

    def has_listen_key(self, account: Account, market: Market) -> bool:
        """Return whether the account has a live listen key."""
        return bool(self.live_listen_key(account, market))

    def end_listen_key(self, account: Account, market: Market) -> str:
        """Forget the account's listen key and return it."""
        return account.listen_keys.pop(market, ("", 0))[0]

    @property
    def heard(self) -> bool:
        """Whether anybody listens: payloads are not built for nobody."""
        return bool(self.listeners)

    def announce(self, market: Market, account: str, symbol: str, payload: dict[str, Any]) -> None:
        """Tell every listener of a private event; `payload["e"]` names it."""
        event = Event(market, "user", account, symbol, str(payload["e"]), payload, self.now_ms())
        for listener in tuple(self.listeners):
            listener(event)
