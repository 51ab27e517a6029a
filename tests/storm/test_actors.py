"""Proof that the storm's further actors act, and that the oracle sees what each may not do."""

from dataclasses import replace
from typing import Any

import pytest

from resyncctl.core.snapshot import Known
from tests.storm.kit import Kit
from tests.storm.scenario import Scenario
from tests.storm.story import run_seed
from tests.storm.trouble import what_happens

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


@pytest.mark.invariant("I30")
@pytest.mark.parametrize("second", ["cancel_all", "resync"])
def test_a_second_operator_takes_the_account_over(second: str) -> None:
    scenario = replace(
        QUIET, program="resync", second=second, second_after_ms=9_000, takes_over=True, orders=8
    )
    result = run_seed(scenario)
    assert not result.violations
    assert [one.verdict for one in result.endings] == ["LOST", "SAFE"]
    assert result.endings[0].run in result.arena.oracle.lost_by


@pytest.mark.invariant("I1")
def test_what_was_ordered_by_hand_before_a_run_is_older_than_its_proof() -> None:
    """Nobody is silent whom nobody asks: the run's own beginning counts as somebody's sending."""
    scenario = replace(
        QUIET,
        program="resync",
        orders=0,
        seed=2,
        lag_mode="missing_new",
        lag_ms=44_000,
        foreign=(1_400,),
    )
    result = run_seed(scenario)
    assert not result.violations


@pytest.mark.invariant("I30")
def test_a_request_of_a_run_that_lost_the_account_is_noticed() -> None:
    arena = run_seed(QUIET).arena
    arena.oracle.lost("loser", 0)
    arena.loop.virtual_s += 1
    arena.oracle.intended("loser")
    arena.oracle.before_mutation("loser", "cancel", {})
    words = [one.what for one in arena.oracle.violations if one.invariant == "I30"]
    assert len(words) == 2


def in_trouble(kind: str) -> Scenario:
    """A seed whose trouble is of this kind, from the first moment and for long."""
    seed = next(one for one in range(1, 2_000) if what_happens(one) == (0, 200_000, kind))
    return replace(QUIET, seed=seed, store_trouble=True)


@pytest.mark.invariant("I12", "I30")
@pytest.mark.parametrize("kind", ["store", "gate", "directory"])
def test_a_cancel_goes_on_while_this_host_is_in_trouble(kind: str) -> None:
    result = run_seed(in_trouble(kind))
    assert not result.violations
    assert result.endings[0].verdict == "SAFE"


@pytest.mark.invariant("I11", "I30")
@pytest.mark.parametrize("kind", ["store", "directory"])
def test_no_order_is_sent_and_no_gate_opened_while_this_host_is_in_trouble(kind: str) -> None:
    flatten = run_seed(replace(in_trouble(kind), program="flatten"))
    assert not flatten.violations
    assert flatten.endings[0].verdict == "IOERR"
    assert flatten.arena.oracle.creates == 0 or flatten.liveness[0].verdict == "FLAT"
    resume = run_seed(replace(in_trouble(kind), program="resume"))
    assert not resume.violations
    assert "resumed" not in resume.resumed


@pytest.mark.invariant("I16")
def test_flat_that_is_told_beside_a_holding_is_noticed() -> None:
    arena = run_seed(QUIET).arena
    assert arena.oracle.holdings()
    arena.loop.virtual_s += 100
    arena.oracle.told_flat("flatten", 55_000)
    assert any("told FLAT while" in one.what for one in arena.oracle.violations)


@pytest.mark.invariant("I16")
@pytest.mark.parametrize("mode", ["steady", "flapping"])
def test_a_flatten_meets_positions_and_fills_of_the_past(mode: str) -> None:
    scenario = replace(
        QUIET, program="flatten", lag_mode=mode, lag_ms=30_000, holdings_lag=True, symbols=2
    )
    result = run_seed(scenario)
    assert not result.violations
    assert result.endings[0].verdict == "FLAT"
    assert not result.arena.oracle.holdings()
