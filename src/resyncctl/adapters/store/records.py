"""One journal record: its content, its one text, its hash, and reading it back.

Every record is one line of JSON: sequence, time, run, event, details, the hash of the record before
it, and its own hash over all of that in canonical form. Promises: whatever is handed in becomes a
record (an odd value is written as text, never refused, because refusing would stop a cancel), no
float is written as a number, long texts are cut, and every text passes the redactor first. Called
by the journals, the run list and the audit.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import Enum

from resyncctl.core.money import plain
from resyncctl.core.mutation import MutationOutcome

Redactor = Callable[[str], str]
"""Given a text, returns it without any secret."""

GENESIS = "0" * 64
"""What the first record of a chain links to."""

INTENT = "intent"
OUTCOME = "outcome"
BEGAN = "began"
ENDED = "ended"
RESOLVED = "resolved"
CONTINUED = "continued"
TAIL_TRUNCATED = "tail_truncated"
CHAIN_RESTARTED = "chain_restarted"

TEXT_MAX = 8_000
_DEPTH_MAX = 12
_FIELDS = frozenset({"sequence", "at_ms", "run_id", "event", "details", "prev_sha256", "sha256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record. `intact` is False when its content does not match its own hash."""

    sequence: int
    at_ms: int
    run_id: str
    event: str
    details: Mapping[str, object]
    prev_sha256: str
    sha256: str
    intact: bool = True


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record of a chain: what the next one links to."""

    sequence: int = 0
    sha256: str = GENESIS


def seal(
    head: Head, *, at_ms: int, run_id: str, event: str, details: Mapping[str, object]
) -> tuple[Record, bytes]:
    """Return the next record of a chain and its line. `details` must be JSON-friendly by now."""
    body: dict[str, object] = {
        "sequence": head.sequence + 1,
        "at_ms": at_ms,
        "run_id": run_id,
        "event": event,
        "details": details,
        "prev_sha256": head.sha256,
    }
    digest = _digest(body)
    record = Record(
        sequence=head.sequence + 1,
        at_ms=at_ms,
        run_id=run_id,
        event=event,
        details=details,
        prev_sha256=head.sha256,
        sha256=digest,
    )
    return record, _canonical({**body, "sha256": digest}) + b"\n"


def parse_line(line: bytes) -> Record | None:
    """Given one line of a journal, return its record, None if the line holds no record at all."""
    try:
        value = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or set(value) != _FIELDS:
        return None
    numbers = (value["sequence"], value["at_ms"])
    texts = (value["run_id"], value["event"], value["prev_sha256"], value["sha256"])
    if not all(type(number) is int for number in numbers):
        return None
    if not all(isinstance(text, str) for text in texts) or not isinstance(value["details"], dict):
        return None
    body = {key: value[key] for key in value if key != "sha256"}
    # The line must be the one text of its content, so that nothing can be told twice in one line.
    intact = _digest(body) == value["sha256"] and _canonical(value) == line
    return Record(**value, intact=intact)


def friendly(details: Mapping[str, object], redact: Redactor) -> dict[str, object]:
    """Given any details, return JSON-friendly ones without secrets. Never raises."""
    return {_text(str(key), redact): _friendly(value, redact, 1) for key, value in details.items()}


def intent_details(
    action: str,
    details: Mapping[str, object],
    *,
    intent_id: str,
    deadline_ms: int,
    fencing_token: int,
) -> dict[str, object]:
    """Return what is recorded before a mutating request is sent."""
    return {
        "intent_id": intent_id,
        "action": action,
        "deadline_ms": deadline_ms,
        "fencing_token": fencing_token,
        "details": details,
    }


def outcome_details(intent_id: str, outcome: MutationOutcome) -> dict[str, object]:
    """Return what is recorded after a mutating request was answered, or was not."""
    present = {
        field.name: getattr(outcome, field.name)
        for field in fields(outcome)
        if getattr(outcome, field.name) is not None
    }
    return {"intent_id": intent_id, **present}


def _friendly(value: object, redact: Redactor, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _friendly(value.value, redact, depth)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Decimal):
        return plain(value) if value.is_finite() else str(value)
    if depth >= _DEPTH_MAX:
        return "(nested too deeply)"
    if isinstance(value, Mapping):
        return {
            _text(str(key), redact): _friendly(item, redact, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_friendly(item, redact, depth + 1) for item in value]
    if isinstance(value, AbstractSet):
        return [_friendly(item, redact, depth + 1) for item in sorted(value, key=str)]
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _friendly(getattr(value, field.name), redact, depth + 1)
            for field in fields(value)
        }
    return _text(str(value), redact)


def _text(text: str, redact: Redactor) -> str:
    clean = redact(text)
    if len(clean) > TEXT_MAX:
        return f"{clean[:TEXT_MAX]}... ({len(clean) - TEXT_MAX} more characters)"
    return clean


def _digest(body: Mapping[str, object]) -> str:
    return hashlib.sha256(_canonical(body)).hexdigest()


def _canonical(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode(
        "ascii"
    )
