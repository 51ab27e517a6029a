"""The JSON document of a command: the same fields for every command and every way to end.

Promises: amounts are strings without an exponent, times are RFC 3339 in UTC, fields that do not
apply are absent from a subject and null elsewhere, and text from outside is passed on unchanged
(JSON escapes it). `screen.schemas` describes exactly this. Called by `screen.render`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from pathlib import PurePath

from resyncctl.core.discrepancy import Discrepancy, Verdict
from resyncctl.core.incident import Incident
from resyncctl.core.money import plain
from resyncctl.core.outcome import (
    AccountOutcome,
    ActionRecord,
    Outcome,
    OutcomeError,
    SectionReport,
)
from resyncctl.screen.text import rfc3339

SCHEMA_VERSION = "v1"
Json = dict[str, object]


def schema_name(command: str) -> str:
    """Return e.g. `resyncctl/cancel-all/v1`."""
    return f"resyncctl/{command}/{SCHEMA_VERSION}"


def envelope(outcome: Outcome) -> Json:
    """Return the whole document of a command."""
    return {
        "schema": schema_name(outcome.command),
        "run_id": outcome.run_id,
        "status": status_of(outcome),
        "verdict": _verdict_text(verdict_of(outcome)),
        "exit_code": int(outcome.exit_code),
        "exit_name": outcome.exit_code.name,
        "started_at": rfc3339(outcome.started_at_ms),
        "finished_at": rfc3339(outcome.finished_at_ms),
        "accounts": [_account(account) for account in outcome.accounts],
        "findings": [finding(one) for account in outcome.accounts for one in account.findings],
        "actions": [action(one) for account in outcome.accounts for one in account.actions],
        "timings": {
            "total_ms": outcome.finished_at_ms - outcome.started_at_ms,
            **{account.account: dict(account.timings) for account in outcome.accounts},
        },
        "evidence": {account.account: friendly(account.evidence) for account in outcome.accounts},
        "data": friendly(outcome.data),
        "error": _error(outcome.error or _only_error(outcome)),
    }


def status_of(outcome: Outcome) -> str:
    """Return the accounts' common status, `mixed` when they differ, or how the command ended."""
    if outcome.error is not None:
        return "failed"
    words = {account.status for account in outcome.accounts}
    if len(words) == 1:
        return words.pop()
    if words:
        return "mixed"
    return "ok" if not outcome.exit_code else outcome.exit_code.name.lower()


def verdict_of(outcome: Outcome) -> Verdict | None:
    """Return the verdict over all accounts: one that is not known makes the whole unknown."""
    verdicts = [account.verdict for account in outcome.accounts]
    present = [verdict for verdict in verdicts if verdict is not None]
    if not present:
        return None
    if len(present) < len(verdicts) or Verdict.UNKNOWN in present:
        return Verdict.UNKNOWN
    return Verdict.DISCREPANT if Verdict.DISCREPANT in present else Verdict.CLEAN


def finding(one: Discrepancy) -> Json:
    """Return a finding as the envelope shows it."""
    return {
        "id": one.id,
        "kind": one.kind.value,
        "severity": one.severity.value,
        "subject": one.subject.present(),
        "engine": None if one.engine is None else friendly(one.engine),
        "venue": None if one.venue is None else friendly(one.venue),
        "delta": None if one.delta is None else friendly(one.delta),
        "explained_by": list(one.explained_by),
        "unexplained": None if one.unexplained is None else plain(one.unexplained),
        "remedy": one.remedy,
        "detail": one.detail,
    }


def action(one: ActionRecord) -> Json:
    """Return a mutating attempt, or a plan line, as the envelope shows it."""
    return {field.name: friendly(getattr(one, field.name)) for field in fields(one)}


def section(one: SectionReport) -> Json:
    """Return how one section was read."""
    return {
        "side": one.side,
        "section": one.section,
        "scope": one.scope,
        "known": one.known,
        "complete": one.complete,
        "rows": one.rows if one.known else None,
        "reason": one.reason or None,
        "as_of": None if one.as_of_ms is None else rfc3339(one.as_of_ms),
    }


def jsonl(outcome: Outcome) -> Iterator[Json]:
    """Return the events at the end of a run: findings, actions, accounts, and the outcome last."""
    document = envelope(outcome)
    for name, event in (("findings", "finding"), ("actions", "action"), ("accounts", "account")):
        rows = document.pop(name)
        for one in rows if isinstance(rows, list) else ():
            yield {"event": event, "run_id": outcome.run_id, **one}
    yield {"event": "outcome", **document}


def dumps(document: Mapping[str, object], *, indent: int | None = None) -> str:
    """Return the document as JSON text in ASCII, so that no terminal is steered by it."""
    return json.dumps(document, indent=indent, ensure_ascii=True, allow_nan=False)


def friendly(value: object) -> object:
    """Return the value in JSON's own types.

    Raise `TypeError` for a float: it would have lost digits before it came here.
    """
    if isinstance(value, Enum):
        return friendly(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Incident):
        return friendly(asdict(value))
    if isinstance(value, Mapping):
        return dict(_pair(str(key), inner) for key, inner in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return [friendly(inner) for inner in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: friendly(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no place in the JSON document")


def _pair(key: str, value: object) -> tuple[str, object]:
    """Return a key and its value; a point in time becomes RFC 3339, its name loses the unit."""
    if key in _INSTANTS:
        told = rfc3339(value) if isinstance(value, int) else None
        return key.removesuffix("_ms"), told
    return key, friendly(value)


_INSTANTS = frozenset(
    {
        "as_of_ms",
        "at_ms",
        "began_ms",
        "ended_at_ms",
        "ended_ms",
        "engine_as_of_ms",
        "first_cancel_ms",
        "gate_closed_ms",
        "opened_ms",
        "proved_ms",
        "since_ms",
        "started_at_ms",
        "until_ms",
        "valid_until_ms",
    }
)
"""Names of points in time. Every other name that ends in `_ms` is a duration and stays a number."""


def _account(one: AccountOutcome) -> Json:
    return {
        "account": one.account,
        "status": one.status,
        "verdict": _verdict_text(one.verdict),
        "exit_code": int(one.exit_code),
        "exit_name": one.exit_code.name,
        "counts": friendly(one.counts),
        "sections": [section(report) for report in one.sections],
        "data": friendly(one.data),
        "error": _error(one.error),
        "next_step": one.next_step,
    }


def _error(error: OutcomeError | None) -> Json | None:
    if error is None:
        return None
    return {
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "place": error.place,
    }


def _only_error(outcome: Outcome) -> OutcomeError | None:
    """Return the error of the only account, so that a script needs to look in one place."""
    if len(outcome.accounts) == 1:
        return outcome.accounts[0].error
    return None


def _verdict_text(verdict: Verdict | None) -> str | None:
    return None if verdict is None else verdict.value
