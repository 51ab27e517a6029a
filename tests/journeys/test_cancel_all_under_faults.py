"""cancel-all on 400 orders over 20 symbols, under each fault that an exchange can cause.

Whatever breaks: a cancel on the wire has an earlier journaled intent, there are never more of them
than intents, nothing is ever placed, and "proved" is said only when it is true.
"""

from pathlib import Path
from typing import Any

import pytest

from resyncctl.core.exit_codes import NO_MUTATION, ExitCode
from resyncctl.simulator.fault_kinds import KINDS
from tests.journeys.crowded_account import Aftermath, cancel_crowd

PLACES = ("read", "cancel")
NEEDS = {
    "symbol_status": {"market": "spot", "symbol": "BTCUSDT", "status": "CANCEL_ONLY"},
}
NOT_FOR_THIS = {
    # They act on positions, keys of streams or money, and have parameters of their own; the
    # practice exchange's own tests cover them.
    "liquidation",
    "auto_deleveraging",
    "funding",
    "deposit",
    "withdrawal",
    "transfer",
    "listen_key_lapses",
    "price_moves",
    "order_filled",
    "late_fill_before_cancel",
    "late_fill_after_cancel",
    "engine_order_lands",
    "foreign_order_appears",
    "symbol_status",
    "countdown_fires",
    "algo_child_appears",
    "error",
}
CASES = [(kind, where) for kind in sorted(set(KINDS) - NOT_FOR_THIS) for where in PLACES]


def check(after: Aftermath) -> None:
    """The promises that hold whatever broke."""
    assert not after.placed
    assert len(after.cancels) <= len(after.intents)
    intents = sorted(record["at_ms"] for record in after.intents)
    for earlier, row in zip(intents, sorted(row.time_ms for row in after.cancels), strict=False):
        assert earlier <= row
    if after.code is ExitCode.OK:
        assert not after.resting
    elif after.cancels:
        assert after.code is ExitCode.RESIDUAL
    else:
        assert after.code in NO_MUTATION | {ExitCode.RESIDUAL}


def test_four_hundred_orders_are_gone_and_proved(tmp_path: Path) -> None:
    after = cancel_crowd(tmp_path, orders=400, faults=[])
    check(after)
    assert after.code is ExitCode.OK
    assert after.outcome is not None
    assert after.outcome.counts["before"] == 400
    assert after.outcome.counts["gone"] == 400
    assert len({row.parameters.get("symbol") for row in after.cancels}) >= 10
    assert after.virtual_s < 90


@pytest.mark.invariant("I47")
@pytest.mark.parametrize(("kind", "where"), CASES)
def test_a_passing_fault_is_survived_or_admitted(tmp_path: Path, kind: str, where: str) -> None:
    settings: dict[str, Any] = {"times": 3, "skip": 1 if where == "read" else 0}
    after = cancel_crowd(tmp_path, orders=60, faults=[(kind, where, settings)])
    check(after)
    assert after.faults, "the fault never fired"
    if kind != "key_revoked":
        assert after.code is ExitCode.OK, "the fault passed, and the account is still not proved"


@pytest.mark.invariant("I24", "I47")
@pytest.mark.parametrize(
    "kind",
    [
        "answer_lost",
        "answer_never",
        "body_empty",
        "body_html",
        "body_list",
        "body_null",
        "body_object",
        "cancel_pretended",
        "mass_cancel_partial",
        "request_lost",
        "stale_listing",
        "page_hole",
        "page_truncated",
        "unknown_503",
        "limited_429",
    ],
)
def test_four_hundred_orders_under_the_worst_faults(tmp_path: Path, kind: str) -> None:
    faults: list[tuple[str, str, dict[str, Any]]] = [
        (kind, "cancel", {"times": 4}),
        (kind, "read", {"times": 4, "skip": 2}),
    ]
    check(cancel_crowd(tmp_path, orders=400, faults=faults))


@pytest.mark.invariant("I1", "I2")
@pytest.mark.parametrize("kind", ["body_html", "answer_never", "body_list", "cancel_pretended"])
def test_a_fault_without_end_is_never_called_proved(tmp_path: Path, kind: str) -> None:
    after = cancel_crowd(
        tmp_path,
        orders=20,
        faults=[(kind, "cancel", {"times": 0}), (kind, "read", {"times": 0, "skip": 8})],
        deadline_ms=180_000,
    )
    check(after)
    assert after.code is not ExitCode.OK
