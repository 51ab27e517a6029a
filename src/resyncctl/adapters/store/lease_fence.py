"""The last check of an intent before it is written down: does a lease of this process carry it?

Every permit comes out of a journal, and every journal of a command goes through here, so that no
request can be made without the lease of its account, or with a deadline after the lease's end,
whatever the procedure that asked for it believes. Called by wiring around the journal of a run.
"""

from collections.abc import Callable, Mapping

from resyncctl.core.mutation import MutationOutcome, Permit
from resyncctl.ports.views import Journal

Vouch = Callable[[str, int, int], None]
"""Given account, fencing token and deadline of an intent, raises when no lease carries it."""


class FencedJournal:
    """Implements `ports.views.Journal` around another one."""

    def __init__(self, journal: Journal, vouch: Vouch) -> None:
        self._journal = journal
        self._vouch = vouch

    @property
    def run_id(self) -> str:
        """The run that the records belong to."""
        return self._journal.run_id

    def record(self, event: str, details: Mapping[str, object]) -> int:
        """Append one record; see `ports.views.Journal`."""
        return self._journal.record(event, details)

    def intend(
        self, action: str, details: Mapping[str, object], *, deadline_ms: int, fencing_token: int
    ) -> Permit:
        """Append the intent of one mutating request, when a lease carries it.

        Raises:
            InvariantBroken: No lease of this process carries it. Nothing may be sent.
            RecordUnwritableError: The intent is not known to be on disk.
        """
        self._vouch(str(details.get("account", "")), fencing_token, deadline_ms)
        return self._journal.intend(
            action, details, deadline_ms=deadline_ms, fencing_token=fencing_token
        )

    def settle(self, permit: Permit, outcome: MutationOutcome) -> None:
        """Append what became of an intent; see `ports.views.Journal`."""
        self._journal.settle(permit, outcome)


_JOURNAL: type[Journal] = FencedJournal
