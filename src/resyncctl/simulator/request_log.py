"""Every request that was sent to the practice exchange, with what became of it.

Promises: a row per request, in the order of sending; a request that the network delayed gets its
fate written into its row when it lands; no row holds a key, a secret, a signature or a listen key.

Called by `pipeline`; questioned by tests, drills and the control plane.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from resyncctl.simulator.calls import Kind

_SECRET = frozenset({"signature", "listenKey", "apiKey"})
MUTATIONS = frozenset({"create", "cancel", "amend"})


@dataclass(frozen=True)
class RequestRow:
    """One request.

    `reached`: whether it reached the venue at all. `executed`: whether the venue did what was
    asked; false when it only pretended to. `copy`: greater than zero for what the network
    repeated. `placed`: orders that it made. `landed_ms`: when it reached the venue, zero when it
    never did.
    """

    number: int
    time_ms: int
    landed_ms: int
    account: str
    client: str
    method: str
    host: str
    path: str
    parameters: dict[str, str]
    endpoint: str
    kind: Kind
    status: int
    code: int
    weight: int
    reached: bool
    executed: bool
    placed: int
    fate: str
    faults: tuple[str, ...]
    copy: int = 0

    def as_document(self) -> dict[str, Any]:
        """Return the row as JSON-ready data."""
        return asdict(self) | {"faults": list(self.faults)}


class RequestLog:
    """All rows."""

    def __init__(self) -> None:
        self.rows: list[RequestRow] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[RequestRow]:
        return iter(self.rows)

    def add(self, row: RequestRow) -> RequestRow:
        """File a row under the next number."""
        numbered = replace(row, number=len(self.rows) + 1)
        self.rows.append(numbered)
        return numbered

    def amend(self, number: int, landed: RequestRow) -> None:
        """Write what became of a delayed request into its row."""
        sent = self.rows[number - 1]
        self.rows[number - 1] = replace(
            landed, number=number, time_ms=sent.time_ms, fate=sent.fate, faults=sent.faults
        )

    def select(
        self,
        *,
        account: str = "",
        kind: str = "",
        endpoint: str = "",
        since_ms: int = 0,
        copies: bool = True,
    ) -> list[RequestRow]:
        """Return the rows that fit everything that is named; without copies: as the client sent."""
        return [
            row
            for row in self.rows
            if (not account or row.account == account)
            and (not kind or row.kind == kind)
            and (not endpoint or row.endpoint == endpoint)
            and row.time_ms >= since_ms
            and (copies or not row.copy)
        ]

    def mutations(
        self, account: str = "", since_ms: int = 0, *, copies: bool = False
    ) -> list[RequestRow]:
        """Return the requests that were meant to create, cancel or amend orders."""
        rows = self.select(account=account, since_ms=since_ms, copies=copies)
        return [row for row in rows if row.kind in MUTATIONS]

    def orders_placed(self, since_ms: int = 0, account: str = "") -> list[RequestRow]:
        """Return the requests that made at least one order."""
        return [row for row in self.select(account=account, since_ms=since_ms) if row.placed]

    def creates(self, since_ms: int = 0, account: str = "") -> list[RequestRow]:
        """Return the requests that asked for a new order, whatever became of them."""
        return self.select(account=account, since_ms=since_ms, kind="create")


def public_parameters(parameters: dict[str, str]) -> dict[str, str]:
    """Return the parameters that a log may show."""
    return {name: value for name, value in parameters.items() if name not in _SECRET}
