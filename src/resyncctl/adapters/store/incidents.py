"""The incidents of this host: begun when a gate closes, ended when the account trades again.

Implements `ports.incidents.IncidentLog`. Promises: nothing raises and nothing waits for long,
because a gate must close and orders must be cancelled whatever becomes of this record; one account
has at most one open incident, also when two runs close its gate at the same time; the figures are
computed from the journals of the runs each time that somebody asks. Called by wiring.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from resyncctl.adapters.store.append_file import Sync
from resyncctl.adapters.store.incident_facts import run_facts
from resyncctl.adapters.store.incident_files import (
    IncidentFile,
    IncidentWriter,
    NewId,
    newest,
    read_all,
)
from resyncctl.adapters.store.records import Redactor
from resyncctl.adapters.store.run_ids import new_run_id
from resyncctl.core.errors import ResyncError
from resyncctl.core.gate import GateState
from resyncctl.core.incident import (
    Incident,
    IncidentEvent,
    IncidentEventKind,
    runs_of,
    text_of,
)
from resyncctl.core.incident_story import tell
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.incidents import OpenIncident, Opening

_LIST_MAX = 200


class Incidents:
    """The files under one state directory. `roots` are the folders in which journals may be."""

    def __init__(
        self,
        state_dir: Path,
        *,
        redact: Redactor,
        roots: Callable[[], Sequence[Path]],
        new_id: NewId = new_run_id,
        sync: Sync = os.fsync,
    ) -> None:
        self._state_dir = state_dir
        self._redact = redact
        self._roots = roots
        self._new_id = new_id
        self._sync = sync

    def opened(self, opening: Opening) -> str | None:
        """Begin an incident; where one is open already, note the move of the gate in it."""

        def write(writer: IncidentWriter) -> None:
            found = writer.newest()
            if found is None or found.ended is not None or found.damage or not found.events:
                writer.create(_opening(opening))
            else:
                writer.append(found, _moved(opening))

        return self._write(opening.account, write)

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

        With `only_news` nothing is written when the same command said the same before: cron looks
        every minute, and an incident may last for days.
        """
        told = IncidentEvent(at_ms=at_ms, run_id=run_id, event=event, details=details)

        def write(writer: IncidentWriter) -> None:
            found = writer.newest()
            if found is None or not _belongs(found, run_id):
                return
            if not (only_news and _is_old(found, told)):
                writer.append(found, told)

        if not self._has_any(account):
            return None
        return self._write(account, write)

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
        told = IncidentEvent(at_ms=at_ms, run_id=run_id, event=event, details=details)

        def write(writer: IncidentWriter) -> None:
            writer.append(writer.find(incident_id), told)

        return self._write(account, write)

    def closed(self, account: str, how: str, *, by: str, run_id: str, at_ms: int) -> str | None:
        """End the account's open incident, if there is one."""
        told = IncidentEvent(
            at_ms=at_ms,
            run_id=run_id,
            event=IncidentEventKind.CLOSED,
            details={"how": how, "by": by},
        )

        def write(writer: IncidentWriter) -> None:
            found = writer.newest()
            if found is not None and found.ended is None:
                writer.append(found, told)

        if not self._has_any(account):
            return None
        return self._write(account, write)

    def current(self, account: str) -> OpenIncident | Unknown | None:
        """Return the account's open incident, None when there is none."""
        try:
            found = newest(self._state_dir, account)
        except OSError as trouble:
            return Unknown(f"the incidents cannot be listed: {trouble.strerror}")
        if found is None or (found.ended is not None and not found.damage):
            return None
        if found.damage or not found.events:
            return Unknown(f"the record of incident {found.incident_id} is damaged")
        first = found.events[0]
        return OpenIncident(
            incident_id=found.incident_id,
            account=account,
            opened_ms=first.at_ms,
            reason=text_of(first.details, "reason"),
        )

    def last_end_ms(self, account: str) -> int | None:
        """Return when the account's newest incident ended, None when none did."""
        try:
            found = newest(self._state_dir, account)
        except OSError:
            return None
        return found.ended.at_ms if found is not None and found.ended is not None else None

    def all(self, accounts: Sequence[str], now_ms: int) -> tuple[Incident, ...] | Unknown:
        """Return every incident of the accounts, the newest first; all accounts when none named."""
        try:
            files = list(read_all(self._state_dir))
        except OSError as trouble:
            return Unknown(f"the incidents cannot be listed: {trouble.strerror}")
        wanted = [one for one in files if not accounts or one.account in accounts]
        return tuple(self._told(one, now_ms) for one in wanted[:_LIST_MAX])

    def find(self, name: str, now_ms: int) -> Incident | Unknown | None:
        """Return the incident of that id, None when there is none."""
        try:
            files = (one for one in read_all(self._state_dir) if one.incident_id == name)
            found = next(files, None)
        except OSError as trouble:
            return Unknown(f"the incidents cannot be listed: {trouble.strerror}")
        return None if found is None else self._told(found, now_ms)

    def _told(self, found: IncidentFile, now_ms: int) -> Incident:
        events = found.events
        roots = self._roots()
        runs = [
            run_facts(roots, run_id, found.account, _command_of(events, run_id))
            for run_id in runs_of(events)
        ]
        damage = [f"The record of this incident is damaged: {one.detail}." for one in found.damage]
        if found.reading.torn:
            damage.append("The last event of this record is torn.")
        return tell(found.incident_id, found.account, events, runs, now_ms=now_ms, damage=damage)

    def _has_any(self, account: str) -> bool:
        """Whether the account ever had an incident; a healthy account costs no folder."""
        try:
            return newest(self._state_dir, account) is not None
        except OSError:
            return True

    def _write(self, account: str, write: Callable[[IncidentWriter], None]) -> str | None:
        try:
            with IncidentWriter(
                self._state_dir,
                account,
                redact=self._redact,
                new_id=self._new_id,
                sync=self._sync,
            ) as writer:
                write(writer)
        except ResyncError as error:
            return f"the incident of {account} could not be written down: {error.message}"
        except (OSError, ValueError) as trouble:
            return f"the incident of {account} could not be written down: {trouble}"
        return None


def _belongs(found: IncidentFile, run_id: str) -> bool:
    """Whether an event of this run belongs to the incident: it is open, or this run ended it."""
    if found.damage:
        return True  # whoever writes finds out that it cannot, and says so
    if not found.events:
        return False
    return found.ended is None or found.ended.run_id == run_id


def _is_old(found: IncidentFile, told: IncidentEvent) -> bool:
    """Whether the last event of this kind and command says the same; its counts may differ."""
    command = told.details.get("command")
    for one in reversed(found.events):
        if one.event == told.event and one.details.get("command") == command:
            keys = (told.details.keys() | one.details.keys()) - {"counts"}
            return all(told.details.get(key) == one.details.get(key) for key in keys)
    return False


def _opening(opening: Opening) -> IncidentEvent:
    return IncidentEvent(
        at_ms=opening.at_ms,
        run_id=opening.run_id,
        event=IncidentEventKind.OPENED,
        details={
            "reason": opening.reason,
            "by": opening.by,
            "command": opening.command,
            "from": opening.gate_from,
            "to": GateState.UNSAFE.value,
            "gate_closed": opening.gate_closed,
            "asked_ms": opening.asked_ms,
            "late": opening.late,
            "rto_ms": opening.rto_ms,
        },
    )


def _moved(opening: Opening) -> IncidentEvent:
    moved, not_moved = IncidentEventKind.GATE_MOVED, IncidentEventKind.GATE_NOT_MOVED
    return IncidentEvent(
        at_ms=opening.at_ms,
        run_id=opening.run_id,
        event=moved if opening.gate_closed else not_moved,
        details={
            "from": opening.gate_from,
            "to": GateState.UNSAFE.value,
            "reason": opening.reason,
            "by": opening.by,
            "command": opening.command,
        },
    )


def _command_of(events: Sequence[IncidentEvent], run_id: str) -> str:
    named = (text_of(one.details, "command") for one in events if one.run_id == run_id)
    return next((word for word in named if word), "unknown")
