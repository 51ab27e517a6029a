"""Which requests may leave this process, and what pays for them.

Every request is put into one of the kinds below by a table of the venue's endpoints. A read may
always leave. A cancel, or a countdown that cancels, leaves only against a permit, and one permit
pays for one wire request. An order leaves only when its permit carries a reduction and the bytes
that are about to leave prove to be that reduction, parameter by parameter. Every other way of
creating and amending orders, and every endpoint that no table lists, cannot leave at all: there is
no option for it.

Called by `transport`, which asks before each request, and by the venue profiles, which lend a
permit to exactly one call.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from resyncctl.core.mutation import Permit


class EndpointKind(StrEnum):
    """What a request does at the exchange.

    REDUCE endpoints create orders, and are used for reducing ones only; SWITCH ones start and stop
    the exchange's countdown.
    """

    READ = "read"
    CANCEL = "cancel"
    REDUCE = "reduce"
    SWITCH = "switch"
    CREATE = "create"
    AMEND = "amend"
    UNLISTED = "unlisted"


@dataclass(frozen=True, slots=True)
class Wire:
    """A request exactly as it is about to leave, from the account whose key signed it.

    `body` is None when there is one that is not plain bytes and therefore cannot be checked.
    """

    account: str
    method: str
    host: str
    path: str
    query: str
    body: bytes | None


Prove = Callable[[Wire, Permit, int], str | None]
"""Given a request, its permit and the time, say why the request is not the permit's reduction."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a venue. `weight` is what one request costs of the venue's budget.

    `prove` compares a REDUCE request with the reduction that its permit carries; without it no
    request of that kind leaves.
    """

    name: str
    kind: EndpointKind
    weight: int = 1
    prove: Prove | None = None


Classifier = Callable[[str, str, str, str, bytes], Endpoint]
"""Given method, host, path, raw query and body of a request, return its endpoint."""


class RefusedByTransport(Exception):  # noqa: N818  # reads as the sentence that it is
    """The request did not leave, and never will by this way."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_PAID = frozenset({EndpointKind.CANCEL, EndpointKind.REDUCE, EndpointKind.SWITCH})
_lent: ContextVar[Permit | None] = ContextVar("lent_permit", default=None)


@contextmanager
def lend(permit: Permit) -> Iterator[None]:
    """Let one request of the calls inside this block spend the permit."""
    token = _lent.set(permit)
    try:
        yield
    finally:
        _lent.reset(token)


class PermitDesk:
    """Where permits are spent. One desk for each process-wide way out, so none is spent twice."""

    def __init__(self) -> None:
        self._spent: set[str] = set()

    @property
    def spent(self) -> frozenset[str]:
        """The intents whose permits were spent."""
        return frozenset(self._spent)

    def admit(self, endpoint: Endpoint, wire: Wire, now_ms: int) -> None:
        """Let the request pass, spending the lent permit when it changes anything.

        Raises:
            RefusedByTransport: The endpoint is not one that this program may use, no permit was
                lent, it was already spent, its deadline has passed, or it is for something else.
        """
        if endpoint.kind is EndpointKind.READ:
            return
        if endpoint.kind not in _PAID:
            raise RefusedByTransport(
                f"{endpoint.name} is not a request that this program may send ({endpoint.kind})"
            )
        permit = _lent.get()
        if permit is None:
            raise RefusedByTransport(f"{endpoint.name} has no permit: no intent was journaled")
        if permit.intent_id in self._spent:
            raise RefusedByTransport(f"the permit {permit.intent_id} was already spent")
        if now_ms >= permit.deadline_ms:
            raise RefusedByTransport(f"the permit {permit.intent_id} is past its deadline")
        trouble = _mismatch(endpoint, wire, permit, now_ms)
        if trouble is not None:
            raise RefusedByTransport(f"the permit {permit.intent_id} {trouble}")
        self._spent.add(permit.intent_id)


def _mismatch(endpoint: Endpoint, wire: Wire, permit: Permit, now_ms: int) -> str | None:
    """Say why the permit does not pay for this request, None when it does."""
    if endpoint.kind is not EndpointKind.REDUCE:
        if permit.reduces is None:
            return None
        return f"is for a reducing order and does not pay for {endpoint.name}"
    if permit.reduces is None:
        return "carries no reduction and does not pay for an order"
    if endpoint.prove is None:
        return f"cannot be compared with a request to {endpoint.name}"
    trouble = endpoint.prove(wire, permit, now_ms)
    return None if trouble is None else f"does not match the order about to leave: {trouble}"
