"""What an operator runs in the storm, and what the oracle may hold each answer to.

Promises: the procedures are the product's, called as its wiring calls them; an answer is turned
into one word (SAFE, FLAT, DISCREPANT, UNKNOWN, RESIDUAL or the name of an exit code), and
everything but the first two names what is missing. Called by `story`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.flatten_holdings import Choice
from resyncctl.core.gate import GateState
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.safety import VerdictRecord
from resyncctl.ports.powers import LeaseKeeper
from resyncctl.procedures.cancel_all import CancelAllRequest, cancel_all
from resyncctl.procedures.dead_man_switch import Switches
from resyncctl.procedures.flatten import FlattenRequest, flatten
from resyncctl.procedures.resume import ResumeRequest, resume
from resyncctl.procedures.resync import ResyncRequest, resync
from tests.storm.actors import Acknowledged
from tests.storm.desk import Desk
from tests.storm.oracle import ACCOUNT, Claim
from tests.storm.stage import Ending, Story

DEADLINE_MS = 300_000
FLATTEN_DEADLINE_MS = 600_000
WATCH_MS = 15_000
SETTLES_MS = 10_000
"""How long the last readings of a flatten take: what somebody else trades then, it cannot see."""
WORDS = {
    ExitCode.BLOCKED: "DISCREPANT",
    ExitCode.INCOMPLETE: "UNKNOWN",
    ExitCode.RESIDUAL: "RESIDUAL",
}


async def run_cancel_all(story: Story, desk: Desk) -> Ending:
    """`resyncctl cancel-all`."""
    began_ms = desk.clock.now_ms()
    outcome = await cancel_all(
        CancelAllRequest(
            account=ACCOUNT,
            scopes=desk.scopes,
            reason="storm",
            by=desk.run,
            protective=story.arena.scenario.protective,
            assume_yes=True,
            closes_gate=desk.kit.closes_gate,
            deadline_ms=DEADLINE_MS,
            take_over=desk.take_over,
        ),
        venue=desk.view,
        cancel=desk.cancel,
        gate=story.gate,
        leases=desk.leases("cancel-all"),
        journal=desk.journal,
        clock=desk.clock,
        progress=desk.stages,
        prompter=desk.person,
        policy=desk.kit.policy,
    )
    if outcome.exit_code is ExitCode.OK:
        # What the engine signs after the gate was closed is not covered, and the tool says so.
        closed_ms = (story.gate.since_ms or 0) if desk.kit.closes_gate else began_ms
        claim(story, desk, strong=False, covers_until_ms=closed_ms)
        return Ending(desk.run, "cancel_all", "SAFE", 0, outcome=outcome)
    return _short(desk, "cancel_all", outcome, "not_proved")


async def run_resync(story: Story, desk: Desk) -> Ending:
    """`resyncctl resync --repair`."""

    def switches(lease: LeaseKeeper) -> Switches:
        return Switches(
            account=ACCOUNT,
            power=desk.venue.switch,
            journal=desk.journal,
            lease=lease,
            clock=desk.clock,
            progress=desk.stages,
            countdown_ms=desk.kit.policy.countdown_ms,
            request_validity_ms=desk.kit.policy.request_validity_ms,
        )

    outcome = await resync(
        ResyncRequest(
            account=ACCOUNT,
            scopes=desk.scopes,
            reason="storm",
            by=desk.run,
            protective=story.arena.scenario.protective,
            want_repair=True,
            take_over=desk.take_over,
        ),
        venue=desk.view,
        cancel=desk.cancel,
        gate=story.gate,
        gate_view=story.gate,
        leases=desk.leases("resync"),
        engine=story.mind,
        silence=desk.kit.silence(Acknowledged(story.engine)),
        journal=desk.journal,
        clock=desk.clock,
        progress=desk.stages,
        prompter=desk.person,
        policy=desk.kit.policy,
        switches=switches if story.arena.scenario.countdown else None,
        remember=story.store.remember_verdict,
        repair=story.mind,
    )
    if outcome.exit_code is ExitCode.OK:
        claim(story, desk, strong=True, covers_until_ms=0)
        return Ending(desk.run, "resync", "SAFE", 0, outcome=outcome)
    return _short(desk, "resync", outcome, "missing")


async def run_resume(story: Story, desk: Desk) -> Ending:
    """`resyncctl resync`, then `resyncctl verify --resume`, which opens the gate."""
    began_ms = desk.clock.monotonic_ms()
    ending = await run_resync(story, desk)
    ending.took_ms = desk.clock.monotonic_ms() - began_ms
    if ending.verdict != "SAFE":
        return ending
    resumes_ms = desk.clock.now_ms()
    # The engine has taken over what it was told; from here on it may trade again.
    outcome = await resume(
        ResumeRequest(
            account=ACCOUNT,
            scopes=desk.scopes,
            reason="storm",
            by=desk.run,
            confirmed_name=ACCOUNT,
            watch_ms=WATCH_MS,
        ),
        venue=desk.view,
        engine=story.mind,
        gate=story.gate,
        gate_view=story.gate,
        leases=desk.leases("verify"),
        silence=desk.kit.silence(Acknowledged(story.engine)),
        journal=desk.journal,
        clock=desk.clock,
        progress=desk.stages,
        prompter=desk.person,
        policy=desk.kit.policy,
        switches=None,
        remember=story.store.remember_verdict,
        verdict=last_verdict(story),
        newest=last_verdict(story),
    )
    story.resumed.append(outcome.status)
    if outcome.status == "resumed" and story.trouble.all_along("store", resumes_ms):
        story.arena.oracle.blame("I11", f"{desk.run} opened the gate without a store")
    return ending


def last_verdict(story: Story) -> VerdictRecord | None:
    """Return the last verdict as the command does: one that cannot be read is none."""
    found = story.store.last_verdict(ACCOUNT)
    return found if isinstance(found, VerdictRecord) else None


async def run_flatten(story: Story, desk: Desk) -> Ending:
    """`resyncctl flatten --confirm ACCOUNT`."""
    outcome = await flatten(
        FlattenRequest(
            account=ACCOUNT,
            scopes=desk.scopes,
            choice=Choice(into="USDT"),
            protective=story.arena.scenario.protective,
            reason="storm",
            by=desk.run,
            confirmed_name=ACCOUNT,
            deadline_ms=FLATTEN_DEADLINE_MS,
        ),
        venue=desk.view,
        market=desk.venue.market,
        cancel=desk.cancel,
        reduce=desk.venue.reduce,
        gate=story.gate,
        leases=desk.leases("flatten"),
        journal=desk.journal,
        clock=desk.clock,
        progress=desk.stages,
        prompter=desk.person,
        policy=desk.kit.policy,
    )
    if outcome.exit_code is ExitCode.OK:
        horizon_ms = desk.venue.view.profile.staleness_horizon_ms
        story.arena.oracle.told_flat(desk.run, horizon_ms + SETTLES_MS)
        return Ending(desk.run, "flatten", "FLAT", 0, outcome=outcome)
    ending = _short(desk, "flatten", outcome, "not_proved")
    if ending.verdict == "RESIDUAL" and outcome.status == "unproven":
        ending.verdict = "UNKNOWN"
    return ending


def claim(story: Story, desk: Desk, *, strong: bool, covers_until_ms: int) -> None:
    """Hold the tool to its word from now on."""
    if strong and story.gate.read(ACCOUNT).state is GateState.RUNNING:
        story.arena.oracle.blame("I1", f"{desk.run} was told SAFE while the gate is open")
    kept = story.arena.protective if story.arena.scenario.protective == "keep" else frozenset()
    oracle = story.arena.oracle
    oracle.claims.append(
        Claim(
            by=desk.run,
            at_ms=desk.clock.now_ms(),
            strong=strong,
            kept=kept,
            covers_until_ms=covers_until_ms,
            moves=len(story.gate.moves),
        )
    )
    oracle.forget()
    oracle.step()


def _short(desk: Desk, program: str, outcome: AccountOutcome, where: str) -> Ending:
    """Return an ending that is not the good one; it must say why."""
    named: Any = outcome.evidence.get(where, ())
    missing = tuple(str(line) for line in named)
    if not missing:
        desk.arena.oracle.blame("I2", f"{program} ended {outcome.status} and names nothing")
    verdict = WORDS.get(outcome.exit_code, outcome.exit_code.name)
    return Ending(desk.run, program, verdict, 0, missing, outcome)


Program = Callable[[Story, Desk], Awaitable[Ending]]
PROGRAMS: dict[str, Program] = {
    "cancel_all": run_cancel_all,
    "resync": run_resync,
    "resume": run_resume,
    "flatten": run_flatten,
}
