"""Flatten plans in files, and reducing orders of earlier runs.

Promises: a plan file is written whole or not at all and only its owner can read it; a file that
cannot be used says where and why; an order whose outcome an earlier run did not record is never
forgotten. Called by `cli.flatten`.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from resyncctl.core.errors import RecordUnwritableError, UsageError
from resyncctl.core.flatten_order import EarlierReduction
from resyncctl.core.flatten_plan import FlattenPlan
from resyncctl.core.flatten_plan_json import plan_from_text, plan_to_text
from resyncctl.core.model import Leg

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation

PLAN_BYTES_MAX = 4_000_000


def read_plan(path: Path) -> FlattenPlan:
    """Read a saved plan.

    Raises:
        UsageError: The file cannot be read.
        CorruptDataError: It is not a plan, or it was changed after it was written.
    """
    try:
        with path.open("rb") as file:
            content = file.read(PLAN_BYTES_MAX)
    except OSError as error:
        raise UsageError(
            f"the plan cannot be read: {error.strerror or error}",
            place=str(path),
            hint="write one: resyncctl flatten ACCOUNT --plan-out FILE",
        ) from None
    return plan_from_text(content, str(path))


def write_plan(path: Path, plan: FlattenPlan) -> None:
    """Write a plan durably, for its owner only.

    Raises:
        RecordUnwritableError: It cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(plan_to_text(plan))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise RecordUnwritableError(
            f"the plan cannot be written: {error.strerror or error}", place=str(path)
        ) from None


def earlier_reductions(invocation: "Invocation", account: str) -> tuple[EarlierReduction, ...]:
    """Return the reducing orders of other runs whose outcome is not known.

    To be asked when this run holds the account: a run that still lives has lost it then.
    """
    from resyncctl.adapters.store.runs import open_intents
    from resyncctl.cli.memory import journal_roots

    found: list[EarlierReduction] = []
    for intent in open_intents(journal_roots(invocation), account, holder=invocation.run_id):
        rows = intent.details.get("orders")
        if intent.action != "reduce" or not isinstance(rows, list):
            continue
        found += [
            EarlierReduction(
                product=str(intent.details.get("scope", "")).partition("/")[0],
                symbol=str(intent.details.get("symbol", "")),
                leg=Leg(str(intent.details.get("leg", Leg.BOTH.value))),
                client_order_id=str(row["client_order_id"]),
                deadline_ms=intent.deadline_ms,
                run_id=intent.intent_id.rpartition(":")[0],
            )
            for row in rows
            if isinstance(row, dict) and row.get("client_order_id")
        ]
    return tuple(found)
