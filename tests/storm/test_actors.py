"""Proof that the storm's further actors act, and that the oracle sees what each may not do."""

from dataclasses import replace
from typing import Any

import pytest

from resyncctl.core.snapshot import Known
from tests.storm.kit import Kit
from tests.storm.scenario import Scenario
from tests.storm.story import run_seed

QUIET = Scenario(
    seed=1,
    profile="calm",
    account="one_way",
    program="cancel_all",
    second="",
    engine="absent",
    orders=2,
    symbols=1,
)


class _Blind:
    """A view that does not show what somebody ordered by hand."""

    def __init__(self, inner: Any, _arena: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def read_open_orders(self, scope: Any) -> Any:
        section = await self._inner.read_open_orders(scope)
        assert isinstance(section, Known)
        shown = tuple(o for o in section.data if not str(o.client_order_id).startswith("web-"))
        return replace(section, data=shown)


@pytest.mark.invariant("I2", "I13")
def test_a_timer_reconciles_beside_the_operator() -> None:
    result = run_seed(replace(QUIET, cron=True, fills=(30_000,), foreign=(1_000,)))
    assert not result.violations
    said = result.arena.notes["cron"]
    assert said["clean"] + said["discrepant"] >= 3
    assert result.endings[0].verdict == "SAFE"


@pytest.mark.invariant("I2")
def test_clean_that_is_said_beside_a_lasting_difference_is_noticed() -> None:
    scenario = replace(QUIET, seed=2, orders=0, cron=True, foreign=(1_000,))
    result = run_seed(scenario, Kit(views=(_Blind,)))
    assert any(
        one.invariant == "I2" and "said clean beside" in one.what for one in result.violations
    )


@pytest.mark.invariant("I13")
def test_a_reader_that_changes_something_is_noticed() -> None:
    oracle = run_seed(QUIET).arena.oracle
    oracle.readers.add("cron")
    oracle.before_mutation("cron", "cancel", {})
    assert any("may only read" in one.what for one in oracle.violations)
