"""Helpers for tests of the practice server: certificates made once, and a scripted exchange."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from resyncctl.simulator.books import Books
from resyncctl.simulator.catalogue import Catalogue, Market, build_catalogue
from resyncctl.simulator.events import Event, Listener
from resyncctl.simulator.prices import PricePath
from resyncctl.simulator.venue_errors import refuse
from resyncctl.simulator.wire import Reply, Request

TOKEN = "practice-token"


@dataclass(frozen=True)
class ScriptedFault:
    kind: str
    where: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


class ScriptedFaults:
    """Gives each queued fault once, to the place that it names exactly."""

    def __init__(self) -> None:
        self.waiting: list[ScriptedFault] = []

    def take(self, kind: str, where: str, account: str) -> ScriptedFault | None:
        for fault in self.waiting:
            if (fault.kind, fault.where) == (kind, where):
                self.waiting.remove(fault)
                return fault
        return None


class ScriptedControl:
    """A control plane with one harmless, one failing and one hidden method."""

    def __init__(self) -> None:
        self.stream_faults = ScriptedFaults()
        self.calls: list[dict[str, Any]] = []
        self.defects: list[str] = []

    def deposit(self, account: str, amount: str = "1") -> dict[str, str]:
        """Put money into an account."""
        if account == "nobody":
            raise LookupError("no such account: nobody")
        self.calls.append({"account": account, "amount": amount})
        return {"account": account, "amount": amount}

    def _hidden(self) -> None:
        raise AssertionError("a private method was reached")


class ScriptedLog:
    def __init__(self) -> None:
        self.requests: list[Request] = []

    def count(self) -> int:
        return len(self.requests)

    def add(self, row: Request) -> None:
        raise AssertionError("the log was written through the control plane")


class ScriptedExchange:
    """Answers every request with the reply that the test set; knows one account and one key."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self.catalogue = catalogue or build_catalogue()
        self.books = Books(self.catalogue, PricePath(self.catalogue))
        self.control = ScriptedControl()
        self.log = ScriptedLog()
        self.reply = Reply(200, {"Content-Type": "application/json"}, b'{"ok":true}')
        self.listen_keys = {"good-key": "main"}
        self.time_ms = 1_790_000_000_000
        self.breaks: Exception | None = None
        self._listeners: list[Listener] = []

    def now_ms(self) -> int:
        return self.time_ms

    def market_now_ms(self) -> int:
        return self.time_ms

    def advance(self) -> None:
        if self.breaks is not None:
            raise self.breaks

    def handle(self, request: Request) -> Reply:
        self.log.requests.append(request)
        return self.reply

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def announce(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def authorise(self, parameters: Mapping[str, Any]) -> str:
        if parameters.get("signature") != "good":
            raise refuse(-1022, "Signature for this request is not valid.")
        return "main"

    def account_of_listen_key(self, market: Market, key: str) -> str | None:
        return self.listen_keys.get(key)
