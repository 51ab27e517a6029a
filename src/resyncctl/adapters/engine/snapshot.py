"""A believed checkpoint as an engine snapshot, and trouble as findings. Called by the readers."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar, cast

from resyncctl.adapters.engine import rows
from resyncctl.core.discrepancy import Kind
from resyncctl.core.model import Balance, Fill
from resyncctl.core.money import ZERO
from resyncctl.core.snapshot import (
    EngineSnapshot,
    Known,
    Provenance,
    Section,
    Unknown,
    Window,
)
from resyncctl.sdk.canonical import JsonObject, canonical, decimal_of
from resyncctl.sdk.checkpoint import Checkpoint, require_fresh
from resyncctl.sdk.errors import (
    CheckpointForeign,
    CheckpointMissing,
    CheckpointRolledBack,
    CheckpointStale,
    RecoveryError,
)
from resyncctl.sdk.shape import SECTIONS

GRACE_MS = 5_000
T = TypeVar("T")

_EXCHANGE_FAMILIES = (frozenset({"binance", "binanceusdm", "binancecoinm"}),)
"""ccxt names some exchanges more than once; an account is the same under each of these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Whose checkpoint it must be. `sandbox` None accepts both worlds."""

    account_ref: str
    exchange: str
    sandbox: bool | None = None

    @property
    def exchanges(self) -> Collection[str]:
        """Every name of the expected exchange."""
        family = [names for names in _EXCHANGE_FAMILIES if self.exchange in names]
        return family[0] if family else frozenset({self.exchange})


def snapshot_of(
    found: Checkpoint, *, account: str, adapter: str, now_ms: int, grace_ms: int = GRACE_MS
) -> EngineSnapshot:
    """Given a believed checkpoint, return what its engine believes, with trouble told.

    After a clean shutdown the belief stands still, so it is as of now; otherwise it is as of the
    moment of writing. Rows of an older generation, of a rolled back checkpoint and of a partial
    dump are known but not complete.
    """
    document = found.document
    frame = rows.frame_of(document, account)
    doubts = _doubts(found)
    as_of_ms = max(found.state_as_of_ms, found.written_ms)
    fills, notes = _fills(found, frame)
    return EngineSnapshot(
        account=account,
        as_of_ms=max(as_of_ms, now_ms) if found.clean_shutdown else as_of_ms,
        sequence=found.sequence,
        source=Provenance(adapter, found.place, belief_sha256(found)),
        orders=_section(
            found,
            "orders",
            [rows.order_from(row, frame) for row in found.rows("orders") or ()],
            as_of_ms,
            doubts + _odd_orders(found),
        ),
        fills=_fill_section(found, fills, as_of_ms, doubts + notes),
        positions=_section(
            found,
            "positions",
            [rows.position_from(row, frame) for row in found.rows("positions") or ()],
            as_of_ms,
            doubts,
        ),
        balances=_balances(found, frame, as_of_ms, doubts),
        trouble=_trouble(found, now_ms, grace_ms),
        claims=rows.claims_from(found.rows("external_claims") or ()),
    )


def belief_sha256(found: Checkpoint) -> str:
    """Return a hash of what the engine believes, without when it last said so.

    An engine writes a heartbeat every few seconds. A verdict is about the belief: it stays valid
    while nothing but the time has changed, and falls with the first order, fill or amount.
    """
    belief: JsonObject = {name: found.document.get(name) for name in SECTIONS}
    belief["account"] = found.document["account"]
    belief["complete"] = found.complete
    balances = found.rows("balances")
    if balances is not None:
        untold = {"as_of_ms", "source"}
        belief["balances"] = [
            {key: value for key, value in row.items() if key not in untold} for row in balances
        ]
    return hashlib.sha256(canonical(belief)).hexdigest()


def unreadable(
    trouble: RecoveryError, *, account: str, adapter: str, place: str, now_ms: int
) -> EngineSnapshot:
    """Given why there is no believable checkpoint, return a snapshot in which nothing is known."""
    reason = trouble.message if trouble.hint is None else f"{trouble.message} ({trouble.hint})"
    unknown = Unknown(f"the checkpoint {place} cannot be used: {trouble.message}")
    return EngineSnapshot(
        account=account,
        as_of_ms=now_ms,
        sequence=None,
        source=Provenance(adapter, trouble.place or place),
        orders=unknown,
        fills=unknown,
        positions=unknown,
        balances=unknown,
        trouble=((_kind_of(trouble).value, reason),),
    )


def refuse_other_worlds(found: Checkpoint, expected: Expected) -> None:
    """Do nothing for a checkpoint of the expected world.

    Raises:
        CheckpointForeign: It describes simulated orders, or the other one of sandbox and live.
    """
    if found.account["dry_run"]:
        raise CheckpointForeign(
            "it belongs to a dry run, whose orders were never sent",
            place=found.place,
            hint="give the path of the live engine's checkpoint",
        )
    sandbox = found.account["sandbox"]
    if expected.sandbox is not None and sandbox is not expected.sandbox:
        theirs, ours = ("a sandbox", "live") if sandbox else ("live", "a sandbox")
        raise CheckpointForeign(
            f"its account is {theirs} and the configured one is {ours}",
            place=found.place,
            hint="correct the mode of the account or the path of the checkpoint",
        )


def _kind_of(trouble: RecoveryError) -> Kind:
    match trouble:
        case CheckpointForeign():
            return Kind.CHECKPOINT_FOREIGN
        case CheckpointRolledBack() | CheckpointStale():
            return Kind.CHECKPOINT_STALE
        case CheckpointMissing():
            # Nothing is damaged: nothing is there, and its own words say so.
            return Kind.SECTION_UNREADABLE
        case _:
            return Kind.CHECKPOINT_CORRUPT


def _trouble(found: Checkpoint, now_ms: int, grace_ms: int) -> tuple[tuple[str, str], ...]:
    told: list[tuple[str, str]] = []
    if found.fallback is not None:
        told.append((Kind.CHECKPOINT_CORRUPT.value, found.fallback))
    if found.rolled_back_from is not None:
        reason = (
            f"sequence {found.sequence} is older than {found.rolled_back_from}, which was seen"
            " before; it was read because rolling back was allowed"
        )
        told.append((Kind.CHECKPOINT_STALE.value, reason))
    try:
        require_fresh(found, now_ms=now_ms, grace_ms=grace_ms)
    except CheckpointStale as stale:
        told.append((Kind.CHECKPOINT_STALE.value, f"{stale.message}; {stale.hint}"))
    return tuple(told)


def _doubts(found: Checkpoint) -> tuple[str, ...]:
    """Return why rows may be missing from what was read; empty when the engine told everything."""
    doubts: list[str] = []
    if not found.complete:
        doubts.append("the engine says that its checkpoint is not complete")
    if found.fallback is not None:
        doubts.append(found.fallback)
    if found.rolled_back_from is not None:
        doubts.append(f"rolled back from sequence {found.rolled_back_from}")
    return tuple(doubts)


def _section(
    found: Checkpoint, name: str, data: list[T], as_of_ms: int, notes: tuple[str, ...]
) -> Section[T]:
    if found.rows(name) is None:
        return Unknown(f"the engine's checkpoint does not say anything about {name}")
    return Known(tuple(data), as_of_ms, complete=not _doubts(found), notes=notes)


def _fills(found: Checkpoint, frame: rows.Frame) -> tuple[list[Fill], tuple[str, ...]]:
    pairs = [rows.fill_from(row, frame) for row in found.rows("fills") or ()]
    return [fill for fill, _ in pairs], tuple(note for _, note in pairs if note is not None)


def _fill_section(
    found: Checkpoint, fills: list[Fill], as_of_ms: int, notes: tuple[str, ...]
) -> Section[Fill]:
    section = _section(found, "fills", fills, as_of_ms, notes)
    since_ms = found.document.get("fills_since_ms")
    if isinstance(section, Unknown) or not isinstance(since_ms, int):
        return section
    window = Window(since_ms, max(since_ms, found.state_as_of_ms))
    return Known(
        section.data, as_of_ms, window=window, complete=section.complete, notes=section.notes
    )


def _balances(
    found: Checkpoint, frame: rows.Frame, as_of_ms: int, notes: tuple[str, ...]
) -> Section[Balance]:
    """Balances are as old as their oldest row: booked changes since then may explain a gap."""
    told = cast("list[JsonObject]", found.rows("balances") or [])
    oldest_ms = min((cast("int", row["as_of_ms"]) for row in told), default=as_of_ms)
    data = [rows.balance_from(row, frame) for row in told]
    return _section(found, "balances", data, min(oldest_ms, as_of_ms), notes)


def _odd_orders(found: Checkpoint) -> tuple[str, ...]:
    """Say where an order's numbers do not add up; amount and filled are then what counts."""
    return tuple(
        f"order {row.get('client_id') or row.get('exchange_id')}: amount minus filled is not its"
        " remaining"
        for row in found.rows("orders") or ()
        if not _adds_up(row)
    )


def _adds_up(row: JsonObject) -> bool:
    amount, filled, left = (decimal_of(row[key]) for key in ("amount", "filled", "remaining"))
    if amount is None or filled is None or left is None:
        return False
    return left == max(amount - filled, ZERO)
