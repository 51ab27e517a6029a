"""Run one seed from its first request to the end of its aftermath, and say what happened.

Called by `campaign`, `ablations` and the tests.
"""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import cast

from resyncctl.core.errors import LockedError, ResyncError
from resyncctl.ports.store import Store
from tests.fakes.memory_store import MemoryStore
from tests.fakes.operators import MemoryGate
from tests.fakes.virtual_time import VirtualClock, VirtualLoop, run_virtually
from tests.storm.actors import Engine, book_events
from tests.storm.arena import Arena, build_arena, catalogue
from tests.storm.belief import Mind
from tests.storm.cron import watch
from tests.storm.desk import SCOPES, fast_folder, sweep
from tests.storm.kit import Kit
from tests.storm.oracle import Violation
from tests.storm.programs import PROGRAMS
from tests.storm.scenario import PROFILES, Scenario, draw
from tests.storm.stage import Ending, Story
from tests.storm.trouble import SickStore, draw_trouble

AFTERMATH_MS = 60_000
LOCKED_TRIES = 2
GOOD = frozenset({"SAFE", "FLAT"})


@dataclass(slots=True)
class SeedResult:
    """What one seed gave."""

    scenario: Scenario
    endings: list[Ending]
    violations: list[Violation]
    virtual_s: float
    wall_s: float
    arena: Arena
    liveness: list[Ending] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)

    @property
    def red(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.violations)


def run_seed(scenario: Scenario, kit: Kit | None = None) -> SeedResult:
    """Run one seed."""
    started = time.perf_counter()
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    folder = fast_folder()
    try:
        arena = build_arena(scenario, loop, clock)
        used = kit or Kit()
        gate = MemoryGate()
        arena.oracle.gate = gate
        mind = Mind(arena.exchange, {scope.product for scope in SCOPES[scenario.account]})
        mind.learn()
        trouble = draw_trouble(arena, folder, gate)
        dice = random.Random(f"engine/{scenario.seed}")
        story = Story(
            arena=arena,
            folder=folder,
            gate=gate,
            store=cast("Store", SickStore(MemoryStore(), trouble)),
            trouble=trouble,
            engine=Engine(
                arena, gate if used.engine_sees_gate else MemoryGate(), scenario.engine, dice, mind
            ),
            mind=mind,
            kit=used,
        )
        endings, liveness = run_virtually(loop, _play(story))
    finally:
        sweep(folder)
    for defect in arena.exchange.control.defects:
        arena.oracle.blame("simulator", defect)
    return SeedResult(
        scenario=scenario,
        endings=endings,
        violations=arena.oracle.violations,
        virtual_s=loop.virtual_s,
        wall_s=time.perf_counter() - started,
        arena=arena,
        liveness=liveness,
        resumed=story.resumed,
    )


def warm_up() -> None:
    """Load and keep what every seed of this process and its children needs."""
    catalogue()
    run_seed(draw(0, PROFILES["calm"]))


async def _play(story: Story) -> tuple[list[Ending], list[Ending]]:
    arena, scenario = story.arena, story.arena.scenario
    trading = asyncio.ensure_future(story.engine.trade()) if scenario.engine != "absent" else None
    book_events(arena)
    await arena.clock.sleep_ms(1_500)
    operators = [_operate(story, scenario.program, "10.0.0.1", 0)]
    if scenario.second:
        operators.append(_second(story))
    timer = asyncio.ensure_future(watch(story)) if scenario.cron else None
    endings = list(await asyncio.gather(*operators))
    await _aftermath(story)
    if timer is not None:
        await _stop(timer)
    liveness: list[Ending] = []
    # Nobody can prove a rogue engine silent: trying again would only repeat the answer.
    provable = scenario.engine != "rogue" or endings[0].program in {"cancel_all", "flatten"}
    if endings[0].verdict not in GOOD and provable:
        arena.faults_on = False
        liveness.append(await _operate(story, scenario.program, "10.0.0.3", 0))
        await _aftermath(story)
    story.engine.stopped = True
    if trading is not None:
        trading.cancel()
    return endings, liveness


def _lost(story: Story, ending: Ending) -> bool:
    """Whether the run lost the account: it gave way, or its lock was taken away."""
    gave_way = any("taken over by" in line for line in ending.missing)
    return gave_way or ending.run in story.arena.oracle.lost_by


async def _stop(timer: asyncio.Future[None]) -> None:
    """End the timer's reconcile, wherever it is; what it failed with is not forgotten."""
    timer.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await timer


async def _aftermath(story: Story) -> None:
    """Let the world go on: what was called SAFE has to stay so."""
    for _ in range(AFTERMATH_MS // 1_000):
        await story.arena.clock.sleep_ms(1_000)
        story.arena.exchange.advance()
        story.arena.oracle.step()


async def _second(story: Story) -> Ending:
    """The second operator, who waits for nobody, or takes the account over."""
    scenario = story.arena.scenario
    take_over = "the storm takes over" if scenario.takes_over else None
    return await _operate(
        story, scenario.second, "10.0.0.2", scenario.second_after_ms, take_over=take_over
    )


async def _operate(
    story: Story, program: str, client: str, after_ms: int, *, take_over: str | None = None
) -> Ending:
    await story.arena.clock.sleep_ms(after_ms)
    for attempt in range(LOCKED_TRIES):
        began_ms = story.arena.clock.monotonic_ms()
        desk = story.sit_down(client, may_load_markets=program != "cancel_all")
        desk.take_over = take_over
        try:
            ending = await PROGRAMS[program](story, desk)
        except LockedError as error:
            ending = Ending(desk.run, program, "LOCKED", 0, (error.message,))
            await story.arena.clock.sleep_ms(40_000)
        except ResyncError as error:
            verdict = error.exit_code.name
            ending = Ending(desk.run, program, verdict, 0, (error.message,))
        finally:
            await desk.leave()
        if ending.verdict not in GOOD and _lost(story, ending):
            ending.verdict = "LOST"
        ending.took_ms = ending.took_ms or story.arena.clock.monotonic_ms() - began_ms
        if ending.verdict != "LOCKED" or attempt == LOCKED_TRIES - 1:
            return ending
    raise AssertionError("not reached")
