"""Orders, order lists, conditional (algo) orders and fills, and the register that finds them.

Promises: terms never change after placement; what changes is the state, and every earlier state is
remembered for lagging replicas. Order ids and trade ids count per symbol, as on the real venue:
the same number on two symbols names two orders.

Called by the engines; read by the dialects through `replicas`.
"""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from resyncctl.simulator.events import Market
from resyncctl.simulator.ledger import PositionSide
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.versions import HORIZON_MS, Versioned

OPEN = frozenset({"NEW", "PARTIALLY_FILLED", "PENDING_NEW"})
FIRST_ID = 1000


@dataclass(frozen=True)
class OrderTerms:
    """What was asked for; a zero price is a market order, a zero stop price is not conditional."""

    market: Market
    symbol: str
    side: str
    kind: str
    quantity: Decimal
    client_order_id: str
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    time_in_force: str = "GTC"
    reduce_only: bool = False
    close_position: bool = False
    position_side: PositionSide = "BOTH"
    working_type: str = "CONTRACT_PRICE"
    self_trade_prevention: str = "EXPIRE_MAKER"
    quote_quantity: Decimal = ZERO
    good_till_ms: int = 0
    original_kind: str = ""
    price_protect: bool = False


@dataclass(frozen=True)
class OrderState:
    """What an order is at one time."""

    status: str
    quantity: Decimal
    price: Decimal
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    working: bool = True
    update_ms: int = 0
    cancel_client_id: str = ""
    expiry_reason: int = 0

    @property
    def remaining(self) -> Decimal:
        """What may still be filled."""
        return self.quantity - self.executed


@dataclass(eq=False)
class Order:
    """One order; `order_list` is -1 outside of a list."""

    order_id: int
    account: str
    terms: OrderTerms
    created_ms: int
    states: Versioned[OrderState]
    order_list: int = -1

    @property
    def now(self) -> OrderState:
        """The current state."""
        return self.states.now

    @property
    def is_open(self) -> bool:
        """Whether the order may still be filled."""
        return self.states.now.status in OPEN

    @property
    def key(self) -> tuple[str, int]:
        """Symbol and number: what names an order within a market."""
        return (self.terms.symbol, self.order_id)


@dataclass(frozen=True)
class Fill:
    """One execution, with what it cost."""

    trade_id: int
    order_id: int
    account: str
    market: Market
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    quote: Decimal
    fee: Decimal
    fee_asset: str
    time_ms: int
    maker: bool
    realized: Decimal = ZERO
    position_side: PositionSide = "BOTH"
    order_list: int = -1


@dataclass(eq=False)
class OrderList:
    """An OCO list of two spot orders."""

    list_id: int
    account: str
    symbol: str
    client_id: str
    orders: tuple[Order, ...]
    created_ms: int
    states: Versioned[str]
    contingency: str = "OCO"

    @property
    def is_open(self) -> bool:
        """Whether the list still has a working order."""
        return self.states.now == "EXECUTING"


@dataclass(frozen=True)
class AlgoState:
    """What a conditional order is at one time; `order_id` is the order that it became."""

    status: str
    update_ms: int
    order_id: int = 0
    trigger_ms: int = 0


@dataclass(eq=False)
class AlgoOrder:
    """One conditional order of a futures algo service; `terms.stop_price` is the trigger."""

    algo_id: int
    account: str
    terms: OrderTerms
    created_ms: int
    states: Versioned[AlgoState]
    rises: bool = True
    activate_price: Decimal = ZERO
    callback_rate: Decimal = ZERO
    extreme_price: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        """Whether the order still waits for its trigger."""
        return self.states.now.status == "NEW"


@dataclass
class Drawer:
    """The orders of one account in one market."""

    open: dict[tuple[str, int], Order] = field(default_factory=dict)
    every: dict[str, list[Order]] = field(default_factory=dict)
    by_client_id: dict[tuple[str, str], list[Order]] = field(default_factory=dict)
    closed_lately: deque[tuple[int, Order]] = field(default_factory=deque)
    fills: dict[str, list[Fill]] = field(default_factory=dict)


class Register:
    """Finds orders by number, by client id, by account and by symbol.

    `unswept` names the symbols whose orders changed since prices were last compared with them.
    """

    def __init__(self) -> None:
        self._orders: dict[tuple[Market, str, int], Order] = {}
        self._drawers: dict[tuple[str, Market], Drawer] = {}
        self._next_order: dict[tuple[Market, str], int] = {}
        self._next_trade: dict[tuple[Market, str], int] = {}
        self.resting: dict[tuple[Market, str], dict[int, Order]] = {}
        self.lists: dict[int, OrderList] = {}
        self.algos: dict[int, AlgoOrder] = {}
        self.open_algos: dict[int, AlgoOrder] = {}
        self.waiting: dict[tuple[Market, str], dict[int, AlgoOrder]] = {}
        self.closed_algos_lately: deque[tuple[int, AlgoOrder]] = deque()
        self.unswept: set[tuple[Market, str]] = set()

    def drawer(self, account: str, market: Market) -> Drawer:
        """Return the account's orders in that market."""
        key = (account, market)
        if key not in self._drawers:
            self._drawers[key] = Drawer()
        return self._drawers[key]

    def next_order_id(self, market: Market, symbol: str) -> int:
        """Return a new order number of the symbol."""
        number = self._next_order.get((market, symbol), FIRST_ID)
        self._next_order[(market, symbol)] = number + 1
        return number

    def next_trade_id(self, market: Market, symbol: str) -> int:
        """Return a new trade number of the symbol."""
        number = self._next_trade.get((market, symbol), FIRST_ID)
        self._next_trade[(market, symbol)] = number + 1
        return number

    def add(self, order: Order) -> None:
        """File a new open order."""
        terms = order.terms
        drawer = self.drawer(order.account, terms.market)
        self._orders[(terms.market, terms.symbol, order.order_id)] = order
        drawer.open[order.key] = order
        drawer.every.setdefault(terms.symbol, []).append(order)
        drawer.by_client_id.setdefault((terms.symbol, terms.client_order_id), []).append(order)
        self.resting.setdefault((terms.market, terms.symbol), {})[order.order_id] = order
        self.unswept.add((terms.market, terms.symbol))

    def put(self, order: Order, state: OrderState) -> None:
        """Let the order have this state from now on, and file it as open or closed."""
        order.states.put(state.update_ms, state)
        terms = order.terms
        drawer = self.drawer(order.account, terms.market)
        resting = self.resting.setdefault((terms.market, terms.symbol), {})
        if state.status in OPEN:
            drawer.open[order.key] = order
            resting[order.order_id] = order
            return
        resting.pop(order.order_id, None)
        if drawer.open.pop(order.key, None) is not None:
            drawer.closed_lately.append((state.update_ms, order))
        while drawer.closed_lately and (drawer.closed_lately[0][0] < state.update_ms - HORIZON_MS):
            drawer.closed_lately.popleft()

    def find(self, market: Market, symbol: str, order_id: int) -> Order | None:
        """Return the order of that number, of whatever account."""
        return self._orders.get((market, symbol, order_id))

    def find_client(
        self, account: str, market: Market, symbol: str, client_order_id: str
    ) -> Order | None:
        """Return the order of that client id: the open one, else the latest one."""
        found = self.drawer(account, market).by_client_id.get((symbol, client_order_id), [])
        for order in reversed(found):
            if order.is_open:
                return order
        return found[-1] if found else None

    def add_fill(self, fill: Fill) -> None:
        """File a fill."""
        drawer = self.drawer(fill.account, fill.market)
        drawer.fills.setdefault(fill.symbol, []).append(fill)

    def put_algo(self, algo: AlgoOrder, state: AlgoState) -> None:
        """Let the conditional order have this state from now on."""
        algo.states.put(state.update_ms, state)
        self.algos[algo.algo_id] = algo
        place = (algo.terms.market, algo.terms.symbol)
        waiting = self.waiting.setdefault(place, {})
        if state.status == "NEW":
            self.open_algos[algo.algo_id] = algo
            waiting[algo.algo_id] = algo
            self.unswept.add(place)
            return
        waiting.pop(algo.algo_id, None)
        if self.open_algos.pop(algo.algo_id, None) is not None:
            self.closed_algos_lately.append((state.update_ms, algo))
        while self.closed_algos_lately and (
            self.closed_algos_lately[0][0] < state.update_ms - HORIZON_MS
        ):
            self.closed_algos_lately.popleft()
