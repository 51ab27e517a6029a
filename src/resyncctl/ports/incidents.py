"""Where incidents are written down and read again.

Nothing here may stand in the way of closing a gate or cancelling, so no method raises: a method
that writes returns the trouble in words, None when all is well, and one that reads returns
`Unknown` with the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from resyncctl.core.incident import Incident
from resyncctl.core.snapshot import Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The closing of a gate that begins an incident.

    `asked_ms` is when the run that closed it was started. `gate_closed` is False when the gate
    could not be closed: the incident begins all the same. `late` says that the gate was closed
    before, and that only now somebody writes it down.
    """

    account: str
    reason: str
    by: str
    run_id: str
    command: str
    at_ms: int
    asked_ms: int | None
    gate_from: str
    gate_closed: bool = True
    late: bool = False
    rto_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """The incident of an account that is open now."""

    incident_id: str
    account: str
    opened_ms: int
    reason: str


class IncidentLog(Protocol):
    """The incidents of this host."""

    def opened(self, opening: Opening) -> str | None:
        """Begin an incident; where one is open already, note the move of the gate in it."""
        ...

    def add(
        self,
        account: str,
        event: str,
        details: Mapping[str, object],
        *,
        run_id: str,
        at_ms: int,
        only_news: bool = False,
    ) -> str | None:
        """Add an event to the account's open incident, or to the one that this run has ended.

        Where there is none, nothing is written and nothing is wrong. With `only_news` an event that
        repeats the last one of its command is left out.
        """
        ...

    def annotate(
        self,
        account: str,
        incident_id: str,
        event: str,
        details: Mapping[str, object],
        *,
        run_id: str,
        at_ms: int,
    ) -> str | None:
        """Add an event to one incident of the account, whether it has ended or not."""
        ...

    def closed(self, account: str, how: str, *, by: str, run_id: str, at_ms: int) -> str | None:
        """End the account's open incident, if there is one."""
        ...

    def current(self, account: str) -> OpenIncident | Unknown | None:
        """Return the account's open incident, None when there is none."""
        ...

    def all(self, accounts: Sequence[str], now_ms: int) -> tuple[Incident, ...] | Unknown:
        """Return every incident of the accounts, the newest first; all accounts when none named."""
        ...

    def find(self, name: str, now_ms: int) -> Incident | Unknown | None:
        """Return the incident of that id, None when there is none."""
        ...
