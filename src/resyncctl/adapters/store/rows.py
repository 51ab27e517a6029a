"""Between the store's rows and the values of `ports.store`, both ways.

Lists and mappings are kept as canonical JSON text; an exact number is text. Called by `sqlite`.
"""

import json
from collections.abc import Mapping
from dataclasses import fields

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.safety import Condition, VerdictKind, VerdictRecord
from resyncctl.ports.store import (
    CheckpointSeen,
    GateMove,
    LeaseRow,
    RunMetrics,
    RunRow,
)

Row = tuple[object, ...]

RUN_COLUMNS = (
    "run_id, command, accounts, started_at_ms, ended_at_ms, exit_code, head_sequence, head_sha256"
)
MOVE_COLUMNS = (
    "account, from_state, to_state, reason, made_by, run_id, at_ms, evidence_sha256, failed_copies"
)
VERDICT_COLUMNS = (
    "account, verdict, blocks_resume, as_of_ms, valid_until_ms, run_id, digests, kind, "
    "gate_sequence, conditions"
)


def text_of(value: object) -> str:
    """Return a value as canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def run_values(run: RunRow) -> Row:
    """Return the columns of a run."""
    return (
        run.run_id,
        run.command,
        text_of(list(run.accounts)),
        run.started_at_ms,
        run.ended_at_ms,
        run.exit_code,
        run.head_sequence,
        run.head_sha256,
    )


def run_of(row: Row) -> RunRow:
    """Return the run of a row."""
    run_id, command, accounts, started, ended, exit_code, sequence, digest = row
    return RunRow(
        run_id=str(run_id),
        command=str(command),
        accounts=tuple(str(item) for item in _list(accounts)),
        started_at_ms=_number(started),
        ended_at_ms=_optional_number(ended),
        exit_code=_optional_number(exit_code),
        head_sequence=_number(sequence),
        head_sha256=str(digest),
    )


def move_values(move: GateMove) -> Row:
    """Return the columns of a gate's move."""
    return (
        move.account,
        move.from_state,
        move.to_state,
        move.reason,
        move.by,
        move.run_id,
        move.at_ms,
        move.evidence_sha256,
        text_of(list(move.failed_copies)),
    )


def move_of(row: Row) -> GateMove:
    """Return the gate's move of a row."""
    account, from_state, to_state, reason, by, run_id, at_ms, evidence, failed = row
    return GateMove(
        account=str(account),
        from_state=str(from_state),
        to_state=str(to_state),
        reason=str(reason),
        by=str(by),
        run_id=str(run_id),
        at_ms=_number(at_ms),
        evidence_sha256=_optional_text(evidence),
        failed_copies=tuple(str(item) for item in _list(failed)),
    )


def verdict_values(record: VerdictRecord) -> Row:
    """Return the columns of a verdict."""
    return (
        record.account,
        record.verdict.value,
        int(record.blocks_resume),
        record.as_of_ms,
        record.valid_until_ms,
        record.run_id,
        text_of(dict(record.digests)),
        record.kind.value,
        record.gate_sequence,
        text_of([condition.to_json() for condition in record.conditions]),
    )


def verdict_of(row: Row) -> VerdictRecord:
    """Return the verdict of a row."""
    account, verdict, blocks, as_of, valid_until, run_id, digests, kind, sequence, lines = row
    return VerdictRecord(
        account=str(account),
        verdict=Verdict(str(verdict)),
        blocks_resume=bool(blocks),
        as_of_ms=_number(as_of),
        valid_until_ms=_number(valid_until),
        run_id=str(run_id),
        digests={str(key): str(value) for key, value in _mapping(digests).items()},
        kind=VerdictKind(str(kind)),
        gate_sequence=_optional_number(sequence),
        conditions=tuple(condition_of(line) for line in _list(lines)),
    )


def condition_of(line: object) -> Condition:
    """Return the condition of a verdict's record. What is not plainly there does not hold."""
    if not isinstance(line, dict):
        return Condition("unreadable", False, "", known=False)
    return Condition(
        str(line.get("name")),
        line.get("holds") is True,
        str(line.get("evidence", "")),
        known=line.get("known") is True,
        as_of_ms=_optional_number(line.get("as_of_ms")),
    )


def lease_of(row: Row) -> LeaseRow:
    """Return the lease of a row."""
    account, holder, token, expires = row
    return LeaseRow(
        account=str(account),
        holder=str(holder),
        fencing_token=_number(token),
        expires_ms=_number(expires),
    )


def checkpoint_of(row: Row) -> CheckpointSeen:
    """Return the checkpoint of a row."""
    account, sequence, digest, at_ms = row
    return CheckpointSeen(
        account=str(account), sequence=_number(sequence), digest=str(digest), at_ms=_number(at_ms)
    )


def metrics_text(metrics: RunMetrics) -> str:
    """Return the figures of a run as text. Unknown names are ignored when they are read back."""
    content = {field.name: getattr(metrics, field.name) for field in fields(metrics)}
    content["discrepancies"] = [
        [kind, severity, count] for (kind, severity), count in sorted(metrics.discrepancies.items())
    ]
    return text_of(content)


def metrics_of(text: object) -> RunMetrics:
    """Return the figures that the text holds."""
    content = _mapping(text)
    known = {field.name for field in fields(RunMetrics)}
    values = {name: value for name, value in content.items() if name in known}
    counts = values.get("discrepancies")
    values["discrepancies"] = {
        (str(kind), str(severity)): _number(count)
        for kind, severity, count in (counts if isinstance(counts, list) else [])
    }
    return RunMetrics(**values)  # type: ignore[arg-type]  # written by metrics_text from the same fields


def _number(value: object) -> int:
    if isinstance(value, int):
        return value
    raise ValueError(f"{type(value).__name__} where a whole number was expected")


def _optional_number(value: object) -> int | None:
    return None if value is None else _number(value)


def _optional_text(value: object) -> str | None:
    return None if value is None else str(value)


def _list(text: object) -> list[object]:
    value = json.loads(str(text))
    if not isinstance(value, list):
        raise ValueError("a list was expected")
    return value


def _mapping(text: object) -> Mapping[str, object]:
    value = json.loads(str(text))
    if not isinstance(value, dict):
        raise ValueError("an object was expected")
    return value
