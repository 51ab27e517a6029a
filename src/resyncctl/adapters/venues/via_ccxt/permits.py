"""Which requests may leave this process, and what pays for them.

Every request is put into one of five kinds by a table of the venue's endpoints. A read may always
leave. A cancel leaves only against a permit, and one permit pays for one wire request. Creating
and amending orders, and every endpoint that no table lists, cannot leave at all: there is no
switch for it.

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
    """What a request does at the exchange."""

    READ = "read"
    CANCEL = "cancel"
    CREATE = "create"
    AMEND = "amend"
    UNLISTED = "unlisted"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a venue. `weight` is what one request costs of the venue's budget."""

    name: str
    kind: EndpointKind
    weight: int = 1


Classifier = Callable[[str, str, str, str, bytes], Endpoint]
"""Given method, host, path, raw query and body of a request, return its endpoint."""


class RefusedByTransport(Exception):  # noqa: N818  # reads as the sentence that it is
    """The request did not leave, and never will by this way."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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

    def admit(self, endpoint: Endpoint, now_ms: int) -> None:
        """Let the request pass, spending the lent permit when it is a cancel.

        Raises:
            RefusedByTransport: The endpoint is not one that this program may use, no permit was
                lent, it was already spent, or its deadline has passed.
        """
        if endpoint.kind is EndpointKind.READ:
            return
        if endpoint.kind is not EndpointKind.CANCEL:
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
        self._spent.add(permit.intent_id)
