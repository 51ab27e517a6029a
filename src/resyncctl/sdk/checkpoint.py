"""Reading a checkpoint: what a trading engine knew, or a typed reason why that is not known.

A checkpoint is believed only if it is whole (its own hash), has the shape of version 1, continues
its own history (journal and hash chain), is not older than one that was seen before, and belongs
to the account that was asked for. A damaged newest file falls back to the newest valid generation,
and `Checkpoint.fallback` says so; nothing is ever replaced by an empty answer.

Called by engines that restart (through `writer` and `recoverable`) and by the tool's reader.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from resyncctl.sdk import history
from resyncctl.sdk.canonical import JsonObject, parse, verified_sha256
from resyncctl.sdk.durable import read_bounded
from resyncctl.sdk.errors import (
    CheckpointCorrupt,
    CheckpointForeign,
    CheckpointMissing,
    CheckpointRolledBack,
    CheckpointStale,
    CheckpointTooNew,
    FormatError,
    RecoveryError,
)
from resyncctl.sdk.shape import CHECKPOINT_SCHEMA, check_document

SIZE_LIMIT = 256 * 1024 * 1024
_FAMILY = CHECKPOINT_SCHEMA.rsplit("/", 1)[0] + "/"


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The newest checkpoint that a reader has seen before."""

    sequence: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint that was believed.

    `place` is the file that was read. `fallback` is None, or says why an older generation had to
    be read. `rolled_back_from` is the sequence that was seen before, if this one is older and the
    caller allowed that.
    """

    document: JsonObject
    sha256: str
    place: str
    fallback: str | None = None
    rolled_back_from: int | None = None

    @property
    def sequence(self) -> int:
        """How many times the engine has written."""
        return cast("int", self.document["sequence"])

    @property
    def prev_sha256(self) -> str | None:
        """The hash of the write before, None for the first."""
        return cast("str | None", self.document.get("prev_sha256"))

    @property
    def written_ms(self) -> int:
        """When it was written."""
        return cast("int", self.document["written_ms"])

    @property
    def next_write_ms(self) -> int:
        """By when the engine promised to write again."""
        return cast("int", self.document["next_write_ms"])

    @property
    def state_as_of_ms(self) -> int:
        """The time of the last exchange event that the state includes."""
        return cast("int", self.document["state_as_of_ms"])

    @property
    def complete(self) -> bool:
        """Whether the engine says that this is all it knows, not a part."""
        return cast("bool", self.document["complete"])

    @property
    def clean_shutdown(self) -> bool:
        """Whether the engine had stopped on purpose, with nothing in the air."""
        return cast("bool", self.document["clean_shutdown"])

    @property
    def engine(self) -> Mapping[str, object]:
        """Who wrote it: name, version, instance, process and host."""
        return cast("JsonObject", self.document["engine"])

    @property
    def account(self) -> Mapping[str, object]:
        """Whose state it is: exchange, market type, alias, sandbox and dry run."""
        return cast("JsonObject", self.document["account"])

    def rows(self, section: str) -> list[JsonObject] | None:
        """Return the rows of a section, or None where the engine did not say."""
        return cast("list[JsonObject] | None", self.document.get(section))

    def overdue_ms(self, now_ms: int) -> int:
        """Return for how long the promised next write has been missing; 0 if it is not.

        After a clean shutdown nobody has promised anything.
        """
        return 0 if self.clean_shutdown else max(0, now_ms - self.next_write_ms)


def read_checkpoint(
    path: str | os.PathLike[str],
    *,
    account_ref: str | None = None,
    exchanges: Collection[str] | None = None,
    last_seen: LastSeen | None = None,
    allow_rollback: bool = False,
    size_limit: int = SIZE_LIMIT,
) -> Checkpoint:
    """Given the path, return the checkpoint that can be believed.

    `account_ref` and `exchanges` say whose it must be, `last_seen` what was seen before.

    Raises:
        CheckpointMissing: There is none, and no older generation.
        CheckpointCorrupt: It is damaged, and so is every older generation.
        CheckpointTooNew: It follows a newer major version.
        CheckpointForeign: It belongs to somebody else.
        CheckpointRolledBack: It is older than what was seen, and `allow_rollback` is not set.
    """
    place = Path(path)
    journal = history.read_journal(place)
    try:
        found = load_file(place, size_limit=size_limit)
        _continues_its_journal(found, journal)
    except (CheckpointMissing, CheckpointCorrupt) as trouble:
        found = _older_generation(place, journal, trouble, size_limit)
    return accept(
        found,
        account_ref=account_ref,
        exchanges=exchanges,
        last_seen=last_seen,
        allow_rollback=allow_rollback,
        journal=journal,
    )


def require_fresh(checkpoint: Checkpoint, *, now_ms: int, grace_ms: int) -> None:
    """Do nothing unless the engine is past its promised next write by more than the grace.

    Raises:
        CheckpointStale: It is; the engine has died or hangs, and may have sent orders since.
    """
    overdue_ms = checkpoint.overdue_ms(now_ms)
    if overdue_ms > grace_ms:
        raise CheckpointStale(
            f"written {_seconds(now_ms - checkpoint.written_ms)} ago, and the next write is"
            f" {_seconds(overdue_ms)} overdue",
            place=checkpoint.place,
            hint="is the engine alive? It has neither written nor shut down cleanly",
        )


def load_file(path: Path, *, size_limit: int = SIZE_LIMIT) -> Checkpoint:
    """Read one file on its own, without its history.

    Raises:
        CheckpointMissing: There is no such file.
        CheckpointCorrupt: It is damaged or cannot be read.
        CheckpointTooNew: It follows a newer major version.
    """
    try:
        data = read_bounded(path, size_limit).data
    except FileNotFoundError:
        raise CheckpointMissing(
            "there is no checkpoint here",
            place=str(path),
            hint="has the engine ever run? Is the path of the checkpoint right?",
        ) from None
    except (OSError, ValueError, FormatError) as trouble:
        raise CheckpointCorrupt(
            f"it cannot be read: {trouble}", place=str(path), hint="look at the disk"
        ) from trouble
    return parse_checkpoint(data, place=str(path))


def parse_checkpoint(data: bytes, *, place: str) -> Checkpoint:
    """Given the bytes of a checkpoint, from wherever they came, return what they hold.

    Raises:
        CheckpointCorrupt: They are not a whole checkpoint of version 1.
        CheckpointTooNew: They follow a newer major version.
    """
    try:
        document = parse(data)
        _refuse_unknown_schema(document)
        digest = verified_sha256(document)
        check_document(document)
    except CheckpointTooNew as trouble:
        trouble.place = place
        raise
    except (ValueError, FormatError) as trouble:
        raise CheckpointCorrupt(
            f"it cannot be believed: {trouble}",
            place=place,
            hint="the exchange's side can still be read; look at the disk and the engine",
        ) from trouble
    return Checkpoint(document=document, sha256=digest, place=place)


def accept(
    found: Checkpoint,
    *,
    account_ref: str | None = None,
    exchanges: Collection[str] | None = None,
    last_seen: LastSeen | None = None,
    allow_rollback: bool = False,
    journal: Mapping[int, str] | None = None,
) -> Checkpoint:
    """Given a whole checkpoint, return it if it is whose it must be and not an older one.

    Raises:
        CheckpointForeign: It belongs to somebody else.
        CheckpointRolledBack: It is older than what was seen, and `allow_rollback` is not set.
    """
    _belongs(found, account_ref, exchanges)
    if found.fallback is not None:
        return found
    return _not_rolled_back(found, journal or {}, last_seen, allow_rollback=allow_rollback)


def _refuse_unknown_schema(document: JsonObject) -> None:
    """Tell a newer format from a damaged file before looking at anything else in it."""
    schema = document.get("schema")
    if schema == CHECKPOINT_SCHEMA:
        return
    major = schema.removeprefix(_FAMILY) if isinstance(schema, str) else ""
    if major.isdecimal() and isinstance(schema, str) and schema.startswith(_FAMILY):
        raise CheckpointTooNew(
            f"schema {schema!r}, and this program knows {CHECKPOINT_SCHEMA!r}",
            hint="use a resyncctl that is as new as the engine",
        )
    raise FormatError(f"unknown schema {schema!r}, expected {CHECKPOINT_SCHEMA!r}")


def _continues_its_journal(found: Checkpoint, journal: Mapping[int, str]) -> None:
    written = journal.get(found.sequence)
    if written is not None and written != found.sha256:
        raise CheckpointCorrupt(
            f"the journal says that sequence {found.sequence} was written with another content",
            place=found.place,
            hint="somebody has changed the file by hand, or put another history in its place",
        )
    before = journal.get(found.sequence - 1)
    if before is not None and found.prev_sha256 is not None and before != found.prev_sha256:
        raise CheckpointCorrupt(
            f"sequence {found.sequence} does not continue the chain: it names another"
            f" predecessor than the journal",
            place=found.place,
        )


def _older_generation(
    path: Path, journal: Mapping[int, str], why: RecoveryError, size_limit: int
) -> Checkpoint:
    for sequence, place in history.generations(path):
        try:
            found = load_file(place, size_limit=size_limit)
            _continues_its_journal(found, journal)
        except (CheckpointMissing, CheckpointCorrupt):
            continue
        if found.sequence == sequence:
            lost = max([*journal, sequence]) - sequence
            behind = f", {lost} writes behind" if lost else ""
            return replace(
                found,
                fallback=f"{why.message} ({path}); fell back to generation {sequence}{behind}",
            )
    if isinstance(why, CheckpointMissing) and journal:
        raise CheckpointCorrupt(
            f"the file is gone, and its journal says that sequence {max(journal)} was written",
            place=str(path),
            hint="look for the file in a backup; the exchange's side can still be read",
        ) from why
    raise why


def _not_rolled_back(
    found: Checkpoint,
    journal: Mapping[int, str],
    last_seen: LastSeen | None,
    *,
    allow_rollback: bool,
) -> Checkpoint:
    newest = max([*journal, last_seen.sequence if last_seen else 0], default=0)
    forked = (
        last_seen is not None
        and last_seen.sha256 not in {None, found.sha256}
        and last_seen.sequence == found.sequence
    )
    if found.sequence >= newest and not forked:
        return found
    if allow_rollback:
        return replace(found, rolled_back_from=newest)
    told = (
        f"sequence {found.sequence} has another content than when it was last seen"
        if forked
        else f"sequence {found.sequence} is older than {newest}, which was seen before"
    )
    raise CheckpointRolledBack(
        f"{told}: a backup was put back",
        place=found.place,
        hint="find the newest checkpoint, or allow the rollback and reconcile everything",
    )


def _belongs(found: Checkpoint, account_ref: str | None, exchanges: Collection[str] | None) -> None:
    theirs = found.account["account_ref"]
    if account_ref is not None and theirs != account_ref:
        raise CheckpointForeign(
            f"it belongs to the account {theirs!r}, not to {account_ref!r}",
            place=found.place,
            hint="correct the path or the account_ref in the configuration",
        )
    exchange = found.account["exchange"]
    if exchanges is not None and exchange not in exchanges:
        raise CheckpointForeign(
            f"it belongs to an account at {exchange!r}, not at {' or '.join(sorted(exchanges))}",
            place=found.place,
            hint="correct the path or the venue in the configuration",
        )


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / 1000:.1f} s"
