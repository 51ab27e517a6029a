"""Run one seed from its first request to the end of its aftermath, and say what happened.

Called by `campaign`, `ablations` and the tests.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resyncctl.core.errors import LockedError, ResyncError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import AccountOutcome
from resyncctl.procedures.cancel_all import CancelAllRequest, cancel_all
from tests.fakes.memory_store import MemoryStore
from tests.fakes.operators import MemoryGate
from tests.fakes.virtual_time import VirtualClock, VirtualLoop, run_virtually
from tests.storm.actors import Engine, book_events
from tests.storm.arena import Arena, build_arena
from tests.storm.desk import Desk, fast_folder, sit_down, sweep
from tests.storm.kit import Kit
from tests.storm.oracle import ACCOUNT, Claim, Violation
from tests.storm.scenario import Scenario

DEADLINE_MS = 300_000
AFTERMATH_MS = 60_000
LOCKED_TRIES = 3


@dataclass(slots=True)
class Ending:
    """How one run of a command ended."""

    run: str
    program: str
    verdict: str
    took_ms: int
    missing: tuple[str, ...] = ()
    outcome: AccountOutcome | None = None


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

    @property
    def red(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.violations)


@dataclass(slots=True)
class Story:
    """One seed while it runs."""

    arena: Arena
    folder: Path
    gate: MemoryGate
    store: MemoryStore
    engine: Engine
    kit: Kit
    runs: int = 0

    def sit_down(self, client: str, *, may_load_markets: bool = False) -> Desk:
        self.runs += 1
        return sit_down(
            self.arena,
            run=f"storm-{self.arena.scenario.seed}-{self.runs}",
            client=client,
            folder=self.folder,
            store=self.store,
            kit=self.kit,
            may_load_markets=may_load_markets,
        )


def run_seed(scenario: Scenario, kit: Kit | None = None) -> SeedResult:
    """Run one seed."""
    started = time.perf_counter()
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    folder = fast_folder()
    try:
        arena = build_arena(scenario, loop, clock)
        gate = MemoryGate()
        story = Story(
            arena=arena,
            folder=folder,
            gate=gate,
            store=MemoryStore(),
            engine=Engine(arena, gate, scenario.engine, random.Random(f"engine/{scenario.seed}")),
            kit=kit or Kit(),
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
    )


async def _play(story: Story) -> tuple[list[Ending], list[Ending]]:
    arena, scenario = story.arena, story.arena.scenario
    trading = asyncio.ensure_future(story.engine.trade()) if scenario.engine != "absent" else None
    book_events(arena)
    await arena.clock.sleep_ms(1_500)
    operators = [_operate(story, scenario.program, "10.0.0.1", 0)]
    if scenario.second:
        operators.append(_operate(story, scenario.second, "10.0.0.2", scenario.second_after_ms))
    endings = list(await asyncio.gather(*operators))
    await _aftermath(story)
    liveness: list[Ending] = []
    if endings[0].verdict != "SAFE":
        arena.faults_on = False
        liveness.append(await _operate(story, scenario.program, "10.0.0.3", 0))
        await _aftermath(story)
    story.engine.stopped = True
    if trading is not None:
        trading.cancel()
    return endings, liveness


async def _aftermath(story: Story) -> None:
    """Let the world go on: what was called SAFE has to stay so."""
    for _ in range(AFTERMATH_MS // 1_000):
        await story.arena.clock.sleep_ms(1_000)
        story.arena.exchange.advance()
        story.arena.oracle.step()


async def _operate(story: Story, program: str, client: str, after_ms: int) -> Ending:
    await story.arena.clock.sleep_ms(after_ms)
    for attempt in range(LOCKED_TRIES):
        began_ms = story.arena.clock.monotonic_ms()
        desk = story.sit_down(client)
        try:
            ending = await PROGRAMS[program](story, desk)
        except LockedError as error:
            ending = Ending(desk.run, program, "LOCKED", 0, (error.message,))
            await story.arena.clock.sleep_ms(20_000)
        except ResyncError as error:
            verdict = error.exit_code.name
            ending = Ending(desk.run, program, verdict, 0, (error.message,))
        finally:
            await desk.leave()
        ending.took_ms = story.arena.clock.monotonic_ms() - began_ms
        if ending.verdict != "LOCKED" or attempt == LOCKED_TRIES - 1:
            return ending
    raise AssertionError("not reached")


async def _cancel_all(story: Story, desk: Desk) -> Ending:
    scenario = story.arena.scenario
    outcome = await cancel_all(
        CancelAllRequest(
            account=ACCOUNT,
            scopes=desk.scopes,
            reason="storm",
            by=desk.run,
            protective=scenario.protective,
            assume_yes=True,
            closes_gate=desk.kit.closes_gate,
            deadline_ms=DEADLINE_MS,
        ),
        venue=desk.view,
        cancel=desk.cancel,
        gate=story.gate,
        leases=desk.leases,
        journal=desk.journal,
        clock=desk.clock,
        progress=desk.stages,
        prompter=desk.person,
        policy=desk.kit.policy,
    )
    if outcome.exit_code is ExitCode.OK:
        closed_ms = story.gate.since_ms or 0
        _claim(story, desk, strong=False, covers_until_ms=closed_ms)
        return Ending(desk.run, "cancel_all", "SAFE", 0, outcome=outcome)
    missing: Any = outcome.evidence["not_proved"]
    return Ending(desk.run, "cancel_all", "UNKNOWN", 0, tuple(missing), outcome)


def _claim(story: Story, desk: Desk, *, strong: bool, covers_until_ms: int) -> None:
    kept = story.arena.protective if story.arena.scenario.protective == "keep" else frozenset()
    oracle = story.arena.oracle
    oracle.claims.append(
        Claim(
            by=desk.run,
            at_ms=desk.clock.now_ms(),
            strong=strong,
            kept=kept,
            covers_until_ms=covers_until_ms,
        )
    )
    oracle.forget()
    oracle.step()


Program = Callable[[Story, Desk], Awaitable[Ending]]
PROGRAMS: dict[str, Program] = {
    "cancel_all": _cancel_all,
    "resync": _cancel_all,
    "resume": _cancel_all,
    "flatten": _cancel_all,
}
