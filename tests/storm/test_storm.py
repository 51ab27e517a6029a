"""A small storm with fixed seeds, the seeds that once failed, and proof that the oracle sees."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.snapshot import Known
from resyncctl.procedures.reconcile import ReconcileRequest, reconcile
from tests.fakes.memory_store import MemoryStore
from tests.fakes.operators import MemoryGate
from tests.fakes.virtual_time import VirtualClock, VirtualLoop, run_virtually
from tests.storm.ablations import ABLATIONS
from tests.storm.arena import build_arena
from tests.storm.belief import Mind
from tests.storm.campaign import run_block
from tests.storm.desk import SCOPES, fast_folder, sit_down, sweep
from tests.storm.kit import Kit
from tests.storm.oracle import ACCOUNT
from tests.storm.reconciler import Names, differences
from tests.storm.scenario import PROFILES, Scenario, draw
from tests.storm.story import GOOD, SeedResult, run_seed
from tests.storm.summary import campaign_figures, merged
from tests.storm.trouble import Trouble

KEPT = sorted((Path(__file__).parents[1] / "seeds").glob("*.json"))
ABLATED = {one.name: one for one in ABLATIONS}


def says(result: SeedResult) -> str:
    """Everything about a seed that must be equal when it runs again."""
    logs = [(row.time_ms, row.method, row.path, row.status) for row in result.arena.exchange.log]
    ends = [(one.verdict, one.took_ms, one.missing) for one in result.endings]
    return json.dumps([logs, ends, result.arena.exchange.control.digest()])


@pytest.mark.invariant("I1", "I2", "I3", "I10", "I16", "I17", "I23", "I24", "I31", "I39", "I47")
@pytest.mark.parametrize("seed", range(16))
def test_a_storm_breaks_no_promise(seed: int) -> None:
    result = run_seed(draw(seed, PROFILES["storm"]))
    assert not result.violations
    for ending in result.endings:
        assert ending.verdict in GOOD or ending.missing, "it names nothing that is missing"


@pytest.mark.invariant("I47")
@pytest.mark.parametrize("seed", range(8))
def test_without_faults_every_run_ends_with_the_truth(seed: int) -> None:
    scenario = draw(seed, PROFILES["calm"])
    result = run_seed(scenario)
    assert not result.violations
    for ending in (result.endings[0], *result.liveness):
        if ending.verdict == "LOST":
            assert scenario.takes_over
            assert any("taken over by" in line for line in ending.missing)
        elif ending.program == "flatten":
            assert ending.verdict in {"FLAT", "RESIDUAL"}
        elif ending.program == "cancel_all" or scenario.engine != "rogue":
            assert ending.verdict in {"SAFE", "DISCREPANT"}, ending.missing
        else:
            assert any("engine is silent" in line for line in ending.missing)


@pytest.mark.parametrize("path", KEPT, ids=[path.stem for path in KEPT])
def test_a_seed_that_once_failed_stays_green(path: Path) -> None:
    kept = json.loads(path.read_text())
    result = run_seed(Scenario.from_json(kept["scenario"]))
    assert not result.violations, kept["what"]
    if "verdict" in kept:
        assert result.endings[0].verdict == kept["verdict"]


@pytest.mark.invariant("I29")
def test_a_seed_replays_to_the_last_request() -> None:
    scenario = draw(4, PROFILES["storm"])
    assert Scenario.from_json(json.loads(json.dumps(scenario.to_json()))) == scenario
    assert says(run_seed(scenario)) == says(run_seed(scenario))


@pytest.mark.parametrize(
    ("name", "invariant", "first"),
    [
        ("algo_scope", "I1", 5),
        ("ack_is_no_proof", "I1", 23),
        ("journal_first", "I23", 0),
    ],
)
def test_a_protection_that_is_left_out_is_noticed(name: str, invariant: str, first: int) -> None:
    kit = ABLATED[name].change(Kit())
    for seed in range(first, first + 40):
        result = run_seed(draw(seed, PROFILES["harsh"]), kit)
        if result.red:
            assert invariant in {one.invariant for one in result.violations}
            return
    pytest.fail(f"40 seeds without {name} stay green")


def test_blocks_add_up() -> None:
    whole, first, second = (run_block(("storm", *span)) for span in ((0, 4), (0, 2), (2, 4)))
    one, two = (campaign_figures(merged(lines), "storm") for lines in ([whole], [first, second]))
    for figures in (one, two):
        figures.pop("wall_s")
    assert one == two
    assert one["seeds"] == 4
    assert one["cells_hit"] <= one["cells_reachable"]


def left_behind(mind: Mind, seed: int) -> None:
    """Let the engine forget an order, and be wrong about a leg and about some money."""
    orders, positions, balances = mind.stub.orders, mind.stub.positions, mind.stub.balances
    assert isinstance(orders, Known)
    assert isinstance(positions, Known)
    assert isinstance(balances, Known)
    if orders.data and seed % 2:
        mind.stub.orders = replace(orders, data=orders.data[1:])
    if positions.data and seed % 3:
        leg = positions.data[0]
        wrong = replace(leg, quantity=leg.quantity * 2)
        mind.stub.positions = replace(positions, data=(wrong, *positions.data[1:]))
    if seed % 5:
        money = balances.data[0]
        wrong_money = replace(money, total=money.total * 2, free=None, locked=None)
        mind.stub.balances = replace(balances, data=(wrong_money, *balances.data[1:]))


def named(outcome: AccountOutcome) -> Names:
    """The findings by what they are about."""
    found: Names = set()
    for finding in outcome.findings:
        subject = finding.subject
        if subject.venue_order_id is not None:
            found.add(("order", str(subject.symbol), str(subject.venue_order_id)))
        elif subject.asset is not None:
            found.add(("money", str(subject.product), subject.asset))
        else:
            found.add(("leg", str(subject.symbol), str(subject.leg)))
    return found


@pytest.mark.parametrize("seed", range(10))
def test_a_second_reconciler_finds_exactly_the_same(seed: int) -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    scenario = replace(draw(seed, PROFILES["calm"]), lag_mode="", skew_ms=0)
    arena = build_arena(scenario, loop, clock)
    mind = Mind(arena.exchange, {scope.product for scope in SCOPES[scenario.account]})
    mind.learn()
    left_behind(mind, seed)
    folder = fast_folder()

    async def look() -> AccountOutcome:
        desk = sit_down(
            arena,
            run="look",
            client="10.0.0.9",
            folder=folder,
            store=MemoryStore(),
            kit=Kit(),
            trouble=Trouble(arena, folder),
            may_load_markets=True,
        )
        try:
            return await reconcile(
                ReconcileRequest(account=ACCOUNT, scopes=desk.scopes, second_look=False),
                venue=desk.view,
                engine=mind,
                gate=MemoryGate(),
                journal=desk.journal,
                clock=clock,
                progress=desk.stages,
                policy=desk.kit.policy,
            )
        finally:
            await desk.leave()

    try:
        outcome = run_virtually(loop, look())
    finally:
        sweep(folder)
    assert named(outcome) == differences(arena.exchange, mind)
    assert Decimal(0) == sum(row.placed for row in arena.exchange.log)
