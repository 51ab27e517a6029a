"""How the product's objects are put together for a seed, and the protections that can be left out.

The switches exist only here: nothing in the product can be told to be careless. Each ablation
composes real objects differently, so that the storm can show that every protection is needed.
Called by `desk`, `story` and `ablations`.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from resyncctl.core.gate import GateReading
from resyncctl.core.model import Order, OrderClass, OrderStatus, Scope, Side
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.policy import Policy
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.core.snapshot import Known, LookUp, OrderReference, Section, Unknown
from resyncctl.ports.powers import Lease
from resyncctl.ports.views import ClockReading
from resyncctl.simulator.wire import Reply, Request

Wrap = Callable[[Any, Any], Any]
SECRET = "canarySecretOfTheStorm".ljust(64, "S")
"""What the account's key signs with; it must never be seen anywhere else."""

LISTINGS = ("/openOrders", "/openAlgoOrders")


def as_is(inner: Any, _arena: Any) -> Any:
    """Leave it as it is."""
    return inner


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """Everything that a run is composed of. The default is the product as it is."""

    policy: Policy = field(default_factory=Policy)
    views: tuple[Wrap, ...] = ()
    cancels: tuple[Wrap, ...] = ()
    doors: tuple[Callable[[Any], Any], ...] = ()
    leases: Callable[[Any], Any] = lambda real: real
    silence: Callable[[Any], Any] = lambda real: real
    scopes: Callable[[tuple[Scope, ...]], tuple[Scope, ...]] = lambda every: every
    closes_gate: bool = True
    engine_sees_gate: bool = True
    journals_first: bool = True
    hidden_resend: bool = False

    def view(self, inner: Any, arena: Any) -> Any:
        """Return the reading side of the exchange."""
        for wrap in self.views:
            inner = wrap(inner, arena)
        return inner

    def cancel(self, inner: Any, arena: Any) -> Any:
        """Return the power to cancel."""
        for wrap in self.cancels:
            inner = wrap(inner, arena)
        return inner

    def door(self, inner: Any) -> Any:
        """Return the way to the exchange."""
        for wrap in self.doors:
            inner = wrap(inner)
        return inner


class _Lens:
    """Passes everything on to what it is put before; a subclass looks at some of it."""

    def __init__(self, inner: Any, arena: Any = None) -> None:
        self._inner = inner
        self._arena = arena

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class ErrorsAreEmpty(_Lens):
    """What could not be read counts as read and empty."""

    async def read_open_orders(self, scope: Scope) -> Section[Order]:
        section: Section[Order] = await self._inner.read_open_orders(scope)
        if isinstance(section, Unknown):
            return Known((), self._arena.clock.now_ms())
        return replace(section, complete=True)


class NoQuiesce(_Lens):
    """Requests of the engine are taken to be without any validity."""

    @property
    def profile(self) -> Any:
        return replace(self._inner.profile, request_validity_ms=0)


class NoSettle(_Lens):
    """An order that is not listed any more is taken to be cancelled; nobody asks for its status."""

    async def look_up_order(self, reference: OrderReference) -> LookUp:
        found: LookUp = await self._inner.look_up_order(reference)
        if isinstance(found, Order):
            return replace(found, status=OrderStatus.CANCELED)
        return Order(
            account="main",
            product=reference.product,
            symbol=reference.symbol,
            side=Side.BUY,
            type="limit",
            status=OrderStatus.CANCELED,
            client_order_id=reference.client_order_id,
            venue_order_id=reference.venue_order_id,
            quantity=Decimal(1),
            filled=Decimal(0),
        )


class NoSkew(_Lens):
    """The exchange's clock is used and its difference is not waited for."""

    async def measure_clock(self) -> ClockReading | Unknown:
        reading: ClockReading | Unknown = await self._inner.measure_clock()
        return reading if isinstance(reading, Unknown) else ClockReading(0, 0)


class AckIsProof(_Lens):
    """What was acknowledged as cancelled is never looked for again."""

    async def read_open_orders(self, scope: Scope) -> Section[Order]:
        section: Section[Order] = await self._inner.read_open_orders(scope)
        if isinstance(section, Unknown):
            return section
        gone = _believed_gone(self._arena)
        return replace(section, data=tuple(o for o in section.data if _key(o) not in gone))

    async def look_up_order(self, reference: OrderReference) -> LookUp:
        found: LookUp = await self._inner.look_up_order(reference)
        if isinstance(found, Order) and _key(found) in _believed_gone(self._arena):
            return replace(found, status=OrderStatus.CANCELED)
        return found


class RemembersAcks(_Lens):
    """The other half of `AckIsProof`: notes what was acknowledged."""

    async def cancel_order(self, order: Order, permit: Permit) -> MutationOutcome:
        outcome: MutationOutcome = await self._inner.cancel_order(order, permit)
        if outcome.kind is not OutcomeKind.UNKNOWN:
            _believed_gone(self._arena).add(_key(order))
        return outcome

    async def cancel_symbol(
        self, scope: Scope, symbol: str, venue_symbol: str, permit: Permit
    ) -> MutationOutcome:
        listed = await self._inner.read_open_orders(scope)
        outcome: MutationOutcome = await self._inner.cancel_symbol(
            scope, symbol, venue_symbol, permit
        )
        if outcome.kind is OutcomeKind.ACKNOWLEDGED and not isinstance(listed, Unknown):
            gone = {_key(o) for o in listed.data if o.symbol == symbol}
            _believed_gone(self._arena).update(gone)
        return outcome


def _believed_gone(arena: Any) -> set[tuple[str, str | None]]:
    gone: set[tuple[str, str | None]] = arena.notes.setdefault("believed_gone", set())
    return gone


def _key(order: Order) -> tuple[str, str | None]:
    return str(order.scope), order.venue_order_id


@dataclass(slots=True)
class NoBodyGuard:
    """A success that is not what it should be counts as an empty list, as ccxt alone reads it."""

    inner: Any

    def handle(self, request: Request) -> Reply:
        reply: Reply = self.inner.handle(request)
        if reply.status != 200 or request.method != "GET" or not _is_listing(request):
            return reply
        try:
            fine = isinstance(json.loads(reply.body), list)
        except ValueError:
            fine = False
        if fine:
            return reply
        headers = {**reply.headers, "Content-Type": "application/json", "Content-Length": "2"}
        return replace(reply, body=b"[]", headers=headers)


def _is_listing(request: Request) -> bool:
    return request.path.endswith(LISTINGS)


@dataclass(slots=True)
class NoLease:
    """Everybody holds the account."""

    inner: Any
    token: int = 0

    def acquire(self, account: str, holder: str, now_ms: int) -> Lease:
        self.token += 1
        return Lease(account, holder, self.token, now_ms + 10**9)

    def check(self, lease: Lease, now_ms: int) -> None:
        return None

    def renew(self, lease: Lease, now_ms: int, needed_ms: int = 0) -> Lease:
        return replace(lease, expires_ms=now_ms + 10**9)

    def release(self, lease: Lease) -> None:
        return None

    def held_by(self, account: str, now_ms: int) -> None:
        return None

    def asked(self, lease: Lease) -> Sequence[str]:
        return ()


@dataclass(slots=True)
class AssumedSilent:
    """The engine is taken to be silent because the gate is closed."""

    inner: Any

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        return Silence(kind=SilenceKind.PROVED, how="assumed", since_ms=gate.since_ms or 0)


@dataclass(slots=True)
class NoReduceOnly:
    """A reducing order leaves without the flag that makes the exchange clip it."""

    inner: Any

    def handle(self, request: Request) -> Reply:
        reply: Reply = self.inner.handle(_unclipped(request))
        return reply


def _unclipped(request: Request) -> Request:
    text = request.query or request.body.decode()
    if request.method != "POST" or "reduceOnly=true" not in text:
        return request
    pairs = [one for one in text.split("&") if not one.startswith(("reduceOnly=", "signature="))]
    return _signed_anew(request, pairs)


@dataclass(slots=True)
class LongWindow:
    """Changing requests stay valid at the exchange much longer than the tool believes."""

    inner: Any

    def handle(self, request: Request) -> Reply:
        text = request.query or request.body.decode()
        if request.method != "GET" and "recvWindow=" in text:
            kept = [one for one in text.split("&") if not one.startswith(("recvW", "signature="))]
            request = _signed_anew(request, [*kept, "recvWindow=60000"])
        reply: Reply = self.inner.handle(request)
        return reply


def _signed_anew(request: Request, pairs: Sequence[str]) -> Request:
    bare = "&".join(pairs)
    signature = hmac.new(SECRET.encode(), bare.encode(), hashlib.sha256).hexdigest()
    signed = f"{bare}&signature={signature}"
    if request.query:
        return replace(request, query=signed)
    return replace(request, body=signed.encode())


def no_algo(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """Forget that conditional orders rest in a place of their own."""
    return tuple(scope for scope in scopes if scope.order_class is not OrderClass.ALGO)
